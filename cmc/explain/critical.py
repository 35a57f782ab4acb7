# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The circuit of waits that rules the interval, and the path of waits that makes the latency.

Each iteration begins when the last of all that it waits for is there. So from an iteration one can
go back to the one that it waited for, from this to the next, and so on. In steady state, where all
comes again some images and so many cycles later, that leads in circles: to the same iteration of a
former image. Waits are the same ones for each image, so no stream can be faster than any circuit of
them; one that takes as many cycles for its images as the stream does for these is why it is not.
In max-plus algebra it is the circuit with the largest mean, whose mean is the eigenvalue (Baccelli,
Cohen, Olsder, Quadrat: Synchronization and Linearity, chapter 3).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cmc.explain.circuit import Circuit, CriticalPath, Link
from cmc.explain.clocks import Beginning, Logs, Steady
from cmc.explain.last import Last, Lasts, Log, Node
from cmc.timing.times import Times


def critical_circuit(times: Times) -> Circuit | None:
    """That of a stream that is long enough, of the first images in steady state.

    Where the same never comes again, it is no circle, but what led from the end of one image to
    that of an earlier one, between which the interval is an average. None where processes share a
    unit or a link, and go on at paces of their own.
    """
    if (pace := times.period) is None:
        return _between_images(times)
    name = next(name for name in times.flow.processes if times.periods[name] == pace)
    logs = Logs.of(times, name)
    steady, lasts = Steady.of(logs, name), Lasts(logs.flow)
    if steady is None or any(times.periods[other] != pace for other in logs.flow.processes):
        return None
    node = Node(name, logs.flow.processes[name].iterations - 1)
    visits: dict[tuple[Log, int], list[int]] = {}
    way: list[tuple[Node, Last]] = []
    passed = [0]
    while True:
        count = lasts.in_image(node.log)
        image, place = divmod(node.number, count)
        before = visits.setdefault((node.log, place), [])
        for step in before:
            images = way[step][0].number // count - image
            cycles = passed[-1] - passed[step]
            if cycles == pace * images:
                links = _shifted(lasts, way[step:], steady)
                return Circuit(links, cycles, images * times.flow.turns)
        before.append(len(way))
        last = lasts.of(steady, node)
        assert last is not None, f"{node} waits for nothing"
        way.append((node, last))
        passed.append(passed[-1] + last.cycles)
        node = last.on


def _shifted(lasts: Lasts, way: list[tuple[Node, Last]], steady: Steady) -> tuple[Link, ...]:
    """The links of a circuit, of images as early as those of steady state are."""
    rounds = max(
        -((last.on.number - steady.first(last.on.log)) // steady.again(last.on.log))
        for _, last in way
    )

    def later(node: Node) -> Node:
        return Node(node.log, node.number + rounds * steady.again(node.log))

    return tuple(_link(lasts, later(node), last._replace(on=later(last.on))) for node, last in way)


def _between_images(times: Times) -> Circuit | None:
    """The waits from the end of an image back to that of an earlier one, in the middle of a stream.

    The last one of them is counted from there on.
    """
    first, last = times.middle()
    if not times.complete or first == last or any(times.leaps.values()):
        return None
    since, end = np.maximum.accumulate(times.ends(times.images))[[first, last]].tolist()
    (*links, one), earlier = _back(times, _last_to_end(times, last), since)
    links = (*links, replace(one, cycles=one.cycles - earlier))
    return Circuit(links, end - since, last - first, closed=False)


def _last_to_end(times: Times, images: int) -> Node:
    """The iteration of all up to an image that is the last one to end."""
    ends: dict[Node, int] = {}
    for name, process in times.flow.processes.items():
        if own := process.turn.images(images + 1):
            node = Node(name, own * process.iterations - 1)
            start = int(times.at(name, np.array([node.number]))[0])
            ends[node] = start + process.latency
    return max(ends, key=lambda node: ends[node])


def critical_path(times: Times) -> CriticalPath:
    """That of the first image of a stream."""
    links, _ = _back(times, _last_to_end(times, 0), 0)
    return CriticalPath(links, sum(link.cycles for link in links))


def _back(times: Times, node: Node, since: int) -> tuple[tuple[Link, ...], int]:
    """The waits from the end of an iteration back to a cycle, and how much earlier the last begins.

    That is before anything is left out of the stream.
    """
    assert isinstance(node.log, str)
    logs = Logs.of(times, node.log)
    clock, lasts = Beginning(logs), Lasts(logs.flow)
    latency = logs.flow.processes[node.log].latency
    now, here = int(times.at(node.log, np.array([node.number]))[0]), lasts.place(node)
    links = [Link(*here, "end", "", *here, latency)]
    while now > since and (last := lasts.of(clock, node)) is not None:
        there = lasts.place(last.on)
        links.append(Link(*here, last.kind, last.what, *there, last.cycles))
        node, here, now = last.on, there, now - last.cycles
    return tuple(links), since - now


def _link(lasts: Lasts, node: Node, last: Last) -> Link:
    return Link(*lasts.place(node), last.kind, last.what, *lasts.place(last.on), last.cycles)
