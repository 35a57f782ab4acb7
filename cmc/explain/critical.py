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

from fractions import Fraction

from cmc.explain.circuit import Circuit, CriticalPath, Link
from cmc.explain.clocks import Beginning, Steady
from cmc.explain.last import Last, Lasts, Node
from cmc.timing.flow import Flow
from cmc.timing.times import Times


def critical_circuit(times: Times) -> Circuit | None:
    """That of a stream that is long enough; None where no steady state was found, or links are
    waited for.

    Its links are of the first images in steady state.
    """
    steady = Steady.of(times)
    if steady is None or times.flow.contended:
        return None
    flow, lasts = times.flow, Lasts(times.flow)
    pace = Fraction(steady.rise, steady.span)
    name = next(name for name in flow.processes if name in steady.members)
    node = Node(name, flow.processes[name].iterations - 1)
    visits: dict[tuple[str, int], list[int]] = {}
    way: list[tuple[Node, Last]] = []
    while True:
        count = flow.processes[node.process].iterations
        image, iteration = divmod(node.number, count)
        before = visits.setdefault((node.process, iteration), [])
        for step in before:
            images = way[step][0].number // count - image
            cycles = sum(last.cycles for _, last in way[step:])
            if cycles == pace * images:
                links = _shifted(flow, way[step:], steady)
                return Circuit(links, cycles, images * flow.turns)
        before.append(len(way))
        last = lasts.of(steady, node)
        assert last is not None, f"{node} waits for nothing"
        way.append((node, last))
        node = last.on


def _shifted(flow: Flow, way: list[tuple[Node, Last]], steady: Steady) -> tuple[Link, ...]:
    """The links of a circuit, of images as early as those of steady state are."""
    counts = {name: process.iterations for name, process in flow.processes.items()}
    least = min(last.on.number // counts[last.on.process] for _, last in way)
    images = (steady.first - least + steady.span - 1) // steady.span * steady.span

    def later(node: Node) -> Node:
        return Node(node.process, node.number + images * counts[node.process])

    return tuple(_link(flow, later(node), last._replace(on=later(last.on))) for node, last in way)


def critical_path(times: Times) -> CriticalPath | None:
    """That of the first image of a stream; None where links are waited for."""
    if times.flow.contended:
        return None
    flow, clock, lasts = times.flow, Beginning(times), Lasts(times.flow)
    ends: dict[Node, int] = {}
    for name, process in flow.processes.items():
        if process.turn.number == 0:
            node = Node(name, process.iterations - 1)
            start = clock.start(node)
            assert start is not None
            ends[node] = start + process.latency
    node = max(ends, key=lambda node: ends[node])
    latency = flow.processes[node.process].latency
    links = [_link(flow, node, Last("end", "", node, latency))]
    while (last := lasts.of(clock, node)) is not None:
        links.append(_link(flow, node, last))
        node = last.on
    return CriticalPath(tuple(links), sum(link.cycles for link in links))


def _link(flow: Flow, node: Node, last: Last) -> Link:
    image, iteration = _place(flow, node)
    on_image, on_iteration = _place(flow, last.on)
    return Link(
        node.process,
        iteration,
        image,
        last.kind,
        last.what,
        last.on.process,
        on_iteration,
        on_image,
        last.cycles,
    )


def _place(flow: Flow, node: Node) -> tuple[int, int]:
    """The image of the stream, and the iteration in it."""
    process = flow.processes[node.process]
    own, iteration = divmod(node.number, process.iterations)
    return process.turn.image(own), iteration
