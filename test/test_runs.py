# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Sequences in runs do what numpy does with all their members."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy, integers

from cmc.poly.evaluate import Ints
from cmc.timing.runs import Runs, held
from conftest import examples


def sequences(*, gap: int, slope: int, size: int = 0) -> SearchStrategy[Ints]:
    """Some progressions: between their members and after them are at least these differences."""

    def values(first: int, parts: Sequence[tuple[int, int, int]]) -> Ints:
        steps = [step for count, rise, jump in parts for step in (*[rise] * count, jump)]
        return np.cumsum([first, *steps], dtype=np.int64)[size == 0 :]

    part = st.tuples(integers(0, 5), integers(slope, 4), integers(gap, 9))
    return st.builds(values, integers(-9, 9), st.lists(part, max_size=6))


any_sequence = sequences(gap=-9, slope=-4, size=1)
climbing = sequences(gap=0, slope=0, size=1)
increasing = sequences(gap=1, slope=1)


@examples(300)
@given(sequences(gap=-9, slope=-4))
def test_all_members_are_kept(values: Ints):
    runs = Runs.of(values)
    assert runs.length == len(values)
    assert np.array_equal(runs.expanded(), values)
    assert np.array_equal(runs.at(np.arange(len(values))), values)
    assert runs.increasing == bool(np.all(np.diff(values) > 0))
    assert runs.ascends == bool(np.all(np.diff(values) >= 0))


@examples(300)
@given(any_sequence, st.data())
def test_more_runs_are_merged_again(values: Ints, data: st.DataObject):
    runs = Runs.of(values)
    cuts = data.draw(st.sets(integers(0, len(values) - 1)))
    split = runs.split(np.array(sorted(cuts), np.int64))
    assert set(split.starts) == cuts | set(runs.starts)
    assert np.array_equal(split.expanded(), values)
    assert np.array_equal(split.merged().starts, runs.starts)


def test_runs_are_as_few_as_there_are_slopes():
    rows = np.add.outer(100 * np.arange(5), 2 * np.arange(7)).reshape(-1)
    runs = Runs.of(rows)
    assert runs.starts.tolist() == [0, 7, 14, 21, 28]
    assert runs.slopes.tolist() == [2] * 5
    assert len(Runs.of(3 * np.arange(1000)).starts) == 1


@examples(300)
@given(any_sequence, any_sequence, integers(-5, 5))
def test_arithmetic(one: Ints, other: Ints, factor: int):
    length = min(len(one), len(other))
    one, other = one[:length], other[:length]
    a, b = Runs.of(one), Runs.of(other)
    assert np.array_equal((a + b).expanded(), one + other)
    assert np.array_equal((a + factor).expanded(), one + factor)
    assert np.array_equal((a * factor).expanded(), one * factor)
    assert np.array_equal((-a).expanded(), -one)
    assert np.array_equal(a.reversed().expanded(), one[::-1])
    assert np.array_equal(a.maximum(b).expanded(), np.maximum(one, other))
    assert np.array_equal(Runs.joined([a, b]).expanded(), np.append(one, other))
    assert np.array_equal(a.head(length // 2).expanded(), one[: length // 2])
    assert np.array_equal(a.tail(length // 2).expanded(), one[length // 2 :])


@examples(300)
@given(any_sequence, integers(-20, 20))
def test_largest_so_far(values: Ints, least: int):
    found = Runs.of(values).accumulated(least).expanded()
    assert np.array_equal(found, np.maximum(np.maximum.accumulate(values), least))


@examples(300)
@given(any_sequence, climbing)
def test_members_at_indices(values: Ints, indices: Ints):
    indices = np.clip(indices, 0, len(values) - 1)
    found = Runs.of(values).take(Runs.of(indices)).expanded()
    assert np.array_equal(found, values[indices])


@examples(300)
@given(any_sequence, integers(1, 4), integers(-9, 9))
def test_one_time_after_the_other(values: Ints, times: int, rise: int):
    found = Runs.of(values).repeated(times, rise)
    assert found.length == times * len(values)
    assert found.expanded().tolist() == [v + n * rise for n in range(times) for v in values]


@examples(300)
@given(any_sequence, any_sequence, climbing, integers(-20, 20))
def test_arrays_are_as_good_as_runs(one: Ints, other: Ints, indices: Ints, least: int):
    length = min(len(one), len(other))
    one, other = one[:length], other[:length]
    a, b, runs = Runs.array(one), Runs.array(other), Runs.of(other)
    assert a.is_array and np.array_equal(a.expanded(), one)
    assert a.same(Runs.of(one)) and Runs.of(one).same(a)
    assert a.same(runs) == np.array_equal(one, other) == runs.same(a)
    for two in (b, runs):
        assert np.array_equal(a.maximum(two).expanded(), np.maximum(one, other))
        assert np.array_equal((a + two).expanded(), one + other)
        assert np.array_equal((a - two).expanded(), one - other)
    found = a.accumulated(least).expanded()
    assert np.array_equal(found, np.maximum(np.maximum.accumulate(one), least))
    indices = np.clip(indices, 0, length - 1)
    for chosen in (Runs.of(indices), Runs.array(indices)):
        assert np.array_equal(a.take(chosen).expanded(), one[indices])
        assert np.array_equal(runs.take(chosen).expanded(), other[indices])


@examples(300)
@given(increasing, climbing)
def test_members_below_each_bound(values: Ints, bounds: Ints):
    found = Runs.of(values).counted(Runs.of(bounds)).expanded()
    assert np.array_equal(found, np.searchsorted(values, bounds, "left"))


@examples(300)
@given(climbing, st.lists(integers(-20, 60)))
def test_members_below_bounds(values: Ints, bounds: list[int]):
    found = Runs.of(values).below(np.array(bounds, np.int64))
    assert np.array_equal(found, np.searchsorted(values, bounds, "left"))


@examples(300)
@given(increasing, climbing, integers(0, 3), integers(0, 9))
def test_members_that_stay(positions: Ints, values: Ints, first: int, rest: int):
    count = min(len(positions), len(values))
    positions, values = positions[:count], values[:count]
    positions = positions - positions.min(initial=0) + first
    length = int(positions.max(initial=0)) + 1 + rest
    last = np.searchsorted(positions, np.arange(length), "right")
    stairs = np.append(-100, values)[last]

    at, of = Runs.of(positions), Runs.of(values)
    assert np.array_equal(held(at, of, length, -100).expanded(), stairs)
    even = held(at, of, length, -100, even=True).expanded()
    assert np.all(even >= stairs)
    assert np.all(np.diff(even) >= 0)
    # Exact where members are given, and outside of these places.
    assert np.array_equal(even[positions], values)
    ends = positions.min(initial=length), positions.max(initial=0)
    assert np.array_equal(even[: ends[0]], stairs[: ends[0]])
    assert np.array_equal(even[ends[1] :], stairs[ends[1] :])
