# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Rings for machines that no network has: any steps that end where they must."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from unittest.mock import patch

import numpy as np
import pytest

from cmc.sizing.live import is_live
from cmc.sizing.minimal import minimal_slots
from cmc.sizing.throughput import period, schedule, throughput_slots
from cmc.timing.flow import Edge, Flow, Process, Steps
from cmc.timing.runs import Runs
from cmc.timing.solver import solve
from cmc.timing.times import Times


def runs_of(values: Sequence[int]) -> Runs:
    """The same members, each in a run of its own."""
    parts = [Runs.line(1, value) for value in values]
    return Runs.joined(parts).merged() if parts else Runs.line(0, 0)


def random_steps(random: Random, signals: int, driven: int) -> Steps:
    """Steps that let all happen in the end."""
    initial = random.choice((0, 0, random.randint(0, driven)))
    count = random.randint(1, min(signals, driven - initial)) if initial < driven else 0
    awaits = sorted(random.sample(range(1, signals + 1), count))
    reaches = sorted(random.sample(range(initial + 1, driven), count - 1)) if count else []
    return Steps.of(runs_of(awaits), runs_of([*reaches, driven] if count else []), initial)


def live_flow(random: Random) -> Flow:
    """Some processes, each of which reads from one or two before it."""
    processes = {
        f"p{i}": Process(f"p{i}", random.randint(1, 9), random.randint(1, 3), random.randint(1, 2))
        for i in range(random.randint(2, 6))
    }
    order = list(processes.values())
    edges: list[Edge] = []
    for number, reader in enumerate(order[1:], 1):
        for writer in random.sample(order[:number], random.randint(1, min(2, number))):
            sides = writer.iterations, reader.iterations
            ready, free = random_steps(random, *sides), random_steps(random, *reversed(sides))
            title = f"{writer.name} for {reader.name}"
            edges.append(Edge(title, writer.name, reader.name, ready, free))
    return Flow(processes, tuple(edges))


def carrying(random: Random, flow: Flow) -> Flow:
    """The same, but for channels that carry some of what is written, and their machines."""
    edges: list[Edge] = []
    for edge in flow.edges:
        if random.random() < 0.5:
            writes, reads = (flow.processes[name].iterations for name in (edge.writer, edge.reader))
            count = random.randint(1, writes)
            edge = replace(
                edge,
                ready=random_steps(random, count, reads),
                free=random_steps(random, reads, count),
                sends=runs_of(sorted(random.sample(range(writes), count))),
            )
        edges.append(edge)
    return replace(flow, edges=tuple(edges))


def any_flow(seed: int) -> Flow:
    """A live flow; of every third one, channels may carry some of what is written."""
    random = Random(seed)
    flow = live_flow(random)
    return flow if seed % 3 else carrying(random, flow)


def times_with(flow: Flow, slots: Sequence[int], images: int) -> Times:
    return solve(flow.with_slots(slots), images)


@pytest.mark.parametrize("seed", range(200))
def test_minimal_rings_are_minimal(seed: int):
    random, flow = Random(seed), any_flow(seed)
    most = throughput_slots(flow)
    widths = [random.randint(1, 9) for _ in most]
    slots = minimal_slots(flow, most, widths)
    with patch("cmc.sizing.minimal.ARRAYS", 0):
        assert minimal_slots(flow, most, widths) == slots
    assert times_with(flow, slots, 4).complete
    for number, count in enumerate(slots):
        assert count <= most[number]
        if count > 1:  # there is no ring with none
            fewer = [*slots[:number], count - 1, *slots[number + 1 :]]
            assert not times_with(flow, fewer, 1).complete


@pytest.mark.parametrize("seed", range(200))
def test_rings_of_any_sizes_are_live_or_not(seed: int):
    random, flow = Random(seed), any_flow(seed)
    slots = [random.randint(1, enough) for enough in throughput_slots(flow)]
    assert is_live(flow, slots) == times_with(flow, slots, 3).complete


@pytest.mark.parametrize("seed", range(200))
def test_throughput_rings_reach_the_bound(seed: int):
    flow = any_flow(seed)
    images, later = 20, 20
    times = times_with(flow, throughput_slots(flow), images + later)
    assert times.complete
    for name in flow.processes:
        starts = times.of_images(name, images + later).expanded()
        ends = starts.reshape(images + later, -1)[:, -1]
        assert ends[-1] - ends[images - 1] <= later * period(flow)


def most_in_ring(flow: Flow, edge: Edge) -> int:
    """The most elements that a ring holds in the schedule that sized it, image after image."""
    writer, reader = flow.processes[edge.writer], flow.processes[edge.reader]
    times, images = schedule(flow), 12
    starts = np.arange(images)[:, None] * period(flow)
    sends = edge.in_stream(writer.iterations, 1).expanded()
    written = (starts + times[edge.writer].expanded()[sends]).reshape(-1)
    ends = starts + times[edge.reader].expanded() + reader.latency
    first = np.arange(images)[:, None] * len(sends)
    freed = first + edge.free.reaches.expanded()
    # With its last step the machine comes to the next image, and to what is free at its start.
    freed[:, -1] += edge.free.initial
    freed_at = ends[:, edge.free.awaits.expanded() - 1].reshape(-1)
    so_far = np.searchsorted(freed_at, written, "right")
    free = np.append(edge.free.initial, freed.reshape(-1))[so_far]
    kept = np.arange(1, len(written) + 1) - free
    return int(kept[: len(kept) // 2].max())


@pytest.mark.parametrize("seed", range(200))
def test_throughput_rings_are_as_full_as_they_get(seed: int):
    flow = any_flow(seed)
    for edge, slots in zip(flow.edges, throughput_slots(flow), strict=True):
        if edge.free.awaits.length:
            assert slots == max(1, most_in_ring(flow, edge)), edge.title
        else:
            assert slots == 1


def two_processes(ready: Steps, free: Steps, writes: int, reads: int) -> Flow:
    """One channel."""
    processes = {"w": Process("w", writes), "r": Process("r", reads)}
    return Flow(processes, (Edge("w for r", "w", "r", ready, free),))


def test_what_a_machine_leaves_is_free_when_it_begins_the_next_image():
    ready = Steps.of(runs_of([3, 4, 5, 6, 7, 8]), runs_of([1, 2, 3, 4, 5, 6]), 0)
    flow = two_processes(ready, Steps.of(runs_of([1]), runs_of([2]), 1), 8, 6)
    # The ring of 4 has room for the elements from 5 on once the first iteration is done.
    assert times_with(flow, [4], 1).complete
    assert times_with(flow, [4], 3).complete
