# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""When the iterations of a stream begin: what is found once, whoever finds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from cmc.poly.evaluate import Ints
from cmc.timing.flow import NEVER, Deadlock, Edge, Flow, Wait, deadlock
from cmc.timing.runs import Runs


@dataclass(frozen=True)
class Leap:
    """Iterations of one process that come again and again.

    Of those that are solved, the last `count` of the first `end` come `times` more, each time
    `rise` cycles later than the time before; so much later comes all that follows. There may be
    none, where others come again meanwhile.
    """

    end: int
    count: int
    times: int
    rise: int

    @property
    def later(self) -> int:
        """By how much what follows is later than what is solved of it."""
        return self.times * self.rise


@dataclass(frozen=True)
class Crossings:
    """When vectors begin on links that they may have to wait for, by hop, in the order of these.

    `begins` has them as far as they are solved, as `Times` has the starts of processes.
    """

    begins: Sequence[Runs]
    leaps: Sequence[Sequence[Leap]]


@dataclass(frozen=True)
class Times:
    """When the iterations of a stream begin, as far as they ever do.

    `starts` has the cycle of each iteration of each process that ever begins, in a stream of
    `solved` own images: all of them but for the `leaps`, each of which adds some images to it. What
    begins, ends and waits there is what a stream of so few images would do. `waits` gives what the
    iterations of a process wait for in it. `carried` has when vectors arrive that may have had to
    wait for a link. In steady state, if one was found, each own image of a
    process comes its `periods` cycles after the one before, on average.
    """

    flow: Flow
    images: int
    solved: Mapping[str, int]
    starts: Mapping[str, Runs]
    waits: Callable[[str], Sequence[Wait]]
    leaps: Mapping[str, Sequence[Leap]] = field(default_factory=dict[str, Sequence[Leap]])
    periods: Mapping[str, Fraction] = field(default_factory=dict[str, Fraction])
    carried: Mapping[Edge, Runs] = field(default_factory=dict[Edge, Runs])
    crossings: Crossings | None = None
    """Where vectors wait for links, if that was asked for, and all was solved together."""

    @property
    def begun(self) -> dict[str, int]:
        """How many iterations of each process ever begin, in the images that are solved."""
        return {name: starts.length for name, starts in self.starts.items()}

    @property
    def complete(self) -> bool:
        """Whether every iteration begins; otherwise the pipeline deadlocks."""
        processes = self.flow.processes
        return all(n == self.solved[p] * processes[p].iterations for p, n in self.begun.items())

    @property
    def period(self) -> Fraction | None:
        """That of the slowest process; None if no steady state was found for some of them.

        Of a stream that is long enough for all processes to have images.
        """
        if self.periods.keys() != self.flow.processes.keys():
            return None
        return max(self.periods.values())

    def arrivals(self, edge: Edge) -> Runs:
        """When each vector of an edge arrives, as `starts` has when iterations begin.

        Vectors are those that the edge carries.
        """
        if edge in self.carried:
            return self.carried[edge]
        process, starts = self.flow.processes[edge.writer], self.starts[edge.writer]
        if edge.sends is not None:
            sends = edge.in_stream(process.iterations, self.solved[edge.writer])
            starts = starts.take(sends.head(int(sends.below(np.array([starts.length]))[0])))
        return starts + (process.latency + edge.way.there)

    def deadlock(self) -> Deadlock:
        """Why not every iteration begins."""
        skipped = {
            name: sum(leap.times * leap.count for leap in self.leaps.get(name, ()))
            for name in self.flow.processes
        }
        return deadlock(self.flow, self.solved, self.begun, skipped)

    def at(self, process: str, iterations: Ints) -> Ints:
        """When iterations of a process begin, which are counted over the whole stream."""
        place, later = self.solved_as(process, iterations)
        return self.starts[process].at(place) + later

    def solved_as(self, process: str, iterations: Ints) -> tuple[Ints, Ints]:
        """Which of those that are solved iterations are like, and how much later they begin."""
        place, later = iterations, np.zeros_like(iterations)
        for leap in self.leaps.get(process, ()):
            beyond = place >= leap.end
            most = min(leap.times, NEVER)
            times = np.minimum((place - leap.end) // max(leap.count, 1) + 1, most)
            place = place - np.where(beyond, times * leap.count, 0)
            later = later + np.where(beyond, times * leap.rise if leap.count else leap.later, 0)
        return place, later

    def last(self, process: str) -> int:
        """When the last iteration of a process begins, in a stream that is through."""
        starts = self.starts[process]
        before = (
            leap for leap in self.leaps.get(process, ()) if leap.end < starts.length or leap.count
        )
        return starts.last + sum(leap.later for leap in before)

    def in_stream(self, process: str, iteration: int) -> tuple[int, int]:
        """Which of the stream an iteration is that is solved, and when it begins there."""
        cycle = int(self.starts[process].at(np.array([iteration]))[0])
        passed = [leap for leap in self.leaps.get(process, ()) if leap.end <= iteration]
        skipped = sum(leap.times * leap.count for leap in passed)
        return iteration + skipped, cycle + sum(leap.later for leap in passed)

    def ends(self, images: int) -> Ints:
        """When each of the first images is through: when all of its iterations have ended."""
        ends = np.zeros(images, np.int64)
        for name, process in self.flow.processes.items():
            own = process.turn.share(ends)
            through = np.arange(1, len(own) + 1) * process.iterations - 1
            np.maximum(own, self.at(name, through) + process.latency, out=own)
        return ends

    def middle(self) -> tuple[int, int]:
        """Two images of a stream, between which as many are under way as can be.

        At its ends there are fewer at once, which come sooner. Between them are whole turns.
        """
        turns = self.flow.turns
        own = self.images // turns
        return own // 4 * turns, (own - 1 - own // 4) * turns

    def of_images(self, process: str, images: int) -> Runs:
        """When a process's iterations of its first own images begin."""
        count = images * self.flow.processes[process].iterations
        starts, parts = self.starts[process], list[Runs]()
        begun = later = known = 0
        for leap in self.leaps.get(process, ()):
            parts.append(starts.head(leap.end).tail(begun) + later)
            known += leap.end - begun
            begun = leap.end
            if leap.count and known < count:
                times = min(leap.times, -(-(count - known) // leap.count))
                again = starts.head(leap.end).tail(leap.end - leap.count) + leap.rise + later
                parts.append(again.repeated(times, leap.rise))
                known += times * leap.count
            later += leap.later
        if known < count or not parts:
            parts.append(starts.tail(begun) + later)
        return Runs.joined(parts).head(count)
