# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Processes that share units, against what happens in each cycle."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given

from cmc.simulator import summary
from cmc.simulator.summary import interval_of
from cmc.timing import events
from cmc.timing.flow import Edge, Flow, Process, Steps, waits
from cmc.timing.runs import Runs
from cmc.timing.solver import solve
from cmc.timing.times import Times
from cmc.timing.waiting import Waiting
from conftest import examples
from test_any_machines import carrying, random_steps
from test_timing import random_machine, starts_by_definition

UNITS = ("digital", "port", "memory")


def random_processes(random: Random) -> list[Process]:
    """Processes on some cores and the GCU, most of which occupy something."""
    count = random.randint(2, 7)
    sides = random.choice((1, 1, 2, 3))
    streams = random.randint(1, 2)
    processes: list[Process] = []
    for number in range(count):
        side = "" if number < streams else f"core{random.randrange(sides)}"
        units = random.sample(UNITS, random.choice((0, 1, 1, 1, 2, 3)))
        longest = random.choice((1, 2, 5, 40))
        processes.append(
            Process(
                f"p{number}",
                random.choice((1, random.randint(2, 9))),
                random.randint(1, longest),
                random.choice((1, random.randint(1, longest))),
                side=side,
                occupies={unit: random.randint(1, longest) for unit in units},
            )
        )
    places = random.sample(range(count), count)
    return [replace(p, place=place) for p, place in zip(processes, places, strict=True)]


def random_flow(seed: int) -> Flow:
    """Networks of one or more parts, whose rings and machines may be any."""
    random = Random(seed)
    order = random_processes(random)
    odd, roomy = random.random() < 0.25, random.random() < 0.7
    edges: list[Edge] = []
    for number, reader in enumerate(order[1:], 1):
        if random.random() < 0.15:
            continue
        for writer in random.sample(order[:number], random.randint(1, min(2, number))):
            sides = writer.iterations, reader.iterations
            make = random_machine if odd and random.random() < 0.3 else random_steps
            ready, free = make(random, *sides), make(random, *reversed(sides))
            slots = random.randint(1, 2 * writer.iterations)
            if roomy:
                slots += writer.iterations
            title = f"{writer.name} for {reader.name}"
            edges.append(Edge(title, writer.name, reader.name, ready, free, slots))
    return Flow.of(order, edges)


def assert_as_defined(flow: Flow, images: int) -> None:
    """All times are those of each cycle, whatever is left out; and so is what was waited for."""
    expected, times = starts_by_definition(flow, images), events.simulate(flow, images)
    total = {name: images * p.iterations for name, p in flow.processes.items()}
    stuck = [name for name, starts in expected.items() if len(starts) < total[name]]
    assert times.complete == (not stuck)
    starts = {name: Runs.of(np.array(cycles)) for name, cycles in expected.items()}
    waiting = waits(flow, images).__getitem__
    whole = Times(flow, images, dict.fromkeys(total, images), starts, waiting)
    if stuck:
        skipped = {n: sum(one.times * one.count for one in times.leaps.get(n, ())) for n in total}
        assert {n: times.begun[n] + skipped[n] for n in total} == whole.begun
        assert str(times.deadlock()) == str(whole.deadlock())
        return
    for name in flow.processes:
        assert times.of_images(name, images).expanded().tolist() == expected[name]
        assert times.last(name) == expected[name][-1]
        assert Waiting(times).of(name) == Waiting(whole).of(name)
    assert times.ends(images).tolist() == whole.ends(images).tolist()


@example(233, 12)  # while others come again, one process waits and then goes on
@example(0, 9)  # one process is through before others come again
@example(135, 9)  # a machine begins an image that never comes
@examples(50)
@given(st.integers(0, 1 << 32), st.integers(1, 20))
def test_events_are_those_of_each_cycle(seed: int, images: int):
    assert_as_defined(random_flow(seed), images)


@examples(40)
@given(st.integers(0, 1 << 32), st.integers(1, 20))
def test_events_where_channels_carry_some_of_what_is_written(seed: int, images: int):
    assert_as_defined(carrying(Random(seed), random_flow(seed)), images)


@examples(30)
@given(st.integers(0, 1 << 32))
def test_nothing_is_lost_in_leaps(seed: int):
    """A long stream is the same if all of it is simulated."""
    flow, images = random_flow(seed), 120
    times = events.simulate(flow, images)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "LOOKED_AT", 0)
        whole = events.simulate(flow, images)
    assert not whole.leaps and times.complete == whole.complete
    if times.complete:
        for name in flow.processes:
            assert times.of_images(name, images).same(whole.starts[name])
            assert Waiting(times).of(name) == Waiting(whole).of(name)


@examples(50)
@given(st.integers(0, 1 << 32))
def test_both_engines_agree_where_nothing_is_shared(seed: int):
    flow, images = random_flow(seed), 30
    if seed % 2:
        flow = carrying(Random(seed), flow)
    alone = Flow.of((replace(p, side=p.name) for p in flow.processes.values()), flow.edges)
    solved, found = solve(alone, images), events.simulate(alone, images)
    assert not alone.shared and found.complete == solved.complete
    if not solved.complete:
        assert str(found.deadlock()) == str(solved.deadlock())
        return
    for name in alone.processes:
        assert found.of_images(name, images).same(solved.of_images(name, images))
        assert Waiting(found).of(name) == Waiting(solved).of(name)


def two_readers(slots: int) -> Flow:
    """An input whose pixels two readers take on one core, one of which holds it up for longer."""
    each = Steps.of(Runs.line(8, 1, 1), Runs.line(8, 1, 1))
    processes = [
        Process("x", 8),
        Process("a", 8, 5, side="core", place=0, occupies={"digital": 2}),
        Process("b", 8, 5, side="core", place=1, occupies={"digital": 3}),
    ]
    edges = [Edge(f"x for {name}", "x", name, each, each, slots) for name in "ab"]
    return Flow.of(processes, edges)


def test_a_core_serves_its_processes_in_turn():
    times = solve(two_readers(8), 1)
    assert times.starts["a"].expanded().tolist() == [1, 6, 11, 16, 21, 26, 31, 36]
    assert times.starts["b"].expanded().tolist() == [3, 8, 13, 18, 23, 28, 33, 38]
    waiting = Waiting(times)
    assert waiting.of("a") == {"the digital unit": 21}
    assert waiting.of("b") == {"the digital unit": 14}


def test_any_number_of_images_is_exact():
    images = 10**12
    times = solve(two_readers(2), images)
    assert times.periods == dict.fromkeys("xab", 40)
    assert times.last("b") == images * 40 - 2
    assert max(times.solved.values()) < 10
    assert Waiting(times).of("b") == {"the digital unit": 2 * (images * 8 - 1)}


def test_what_is_never_there_is_named_with_its_image():
    """After the last image no other one begins, in which the last iterations would be enabled."""
    flow = two_readers(8)
    each = flow.edges[0].ready
    short = Steps.of(Runs.line(7, 1, 1), Runs.line(7, 1, 1), last=8)
    edges = (replace(flow.edges[0], ready=short), replace(flow.edges[1], ready=each))
    times = solve(Flow(flow.processes, edges), 10**9)
    assert not times.complete
    assert str(times.deadlock()) == (
        f"deadlock: 7 of image {10**9 - 1} waits for data in x for a, which no step of its machine "
        "ever gives"
    )


def test_parts_that_share_nothing_have_times_of_their_own():
    """Their paces have no common period that would be worth waiting for."""
    one, other = two_readers(8), two_readers(8)
    slower = [
        replace(p, name=f"{p.name}2", side=f"{p.side}2", occupies={u: 1009 for u in p.occupies})
        for p in other.processes.values()
    ]
    edges = (replace(e, writer=f"{e.writer}2", reader=f"{e.reader}2") for e in other.edges)
    times = solve(Flow.of([*one.processes.values(), *slower], [*one.edges, *edges]), 10**6)
    assert {times.periods[name] for name in "ab"} == {40}
    assert {times.periods[f"{name}2"] for name in "ab"} == {2 * 8 * 1009}
    assert times.ends(10**3)[-1] == 1 + 10**3 * 2 * 8 * 1009 - 1009 + 5


def test_the_interval_of_what_never_comes_again():
    """It is an average over a stream that can be gone through, as in a long one."""
    flow = random_flow(6)
    exact = interval_of(flow)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "LOOKED_AT", 0)
        patch.setattr(summary, "_MOST", 1 << 14)
        assert interval_of(flow) == pytest.approx(exact, rel=0.02)
