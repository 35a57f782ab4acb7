# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The counting bound against all mappings of small pipelines, and the sharing of boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations_with_replacement, pairwise, product
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmc.fitting.bound import Demand, Supply, Work
from cmc.fitting.parts import Part, Sharing
from conftest import examples

CORES = 2


def least(stages: Sequence[Work], streams: Sequence[Work], supply: Supply) -> int | None:
    return Demand(stages, streams).least_interval(supply)


def shares(iterations: int) -> Iterator[tuple[int, ...]]:
    """All ways to share iterations among copies."""
    for copies in range(1, iterations + 1):
        for ends in combinations_with_replacement(range(iterations + 1), copies - 1):
            cuts = (0, *ends, iterations)
            parts = tuple(b - a for a, b in pairwise(cuts))
            if min(parts) > 0 and list(parts) == sorted(parts):
                yield parts


def best_mapping(stages: Sequence[Work], crossbars: int) -> int | None:
    """The shortest interval of all mappings to cores: of copies, their shares, and their places."""
    best: int | None = None
    for shared in product(*(list(shares(stage.iterations)) for stage in stages)):
        copies = [(stage, n) for stage, parts in zip(stages, shared, strict=True) for n in parts]
        slowest = max(stage.pace * n for stage, n in copies)
        for places in product(range(CORES), repeat=len(copies)):
            used = [0] * CORES
            busy = [0] * CORES
            for (stage, n), core in zip(copies, places, strict=True):
                used[core] += stage.crossbars
                busy[core] += stage.occupies.get("port", 0) * n
            if max(used) <= crossbars:
                interval = max(slowest, *busy)
                best = interval if best is None else min(best, interval)
    return best


@st.composite
def small_stages(draw: st.DrawFn) -> list[Work]:
    stages: list[Work] = []
    for number in range(draw(st.integers(1, 2))):
        port, interval = draw(st.integers(0, 3)), draw(st.integers(1, 4))
        occupies = {"port": port} if port else {}
        most = 4 if number else 3
        stages.append(
            Work(
                f"s{number}",
                draw(st.integers(1, most)),
                max(port, interval),
                occupies,
                draw(st.integers(0, 2)),
            )
        )
    return stages


@examples(40)
@given(small_stages(), st.integers(1, 3))
def test_no_mapping_is_faster_than_the_bound(stages: list[Work], crossbars: int):
    bound = least(stages, [], Supply(CORES, CORES * crossbars))
    best = best_mapping(stages, crossbars)
    if best is not None:
        assert bound is not None
        assert bound <= best
        if all(stage.crossbars < 2 and not stage.occupies for stage in stages):
            assert bound == best


@pytest.mark.parametrize(
    ("crossbars", "interval"),
    [
        (1, None),
        (2, 100),
        (3, 50),
        (4, 50),
        (5, 40),  # 3 copies with 4 iterations at most, and 2 with 3
        (6, 30),
        (7, 30),
        (8, 20),
        (14, 20),
        (15, 10),
        (99, 10),
    ],
)
def test_crossbars_bound_copies(crossbars: int, interval: int | None):
    stages = [Work("a", 10, 10, {}, 1), Work("b", 5, 10, {}, 1)]
    assert least(stages, [], Supply(crossbars, crossbars)) == interval


def test_units_and_streams_bind_whatever_copies_there_are():
    stage = Work("a", 100, 10, {"port": 10, "digital": 3}, 1)
    assert least([stage], [], Supply(7, 7 * 64)) == 143  # 1000 / 7, rounded up
    slow = Work("x", 50, 4, {"port": 4})
    other = Work("y", 10, 1, {"port": 1})
    assert least([stage], [slow], Supply(7, 7 * 64)) == 200
    assert least([stage], [slow, other], Supply(7, 7 * 64)) == 210


def test_an_iteration_is_never_shared():
    assert least([Work("a", 3, 50, {}, 1)], [], Supply(99, 99)) == 50


def test_pipelines_that_take_turns_share_what_copies_cannot():
    """An iteration of 50 cycles; on three crossbars, three pipelines have one each."""
    demand = Demand([Work("a", 1, 50, {}, 1)], [Work("x", 10, 1, {"port": 1})])
    assert demand.least_interval(Supply(3, 3)) == 50
    assert demand.least_of_all(Supply(3, 3)) == Fraction(50, 3)
    assert demand.least_of_all(Supply(99, 99)) == 10  # which the GCU takes for each of them
    assert demand.least_of_all(Supply(0, 0)) is None


extents = st.lists(st.integers(1, 9), max_size=3)


@examples(100)
@given(extents, st.integers(1, 80))
def test_parts_share_a_box(extents: list[int], most: int):
    box = tuple(map(range, extents))
    sharing = Sharing(box)
    parts = sharing.parts(most)
    points = [point for part in parts for point in product(*part)]
    assert sorted(points) == sorted(product(*box))
    assert max(prod(map(len, part)) for part in parts) <= most
    assert len(parts) == sharing.count(most)


@pytest.mark.parametrize(
    ("most", "parts"),
    [
        (64, [("0 to 7", "0 to 7")]),
        (32, [("0 to 7", "0 to 3"), ("0 to 7", "4 to 7")]),
        (8, [("0 to 7", str(column)) for column in range(8)]),
        (
            16,
            [("0 to 7", f"{2 * n} to {2 * n + 1}") for n in range(4)],
        ),
        (
            13,  # a copy has a column, or every other row of three
            [
                ("0 to 6 by 2", "0 to 2"),
                ("1 to 7 by 2", "0 to 2"),
                ("0 to 6 by 2", "3 to 5"),
                ("1 to 7 by 2", "3 to 5"),
                ("0 to 7", "6"),
                ("0 to 7", "7"),
            ],
        ),
        (4, [(f"{n} to {n + 6} by 2", str(w)) for w in range(8) for n in range(2)]),
    ],
)
def test_columns_come_before_rows(most: int, parts: list[tuple[str, ...]]):
    def text(part: Part) -> tuple[str, ...]:
        return tuple(
            f"{loop[0]} to {loop[-1]}{f' by {loop.step}' if loop.step > 1 else ''}"
            if len(loop) > 1
            else str(loop[0])
            for loop in part
        )

    assert [text(part) for part in Sharing((range(8), range(8))).parts(most)] == parts
