# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Sequences of integers as arithmetic progressions: what they cost depends on their shape alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cmc.poly.evaluate import Ints, spans

_T = TypeVar("_T", np.int64, np.bool_)

LEAST = -(1 << 60)
"""Less than all that is counted or timed, and far from overflow."""


def _alternately(one: NDArray[_T], other: NDArray[_T]) -> NDArray[_T]:
    """The members of two arrays by turns."""
    both = np.empty(2 * len(one), one.dtype)
    both[::2] = one
    both[1::2] = other
    return both


def _union(one: Ints, other: Ints) -> Ints:
    """All that is in one of two ascending arrays."""
    if len(other) == 0 or (len(other) == 1 and other[0] == 0 and len(one)):
        return one
    both = np.concatenate([one, other])
    both.sort()
    return both[np.append(True, both[1:] != both[:-1])]


@dataclass(frozen=True, eq=False)
class Runs:
    """A sequence of `length` integers in runs.

    Run k begins at index `starts[k]` with `values[k]`, and grows by `slopes[k]` an index up to the
    next run. The starts ascend from 0; there are none in a sequence of no length. Where each member
    is a run of its own, the sequence is an array, and what is computed from it is one, too.
    """

    starts: Ints
    values: Ints
    slopes: Ints
    length: int

    @staticmethod
    def line(length: int, value: int, slope: int = 0) -> Runs:
        """One run."""
        starts, values, slopes = (np.full(min(length, 1), n, np.int64) for n in (0, value, slope))
        return Runs(starts, values, slopes, length)

    @staticmethod
    def of(values: Ints) -> Runs:
        """The sequence of some values, in as few runs as `merged` finds."""
        return Runs.array(values).merged()

    @staticmethod
    def array(values: Ints) -> Runs:
        """The sequence of some values, in a run each."""
        return Runs(np.arange(len(values)), values, np.zeros_like(values), len(values))

    @staticmethod
    def joined(parts: Sequence[Runs]) -> Runs:
        """One sequence after the other."""
        ends = np.cumsum([part.length for part in parts])
        starts = [p.starts + end - p.length for p, end in zip(parts, ends, strict=True)]
        values, slopes = [p.values for p in parts], [p.slopes for p in parts]
        joined = (np.concatenate(column) for column in (starts, values, slopes))
        return Runs(*joined, length=int(ends[-1]))

    def head(self, length: int) -> Runs:
        """The first members."""
        kept = self.starts < length
        return Runs(self.starts[kept], self.values[kept], self.slopes[kept], length)

    def tail(self, start: int) -> Runs:
        """The members from an index on."""
        split = self.split(np.arange(start, min(start + 1, self.length)))
        kept = split.starts >= start
        columns = split.starts[kept] - start, split.values[kept], split.slopes[kept]
        return Runs(*columns, self.length - start)

    def repeated(self, times: int, rise: int) -> Runs:
        """The sequence that many times, each time larger by `rise` than the time before."""
        number = np.arange(times)[:, None]
        starts, values = self.starts + number * self.length, self.values + number * rise
        slopes = np.tile(self.slopes, times)
        return Runs(starts.reshape(-1), values.reshape(-1), slopes, times * self.length)

    @property
    def is_array(self) -> bool:
        """Whether each member is a run of its own."""
        return len(self.starts) == self.length

    @property
    def first(self) -> int:
        """The first member."""
        return int(self.values[0])

    @property
    def last(self) -> int:
        """The last member."""
        return int(self.lasts[-1])

    @cached_property
    def counts(self) -> Ints:
        """The number of members of each run."""
        counts = np.full_like(self.starts, self.length)
        counts[:-1] = self.starts[1:]
        counts -= self.starts
        return counts

    @cached_property
    def lasts(self) -> Ints:
        """The last member of each run."""
        return self.values + self.slopes * (self.counts - 1)

    def at(self, indices: Ints) -> Ints:
        """The members at some indices."""
        return self._find(indices)[1]

    def _find(self, indices: Ints) -> tuple[Ints, Ints]:
        """The runs that some indices lie in, and the members there."""
        if self.is_array:
            return indices, self.values[indices]
        run = np.searchsorted(self.starts, indices, "right") - 1
        return run, self.values[run] + self.slopes[run] * (indices - self.starts[run])

    def expanded(self) -> Ints:
        """All members."""
        if self.is_array:
            return self.values
        run, number = spans(self.counts)
        return self.values[run] + self.slopes[run] * number

    @property
    def ascends(self) -> bool:
        """Whether no member is less than the one before."""
        return bool(np.all(self.slopes >= 0) and np.all(self.values[1:] >= self.lasts[:-1]))

    @property
    def increasing(self) -> bool:
        """Whether each member is greater than the one before."""
        steep = np.all((self.slopes > 0) | (self.counts == 1))
        return bool(steep and np.all(self.values[1:] > self.lasts[:-1]))

    def split(self, starts: Ints) -> Runs:
        """The same sequence, with runs that begin at these indices, too."""
        if self.is_array:
            return self
        if len(starts) < self.length:
            starts = _union(self.starts, starts)
        if len(starts) == len(self.starts):
            return self
        run, values = self._find(starts)
        return Runs(starts, values, self.slopes[run], self.length)

    def differences(self) -> tuple[Ints, Ints]:
        """By how much each member is larger than the one before it, and how often in a row."""
        between = self.values[1:] - self.lasts[:-1]
        steps = _alternately(self.slopes, np.append(between, 0))
        times = _alternately(self.counts - 1, np.ones_like(self.slopes))
        times[-1:] = 0
        steps, times = steps[times > 0], times[times > 0]
        new = np.flatnonzero(np.append(True, steps[1:] != steps[:-1])[: len(steps)])
        return steps[new], np.add.reduceat(times, new) if len(new) else times

    def merged(self) -> Runs:
        """The same sequence in runs that depend on its members alone, and are long."""
        if len(self.starts) < 2:
            return self
        steps, times = self.differences()
        first = np.cumsum(times) - times
        # A run ends where the difference changes, unless it begins there: its second member
        # decides how it goes on.
        changes = first[1:]
        alone = np.append(True, changes[1:] != changes[:-1] + 1)[: len(changes)]
        heads = np.flatnonzero(alone)
        rank = np.arange(len(changes)) - (heads[np.cumsum(alone) - 1] if len(heads) else 0)
        starts = np.append(0, changes[rank % 2 == 0] + 1)
        slopes = steps[np.searchsorted(first, starts, "right") - 1]
        slopes[starts == self.length - 1] = 0
        return Runs(starts, self.at(starts), slopes, self.length)

    def same(self, other: Runs) -> bool:
        """Whether two sequences have the same members."""
        if self.length != other.length:
            return False
        if self.is_array and other.is_array:
            return np.array_equal(self.values, other.values)
        a, b = self.split(other.starts), other.split(self.starts)
        return np.array_equal(a.values, b.values) and np.array_equal(a.lasts, b.lasts)

    def __add__(self, other: Runs | int) -> Runs:
        if isinstance(other, int):
            return Runs(self.starts, self.values + other, self.slopes, self.length)
        a, b = self.split(other.starts), other.split(self.starts)
        return Runs(a.starts, a.values + b.values, a.slopes + b.slopes, self.length)

    def __sub__(self, other: Runs | int) -> Runs:
        return self + -other

    def __neg__(self) -> Runs:
        return Runs(self.starts, -self.values, -self.slopes, self.length)

    def __mul__(self, factor: int) -> Runs:
        return Runs(self.starts, self.values * factor, self.slopes * factor, self.length)

    def reversed(self) -> Runs:
        """The last member first."""
        starts = self.length - self.starts - self.counts
        return Runs(starts[::-1], self.lasts[::-1], -self.slopes[::-1], self.length)

    def maximum(self, other: Runs) -> Runs:
        """The larger one of each two members."""
        a, b = self.split(other.starts), other.split(self.starts)
        if np.all(a.values >= b.values) and (a.is_array or np.all(a.lasts >= b.lasts)):
            return self
        if a.is_array:
            return Runs.array(np.maximum(a.values, b.values))
        return _larger(a, b)

    def accumulated(self, least: int = LEAST) -> Runs:
        """The largest member up to each index, or `least` if that is larger."""
        if self.is_array:
            return Runs.array(np.maximum(np.maximum.accumulate(self.values), least))
        if self.ascends and self.values[0] >= least:
            return self
        before = np.append(least, np.maximum(self.values, self.lasts)[:-1])
        np.maximum.accumulate(before, out=before)
        rising = Runs(self.starts, self.values, np.maximum(self.slopes, 0), self.length)
        return _larger(Runs(self.starts, before, np.zeros_like(before), self.length), rising)

    def take(self, indices: Runs) -> Runs:
        """The members at indices that do not descend."""
        if indices.is_array:
            return Runs.array(self.at(indices.values))
        low = np.searchsorted(self.starts, indices.values, "right")
        high = np.searchsorted(self.starts, indices.lasts, "right")
        owner, number = spans(high - low)
        if len(owner) >= indices.length:
            return Runs.array(self.at(indices.expanded()))
        # Where the indices come to a run of this sequence.
        ahead = self.starts[low[owner] + number] - indices.values[owner]
        split = indices.split(indices.starts[owner] - (-ahead // indices.slopes[owner]))
        run, values = self._find(split.values)
        return Runs(split.starts, values, self.slopes[run] * split.slopes, indices.length)

    def below(self, bounds: Ints) -> Ints:
        """How many members of a sequence that does not descend are less than each bound."""
        if self.is_array:
            return np.searchsorted(self.values, bounds, "left")
        run = np.maximum(np.searchsorted(self.values, bounds, "left") - 1, 0)
        slopes = self.slopes[run]
        ahead = bounds - self.values[run]
        within = np.where(slopes > 0, -(-ahead // np.maximum(slopes, 1)), self.counts[run])
        within = np.where(ahead > 0, np.minimum(within, self.counts[run]), 0)
        return self.starts[run] + within

    def counted(self, bounds: Runs) -> Runs:
        """How many members of an increasing sequence are less than each bound; these may stay."""
        if self.length == 0 or bounds.length == 0:
            return Runs.line(bounds.length, 0)
        # Between these places bounds are within one run, or between the same two.
        ends = bounds.below(np.concatenate([self.values, self.lasts]) + 1)
        bounds = bounds.split(np.unique(ends[ends < bounds.length]))
        found = self.below(bounds.values)
        run = np.searchsorted(self.starts, found, "right") - 1
        within = (found > self.starts[run]) & (found < self.length) & (bounds.counts > 1)
        pace = np.where(within, self.slopes[run], 1)
        if np.any(bounds.slopes % pace):
            return Runs.array(self.below(bounds.expanded()))
        slopes = np.where(within, bounds.slopes // pace, 0)
        return Runs(bounds.starts, found, slopes, bounds.length).merged()


def _larger(one: Runs, other: Runs) -> Runs:
    """The larger ones of members of two sequences with the same starts."""
    swap = one.slopes > other.slopes
    flat, flat_slope = (
        np.where(swap, other.values, one.values),
        np.minimum(one.slopes, other.slopes),
    )
    steep, steep_slope = (
        np.where(swap, one.values, other.values),
        np.maximum(one.slopes, other.slopes),
    )
    lead, gain = flat - steep, steep_slope - flat_slope
    # In each run one is larger up to here, and the one that grows faster from here.
    here = np.where(gain > 0, lead // np.maximum(gain, 1) + 1, one.counts)
    here = np.where(lead < 0, 0, np.minimum(here, one.counts))
    starts = _alternately(one.starts, one.starts + here)
    values = _alternately(flat, steep + steep_slope * here)
    slopes = _alternately(flat_slope, steep_slope)
    kept = _alternately(here > 0, here < one.counts)
    return Runs(starts[kept], values[kept], slopes[kept], one.length).merged()


def held(positions: Runs, values: Runs, length: int, before: int, even: bool = False) -> Runs:
    """A sequence whose members are given at some positions, and stay as they are up to the next.

    Neither positions nor values descend, and positions differ. Before the first one the members are
    `before`. With `even`, those between equally distant positions may rise evenly instead.
    """
    if positions.length == 0:
        return Runs.line(length, before)
    if positions.length == length and values.is_array:
        return values
    at, of = positions.split(values.starts), values.split(positions.starts)
    stairs = (at.counts > 1) & (at.slopes > 1) & (of.slopes != 0)
    if even:
        stairs &= of.slopes % np.maximum(at.slopes, 1) != 0
    if np.any(stairs):
        run, number = spans(np.where(stairs, at.counts, 0))
        every = at.starts[run] + number
        at, of = at.split(every), of.split(every)
    slopes = np.where(at.counts > 1, of.slopes // np.maximum(at.slopes, 1), 0)
    starts = _alternately(at.values, at.lasts + 1)
    kept = starts < np.append(starts[1:], length)
    members = _alternately(of.values, of.lasts)
    slopes = _alternately(slopes, np.zeros_like(slopes))
    starts, members, slopes = starts[kept], members[kept], slopes[kept]
    if starts[0] > 0:
        starts, members, slopes = (
            np.append(0, starts),
            np.append(before, members),
            np.append(0, slopes),
        )
    return Runs(starts, members, slopes, length).merged()
