# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Processes that read from each other in a circle, or from themselves: how long an image takes.

An iteration waits for earlier ones by way of the circle, so an image takes some time from its first
iteration to its last one, however fast the processes are. As processes run in order, the next image
follows that: no image comes sooner after the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from math import ceil

import numpy as np

from cmc.poly.evaluate import Ints
from cmc.precedence import circles
from cmc.timing.flow import Edge, Flow, Process, Steps
from cmc.timing.runs import LEAST, Runs, held


@dataclass(frozen=True)
class Circle:
    """Processes in order, and who of them, by number, needs what of whom."""

    processes: Sequence[Process] = field(compare=False)
    paces: tuple[tuple[int, int], ...]
    """The iterations and the pace of each process."""
    needs: tuple[tuple[int, int, Steps, Runs | None, int], ...]
    """A reader, a writer, what is needed of what it sends, which of its iterations send something,
    and how long its signals take from its start."""

    @property
    def names(self) -> list[str]:
        return [process.name for process in self.processes]

    @property
    def interval(self) -> int:
        """The cycles between images at the least."""
        return _interval(self)

    def times(self, lower: Sequence[Ints]) -> list[Ints]:
        """When each iteration of each process begins at the earliest, none sooner than given."""
        sides = [
            _Side(bound.tolist(), pace) for bound, (_, pace) in zip(lower, self.paces, strict=True)
        ]
        for (reader, writer, _, _, delay), needed in zip(self.needs, _needed(self), strict=True):
            sides[reader].needs.append((needed, sides[writer].begin, delay))
        moved = True
        while moved:
            moved = False
            for side in sides:
                moved |= side.advance()
        assert all(len(side.begin) == len(side.lower) for side in sides)
        return [np.array(side.begin, np.int64) for side in sides]


def circles_of(flow: Flow) -> list[Circle]:
    """The circles of a flow; the processes of each stand together in it, in the same order."""
    reads = {name: [edge.writer for edge in edges] for name, edges in flow.into.items()}
    return [_circle(flow, names) for names in circles(reads)]


def _circle(flow: Flow, names: Sequence[str]) -> Circle:
    number = {name: i for i, name in enumerate(names)}
    processes = [flow.processes[name] for name in names]

    def need(edge: Edge) -> tuple[int, int, Steps, Runs | None, int]:
        delay = flow.processes[edge.writer].latency + edge.way.there
        return number[edge.reader], number[edge.writer], edge.ready, edge.sends, delay

    inner = (e for e in flow.edges if e.reader in number and e.writer in number)
    paces = tuple((process.iterations, process.pace) for process in processes)
    return Circle(processes, paces, tuple(map(need, inner)))


@dataclass
class _Side:
    """A process: when its iterations begin, as far as that is known."""

    lower: Sequence[int]
    pace: int
    needs: list[tuple[Sequence[int], list[int], int]] = field(
        default_factory=list[tuple[Sequence[int], list[int], int]]
    )
    """How many iterations each one waits for, when these begin, and how long their signals take."""
    begin: list[int] = field(default_factory=list[int])

    def advance(self) -> bool:
        """Go on as far as what is needed is known; whether that is anywhere."""
        begin, before = self.begin, len(self.begin)
        for number in range(before, len(self.lower)):
            at = self.lower[number]
            if number:
                at = max(at, begin[-1] + self.pace)
            for needed, others, delay in self.needs:
                count = needed[number]
                if count > len(others):
                    return len(begin) > before
                if count:
                    at = max(at, others[count - 1] + delay)
            begin.append(at)
        return len(begin) > before


@lru_cache(maxsize=64)
def _needed(circle: Circle) -> list[Sequence[int]]:
    """How many of the writer's iterations each of the reader's needs."""
    counts = [count for count, _ in circle.paces]
    return [
        held(ready.starts, _written(ready, sends), counts[reader], before=0).expanded().tolist()
        for reader, _, ready, sends, _ in circle.needs
    ]


def _written(ready: Steps, sends: Runs | None) -> Runs:
    """How many iterations of the writer each step awaits."""
    return ready.awaits if sends is None else sends.take(ready.awaits - 1) + 1


@lru_cache(maxsize=64)
def _interval(circle: Circle) -> int:
    """The largest mean of a way from first iterations of images to those of the next ones."""
    weights: list[list[int]] = []
    for source in range(len(circle.paces)):
        lower = [np.full(count, LEAST) for count, _ in circle.paces]
        lower[source][0] = 0
        times = circle.times(lower)
        weights.append([int(t[-1]) + p for t, (_, p) in zip(times, circle.paces, strict=True)])
    return ceil(_largest_mean(weights))


def _largest_mean(weights: Sequence[Sequence[int]]) -> Fraction:
    """That of the cycles of a graph in which each node has an edge to each: Karp's theorem."""
    count = len(weights)
    longest = [[0] + [LEAST] * (count - 1)]
    for _ in range(count):
        before = longest[-1]
        longest.append([max(before[p] + weights[p][q] for p in range(count)) for q in range(count)])
    last = longest[-1]
    return max(
        min(
            Fraction(last[q] - ways[q], count - length)
            for length, ways in enumerate(longest[:-1])
            if ways[q] > LEAST // 2
        )
        for q in range(count)
    )
