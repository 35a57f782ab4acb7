# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Sets and relations as text."""

from __future__ import annotations

from functools import reduce
from random import Random

import islpy as isl
import numpy as np
import pytest

from cmc.dialects.poly import MapAttr, SetAttr, text_of
from cmc.poly.evaluate import tabulate
from cmc.poly.relations import progress


def random_piece(random: Random) -> isl.Map:
    """A shift of some points of the plane."""
    low, high = sorted(random.sample(range(10), 2))
    bounds = [f"{low} <= {random.choice('hw')} <= {high}", f"w >= {random.randint(0, 4)} + h"]
    shift = random.randint(-3, 3)
    return isl.Map(f"{{ [h, w] -> [h + {shift}, w] : {' and '.join(bounds)} }}")


@pytest.mark.parametrize("seed", range(20))
def test_text_stays_when_it_is_read_and_written(seed: int):
    random = Random(seed)
    relation = reduce(isl.Map.union, (random_piece(random) for _ in range(4)))
    for attr in (MapAttr(relation), MapAttr(relation.lexmax()), SetAttr(relation.domain())):
        text = text_of(attr.data)
        read = type(attr).from_text(text)
        assert read == attr
        assert text_of(read.data) == text


def test_pieces_stand_in_the_order_of_their_conditions():
    text = "{ [h] -> [h] : 0 <= h <= 2; [h] -> [h + 1] : 4 <= h <= 6; [h] -> [0] : h = 3 }"
    pieces = text.strip("{ }").split("; ")
    for seed in range(6):
        shuffled = Random(seed).sample(pieces, len(pieces))
        assert text_of(isl.Map(f"{{ {'; '.join(shuffled)} }}")) == text.replace("h + 1", "1 + h")


def test_hashes_tell_attributes_apart_by_what_they_mean():
    sets = [SetAttr.from_text(f"{{ [w] : 0 <= w < {n} }}") for n in range(1, 200)]
    windows = [MapAttr.from_text(f"{{ [w, k] -> [{n}w + k - {n}] }}") for n in range(1, 200)]
    steps = [MapAttr.from_text(f"{{ a[i] -> b[i - {n}] : 5 <= i < 9 }}") for n in range(1, 200)]
    for attributes in (sets, windows, steps):
        assert len({hash(attribute) for attribute in attributes}) == len(attributes)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (SetAttr, "{ [w] : 0 <= w < 6 }", "{ [i] : i >= 0 and 2i <= 11 }"),
        (SetAttr, "{ [w] : w > w }", "{ [i] : i < 0 and i > 0 }"),
        (MapAttr, "{ [w] -> [i] : i = w and 0 <= 1 }", "{ [w] -> [w] }"),
        (
            MapAttr,
            "{ [w] -> [i] : w <= i <= w and w mod 2 = 0 }",
            "{ [w] -> [2 * floor(w / 2)] : exists e : w = 2e }",
        ),
    ],
)
def test_hashes_do_not_tell_apart_what_means_the_same(
    kind: type[SetAttr | MapAttr], one: str, other: str
):
    attributes = kind.from_text(one), kind.from_text(other)
    assert attributes[0] == attributes[1]
    assert hash(attributes[0]) == hash(attributes[1])


def test_progress_is_found_where_coalescing_leaves_out_bounds_of_floors():
    """Two steps serve a pair of rows each, four apart."""
    rows = isl.Set("{ [h, 0] : 0 <= h <= 7 }")
    pairs = "4s = h - 2 and 2 <= h <= 6; [h, 0] -> [s, 4] : 4s = h - 3 and 3 <= h <= 7"
    needs = isl.Map(f"{{ [h, 0] -> [s, 4] : {pairs} }}")
    found = progress(needs, rows)
    assert found.steps.is_equal(isl.Map("{ [0, 4] -> [5, 0]; [1, 4] -> [7, 0] }"))
    assert found.initial.is_equal(isl.Set("{ [1, 0] }"))


def test_divisions_make_numbers_small_again():
    """Reshapes one after the other have floors of floors: what divides them bounds them."""
    factor = 10**14
    function = isl.Map(f"{{ [x] -> [{factor} * floor((1000003 * floor(x / 7919)) / 104729)] }}")
    (found,) = tabulate(function, [np.array([0, 10**6])]).coordinates
    assert found.tolist() == [0, factor * (1000003 * (10**6 // 7919) // 104729)]
