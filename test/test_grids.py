# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Which of many sets may meet: never fewer than isl finds, and no more for copies of a stage."""

from __future__ import annotations

from random import Random

import islpy as isl
from hypothesis import given
from hypothesis import strategies as st

from cmc.poly.grids import Grids
from conftest import examples


def _part(random: Random) -> isl.Set:
    """Some elements of 12 by 12: a block, every other one of some rows, or less regular."""
    bounds: list[str] = []
    for axis in ("h", "w"):
        low, step = random.randrange(12), random.randint(1, 4)
        high = random.randint(low, 11)
        bounds.append(f"{low} <= {axis} <= {high} and ({axis} - {low}) mod {step} = 0")
    some = isl.Set(f"{{ b[h, w] : {' and '.join(bounds)} }}")
    return some if random.random() < 0.8 else some.union(isl.Set("{ b[h, w] : h = w = 5 }"))


@examples(100)
@given(st.integers(0, 2**16))
def test_sets_that_meet_are_found(seed: int):
    random = Random(seed)
    sets = [_part(random) for _ in range(5)]
    grids, other = Grids.of(sets, 2), _part(random)
    meeting = {n for n, one in enumerate(sets) if not one.is_disjoint(other)}
    assert meeting <= set(grids.meeting(other).tolist())
    pairs = [(a, b) for n, a in enumerate(sets) for b in sets[n + 1 :]]
    assert not grids.apart or all(a.is_disjoint(b) for a, b in pairs)


def test_copies_are_told_apart_and_their_readers_find_few():
    # Every fourth row of a column: 4 times 56 writers.
    copies = [
        isl.Set(f"{{ b[h, {column}] : 0 <= h < 56 and h mod 4 = {row} }}")
        for column in range(56)
        for row in range(4)
    ]
    grids = Grids.of(copies, 2)
    assert grids.apart
    three_rows = isl.Set("{ b[h, w] : 9 <= w <= 11 and 0 <= h < 56 and not (h mod 4 = 2) }")
    assert [n // 4 for n in grids.meeting(three_rows)] == [9] * 4 + [10] * 4 + [11] * 4
    one_of_four = isl.Set("{ b[h, 7] : 0 <= h < 56 and h mod 8 = 0 }")
    assert grids.meeting(one_of_four).tolist() == [28]
    assert not len(grids.meeting(isl.Set("{ b[h, w] : false }")))
    assert not Grids.of([*copies, isl.Set("{ b[7, 7] }")], 2).apart


def test_points_of_no_axes_are_the_same():
    one = isl.Set("{ b[] }")
    assert Grids.of([one, one], 0).meeting(one).tolist() == [0, 1]
    assert not Grids.of([one, one], 0).apart
