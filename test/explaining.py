# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Whether chains of waits are those that were seen, and explain the times that they are for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from heapq import heappop, heappush
from itertools import pairwise

import numpy as np

from cmc.explain.circuit import Circuit, Link
from cmc.explain.critical import critical_circuit, critical_path
from cmc.reports.report import Report
from cmc.simulator import Simulator
from cmc.simulator.summary import long_stream
from cmc.timing.flow import Edge, Flow, Wait, waits_of
from cmc.timing.times import Times

_AHEAD = 40
"""Images that others may be ahead, whose vectors are on the same links."""


def number(flow: Flow, stage: str, image: int, iteration: int) -> int:
    process = flow.processes[stage]
    own, rest = divmod(image - process.turn.number, process.turn.of)
    assert not rest
    return own * process.iterations + iteration


Crossed = Mapping[tuple[str, int, str], Sequence[tuple[int, int]]]
"""When vectors come to links, and begin on them: by what sends them, and on which link."""


def on_links(flow: Flow, starts: Mapping[str, Sequence[int]]) -> Crossed:
    """Vector after vector: a link serves in order of arrival, and then in that of channels."""
    over: dict[tuple[str, int], list[Edge]] = {}
    order: dict[tuple[str, int], tuple[int, int]] = {}
    after: dict[tuple[str, int], set[int]] = {}
    for place, edge in enumerate(flow.edges):
        before, key = -1, edge.writer if flow.multicast else str(place)
        for depth, link in enumerate(edge.way.links):
            over.setdefault((key, link), []).append(edge)
            order.setdefault((key, link), (place, depth))
            after.setdefault((key, before), set()).add(link)
            before = link
    queue: list[tuple[int, tuple[int, int], int, str, int]] = []

    def send(key: str, before: int, iteration: int, now: int) -> None:
        for link in after.get((key, before), ()):
            place = iteration % flow.processes[over[key, link][0].writer].iterations
            sends = [edge.sends for edge in over[key, link]]
            if any(some is None or place in some.expanded() for some in sends):
                heappush(queue, (now, order[key, link], iteration, key, link))

    for key, before in after:
        if before == -1:
            link = next(iter(after[key, before]))
            process = flow.processes[over[key, link][0].writer]
            for iteration, start in enumerate(starts[process.name]):
                send(key, -1, iteration, start + process.latency)
    found: dict[tuple[str, int, str], list[tuple[int, int]]] = {}
    free: dict[int, int] = {}
    while queue:
        now, _, iteration, key, link = heappop(queue)
        edge, begin = over[key, link][0], max(now, free.get(link, 0))
        free[link] = begin + edge.way.held
        found.setdefault((edge.writer, iteration, flow.link_title(link)), []).append((now, begin))
        send(key, link, iteration, begin + edge.way.hop)
    return found


def expect_waits(times: Times, links: Sequence[Link]) -> None:
    """Each link is a wait that the simulator saw: it took its cycles, and nothing came later."""
    flow, latest = times.flow, max(link.image for link in links)
    images = min(times.images, latest + (_AHEAD if flow.contended else 2))
    starts = {
        name: times.of_images(name, process.turn.images(images)).expanded().tolist()
        for name, process in flow.processes.items()
    }
    crossed = on_links(flow, starts)

    @cache
    def waits(stage: str) -> Sequence[Wait]:
        return waits_of(flow, stage, images)

    def when(link: Link) -> set[int]:
        """When what waits began, of which there may be several vectors."""
        iteration = number(flow, link.stage, link.image, link.iteration)
        if link.kind != "link":
            return {starts[link.stage][iteration]}
        vectors = crossed[link.stage, iteration, link.what]
        before = crossed[
            link.on, number(flow, link.on, link.on_image, link.on_iteration), link.what
        ]
        held = next(
            edge.way.held for edge in flow.edges if edge.writer == link.on and edge.way.held
        )
        ends = {begin + held for _, begin in before}
        return {begin for came, begin in vectors if came < begin and begin in ends}

    cycles = when(links[0])
    for link in links:
        mine = number(flow, link.stage, link.image, link.iteration)
        other = number(flow, link.on, link.on_image, link.on_iteration)
        cycles = {cycle - link.cycles for cycle in cycles & when(link)}
        assert cycles, link
        if link.kind == "end":
            assert mine == other and link.cycles == flow.processes[link.stage].latency
            cycles = {cycle + link.cycles for cycle in cycles}
        elif link.kind == "pace":
            assert (link.stage, mine) == (link.on, other + 1)
        elif link.kind not in ("unit", "link"):
            assert any(
                wait.on.name == link.on
                and wait.need_of(mine) == other + 1
                and wait.why.endswith(link.what)
                for wait in waits(link.stage)
            )
    for one, following in pairwise(links):
        on = one.on, one.on_image, one.on_iteration
        assert on == (following.stage, following.image, following.iteration)


def explained(times: Times) -> Circuit | None:
    """The circuit of a stream, if there is one: it has the mean, or the average, that this has.

    The path to the end of its first image is as long as that takes. Where nothing is shared, and
    the stream is long and gets through, there is a circuit.
    """
    path, circuit = critical_path(times), critical_circuit(times)
    assert path.cycles == times.ends(1)[0]
    expect_waits(times, path.links)
    if circuit is None:
        flow = times.flow
        paces = {times.periods.get(name) for name in flow.processes}
        steady = times.complete and any(times.leaps.values())
        assert not steady or (flow.shared and len(paces) > 1)
        return None
    assert circuit.cycles == sum(link.cycles for link in circuit.links)
    if not circuit.closed:
        first, last = times.middle()
        ends = np.maximum.accumulate(times.ends(times.images))
        assert circuit.mean == Fraction(int(ends[last] - ends[first]), last - first)
        # The last one is cut off where the first image ended.
        expect_waits(times, circuit.links[:-1])
        return circuit
    assert circuit.mean * times.flow.turns == times.period
    first, last = circuit.links[0], circuit.links[-1]
    assert (last.on, last.on_iteration) == (first.stage, first.iteration)
    assert first.image - last.on_image == circuit.images
    expect_waits(times, circuit.links)
    return circuit


def expect_explained(simulator: Simulator, report: Report) -> Circuit | None:
    """A report's interval is the mean of its circuit, and its latency the sum of its path."""
    if not report.programs:
        return None
    circuit = explained(long_stream(simulator.chip.flow))
    assert report.critical == circuit
    assert report.critical_path is not None and report.critical_path.cycles == report.latency
    if circuit is not None:
        assert report.interval == float(circuit.mean)
    return circuit
