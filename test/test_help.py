# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What would help: each step, against a compilation and a simulation with that change."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from xdsl.dialects.builtin import IntegerAttr, i64

import cmc
from cmc.dialects.cmpipe import PipelineOp
from cmc.explain.help import RINGS, find_help, point_of
from cmc.explain.rings import ring_steps
from cmc.explain.steps import steps_of
from cmc.explain.text import format_help, format_why
from cmc.reports.help import Help
from cmc.simulator import chip_of
from cmc.simulator.load import load
from cmc.targets.keys import KEYS
from conftest import RunTool
from end_to_end import compile_with
from test_sizes import convolutions

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
mxv_pj = 100
idle_mw = 5
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("help") / "network.onnx"
    path.write_bytes(convolutions(2, 3).SerializeToString())
    return path


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("help") / "small.toml"
    path.write_text(TARGET)
    return str(path)


def help_of(network: Path, target: str) -> Help:
    program = cmc.compile(network, target=target)
    return find_help(program, program.time(1), point_of(network, target, {}))


def test_each_figure_of_a_target(network: Path, target: str):
    """Every row is what compiling for that target comes to; none is left out that has a step."""
    found = help_of(network, target)
    rows = {row.key: row for row in found.rows if row.key != RINGS}
    steps = list(steps_of(target))
    assert [step.key for step in steps] == [step.key for step in steps if step.key in rows]
    given = {line.partition(" = ")[0] for line in TARGET.splitlines()}
    stepless = {"name", "topology", "cores"}  # the grid says how many cores there are
    assert {key.name for key in KEYS} & given - stepless <= set(rows)
    for step in steps:
        fresh = cmc.compile(network, target=step.target).time(1)
        assert rows[step.key].figures == fresh.figures, step.title
    assert rows["mxv_interval_ns"].title == "mxv_interval_ns 7 to 3.5"
    assert rows["grid"].title == "grid [2, 3] to [2, 4]"
    intervals = [row.figures.interval_ns for row in found.rows if row.figures is not None]
    assert intervals == sorted(intervals, key=lambda one: one or 0)
    cheaper = rows["mxv_pj"].figures
    assert cheaper is not None and cheaper.energy_pj != found.base.energy_pj
    text = format_help(found)
    assert "no change: " in text and "mxv_pj 100 to 50" in text


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


def test_rings(digits: Path):
    """Rows are what a compilation with so many slots comes to; other rings help nothing."""
    program = cmc.compile(digits, buffers="minimal")
    report, chip = program.time(1), load(chip_of(program.module))
    found = find_help(program, report, None)
    steps = list(ring_steps(chip, report))
    assert len(steps) == len(found.rows) > 4
    rows = {row.title: row for row in found.rows}
    assert rows[steps[0].title].figures != found.base
    tried = {str(step.ring.channel) for step in steps}
    for ring in chip.rings:
        name = str(ring.channel)
        more = next((step for step in steps if step.ring is ring), None)
        change = partial(with_slots, name, ring.slots + 1)
        fresh = compile_with(digits, "minimal", {"cmpipe-size-buffers": change})
        figures = fresh.time(1).figures
        if more is not None:
            assert rows[more.title].figures == figures
        else:
            assert name not in tried
            assert figures.interval_ns == found.base.interval_ns
            assert figures.latency_ns == found.base.latency_ns
    assert f"{len(chip.rings) - len(tried)} other rings" in format_help(found)
    why = format_why(report)
    assert f"why an interval of {report.interval:g} cycles" in why
    assert f"why a latency of {report.latency} cycles" in why and "'s ring" in why


def test_the_command(run_tool: RunTool, network: Path, target: str, tmp_path: Path):
    arguments = ("explain", network, "--target", target, "--only", "mxv_ns")
    done = run_tool(
        "cmc", *arguments, "--json", tmp_path / "why.json", "--html", tmp_path / "why.html"
    )
    assert done.returncode == 0, done.stderr
    assert "mxv_ns 9 to 4.5" in done.stdout and "why a latency of" in done.stdout
    assert (tmp_path / "why.json").read_text().count('"kind"') > 5
    assert "mxv_ns 9 to 4.5" in (tmp_path / "why.html").read_text()
    wrong = run_tool("cmc", "explain", network, "--only", "mvx")
    assert wrong.returncode == 1 and "there is no step of 'mvx'" in wrong.stderr
