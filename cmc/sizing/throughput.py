"""Rings with which no stage waits for room longer than the slowest stage makes it wait anyway.

The slowest process bounds a stream: one image every P cycles, its iterations times its interval. A
periodic schedule that reaches the bound is the witness: each image's iterations begin P cycles
after the image's before. First everything as early as its data allows, the inputs sent one image a
period; then, with the last stages' times fixed, everything as late as they allow, so that no
element waits in a ring for longer than it must. A ring then holds what is written and not yet
freed at any time. Execution begins every iteration no later than the witness does, for times only
grow with other times; so it reaches the bound too.
"""

from __future__ import annotations

import numpy as np

from cmc.flow import NEVER, Edge, Flow
from cmc.poly.evaluate import Ints

_ANY_TIME = 1 << 60
"""Later than every time, and far from overflow."""


def period(flow: Flow) -> int:
    """Cycles between images that no schedule can undercut."""
    return max(p.iterations * p.interval for p in flow.processes.values())


def throughput_slots(flow: Flow) -> list[int]:
    """The slots of each channel."""
    cycles = period(flow)
    times = _latest(flow, _earliest(flow, cycles), cycles)
    return [_slots(flow, edge, times, cycles) for edge in flow.edges]


def _earliest(flow: Flow, cycles: int) -> dict[str, Ints]:
    """When one image's iterations begin in steady state, with rings of any size."""
    incoming: dict[str, list[Edge]] = {name: [] for name in flow.processes}
    for edge in flow.edges:
        incoming[edge.reader].append(edge)
    needs = {
        id(edge): edge.ready.needs(flow.processes[edge.reader].iterations) for edge in flow.edges
    }
    previous: dict[str, Ints] = {}
    while True:
        times: dict[str, Ints] = {}
        for name, process in flow.processes.items():
            offsets = np.arange(process.iterations) * process.interval
            ready = np.zeros(process.iterations, np.int64)
            for edge in incoming[name]:
                need = needs[id(edge)]
                writer = flow.processes[edge.writer]
                arrival = times[edge.writer][need - 1] + writer.latency
                np.maximum(ready, np.where(need > 0, arrival, 0), out=ready)
            if previous:
                # The image before, one period earlier, in the same process.
                ready[0] = max(ready[0], previous[name][-1] + process.interval - cycles)
            times[name] = np.maximum.accumulate(ready - offsets) + offsets
        if previous and all(np.array_equal(times[n], previous[n]) for n in times):
            return times
        previous = times


def _latest(flow: Flow, earliest: dict[str, Ints], cycles: int) -> dict[str, Ints]:
    """As late as the processes that nothing reads from allow."""
    outgoing: dict[str, list[Edge]] = {name: [] for name in flow.processes}
    for edge in flow.edges:
        outgoing[edge.writer].append(edge)
    times: dict[str, Ints] = {}
    for name in reversed(list(flow.processes)):
        process = flow.processes[name]
        if not outgoing[name]:
            times[name] = earliest[name]
            continue
        latest = np.full(process.iterations, _ANY_TIME)
        for edge in outgoing[name]:
            need = edge.ready.needs(flow.processes[edge.reader].iterations)
            # The first iteration of the reader that needs each element.
            first = np.searchsorted(need, np.arange(process.iterations), "right")
            begin = np.append(times[edge.reader], _ANY_TIME)[first]
            np.minimum(latest, begin - process.latency, out=latest)
        if np.all(latest >= _ANY_TIME - process.latency):
            # Nothing that it writes is read.
            times[name] = earliest[name]
            continue
        offsets = np.arange(process.iterations) * process.interval
        latest = _descending(latest, offsets)
        # The last iteration precedes the next image's first.
        latest[-1] = min(latest[-1], latest[0] + cycles - process.interval)
        times[name] = _descending(latest, offsets)
    return times


def _descending(latest: Ints, offsets: Ints) -> Ints:
    """Times from the back: each at least an interval before the one after it."""
    return np.minimum.accumulate((latest - offsets)[::-1])[::-1] + offsets


def _slots(flow: Flow, edge: Edge, times: dict[str, Ints], cycles: int) -> int:
    """How full a ring gets: elements written by the time of a write, less those freed by then."""
    writer, reader = flow.processes[edge.writer], flow.processes[edge.reader]
    written = times[edge.writer]
    need = edge.free.needs(writer.iterations)
    ends = times[edge.reader] + reader.latency
    # What is free from an image's start is free when the machine is through with the one before.
    start = ends[edge.free.last - 1] - cycles if edge.free.last else np.int64(0)
    freed = np.where(need == 0, start, ends[np.where(need == NEVER, 0, need) - 1])
    if np.any(need == NEVER):
        freed = np.where(need == NEVER, ends[edge.free.awaits[0] - 1] + cycles, freed)
    freed = np.maximum.accumulate(freed)
    # Enough images before and after this one that all other ones' elements are free or unwritten.
    before = int(max(0, -((written[0] - freed[-1]) // cycles))) + 1
    after = int(max(0, (written[-1] - freed[0]) // cycles)) + 1
    images = np.arange(-before, after + 1)
    stream = (freed[None, :] + images[:, None] * cycles).reshape(-1)
    stream = np.maximum.accumulate(stream)
    done = np.searchsorted(stream, written, "right") - before * writer.iterations
    return max(1, int((np.arange(writer.iterations) + 1 - done).max()))
