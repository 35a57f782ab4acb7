# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Why a stream takes as long as it does: chains of waits, against the times that they explain."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random
from typing import get_args

import pytest

import cmc
from cmc.compiler.standard import BufferPolicy
from cmc.explain.circuit import Circuit, repeated
from cmc.explain.critical import critical_path
from cmc.simulator import Simulator, chip_of
from cmc.sizing.minimal import minimal_slots
from cmc.sizing.throughput import throughput_slots
from cmc.timing.flow import HERE, Edge, Flow, Process, Way
from cmc.timing.solver import solve
from conftest import OTHER_NETWORKS, OWN_NETWORKS, by_turns, find_trained
from explaining import expect_explained, explained
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


def circuit_of(flow: Flow) -> Circuit | None:
    times = solve(flow, IMAGES, arrivals=False)
    return explained(times) if times.complete else None


def test_flows_of_any_machines_and_units():
    found = [(flow, circuit_of(flow)) for flow in map(flow_of, range(40))]
    shared = [flow.shared for flow, circuit in found if circuit is not None]
    assert shared.count(False) > 15 and shared.count(True) > 2


def test_flows_over_links():
    """Vectors that wait for others are in circuits, too, and in paths."""
    kinds, closed = Counter[str](), list[bool]()
    for seed in range(40):
        circuit = circuit_of(over_links(flow_of(seed), Random(seed)))
        if circuit is not None:
            kinds.update({link.kind for link in circuit.links})
            closed.append(circuit.closed)
    assert kinds["link"] > 5 and kinds["room"] > 5
    assert closed.count(True) > 5 and closed.count(False) > 1


def test_long_chains():
    """There is no end to how far one goes back."""
    flow = Flow.of([Process("a", 100_000, latency=3, interval=2)], [])
    path = critical_path(solve(flow, 2))
    assert path.cycles == 2 * 99_999 + 3 and len(path.links) == 100_000
    assert [(one.kind, one.times) for one in path.links.summed] == [("end", 1), ("pace", 99_999)]


@pytest.mark.parametrize(
    ("name", "buffers"), by_turns([*OWN_NETWORKS, *OTHER_NETWORKS], get_args(BufferPolicy))
)
def test_trained_networks(name: str, buffers: BufferPolicy):
    simulator = Simulator(chip_of(cmc.compile(find_trained(name), buffers=buffers).module))
    circuit = expect_explained(simulator, simulator.time(1))
    assert circuit is not None and circuit.closed
    kinds = {link.kind for link in circuit.links}
    if buffers == "minimal":
        assert {"room", "data"} <= kinds
    else:
        assert kinds == {"pace"}


def test_what_comes_again_is_found():
    assert repeated([]) == []
    assert repeated("abcabcabd") == [(0, 3, 2), (6, 1, 1), (7, 1, 1), (8, 1, 1)]
    assert repeated("aaab") == [(0, 1, 3), (3, 1, 1)]
    assert repeated("xabab") == [(0, 1, 1), (1, 2, 2)]
