"""When does every iteration of a stream begin?

No iteration waits for itself through any chain of signals unless the pipeline deadlocks, so the
times are the one solution of max-plus equations: each iteration begins at the largest of the times
at which what it waits for is there. Sequences of times are runs, as what waits for what is: what an
image costs is its number of rows, not of points. Where it has as few points, they are arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cmc.flow import Deadlock, Flow, Process, Wait, deadlock, waits
from cmc.runs import Runs, held


@dataclass(frozen=True)
class Times:
    """When the iterations of a stream begin, as far as they ever do.

    `starts` has the cycle of each iteration of each process that ever begins, for the first
    `solved` images of the stream. Where fewer images are solved than there are, each later image's
    iterations of a process begin its `periods` cycles after those of the image before. `waits` has
    what the iterations of each process wait for, in the images that are solved.
    """

    flow: Flow
    images: int
    solved: int
    starts: Mapping[str, Runs]
    waits: Mapping[str, Sequence[Wait]]
    periods: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def begun(self) -> dict[str, int]:
        """How many iterations of each process ever begin, in the images that are solved."""
        return {name: starts.length for name, starts in self.starts.items()}

    @property
    def complete(self) -> bool:
        """Whether every iteration begins; otherwise the pipeline deadlocks."""
        processes = self.flow.processes
        return all(n == self.solved * processes[p].iterations for p, n in self.begun.items())

    def deadlock(self) -> Deadlock:
        """Why not every iteration begins."""
        return deadlock(self.flow, self.solved, self.begun)

    def repeats(self, process: str) -> int:
        """By how much the last iteration of the stream is later than the last that is solved."""
        return (self.images - self.solved) * self.periods.get(process, 0)

    def of_images(self, process: str, images: int) -> Runs:
        """When a process's iterations of the first images begin."""
        starts, count = self.starts[process], self.flow.processes[process].iterations
        if images <= self.solved:
            return starts.head(images * count)
        last = starts.tail(starts.length - count) + self.periods[process]
        return Runs.joined([starts, last.repeated(images - self.solved, self.periods[process])])


def memory(flow: Flow) -> int:
    """How many images in a row show all that the equations of an image look back at."""
    whole = (edge.slots // flow.processes[edge.writer].iterations for edge in flow.edges)
    return 2 + max(whole, default=0)


def solve(flow: Flow, images: int) -> Times:
    """The cycle in which each iteration of a stream of images begins.

    The equations of an image are those of the one before, some images back at most. So once that
    many images in a row were each the one before and a constant later, all others will be. Parts of
    a flow that never meet have constants of their own.
    """
    reach = memory(flow)
    solved = min(images, 2 + reach)
    while True:
        times = _solve(flow, solved, images)
        if solved == images:
            return times
        if times.complete:
            periods = _periods(times, reach)
            if periods is not None:
                return replace(times, periods=periods)
        elif not _cut_short(times):
            return times
        solved = min(images, 2 * solved)


def _periods(times: Times, reach: int) -> dict[str, int] | None:
    """By how much each of the last images is later than the one before, if all by the same."""
    periods: dict[str, int] = {}
    for name, starts in times.starts.items():
        count = times.flow.processes[name].iterations
        last = starts.tail((times.solved - reach) * count)
        before = starts.tail((times.solved - reach - 1) * count).head(last.length)
        periods[name] = last.first - before.first
        if not last.same(before + periods[name]):
            return None
    if any(periods[edge.writer] != periods[edge.reader] for edge in times.flow.edges):
        return None
    return periods


def _cut_short(times: Times) -> bool:
    """Whether what is stuck might come further in a longer stream."""
    begun, processes = times.begun, times.flow.processes
    through = {n for n, p in processes.items() if begun[n] == times.solved * p.iterations}
    ends = [{edge.writer, edge.reader} for edge in times.flow.edges]
    return any(both & through and both - through for both in ends)


def _solve(flow: Flow, solved: int, images: int) -> Times:
    found = waits(flow, solved)
    begun = _possible(flow, found, solved)
    starts = _by_sweeps(flow, found, begun)
    if starts is None:
        starts = _one_by_one(flow, found, begun)
    return Times(flow, images, solved, starts, found)


def _possible(flow: Flow, found: Mapping[str, Sequence[Wait]], images: int) -> dict[str, int]:
    """How many iterations of each process begin unless they wait for each other."""
    possible = {
        name: min([images * process.iterations, *(wait.end for wait in found[name])])
        for name, process in flow.processes.items()
    }
    while True:
        before = dict(possible)
        for name, waiting in found.items():
            for wait in waiting:
                if wait.need.length and wait.need.last > possible[wait.on.name]:
                    met = int(wait.need.below(np.array([possible[wait.on.name] + 1]))[0])
                    possible[name] = min(possible[name], int(wait.since.at(np.array([met]))[0]))
        if possible == before:
            return possible


_SWEEPS = 16
"""Sweeps over all equations, before they are solved one iteration after the other."""

_SHORT = 1 << 14
"""Members up to which a sequence is worked with faster as an array than as runs."""


@dataclass(frozen=True, eq=False)
class _Delays:
    """One wait's share of a process's equations.

    A delay is by how much an iteration begins later than if the process never waited. It does not
    fall from one iteration to the next.
    """

    on: Process
    since: Runs
    need: Runs
    on_time: Runs
    """When the iterations `since` begin if the process never waits, negative."""

    @staticmethod
    def of(process: Process, wait: Wait, begun: int) -> _Delays:
        since, need = wait.until(begun)
        if begun <= max(_SHORT, 64 * max(len(since.starts), len(need.starts))):
            since, need = Runs.array(np.arange(begun)), Runs.array(wait.needs(begun))
        return _Delays(wait.on, since, need, since * -process.interval)

    def at(self, ends: Runs, length: int) -> Runs:
        arrivals = ends.take(self.need)
        return held(self.since, (arrivals + self.on_time).accumulated(0), length, 0)


def _by_sweeps(
    flow: Flow, found: Mapping[str, Sequence[Wait]], begun: Mapping[str, int]
) -> dict[str, Runs] | None:
    """All equations of a process at once, process by process, until nothing changes any more.

    Fast where waiting for room is rare. None if that takes too long, or never ends.
    """
    processes, names = flow.processes, list(flow.processes)
    equations = {
        name: [_Delays.of(processes[name], wait, begun[name]) for wait in waiting]
        for name, waiting in found.items()
    }
    delays = {name: Runs.line(0, 0) for name in names}
    # When each iteration has ended, after a zeroth one that always has.
    ends = {name: Runs.line(begun[name] + 1, 0) for name in names}
    for sweep in range(_SWEEPS):
        changed = False
        for name in names if sweep % 2 == 0 else reversed(names):
            process, count = processes[name], begun[name]
            later = Runs.line(count, 0)
            for one in equations[name]:
                later = later.maximum(one.at(ends[one.on.name], count))
            if not later.same(delays[name]):
                changed = True
                delays[name] = later
                starts = later + Runs.line(count, 0, process.interval)
                ends[name] = Runs.joined([Runs.line(1, 0), starts + process.latency])
        if not changed:
            return {n: ends[n].tail(1) - processes[n].latency for n in names}
    return None


@dataclass
class _Progress:
    """One process's share of the equations, and how far it is solved."""

    process: Process
    end: int
    waits: list[tuple[_Progress, list[int]]] = field(
        default_factory=list["tuple[_Progress, list[int]]"]
    )
    waiting: list[_Progress] = field(default_factory=list["_Progress"])
    starts: list[int] = field(default_factory=list[int])

    def advance(self) -> bool:
        """Solve for all iterations whose signals are known; whether there were any."""
        starts, interval = self.starts, self.process.interval
        known = before = len(starts)
        while known < self.end:
            ready = starts[-1] + interval if known else 0
            for on, needs in self.waits:
                need = needs[known]
                if need > 0:
                    if need > len(on.starts):
                        return known > before
                    ready = max(ready, on.starts[need - 1] + on.process.latency)
            starts.append(ready)
            known += 1
        return known > before


def _one_by_one(
    flow: Flow, found: Mapping[str, Sequence[Wait]], begun: Mapping[str, int]
) -> dict[str, Runs]:
    """Each equation once, when what it needs is known."""
    everything = {n: _Progress(p, begun[n]) for n, p in flow.processes.items()}
    for name, waiting in found.items():
        for wait in waiting:
            on = everything[wait.on.name]
            everything[name].waits.append((on, wait.needs(begun[name]).tolist()))
            on.waiting.append(everything[name])
    todo = dict.fromkeys(everything)
    while todo:
        name = next(iter(todo))
        del todo[name]
        if everything[name].advance():
            todo.update(dict.fromkeys(one.process.name for one in everything[name].waiting))
    return {n: Runs.of(np.array(one.starts, np.int64)) for n, one in everything.items()}
