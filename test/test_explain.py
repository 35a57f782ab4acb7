# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Why a stream takes as long as it does: chains of waits, against the times that they explain."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import get_args

import pytest

import cmc
from cmc.compiler.standard import BufferPolicy
from cmc.explain.circuit import Link, repeated
from cmc.explain.critical import critical_circuit, critical_path
from cmc.simulator import chip_of
from cmc.simulator.load import load
from cmc.sizing.minimal import minimal_slots
from cmc.sizing.throughput import throughput_slots
from cmc.timing.flow import Flow, waits_of
from cmc.timing.solver import solve
from cmc.timing.times import Times
from test_any_machines import any_flow
from test_events import random_flow

IMAGES = 200


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


def expect_waits(times: Times, links: Sequence[Link]) -> None:
    """Each link is a wait that the simulator saw: it took its cycles, and nothing came later."""
    flow, images = times.flow, 1 + max(link.image for link in links)
    starts = {
        name: times.of_images(name, process.turn.images(images)).expanded().tolist()
        for name, process in flow.processes.items()
    }
    for link in links:
        mine = number(flow, link.stage, link.image, link.iteration)
        other = number(flow, link.on, link.on_image, link.on_iteration)
        if link.kind == "end":
            assert mine == other and link.cycles == flow.processes[link.stage].latency
            continue
        assert starts[link.stage][mine] - starts[link.on][other] == link.cycles
        if link.kind == "pace":
            assert (link.stage, mine) == (link.on, other + 1)
        elif link.kind != "unit":
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


def test_flows_of_any_machines_and_units():
    """Circuits have the mean that the stream has, and paths the length of its first image."""
    explained = shared = 0
    for seed in range(40):
        flow = flow_of(seed)
        times = solve(flow, IMAGES, arrivals=False)
        if not times.complete:
            continue
        path, circuit = critical_path(times), critical_circuit(times)
        assert path is not None and path.cycles == times.ends(1)[0]
        expect_waits(times, path.links)
        if times.period is None or not any(times.leaps.values()):
            continue
        if circuit is None:
            assert len({times.periods[name] for name in flow.processes}) > 1
            continue
        explained, shared = explained + 1, shared + flow.shared
        assert circuit.mean == times.period
        assert circuit.cycles == sum(link.cycles for link in circuit.links)
        first, last = circuit.links[0], circuit.links[-1]
        assert (last.on, last.on_iteration) == (first.stage, first.iteration)
        assert first.image - last.on_image == circuit.images
        expect_waits(times, circuit.links)
    assert explained - shared > 15 and shared > 2


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
