# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""When iterations begin: what it costs to know, and that both modes of execution agree on it."""

from __future__ import annotations

import tracemalloc
from bisect import bisect_left, bisect_right
from fractions import Fraction
from functools import cache
from itertools import accumulate
from pathlib import Path
from random import Random

import numpy as np
import pytest
from onnx import helper

import cmc
from cmc.compiler.standard import BufferPolicy
from cmc.simulator import Mode
from cmc.sizing.throughput import throughput_slots
from cmc.streams import random_stream
from cmc.timing import flow as flows
from cmc.timing import solver
from cmc.timing.flow import NEVER, Deadlock, Edge, Flow, Process, Steps
from cmc.timing.runs import Runs
from cmc.timing.solver import solve
from conftest import ROOT
from end_to_end import bound
from onnx_models import float_type, graph_model, normal
from test_any_machines import carrying, live_flow, runs_of
from test_sizes import convolution, convolutions


def test_a_large_image_is_timed_by_its_rows():
    side = 2048
    program = cmc.compile(convolutions(3, side))
    tracemalloc.start()
    report = program.time(1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.cycles == side * side + 3 * (side + 2)
    # A table of all its points has eight bytes for each.
    assert peak < 8 * side * side


@pytest.mark.parametrize("buffers", ["minimal", "throughput"])
def test_parts_that_never_meet_have_their_own_pace(buffers: BufferPolicy):
    """The slower one's is that of the stream, and neither costs more than by itself."""
    nodes = [
        convolution("a", "b"),
        convolution("b", "y"),
        helper.make_node("Relu", ["c"], ["z"], "z"),
    ]
    inputs = [float_type("a", (1, 4, 6, 6)), float_type("c", (1, 3, 5, 4))]
    outputs, constants = [float_type(name, None) for name in "yz"], {"w": normal(4, 4, 3, 3)}
    both, alone = (
        cmc.compile(graph_model(nodes[:n], inputs[:m], outputs[:m], constants), buffers=buffers)
        for n, m in ((3, 2), (2, 1))
    )
    images = 10_000
    tracemalloc.start()
    report = both.time(images)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    slower = alone.time(images)
    assert (report.cycles, report.cycles_per_image) == (slower.cycles, slower.cycles_per_image)
    if buffers == "throughput":
        assert report.cycles_per_image == bound(report)
    assert peak < images * 100


# What both modes make of control that is odd, or wrong.


def two_convolutions(path: Path, *changes: tuple[str, str]) -> cmc.Program:
    """The chip of two convolutions that was written by hand, with changes of its text."""
    text = (ROOT / "test" / "two_convolutions" / "cmctrl.mlir").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (path / "chip.mlir").write_text(text)
    return cmc.load(path / "chip.mlir")


def outcomes(program: cmc.Program, images: int) -> list[int | str]:
    """In both modes: cycles, or what is said of a deadlock."""
    found: list[int | str] = []
    modes: tuple[Mode, ...] = ("bulk", "interpret")
    for mode in modes:
        try:
            found.append(program.run(random_stream(program.inputs, images, 0), mode=mode).cycles)
        except Deadlock as error:
            found.append(str(error))
    return found


def test_slots_may_be_free_without_credits(tmp_path: Path):
    """A machine that releases at the start gives what credits would."""
    program = two_convolutions(
        tmp_path,
        ("@a from @a_stream to @conv1 count 3", "@a from @a_stream to @conv1 count 0"),
        ("free @a from @a_stream to @conv1 {", "free @a from @a_stream to @conv1 {\n"
         "cmctrl.release [2]"),
        ("cmctrl.release [%w]\n      }\n      cmctrl.await [7]\n      cmctrl.release [9]",
         "cmctrl.release [%w + 3]\n      }\n      cmctrl.await [7]\n      cmctrl.release [9]"),
    )  # fmt: skip
    expected = outcomes(two_convolutions(tmp_path), 4)
    assert outcomes(program, 4) == expected == [expected[0]] * 2


def test_both_modes_name_the_image_that_is_stuck(tmp_path: Path):
    """What is not enabled in an image goes with the next one's: only after the last is none."""
    program = two_convolutions(
        tmp_path,
        ("affine.for %j = 2 to 8", "affine.for %j = 2 to 7"),
        ("to @conv2 count 3", "to @conv2 count 24"),
        ("to @conv2 at 0 slots 3", "to @conv2 at 0 slots 24"),
    )
    bulk, interpreted = outcomes(program, 40)
    assert bulk == interpreted
    assert "@conv2[5] of image 39 waits for data in @b" in str(bulk)


@pytest.mark.parametrize("slower", ["w", "r"])
def test_who_never_waits_has_a_pace_of_its_own(slower: str):
    """A channel whose elements are free, and whose iterations may run, from the start."""
    nothing = Runs.line(0, 0)
    processes = {name: Process(name, 4, interval=1 + (name == slower)) for name in "wr"}
    free = Steps.of(nothing, nothing, 4)
    times = solve(Flow(processes, (Edge("w for r", "w", "r", free, free, 1),)), 1 << 40)
    assert times.periods == {name: 8 if name == slower else 4 for name in "wr"}


@pytest.mark.parametrize("images", [1 << 40, (1 << 40) + 1])
def test_images_may_come_by_twos(images: int):
    random = Random(13)
    flow = live_flow(random)
    flow = flow.with_slots(random.randint(1, most) for most in throughput_slots(flow))
    times = solve(flow, images)
    assert times.periods == dict.fromkeys(flow.processes, Fraction(19, 2))
    assert max(times.solved.values()) < 20
    first = 30 + images % 2
    for name, starts in starts_by_definition(flow, first).items():
        assert times.of_images(name, first).expanded().tolist() == starts
    assert times.ends(first).tolist() == solve(flow, first).ends(first).tolist()


def test_the_slowest_ends_last_in_the_end():
    """Others that are faster, but take longer, end some images later at first."""
    nothing = Runs.line(0, 0)
    w, r = Process("w", 4, latency=100), Process("r", 4, interval=2)
    free = Steps.of(nothing, nothing, 4)
    times = solve(Flow({"w": w, "r": r}, (Edge("w for r", "w", "r", free, free, 1),)), 1 << 40)
    ends = [max(4 * n + 99, 8 * n - 1) for n in range(1, 41)]
    assert times.ends(40).tolist() == ends
    assert times.ends(2).tolist() == ends[:2]


def test_who_is_not_stuck_runs_on():
    """Where one process is stuck for ever, others are not followed through the whole stream."""
    nothing = Runs.line(0, 0)
    processes = {name: Process(name, 4) for name in "wr"}
    never, free = Steps.of(nothing, nothing), Steps.of(nothing, nothing, 4)
    times = solve(Flow(processes, (Edge("w for r", "w", "r", never, free, 1),)), 1 << 40)
    assert times.begun["r"] == 0 and times.solved["r"] < 100


# Cycle by cycle.


def random_machine(random: Random, signals: int, driven: int) -> Steps:
    """Steps in order that may stop early, start late, or wait for nothing that comes."""
    count = random.randint(0, min(signals, 4))
    awaits = sorted(random.choices(range(1, signals + 1), k=count))
    reaches = random.choices(range(1, driven + 1), k=count)
    initial = random.choice((0, 0, random.randint(0, driven)))
    last = random.choice((0, 0, 0, 0, random.randint(1, signals), NEVER))
    return Steps.of(runs_of(awaits), runs_of(reaches), initial, last)


def random_flow(random: Random) -> Flow:
    """Any rings: of machines that let everything happen in the end, or of any others."""
    flow = live_flow(random)
    edges = list(flow.with_slots(random.choice((0, 1, 2, 3, 5, 9, 30)) for _ in flow.edges).edges)
    if random.random() < 0.5:
        chosen = random.randrange(len(edges))
        edge = edges[chosen]
        writer, reader = (flow.processes[n].iterations for n in (edge.writer, edge.reader))
        ready = edge.ready if random.random() < 0.5 else random_machine(random, writer, reader)
        free = random_machine(random, reader, writer)
        edges[chosen] = Edge(edge.title, edge.writer, edge.reader, ready, free, edge.slots)
    return Flow(flow.processes, tuple(edges))


@cache
def allowed(steps: Steps, driven: int, signals: int, seen: int, images: int) -> int:
    """How much may happen once so many signals were seen."""
    if not steps.last and steps.initial:
        return images * driven
    limit = 0
    for image in range(images + 1):
        if image and (steps.last == NEVER or seen < (image - 1) * signals + steps.last):
            break
        if steps.initial:
            limit = image * driven + steps.initial
        happened = steps.awaits.expanded() <= seen - image * signals
        reached = steps.reaches.expanded()[happened]
        limit = max(limit, image * driven + int(reached.max(initial=-image * driven)))
    return limit


def starts_by_definition(flow: Flow, images: int) -> dict[str, list[int]]:
    """When iterations begin, looked at in each cycle."""
    starts: dict[str, list[int]] = {name: [] for name in flow.processes}
    served = {side: len(members) - 1 for side, members in flow.sides.items()}
    longest = max(max(p.latency, p.interval, *p.occupies.values()) for p in flow.processes.values())
    idle = cycle = 0
    while idle <= longest:
        ended = {
            name: bisect_right(begun, cycle - flow.processes[name].latency)
            for name, begun in starts.items()
        }
        limits = {name: images * p.iterations for name, p in flow.processes.items()}
        for edge in flow.edges:
            writes, reads = (flow.processes[n].iterations for n in (edge.writer, edge.reader))
            sends = range(writes) if edge.sends is None else edge.sends.expanded().tolist()
            sent = [image * writes + number for image in range(images) for number in sends]
            signals = bisect_left(sent, ended[edge.writer])
            ready = allowed(edge.ready, reads, len(sends), signals, images)
            free = allowed(edge.free, len(sends), reads, ended[edge.reader], images)
            limits[edge.reader] = min(limits[edge.reader], ready)
            if free + edge.slots < len(sent):
                limits[edge.writer] = min(limits[edge.writer], sent[free + edge.slots])
        idle += 1
        for side, members in flow.sides.items():
            first = served[side] + 1
            for place in (*range(first, len(members)), *range(first)):
                process = members[place]
                begun = starts[process.name]
                taken = {
                    unit
                    for other in members
                    for unit, cycles in other.occupies.items()
                    if starts[other.name] and starts[other.name][-1] + cycles > cycle
                }
                if (
                    len(begun) < limits[process.name]
                    and (not begun or begun[-1] + process.interval <= cycle)
                    and not taken & process.occupies.keys()
                ):
                    begun.append(cycle)
                    served[side] = place
                    idle = 0
        cycle += 1
    return starts


@pytest.mark.parametrize("way", ["sweeps", "runs", "one by one", "leaps", "events"])
@pytest.mark.parametrize("seed", range(100))
def test_times_are_those_of_each_cycle(seed: int, way: str, monkeypatch: pytest.MonkeyPatch):
    if way != "sweeps":
        monkeypatch.setattr(flows, "_SHORT", 0)
        monkeypatch.setattr(flows, "_IN_A_RUN", 0)
    if way in ("one by one", "leaps", "events"):
        monkeypatch.setattr(solver, "_SWEEPS", 0)
    if way in ("leaps", "events"):
        monkeypatch.setattr(solver, "_FEW", 0)
    if way == "leaps":
        monkeypatch.setattr(solver, "_MANY", 0)
        monkeypatch.setattr(solver, "_PHASE", 8)
    images = 7
    flow = random_flow(Random(seed))
    if seed >= 60:
        flow = carrying(Random(seed), flow)
    expected, found = starts_by_definition(flow, images), solve(flow, images)
    for name, process in flow.processes.items():
        leaps = found.leaps.get(name, ())
        skipped = sum(leap.times * leap.count for leap in leaps)
        assert found.begun[name] + skipped == min(
            len(expected[name]), found.solved[name] * process.iterations + skipped
        )
        if found.complete or not leaps:
            starts = found.of_images(name, images) if leaps else found.starts[name]
            assert starts.expanded().tolist() == expected[name][: starts.length]
    total = sum(images * p.iterations for p in flow.processes.values())
    assert found.complete == (sum(map(len, expected.values())) == total)


@pytest.mark.parametrize("interval", [1, 100])
def test_nothing_comes_again_where_nothing_came(interval: int):
    """One process is through long before the others, which need and free lots of random sizes."""
    count, random = 40_000, Random(1)
    ends = list(accumulate(random.randint(1, 3) for _ in range(count)))
    lots = Runs.of(np.array([*(end for end in ends if end < count), count]))
    some = Steps.of(lots, lots)
    whole = Steps.of(Runs.line(1, 10), Runs.line(1, count))
    last = Steps.of(Runs.line(1, count), Runs.line(1, 10))
    processes = [Process("a", 10), *(Process(name, count, 1, interval) for name in "bc")]
    edges = (Edge("", "a", "b", whole, last, 10), Edge("", "b", "c", some, some, 3))
    times = solve(Flow({process.name: process for process in processes}, edges), 1)
    assert times.complete
    assert times.last("c") >= interval * (count - 1)
