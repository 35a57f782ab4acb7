# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Rings with which no stage waits for room longer than the slowest stage makes it wait anyway.

The largest load of any unit bounds a stream: one image every P cycles. A periodic schedule is the
witness that it can be reached: each image's iterations begin P cycles after the image's before.
First everything as early as its data allows, the inputs sent one image a period; then, with the
last stages' times fixed, everything as late as they allow, so that no element waits in a ring for
longer than it must. A ring then holds what is written and not yet freed at any time, from when it
sets out to when the signal that it is freed has come back: with less, this schedule would not do.
Another one might, so that some rings could be smaller by themselves and reach the bound all the
same. Where no unit is shared, execution begins every iteration no later than the witness does, for
times only grow with other times; so it reaches the bound too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cmc.timing.circles import Circle, circles_of
from cmc.timing.flow import Edge, Flow, Process
from cmc.timing.load import bound
from cmc.timing.runs import LEAST, Runs, held

_Times = dict[str, Runs]
"""When each iteration of one image begins, by process."""


def period(flow: Flow) -> int:
    """Cycles between images that no schedule can undercut."""
    return bound(flow).cycles


def throughput_slots(flow: Flow) -> list[int]:
    """The slots of each edge's channel."""
    cycles, times = period(flow), schedule(flow)
    return [_slots(flow, edge, times, cycles) for edge in flow.edges]


def schedule(flow: Flow) -> _Times:
    """The witness; each further image's iterations begin a period after the image's before."""
    cycles = period(flow)
    return _latest(flow, _earliest(flow, cycles), cycles)


def _begin(process: Process, first: int, numbers: Runs, times: Runs, even: bool = False) -> Runs:
    """When iterations begin at the earliest, in their order, an interval or more apart.

    The first one begins at `first`, and those of some numbers no sooner than at their times. Where
    such times leave room between evenly spaced iterations, with `even` those between take as long
    each, later than need be.
    """
    count, pace = process.iterations, process.pace
    delays = (times + numbers * -pace).accumulated(first)
    return held(numbers, delays, count, first, even) + Runs.line(count, 0, pace)


def _earliest(flow: Flow, cycles: int) -> _Times:
    """When one image's iterations begin in steady state, with rings of any size."""
    firsts, around = dict.fromkeys(flow.processes, 0), _Around.of(flow)
    while True:
        times: _Times = {}
        for name, process in flow.processes.items():
            times[name] = Runs.line(process.iterations, firsts[name], process.pace)
            for edge in around.from_outside[name]:
                arrivals = times[edge.writer].take(edge.iteration(edge.ready.awaits - 1))
                arrivals += flow.processes[edge.writer].latency + edge.way.there
                ready = _begin(process, firsts[name], edge.ready.starts, arrivals)
                times[name] = times[name].maximum(ready)
            if (circle := around.through.get(name)) is not None:
                lower = [times[one].expanded() for one in circle.names]
                times |= zip(circle.names, map(Runs.of, circle.times(lower)), strict=True)
        # The image before ends one period earlier than this one.
        for name, process in flow.processes.items():
            firsts[name] = max(0, times[name].last + process.pace - cycles)
        if all(times[name].first >= first for name, first in firsts.items()):
            return times


def _latest(flow: Flow, earliest: _Times, cycles: int) -> _Times:
    """As late as the processes that nothing reads from allow; all of a circle by the same time."""
    times: _Times = {}
    around = _Around.of(flow)
    for name in reversed(list(flow.processes)):
        if name in times:
            continue
        together = around.through[name].names if name in around.through else [name]
        allowed = {
            one: _as_late(flow, flow.processes[one], edges, times, earliest[one], cycles)
            for one in together
            if (edges := [e for e in around.to_outside[one] if e.ready.awaits.length])
        }
        if name not in around.through:
            times[name] = allowed.get(name, earliest[name])
            continue
        later = [_rise(earliest[one], late) for one, late in allowed.items()]
        times |= {one: earliest[one] + min(later, default=0) for one in together}
    return times


def _as_late(
    flow: Flow, process: Process, edges: Sequence[Edge], times: _Times, earliest: Runs, cycles: int
) -> Runs:
    """As late as the times of those allow that read from a process by some edges."""
    # Backwards: the last iteration first, and times that grow into the past.
    back = Runs.line(process.iterations, LEAST, process.pace)
    for edge in edges:
        wanted = times[edge.reader].take(edge.ready.starts)
        wanted -= process.latency + edge.way.there
        numbers = -edge.iteration(edge.ready.awaits - 1) + (process.iterations - 1)
        begin = _begin(process, LEAST, numbers.reversed(), -wanted.reversed(), even=True)
        back = back.maximum(begin)
    # The last iteration precedes the next image's first.
    after_first = back.last - (cycles - process.pace)
    back = back.maximum(Runs.line(process.iterations, after_first, process.pace))
    return (-back.reversed()).maximum(earliest)


def _rise(earliest: Runs, latest: Runs) -> int:
    """By how much all may be later, and none later than it may be."""
    return int((latest.expanded() - earliest.expanded()).min())


@dataclass(frozen=True)
class _Around:
    """Circles of processes, and all edges but for those within circles."""

    from_outside: dict[str, list[Edge]]
    """By their readers."""
    to_outside: dict[str, list[Edge]]
    """By their writers."""
    through: dict[str, Circle]
    """By the last process of each."""

    @staticmethod
    def of(flow: Flow) -> _Around:
        found = circles_of(flow)
        circles = {name: circle for circle in found for name in circle.names}

        def beyond(edges: Sequence[Edge]) -> list[Edge]:
            return [
                edge
                for edge in edges
                if edge.writer not in circles
                or circles[edge.writer] is not circles.get(edge.reader)
            ]

        return _Around(
            {name: beyond(edges) for name, edges in flow.into.items()},
            {name: beyond(edges) for name, edges in flow.out_of.items()},
            {circle.names[-1]: circle for circle in found},
        )


def _slots(flow: Flow, edge: Edge, times: _Times, cycles: int) -> int:
    """The most elements in a ring: those written before its machine's next step frees some."""
    reader = flow.processes[edge.reader]
    free, written = edge.free, times[edge.writer]
    if edge.sends is not None:
        written = written.take(edge.sends)
    if free.awaits.length == 0:
        return 1
    freed = times[edge.reader].take(free.awaits - 1) + (reader.latency + edge.way.back)
    # Before an image's first step, all is free that the image before lets go of in the end.
    before = free.initial or free.reaches.last - written.length
    kept = Runs.joined([Runs.line(1, before), free.starts.tail(1)])
    # Between these steps, both the writes before each step and what it finds free grow evenly.
    first, last = ((at - written.first) // cycles for at in (freed.first, freed.last))
    images = np.arange(first, last + 2)
    ends = np.concatenate([written.values, written.lasts + 1])
    steps = freed.below((ends + images[:, None] * cycles).reshape(-1))
    steps = np.concatenate([freed.starts, kept.starts, steps])
    steps = np.clip(np.concatenate([steps - 1, steps]), 0, freed.length - 1)
    until = freed.at(steps)
    image = (until - written.first) // cycles
    writes = image * written.length + written.below(until - image * cycles)
    return max(1, int((writes - kept.at(steps)).max()))
