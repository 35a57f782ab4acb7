# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What an image takes of energy: counts against those of every iteration, and figures."""

import json
from collections import Counter
from dataclasses import replace
from math import prod

import islpy as isl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

import cmc
from cmc.dialects.cmpipe import StageOp, TargetAttr, target_of
from cmc.poly.points import count_points
from cmc.reports.energy import Energy, Kind
from cmc.reports.text import format_energy
from cmc.simulator import chip_of
from cmc.simulator.counts import counts
from cmc.simulator.load import load
from cmc.targets import IDEAL
from cmc.targets.topology import topology_of
from conftest import examples
from onnx_models import float_type, graph_model, normal
from test_usage import PIPELINE, chip

MESH = """
name = "mesh"
clock_ghz = 1
cores = 9
activation_bits = 16
sram_bytes = 65536
crossbars = 1
rows = 32
columns = 8
mxv_ns = 5
mxv_interval_ns = 5
topology = "mesh"
grid = [3, 3]
link_bytes_per_ns = 8
hop_ns = 1
mxv_pj = 100
lane_pj = 0.5
sram_pj_per_byte = 2
link_pj_per_byte = 3
idle_mw = 4
chip_mm2 = 10
"""


def test_counts_by_hand():
    """8 products of 2 blocks of 2 x 3; 2 reductions of 12 numbers, 4 times; numbers of 4 bytes."""
    convolutions, poolings = counts(chip(PIPELINE)).values()
    assert convolutions.products == {"@conv/@w": 8}
    assert convolutions.operations == 2 * 8 * 12
    assert (convolutions.digital, poolings.digital) == (0, 2 * 4 * 12)
    assert (convolutions.sram_read, convolutions.sram_written) == (8 * 4 * 4, 8 * 4 * 4)
    assert (poolings.sram_read, poolings.sram_written) == (2 * 4 * 12 * 4, 2 * 8 * 6 * 4)
    assert (convolutions.hop_bytes, poolings.hop_bytes) == (2 * 8 * 6 * 4, 0)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> cmc.Program:
    """Padding, strides, a residual add, concatenated parts, copies: on a mesh."""
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], pads=[1, 1, 1, 1], strides=[2, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2", "c2"], ["c"], pads=[0, 1, 2, 1], group=2),
        helper.make_node("Add", ["b", "c"], ["d"]),
        helper.make_node("MaxPool", ["d"], ["e"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Concat", ["e", "b"], ["f"], axis=1),
        helper.make_node("Conv", ["f", "w3"], ["y"]),
    ]
    weights = {"w1": (4, 3, 3, 3), "w2": (4, 2, 3, 3), "w3": (5, 8, 1, 1)}
    constants = {name: normal(*shape) for name, shape in weights.items()}
    model = graph_model(
        nodes,
        [float_type("x", [1, 3, 12, 7])],
        [float_type("y", None)],
        {**constants, "c2": normal(4)},
    )
    target = tmp_path_factory.mktemp("target") / "mesh.toml"
    target.write_text(MESH)
    return cmc.compile(model, target=target)


@pytest.mark.parametrize("multicast", [False, True])
def test_counts_of_every_iteration(program: cmc.Program, multicast: bool):
    module = program.module.clone()
    op = chip_of(module)
    op.target = TargetAttr(replace(target_of(op), multicast=multicast))
    loaded, report = load(op), cmc.Program(module).time(3)
    assert any(count > 1 for count in report.copies.values())
    target = target_of(loaded.op)
    places = {core.sym_name.data: core.place for core in loaded.op.cores()}
    route = topology_of(target).route
    found = Counter[tuple[str, str]]()
    crossed = set[tuple[str, int, int]]()
    for one in loaded.programs.values():
        if one.core is None:
            continue
        stage = next(w for w in loaded.op.writers() if w.sym_name.data == one.name)
        assert isinstance(stage, StageOp)
        for read in (*one.reads, *one.constants):
            at = read.gather
            inside = (at.element >= 0) & (at.channel >= 0)
            every = np.broadcast_to(inside, (one.iterations, *at.window))
            found[one.core, "read"] += 2 * int(every.sum())
        found[one.core, "read"] += 2 * one.iterations * stage.constant_floats
        for crossbar in stage.crossbars():
            found[one.core, "mxv"] += one.iterations
            found[one.core, "operations"] += 2 * prod(crossbar.value.shape) * one.iterations
    for ring in loaded.rings:
        writer, reader = (
            loaded.programs[name].core for name in (ring.channel.writer, ring.channel.reader)
        )
        bytes = 2 * ring.part.object.vector
        found[reader or "", "written"] += bytes * len(ring.part.elements)
        if writer is None:
            continue
        source, to = places[writer], places[reader or ""]
        assert source is not None and to is not None
        for link in route(source, to) or ():
            for element in ring.part.elements.tolist():
                key = str(ring.channel.writer), element, link
                if not multicast or key not in crossed:
                    found[writer, "hops"] += bytes
                crossed.add(key)
    assert report.energy is not None
    for name, one in report.energy.cores.items():
        assert one.mxv == found[name, "mxv"]
        assert one.operations == found[name, "operations"]
        assert one.sram_read == found[name, "read"]
        assert one.sram_written == found[name, "written"]
        assert one.hop_bytes == found[name, "hops"]
    # 42 places of 4 channels: a ReLU, a bias and an add; 9 numbers of a pooling.
    assert report.energy.counts.digital == 42 * 4 * (3 + 9)
    assert report.hop_bytes is not None
    assert report.energy.counts.hop_bytes == report.hop_bytes.found > 0


def test_joules_are_counts_times_figures(program: cmc.Program):
    report = program.time(8)
    energy = report.energy
    assert energy is not None and report.interval is not None
    total = energy.counts
    expected = {
        Kind.MXV: total.mxv * 100e-12,
        Kind.DIGITAL: total.digital * 0.5e-12,
        Kind.SRAM: (total.sram_read + total.sram_written) * 2e-12,
        Kind.LINKS: (total.hop_bytes or 0) * 3e-12,
        Kind.IDLE: report.interval * 4e-12,
    }
    assert energy.joules() == pytest.approx(expected)
    assert energy.unknown == []
    assert energy.total == pytest.approx(sum(joules or 0 for joules in energy.joules().values()))
    cores = [energy.joules(name) for name in energy.cores]
    for kind in (Kind.MXV, Kind.DIGITAL, Kind.SRAM, Kind.LINKS):
        assert sum(core[kind] or 0 for core in cores) == pytest.approx(energy.joules()[kind])
    assert energy.tops is not None and energy.watts is not None and energy.peak_tops is not None
    assert energy.tops == pytest.approx(total.operations / report.interval / 1000)
    assert energy.tops_per_watt == pytest.approx(energy.tops / energy.watts)
    assert energy.tops_per_mm2 == pytest.approx(energy.tops / 10)
    assert energy.peak_tops == pytest.approx(9 * 32 * 8 * 2 / 5 / 1000)
    # 9 products of 100 pJ every 5 ns are 180 mW.
    assert energy.peak_tops_per_watt == pytest.approx(energy.peak_tops / 0.184)
    images = {"x": normal(2, 3, 12, 7)}
    both = [program.run(images, mode=mode).report for mode in ("bulk", "interpret")]
    texts = [json.loads(one.to_json())["energy"] for one in both]
    assert texts[0] == texts[1]
    assert texts[0]["counts"]["mxv"] == total.mxv
    assert set(texts[0]["cores"][0]["joules"]) == {"mxv", "digital", "sram", "links"}
    (line,) = [line for line in format_energy(energy) if line.startswith("its energy")]
    assert "unknown" not in line and "idle power" in line


def test_what_no_figure_is_given_of_is_unknown():
    loaded = counts(chip(PIPELINE))
    energy = Energy(IDEAL, loaded, 96.0)
    assert energy.joules() == dict.fromkeys(Kind)
    assert (energy.total, energy.watts, energy.tops_per_watt, energy.peak_tops) == (None,) * 4
    assert format_energy(energy)[1] == "its energy is unknown: target ideal has no figures for it"
    some = replace(energy, target=replace(IDEAL, mxv_pj=5.0, idle_mw=1.0), pipelines=2)
    assert some.total == pytest.approx(8 * 5e-12 / 2 + 96e-12)
    assert some.unknown == [Kind.DIGITAL, Kind.SRAM, Kind.LINKS]
    assert format_energy(some)[0].startswith("an image takes 4 MxVs, 48 digital operations, ")
    assert format_energy(some)[1].endswith("no lane_pj, sram_pj_per_byte and link_pj_per_byte")
    # What is not done takes nothing, whatever it would take.
    assert some.joules("convolutions")[Kind.DIGITAL] == 0
    source = (("mxv_pj", "assumption: guessed"), ("idle_mw", "measured"))
    figures = replace(some, target=replace(some.target, sources=source)).as_json()["figures"]
    assert isinstance(figures, dict)
    assert figures["mxv_pj"] == {"value": 5.0, "source": source[0][1], "assumption": True}
    assert figures["idle_mw"] == {"value": 1.0, "source": "measured", "assumption": False}
    assert figures["lane_pj"] == {"value": None, "source": None, "assumption": False}
    assert replace(energy, interval_ns=None, target=some.target).joules()[Kind.IDLE] is None


TERMS = st.sampled_from(
    ["i + j < 6", "2i - 3j >= -4", "i = 2k", "k < 3", "exists (e : i = 3e + 1)", "j = floor(k/2)"]
)


@given(st.lists(st.lists(TERMS, max_size=3), min_size=1, max_size=3))
@examples(40)
def test_points_of_sets(pieces: list[list[str]]):
    box = "0 <= i < 7 and 0 <= j < 4 and -2 <= k < 5"
    text = " or ".join(f"({' and '.join([box, *terms])})" for terms in pieces)
    points = isl.Set(f"{{ [i, j, k] : {text} }}")
    assert count_points(points) == points.count_val().to_python()
