# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""When iterations of a stream begin, and vectors on links: in steady state, and at first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from cmc.explain.kernel import Clock
from cmc.poly.evaluate import Ints, row_starts
from cmc.timing.events import simulate
from cmc.timing.flow import Flow
from cmc.timing.runs import Runs
from cmc.timing.times import Leap, Times


@dataclass(frozen=True)
class Logs:
    """When all of a part of a flow begins, that nothing else has to do with.

    That is iterations of its processes, and then vectors at hops, by their numbers.
    """

    flow: Flow
    begins: Sequence[Runs]
    leaps: Sequence[Sequence[Leap]]

    @staticmethod
    def of(times: Times, name: str) -> Logs:
        """Of the part that a process is in."""
        flow = next(part for part in times.flow.apart() if name in part.processes)
        if flow.contended and times.crossings is None:
            times = simulate(flow, times.images)
        begins = [times.starts[name] for name in flow.processes]
        leaps = [times.leaps.get(name, ()) for name in flow.processes]
        if times.crossings is None:
            return Logs(flow, begins, leaps)
        crossings = times.crossings
        return Logs(flow, [*begins, *crossings.begins], [*leaps, *crossings.leaps])

    def number(self, name: str) -> int:
        """The log of a process."""
        return list(self.flow.processes).index(name)

    def steady(self, pace: Fraction, name: str) -> Clock | None:
        """When all comes again and again from where a process has come to its pace, for ever.

        None if it does not come to it.
        """
        count = self.flow.processes[name].iterations
        for number, leap in enumerate(self.leaps[self.number(name)]):
            if leap.count and leap.rise * count == pace * leap.count:
                rounds = [
                    _round(begins, leaps[: number + 1])
                    for begins, leaps in zip(self.begins, self.leaps, strict=True)
                ]
                first = [first for first, _ in rounds]
                return _clock((starts for _, starts in rounds), first, leap.rise)
        return None

    def beginning(self, until: int) -> Clock:
        """When what is known begins up to a cycle, before anything is left out."""
        known: list[Ints] = []
        for begins, leaps in zip(self.begins, self.leaps, strict=True):
            end = min([begins.length, *(leap.end for leap in leaps[:1])])
            through = int(begins.below(np.array([until + 1]))[0])
            known.append(begins.head(min(end, through)).expanded())
        return _clock(known, [0] * len(known), 0)


def _round(begins: Runs, leaps: Sequence[Leap]) -> tuple[int, Ints]:
    """What the last of some leaps repeats: from which number on, and when that begins."""
    if not leaps:
        return 0, np.zeros(0, np.int64)
    *earlier, leap = leaps
    starts = begins.at(np.arange(leap.end - leap.count, leap.end))
    skipped = sum(leap.times * leap.count for leap in earlier)
    return leap.end - leap.count + skipped, starts + sum(leap.later for leap in earlier)


def _clock(starts: Iterable[Ints], first: Sequence[int], rise: int) -> Clock:
    """Of the entries of each log."""
    known = list(starts)
    return Clock(row_starts(map(len, known)), np.concatenate(known), np.array(first), rise)
