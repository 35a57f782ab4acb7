# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What iterations waited for, from the times at which they and others begin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from cmc.poly.evaluate import Ints
from cmc.timing.flow import Edge
from cmc.timing.load import unit_title
from cmc.timing.runs import Runs
from cmc.timing.times import Times


@dataclass(frozen=True, eq=False)
class LastWaits:
    """What iterations waited for last: of the `reasons`, and -1 for none; and for how long."""

    reasons: tuple[str, ...]
    reason: Ints
    cycles: Ints


@dataclass(frozen=True)
class Waiting:
    """Cycles in which processes could not begin an iteration, by what came last."""

    times: Times
    _known: dict[tuple[str, str], tuple[Ints, Ints]] = field(
        default_factory=dict[tuple[str, str], tuple[Ints, Ints]]
    )

    def of(self, name: str) -> dict[str, int]:
        """From its first iteration to its last one, what a process waited for how long."""
        if not self.times.starts[name].length:
            return {}
        own, pace = self._starts(name), self.times.flow.processes[name].pace
        earliest = Runs.joined([Runs.line(1, own.first), own.head(own.length - 1) + pace])
        gaps, latest = own - earliest, Runs.line(own.length, 0)
        waiting: dict[str, int] = {}
        counted = 0
        for why, there in (*self._signals(name), *self._units(name, own)):
            latest = latest.maximum(there)
            total = self._of_stream(name, gaps, own - latest)
            # What came before it, and came last, too, has its share already.
            if total > counted:
                waiting[why] = total - counted
            counted = total
        return waiting

    def last(self, name: str, iterations: Ints) -> LastWaits:
        """What some iterations of a process, counted over the stream, waited for last."""
        place, _ = self.times.solved_as(name, iterations)
        own, pace = self._starts(name), self.times.flow.processes[name].pace
        starts = own.at(place)
        cycles = np.where(place > 0, starts - own.at(np.maximum(place - 1, 0)) - pace, 0)
        reasons, reason = list[str](), np.full(len(place), -1)
        for why, there in (*self._signals(name), *self._units(name, own)):
            came = (reason < 0) & (cycles > 0) & (there.at(place) == starts)
            if came.any():
                reason[came] = len(reasons)
                reasons.append(why)
        return LastWaits(tuple(reasons), reason, cycles)

    def _starts(self, name: str) -> Runs:
        """When iterations begin, later by all that they wait while others come again."""
        return self._as_in_stream(name, self.times.starts[name])

    def _as_in_stream(self, name: str, starts: Runs) -> Runs:
        """Times of a process's iterations, later by all that it waits while others come again."""
        for leap in self.times.leaps.get(name, ()):
            if not leap.count and leap.end < starts.length:
                later = starts.tail(leap.end) + leap.later
                starts = Runs.joined([starts.head(leap.end), later])
        return starts

    def _signals(self, name: str) -> Iterator[tuple[str, Runs]]:
        """When each thing that the iterations of a process wait for is there."""
        length = self.times.starts[name].length
        for wait in self.times.waits(name):
            came = self._starts(wait.on.name) + wait.latency
            yield wait.why, wait.signals(Runs.joined([Runs.line(1, 0), came]), length)
            if wait.edge is not None:
                came = self._arrivals(wait.edge)
                why = f"links for {wait.edge.title}"
                yield why, wait.signals(Runs.joined([Runs.line(1, 0), came]), length)

    def _arrivals(self, edge: Edge) -> Runs:
        """When all has arrived that was sent until each iteration of a writer ended."""
        came, writer = self.times.arrivals(edge), self.times.flow.processes[edge.writer]
        if edge.sends is not None:
            sends = edge.in_stream(writer.iterations, self.times.solved[writer.name])
            begun = self.times.starts[writer.name].length
            sent = sends.counted(Runs.line(begun, 1, 1))
            arrived = int(sent.below(np.array([came.length + 1]))[0])
            came = Runs.joined([Runs.line(1, 0), came]).take(sent.head(arrived))
        return self._as_in_stream(writer.name, came)

    def _units(self, name: str, own: Runs) -> Iterator[tuple[str, Runs]]:
        """The units that the iterations take, and when who had one before gave it back."""
        process, starts = self.times.flow.processes[name], self.times.starts[name]
        for unit in process.occupies:
            taken, given_back = self._turns(process.side, unit)
            before = np.searchsorted(taken, starts.expanded()) - 1
            yield unit_title(unit), Runs.array(given_back[before]) + (own - starts)

    def _turns(self, side: str, unit: str) -> tuple[Ints, Ints]:
        """When a unit is taken and given back, after a first time; one after the other has it."""
        found = self._known.get((side, unit))
        if found is None:
            users = [p for p in self.times.flow.sides[side] if unit in p.occupies]
            taken = [self.times.starts[p.name].expanded() for p in users]
            cycles = [p.occupies[unit] for p in users]
            given_back = [starts + n for starts, n in zip(taken, cycles, strict=True)]
            found = _sorted([np.array([-1]), *taken]), _sorted([np.array([0]), *given_back])
            self._known[side, unit] = found
        return found

    def _of_stream(self, name: str, values: Runs, where: Runs) -> int:
        """`_sum_at_zeros` over the whole stream, from what is solved of it."""
        total = _sum_at_zeros(values, where)
        for leap in self.times.leaps.get(name, ()):
            first, count = leap.end - leap.count, leap.count
            again = (runs.tail(first).head(count) for runs in (values, where))
            total += leap.times * _sum_at_zeros(*again)
        return total


def _sorted(parts: list[Ints]) -> Ints:
    return np.sort(np.concatenate(parts), kind="stable")


def _sum_at_zeros(values: Runs, where: Runs) -> int:
    """The sum of those values at whose places a sequence that is nowhere negative is 0."""
    values, where = values.split(where.starts), where.split(values.starts)
    if values.is_array:
        return int(values.values[where.values == 0].sum())
    counts = values.counts
    sums = counts * (values.values + values.lasts) // 2
    first, last = where.values == 0, where.lasts == 0
    ends = np.where(first, values.values, np.where(last, values.lasts, 0))
    return int(np.where(first & last, sums, ends).sum())
