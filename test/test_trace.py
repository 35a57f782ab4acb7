# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Traces, read by the rules of the trace-event format."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

import cmc
from cmc.reports.report import Report
from cmc.simulator import Mode, chip_of
from cmc.simulator.load import Chip, load
from cmc.targets import IDEAL
from cmc.tools.cmc import main
from in_perfetto import imported
from onnx_models import float_type, graph_model, normal
from test_usage import PIPELINE, made


@dataclass(frozen=True)
class Event:
    """An event of a trace."""

    ph: str
    pid: int
    tid: int
    name: str = ""
    cat: str = ""
    ts: float = 0
    dur: float = 0
    id: int = -1
    bp: str = ""
    args: dict[str, object] = field(default_factory=dict[str, object])


def events_of(path: Path) -> list[Event]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [Event(**event) for event in json.load(file)["traceEvents"]]


def of(events: list[Event], phase: str, category: str | None = None) -> list[Event]:
    return [e for e in events if e.ph == phase and category in (None, e.cat)]


@pytest.fixture(scope="module")
def meshed() -> cmc.Program:
    """Convolutions whose vectors wait for narrow links, and some of which share a core."""
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["b", "c"], ["d"]),
        helper.make_node("MaxPool", ["d"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
    ]
    model = graph_model(
        nodes,
        [float_type("x", [1, 2, 6, 6])],
        [float_type("y", None)],
        {"w1": normal(4, 2, 3, 3), "w2": normal(4, 4, 3, 3)},
    )
    target = "pimcomp-mesh:cores=4,grid=[2,2],crossbars=1,mxv_ns=90,mxv_interval_ns=30,"
    return cmc.compile(model, target=f"{target}link_bytes_per_ns=0.02", copies="none")


def check_rules(events: list[Event], report: Report, chip: Chip) -> None:
    """What holds of every trace."""
    sides = {e.pid: str(e.args["name"]) for e in of(events, "M") if e.name == "process_name"}
    # Slices of one thread follow each other.
    threads: dict[tuple[int, int], list[Event]] = defaultdict(list)
    for event in of(events, "X"):
        threads[event.pid, event.tid].append(event)
    for slices in threads.values():
        slices.sort(key=lambda e: e.ts)
        for one, other in pairwise(slices):
            assert one.ts + one.dur <= other.ts + 1e-7
    # All iterations of all images that are shown are there, and what they waited for.
    every = of(events, "X", "iteration")
    programs = {p.name: p for core in report.cores for p in core.programs}
    begun: dict[str, list[float]] = {name: [] for name in programs}
    waited: dict[str, Counter[str]] = {name: Counter() for name in programs}
    for event in every:
        begun[event.name].append(event.ts)
        assert sides[event.pid] == (chip.programs[event.name].core or "GCU")
        if "waited_for" in event.args:
            cycles = event.args["cycles"]
            assert isinstance(cycles, int)
            waited[event.name][str(event.args["waited_for"])] += cycles
    scale = 1 if report.target == IDEAL else report.target.ns(1) / 1000
    for name, program in programs.items():
        starts = (program.starts.reshape(-1) * scale).tolist()
        assert begun[name] == pytest.approx(starts)
        if report.images <= 8:
            expected = {why: cycles for why, cycles in program.waiting.items() if cycles}
            assert waited[name] == expected
    # Flows begin in the last cycle of a write, and end where an iteration begins.
    sources, ends = ({e.id: e for e in of(events, ph)} for ph in "sf")
    assert sources.keys() == ends.keys()
    assert len(sources) == len(of(events, "s")) == len(of(events, "f")) > 0
    channels = {str(ring.channel): ring for ring in chip.rings}
    at = {(e.pid, e.tid, round(e.ts, 6)): e for e in every}
    finished = {(e.pid, e.tid, round(e.ts + e.dur - scale, 6)): e for e in every}
    for id, source in sources.items():
        end = ends[id]
        assert end.bp == "e" and end.name == source.name
        ring = channels[source.name]
        write = finished[source.pid, source.tid, round(source.ts, 6)]
        read = at[end.pid, end.tid, round(end.ts, 6)]
        assert (write.name, read.name) == (ring.channel.writer, ring.channel.reader)
        assert write.args["image"] == read.args["image"]
        assert write.ts + write.dur <= read.ts + 1e-7
        # It is the newest element that iterations so far read of what the ring carries.
        reader, writer = chip.programs[read.name], chip.programs[write.name]
        number = reader.points.tolist().index(read.args["iteration"])
        newest = max(
            int(share.places.wanted[0].at(np.array([number]))[0])
            for one in reader.reads
            for share in one.shares
            if share.part is ring.part
        )
        place = writer.points.tolist().index(write.args["iteration"])
        assert ring.part.elements[newest] == writer.part.elements[place]
    # Rings hold no more than their slots, and links are empty in the end.
    counts: dict[tuple[int, str], list[Event]] = defaultdict(list)
    for event in of(events, "C"):
        counts[event.pid, event.name].append(event)
    for (pid, name), changes in counts.items():
        ((what, _),) = changes[0].args.items()
        values = [change.args[what] for change in changes]
        assert all(isinstance(value, int) and value >= 0 for value in values)
        assert [e.ts for e in changes] == sorted({e.ts for e in changes})
        if what == "vectors":
            ring = channels[name.removeprefix("ring of ")]
            assert sides[pid] == chip.programs[ring.channel.reader].core
            assert max(map(int, map(str, values))) <= ring.slots
        else:
            assert values[-1] == 0
    assert {f"ring of {title}" for title in channels} == {
        name for pid, name in counts if sides[pid] != "links"
    }


def check_in_perfetto(events: list[Event]) -> None:
    """Nothing is left out, and all is where it is meant to be."""
    trace = imported(events)
    assert not trace.dropped
    assert len(trace.slices) == len(of(events, "X")) and {one.depth for one in trace.slices} == {0}
    named = {(e.pid, e.tid): e.args["name"] for e in of(events, "M") if e.name == "thread_name"}
    assert trace.threads == named
    ends = {e.id: e for e in of(events, "f")}
    assert trace.flows.keys() == ends.keys()
    for id, (write, read) in trace.flows.items():
        assert ends[id].name.endswith(f" from @{write.event.name} to @{read.event.name}")
        assert write.end <= read.ts and read.event.ts == ends[id].ts


@pytest.mark.parametrize("images", [3, 40])
def test_a_trace_of_waits_for_links(meshed: cmc.Program, tmp_path: Path, images: int):
    report = meshed.time(images)
    report.save_trace(tmp_path / "trace.json.gz")
    events = events_of(tmp_path / "trace.json.gz")
    chip = load(chip_of(meshed.module))
    assert chip.flow.delayed
    check_rules(events, report, chip)
    check_in_perfetto(events)
    titles = {e.name for e in of(events, "C")}
    assert {link.name for link in report.links} <= titles


@pytest.mark.parametrize("mode", ["bulk", "interpret"])
def test_a_trace_of_shared_units(tmp_path: Path, mode: Mode):
    module = made(PIPELINE)
    report = cmc.Program(module).run({"x": normal(2, 4, 8)}, mode=mode).report
    report.save_trace(tmp_path / "trace.json.gz")
    events = events_of(tmp_path / "trace.json.gz")
    check_rules(events, report, load(chip_of(module)))
    check_in_perfetto(events)
    units = Counter(e.name for e in of(events, "X", "unit"))
    assert units == {"conv": 16, "max": 8, "sum": 8}
    names = {e.args["name"] for e in of(events, "M") if e.name == "thread_name"}
    assert {"digital", "crossbars of conv"} <= names


def test_the_command(digits: Path, tmp_path: Path):
    path, report = tmp_path / "trace.json.gz", tmp_path / "report.json"
    run = ["run", str(digits), "--timing", "--images", "2"]
    assert main([*run, "--trace", str(path), "--report", str(report)]) == 0
    cores = json.loads(report.read_text())["cores"]
    iterations = sum(p["iterations"] for core in cores for p in core["programs"])
    assert len(of(events_of(path), "X", "iteration")) == 2 * iterations
