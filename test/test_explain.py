# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Why a stream takes as long as it does: chains of waits, against the times that they explain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import get_args

import pytest

import cmc
from cmc.compiler.standard import BufferPolicy
from cmc.explain.circuit import Circuit, Link, repeated
from cmc.explain.critical import critical_circuit, critical_path
from cmc.simulator import chip_of
from cmc.simulator.load import load
from cmc.sizing.minimal import minimal_slots
from cmc.sizing.throughput import throughput_slots
from cmc.timing.flow import HERE, Edge, Flow, Way, waits_of
from cmc.timing.solver import solve
from cmc.timing.times import Times
from test_any_machines import any_flow
from test_events import random_flow

IMAGES = 100


def flow_of(seed: int) -> Flow:
    """Any machines with rings between minimal ones and such that cost no time; or shared units."""
    if seed % 2 == 0:
        return random_flow(seed)
    flow, random = any_flow(seed), Random(seed)
    most = throughput_slots(flow)
    least = minimal_slots(flow, most, [1 for _ in most])
    return flow.with_slots(map(random.randint, least, most))


def number(flow: Flow, stage: str, image: int, iteration: int) -> int:
    process = flow.processes[stage]
    own, rest = divmod(image - process.turn.number, process.turn.of)
    assert not rest
    return own * process.iterations + iteration


def over_links(flow: Flow, random: Random) -> Flow:
    """The same with its processes at the places of a chain, whose links take their time."""
    place = {name: number for number, name in enumerate(flow.processes)}
    held = {name: random.choice((0, 1, 3, 7)) for name in place}
    hop, edges = random.choice((0, 1, 4)), list[Edge]()
    for edge in flow.edges:
        here, there = place[edge.writer], place[edge.reader]
        links = range(here, there) if here < there else range(100 + here, 100 + there, -1)
        way = Way(tuple(links), hop, held[edge.writer], 8)
        edges.append(replace(edge, way=way if links and way.held else HERE))
    return replace(flow, edges=tuple(edges), multicast=random.random() < 0.5)


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
    flow, images = times.flow, 2 + max(link.image for link in links)
    starts = {
        name: times.of_images(name, process.turn.images(images)).expanded().tolist()
        for name, process in flow.processes.items()
    }
    crossed = on_links(flow, starts)

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
            waits = waits_of(flow, link.stage, images)
            assert any(
                wait.on.name == link.on
                and wait.need_of(mine) == other + 1
                and wait.why.endswith(link.what)
                for wait in waits
            )
    for one, following in pairwise(links):
        on = one.on, one.on_image, one.on_iteration
        assert on == (following.stage, following.image, following.iteration)


def explained(flow: Flow) -> Circuit | None:
    """The circuit of a flow, if there is one: it has the mean that the stream has.

    The path to the end of its first image is as long as that takes.
    """
    times = solve(flow, IMAGES, arrivals=False)
    if not times.complete:
        return None
    path, circuit = critical_path(times), critical_circuit(times)
    assert path.cycles == times.ends(1)[0]
    expect_waits(times, path.links)
    if times.period is None or not any(times.leaps.values()):
        return None
    if circuit is None:
        assert len({times.periods[name] for name in flow.processes}) > 1
        return None
    assert circuit.mean == times.period
    assert circuit.cycles == sum(link.cycles for link in circuit.links)
    first, last = circuit.links[0], circuit.links[-1]
    assert (last.on, last.on_iteration) == (first.stage, first.iteration)
    assert first.image - last.on_image == circuit.images
    expect_waits(times, circuit.links)
    return circuit


def test_flows_of_any_machines_and_units():
    found = [(flow, explained(flow)) for flow in map(flow_of, range(40))]
    shared = [flow.shared for flow, circuit in found if circuit is not None]
    assert shared.count(False) > 15 and shared.count(True) > 2


def test_flows_over_links():
    """Vectors that wait for others are in circuits, too, and in paths."""
    kinds = Counter[str]()
    for seed in range(40):
        circuit = explained(over_links(flow_of(seed), Random(seed)))
        if circuit is not None:
            kinds.update({link.kind for link in circuit.links})
    assert kinds["link"] > 5 and kinds["room"] > 5


@pytest.mark.parametrize("buffers", get_args(BufferPolicy))
def test_a_trained_network(digits: Path, buffers: BufferPolicy):
    program = cmc.compile(digits, buffers=buffers)
    report = program.time(1)
    circuit, path = report.critical, report.critical_path
    assert circuit is not None and path is not None
    assert float(circuit.mean) == report.interval
    assert path.cycles == report.latency
    times = solve(load(chip_of(program.module)).flow, IMAGES)
    expect_waits(times, circuit.links)
    expect_waits(times, path.links)
    if buffers == "minimal":
        assert {"room", "data"} <= {link.kind for link in circuit.links}
    else:
        assert {link.kind for link in circuit.links} == {"pace"}


def test_what_comes_again_is_found():
    assert repeated([]) == []
    assert repeated("abcabcabd") == [(0, 3, 2), (6, 1, 1), (7, 1, 1), (8, 1, 1)]
    assert repeated("aaab") == [(0, 1, 3), (3, 1, 1)]
    assert repeated("xabab") == [(0, 1, 1), (1, 2, 2)]
