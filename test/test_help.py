# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What would help: each step, against a compilation and a simulation with that change."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import onnx
import pytest
from onnx import helper
from xdsl.dialects.builtin import IntegerAttr, i64

import cmc
from cmc.dialects.cmpipe import PipelineOp
from cmc.explain.help import RINGS, find_help, point_of
from cmc.explain.rings import RingStep, ring_steps
from cmc.explain.steps import steps_of
from cmc.explain.text import format_help, format_why
from cmc.reports.help import Help
from cmc.simulator import chip_of
from cmc.simulator.load import load
from cmc.targets.keys import KEYS
from cmc.tools.cmc import main
from end_to_end import compile_with
from onnx_models import chain_model, normal

TARGET = """
name = "small"
clock_ghz = 1
cores = 6
activation_bits = 16
sram_bytes = 4096
crossbars = 1
rows = 40
columns = 8
mxv_ns = 9
mxv_interval_ns = 7
issue_interval_ns = 3
lanes = 2
lane_ns = 2
sram_bytes_per_ns = 4
gcu_bytes_per_ns = 4
topology = "mesh"
grid = [2, 3]
hop_ns = 2
link_bytes_per_ns = 3
lane_pj = 1
sram_pj_per_byte = 2
link_pj_per_byte = 3
mxv_pj = 100
idle_mw = 5
"""


CHAIN = TARGET.replace("grid = [2, 3]\n", "reach = 1\n").replace('"mesh"', '"chain"')
"""The same, with keys that belong to a chain, or that a grid has no step of."""

OF_CHAIN = ("cores", "reach")


def points(count: int) -> onnx.ModelProto:
    """Convolutions of single points, one after the other: small relations, quickly compiled."""
    names = ["x", *(f"c{number}" for number in range(count - 1)), "y"]
    nodes = [helper.make_node("Conv", [a, "w"], [b]) for a, b in pairwise(names)]
    return chain_model((1, 4, 2, 2), *nodes, constants={"w": normal(4, 4, 1, 1)})


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("help") / "network.onnx"
    path.write_bytes(points(2).SerializeToString())
    return path


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("help") / "small.toml"
    path.write_text(TARGET)
    return str(path)


def expect_fresh(network: Path, target: str, copies: str, only: Sequence[str] = ()) -> Help:
    """Every row is what compiling for that target comes to; none is left out that has a step."""
    program = cmc.compile(network, target=target, copies=copies)
    point = point_of(network, target, {"copies": copies})
    found = find_help(program, program.time(1), point, only)
    rows = {row.key: row for row in found.rows if row.key != RINGS}
    steps = [step for step in steps_of(target) if not only or step.key in only]
    assert {step.key for step in steps} == set(rows)
    for step in steps:
        fresh = cmc.compile(network, target=step.target, copies=copies).time(1)
        assert rows[step.key].figures == fresh.figures, step.title
    return found


def test_each_figure_of_a_target(network: Path, target: str, tmp_path: Path):
    found = expect_fresh(network, target, "none")
    rows = {row.key: row for row in found.rows}
    assert rows["mxv_interval_ns"].title == "mxv_interval_ns 7 to 3.5"
    assert rows["grid"].title == "grid [2, 3] to [2, 4]"
    intervals = [row.figures.interval_ns for row in found.rows if row.figures is not None]
    assert intervals == sorted(intervals, key=lambda one: one or 0)
    cheaper = rows["mxv_pj"].figures
    assert cheaper is not None and cheaper.energy_pj != found.base.energy_pj
    text = format_help(found)
    assert "no change: " in text and "mxv_pj 100 to 50" in text
    chain = tmp_path / "chain.toml"
    chain.write_text(CHAIN)
    others = expect_fresh(network, str(chain), "auto", OF_CHAIN)
    assert {key.name for key in KEYS if key.step} == rows.keys() - {RINGS} | set(OF_CHAIN)
    assert {row.title for row in others.rows} == {"cores 6 to 7", "reach 1 to 2"}


def test_what_cannot_be_is_told(network: Path, tmp_path: Path):
    path = tmp_path / "slow.toml"
    path.write_text(TARGET.replace("mxv_ns = 9", "mxv_ns = 1_500_000_000"))
    program = cmc.compile(network, target=path)
    point = point_of(network, str(path), {})
    (row,) = find_help(program, program.time(1), point, ["clock_ghz"]).rows
    assert row.figures is None and row.reason is not None and "mxv_ns" in row.reason


def test_what_has_no_better_is_no_step():
    assert {step.key for step in steps_of("ideal")} <= {
        *("clock_ghz", "activation_bits", "crossbars", "multicast")
    }


def with_slots(channel: str, slots: int, pipeline: PipelineOp) -> None:
    for one in pipeline.channels():
        if str(one.channel) == channel:
            one.properties["slots"] = IntegerAttr(slots, i64)


def joined_convolutions() -> onnx.ModelProto:
    """Three, of which the first one's and the last one's results are added."""
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["a", "w2"], ["b"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["b", "w2"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["a", "c"], ["d"]),
        helper.make_node("MaxPool", ["d"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
    ]
    constants = {"w1": normal(4, 2, 3, 3), "w2": normal(4, 4, 3, 3)}
    return chain_model((1, 2, 6, 6), *nodes, constants=constants)


def test_rings():
    """Rows are what a compilation with so many slots comes to; other rings help nothing."""
    network = joined_convolutions()
    program = cmc.compile(network, buffers="minimal")
    report, chip = program.time(1), load(chip_of(program.module))
    found = find_help(program, report, None)
    rows = {row.title: row.figures for row in found.rows}
    tried: dict[str, list[RingStep]] = {str(ring.channel): [] for ring in chip.rings}
    for step in ring_steps(chip, report):
        tried[str(step.ring.channel)].append(step)
    assert sum(map(len, tried.values())) == len(found.rows) > 4
    assert rows.keys() == {step.title for steps in tried.values() for step in steps}
    assert set(rows.values()) != {found.base} and not all(tried.values())
    for ring in chip.rings:
        name = str(ring.channel)
        for more in [step.slots for step in tried[name]] or [1]:
            change = partial(with_slots, name, ring.slots + more)
            fresh = compile_with(network, "minimal", {"cmpipe-size-buffers": change})
            figures = fresh.time(1).figures
            if tried[name]:
                assert rows[RingStep(ring, more).title] == figures
            else:
                assert figures.interval_ns == found.base.interval_ns
                assert figures.latency_ns == found.base.latency_ns
    assert "1 other ring: no wait" in format_help(found)
    why = format_why(report)
    assert f"why an interval of {report.interval:g} cycles" in why
    assert f"why a latency of {report.latency} cycles" in why and "'s ring" in why
    # Of many waits, those that are alike are one line, with all of their cycles.
    circle, _ = why.split("\n\n")
    shown = [line for line in circle.splitlines()[1:] if line.endswith(" cycles")]
    cycles = [int(line.rpartition(" of ")[0].split()[-1]) for line in shown]
    assert "those of most cycles first" in circle and len(cycles) == len(set(shown)) < 24
    assert sum(cycles) == report.interval and cycles == sorted(cycles, reverse=True)


def test_the_command(
    network: Path, target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    arguments = ["explain", str(network), "--target", target, "--only", "mxv_ns"]
    why, page = tmp_path / "why.json", tmp_path / "why.html"
    assert main([*arguments, "--json", str(why), "--html", str(page)]) == 0
    shown = capsys.readouterr().out
    assert "mxv_ns 9 to 4.5" in shown and "why a latency of" in shown
    assert why.read_text().count('"kind"') > 5
    assert "mxv_ns 9 to 4.5" in page.read_text()
    assert main(["explain", str(network), "--only", "mvx"]) == 1
    assert "there is no step of 'mvx'" in capsys.readouterr().err
