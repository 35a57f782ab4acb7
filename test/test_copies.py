# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Stages in several copies: values, times, proof, and how little of them is stored."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path
from random import Random

import islpy as isl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper
from safetensors import safe_open
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.exceptions import VerifyException

import cmc
from cmc.api import Program, make_context
from cmc.compiler.standard import BufferPolicy
from cmc.diagnostics import verify_module
from cmc.dialects.cmctrl import CoreOp
from cmc.dialects.cmpipe import PipelineOp, StageOp
from cmc.dialects.poly import MapAttr
from cmc.errors import CmcError
from cmc.files.parsing import parse_file
from cmc.fitting.mapping import MappingFile, write_mapping
from cmc.fitting.parts import blocks, interleaved
from cmc.importer import import_model
from cmc.passes.cmpipe_replicate_stage import box_of, copies_of, replicate
from cmc.proof.chip import prove
from cmc.reference import Reference
from cmc.reports.text import format_totals
from cmc.simulator import chip_of
from cmc.streams import random_stream
from cmc.tiling.select import Names
from conftest import ROOT, examples, find_trained
from end_to_end import assert_close, assert_same, compile_with, lower
from networks import Network, networks, random_inputs, reference
from onnx_models import chain_model, normal

POLICIES: tuple[BufferPolicy, ...] = ("minimal", "throughput", "whole")


def replicate_at_random(random: Random, pipeline: PipelineOp) -> None:
    """Copies of some stages, along one loop or several, interleaved or in blocks."""
    names = Names(pipeline)
    for stage in list(pipeline.stages()):
        box = box_of(stage)
        if box is None or random.random() < 0.3:
            continue
        cut = [
            random.choice((interleaved, blocks))(loop, random.randint(1, min(3, len(loop))))
            for loop in box
        ]
        replicate(stage, list(product(*cut)), names)


def replicated(network: Network, policy: BufferPolicy, seed: int) -> Program:
    def copy(pipeline: PipelineOp) -> None:
        replicate_at_random(Random(seed), pipeline)

    return compile_with(network.model, policy, {"cmpipe-tile-crossbars": copy})


@examples(12)
@given(networks(), st.sampled_from(POLICIES), st.integers(0, 2**16))
def test_networks_with_copies(network: Network, policy: BufferPolicy, seed: int):
    program = replicated(network, policy, seed)
    verify_module(program.module)
    inputs = random_inputs(network.model, 3, seed=1)
    result = program.run(inputs)
    assert_close(result.outputs, reference(network.model, inputs))
    assert_same(program.run(inputs, mode="interpret"), result)
    lower(program.module, "cmctrl-verify-control")


def test_weights_of_copies_are_stored_once(digits: Path, tmp_path: Path):
    def arrays(*copy: str) -> tuple[list[str], list[str]]:
        module = import_model(digits)
        lower(module, "nn-canonicalize", "nn-fold-batch-norm", "convert-nn-to-cmpipe", *copy)
        lower(module, "cmpipe-derive-control", "cmpipe-size-buffers", "convert-cmpipe-to-cmctrl")
        path = tmp_path / "chip.mlir"
        Program(module).save(path)
        with safe_open(path.with_suffix(".safetensors"), framework="np") as file:
            keys = re.findall(r'key "([^"]*)"', path.read_text())
            return sorted(file.keys()), keys

    stored, named = arrays()
    copy = "cmpipe-replicate-stage{stage=%s loops=h,w copies=2,3 pattern=interleaved,blocks}"
    module = import_model(digits)
    lower(module, "nn-canonicalize", "nn-fold-batch-norm", "convert-nn-to-cmpipe")
    large = re.findall(r"cmpipe.stage @(\w+)", str(module))
    stored_once, named_often = arrays(copy % large[0])
    assert stored_once == stored
    assert len(named_often) > len(named)


def test_each_copy_has_a_core(digits: Path):
    module = import_model(digits)
    lower(module, "nn-canonicalize", "nn-fold-batch-norm", "convert-nn-to-cmpipe")
    name = re.findall(r"cmpipe.stage @(\w+)", str(module))[0]
    lower(module, f"cmpipe-replicate-stage{{stage={name} loops=h copies=3 pattern=blocks}}")
    lower(module, "cmpipe-derive-control", "cmpipe-size-buffers", "convert-cmpipe-to-cmctrl")
    cores = [op for op in module.walk() if isinstance(op, CoreOp)]
    copies = [s for core in cores for s in core.stages() if s.origin == name]
    assert len(copies) == 3
    assert len({copy.parent_op() for copy in copies}) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("loops=h,w copies=2 pattern=blocks", "copies has one value for each loop, here 2"),
        ("loops=h copies=2 pattern=blocks,blocks", "pattern has one value for each loop, here 1"),
        ("loops=h,h copies=2,2 pattern=blocks,blocks", "loops names each loop once"),
        ("loops=h copies=0 pattern=blocks", "there is at least 1 copy, not 0"),
        ("loops=h copies=2 pattern=rows", "the pattern of copies is interleaved or blocks"),
    ],
)
def test_wrong_options_are_refused(digits: Path, options: str, message: str):
    module = import_model(digits)
    lower(module, "nn-canonicalize", "nn-fold-batch-norm", "convert-nn-to-cmpipe")
    with pytest.raises(CmcError, match=re.escape(message)):
        lower(module, f"cmpipe-replicate-stage{{stage=conv {options}}}")


def test_slow_stages_get_copies_on_a_chip_with_room(digits: Path):
    """Of 64 crossbars, one is for each stage at least, and three stages have most iterations."""
    reports = [
        cmc.compile(digits, target="pcm-64", copies=copies).time(100) for copies in ("auto", "none")
    ]
    balanced, plain = (json.loads(report.to_json()) for report in reports)
    assert plain["copies"] == {}
    assert plain["interval_ns"] == 64 * 133
    assert balanced["copies"] == {
        "stem_conv": 16, "block_conv1": 16, "block_conv2": 16, "top_conv": 4
    }  # fmt: skip
    assert balanced["interval_ns"] == 4 * 133
    # Three pipelines with six copies of three stages, and two of one, would need 11 iterations.
    least = 11 * 133 / 3
    assert balanced["interval_bound_ns"] == plain["interval_bound_ns"] == least
    texts = [format_totals(report) for report in reports]
    assert "copies: 16 of stem_conv, 16 of block_conv1, 16 of block_conv2, 1 more" in texts[0]
    assert "no mapping has an interval below 487.667 cycles: this is 17.5 times as long" in texts[1]


def test_no_stage_gets_copies_where_cores_have_no_limit(digits: Path):
    plain = cmc.compile(digits, copies="none")
    assert cmc.compile(digits).module.is_structurally_equivalent(plain.module)


def test_a_quarter_of_the_interval_on_twice_the_crossbars(tmp_path: Path):
    target = tmp_path / "twice.toml"
    preset = (ROOT / "cmc" / "targets" / "presets" / "pcm-64.toml").read_text()
    target.write_text(preset.replace("cores = { value = 64", "cores = { value = 72"))
    network = find_trained("resnet20_cifar")
    report = cmc.compile(network, target=target).time(20)
    assert report.interval is not None
    # Without copies it is that of seven stages with 1024 iterations, on 36 crossbars in all.
    assert report.interval <= 0.26 * 1024 * 133


def test_the_counting_bound_is_reached_on_one_crossbar_a_core():
    network = find_trained("resnet20_cifar")
    program = cmc.compile(network, target="pcm-64")
    lower(program.module, "cmctrl-verify-control")
    inputs = random_stream(program.inputs, 2, seed=0)
    result = program.run(inputs)
    assert_close(result.outputs, Reference(network)(inputs))
    report = program.time(100)
    assert report.interval is not None
    assert report.interval <= 1.05 * report.interval_bound
    assert report.interval_bound <= report.bound


def test_copies_are_given_back_as_a_file(digits: Path, tmp_path: Path):
    """Of those that were chosen it makes the same chip."""
    chosen = cmc.compile(digits, target="pcm-64")
    stages = [op for op in chosen.module.walk() if isinstance(op, StageOp)]
    file = tmp_path / "mapping.toml"
    write_mapping(MappingFile(copies_of(stages)), file)
    again = cmc.compile(digits, target="pcm-64", copies=file)
    assert again.module.is_structurally_equivalent(chosen.module)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[copies.conv]\nparts = ['0:8, 0:8']", "copies.conv: there is no stage 'conv'"),
        ("[copies.stem_conv]\nparts = ['0:4, 0:8']", "are not its iterations, 0:8 x 0:8"),
        ("[copies.stem_conv]\nparts = ['0:9, 0:8']", "are not its iterations, 0:8 x 0:8"),
        ("[copies.stem_conv]\nparts = ['0:8']", "are not its iterations, 0:8 x 0:8"),
        ("[copies.stem_conv]\nparts = ['0:4, 0:8', '0:8, 0:4']", "are not its iterations"),
        (
            "[copies.stem_conv]\nloops = ['x']\ncopies = [2]\npattern = ['blocks']",
            "copies.stem_conv: there is no loop x: the loops are h, w",
        ),
    ],
)
def test_wrong_files_are_refused(digits: Path, tmp_path: Path, text: str, message: str):
    file = tmp_path / "mapping.toml"
    file.write_text(text)
    with pytest.raises(CmcError) as raised:
        cmc.compile(digits, copies=file)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_copies_of_a_file_need_no_target(digits: Path, tmp_path: Path):
    file = tmp_path / "mapping.toml"
    file.write_text("[copies.stem_conv]\nparts = ['0:8:2, 0:8', '1:8:2, 0:3', '1:8:2, 3:8']")
    program = cmc.compile(digits, copies=file)
    assert program.time(10).copies == {"stem_conv": 3}
    inputs = random_stream(program.inputs, 2, seed=0)
    assert_close(program.run(inputs).outputs, Reference(digits)(inputs))
    lower(program.module, "cmctrl-verify-control")


def copied_chip(pattern: str) -> ModuleOp:
    """A slow stage of seven iterations in two copies, and who reads from them, as a chip."""
    page = ROOT / "test" / "passes" / "cmpipe_replicate_stage.mlir"
    module = parse_file(make_context(), page.read_bytes(), page.name)
    lower(
        module,
        f"cmpipe-replicate-stage{{stage=slow loops=w copies=2 pattern={pattern}}}",
        "cmpipe-derive-control",
        "cmpipe-size-buffers{policy=minimal}",
        "convert-cmpipe-to-cmctrl",
    )
    return module


def moved(access: MapAttr, by: int) -> MapAttr:
    """An access to other elements, as far away as that along the first index."""
    rest = ", ".join(f"o{d}" for d in range(1, access.data.dim(isl.dim_type.out)))
    rest = rest and f", {rest}"
    return MapAttr(access.data.apply_range(isl.Map(f"{{ [o0{rest}] -> [o0 + {by}{rest}] }}")))


def copies_gone_wrong(module: ModuleOp) -> Iterator[tuple[str, ModuleOp]]:
    """The same chip, but for what one copy reads, writes or runs, or what two of them do."""

    def copies(chip: ModuleOp) -> list[StageOp]:
        return [op for op in chip.walk() if isinstance(op, StageOp) and op.copy_of is not None]

    for number, _ in enumerate(copies(module)):
        for by in (-2, -1, 1, 2):
            for what in ("reads", "writes"):
                changed = module.clone()
                stage = copies(changed)[number]
                for op in stage.reads() if what == "reads" else stage.writes():
                    op.access = moved(op.access, by)
                yield f"copy {number} {what} {by} further", changed
    for what in ("reads", "writes", "domains", "bodies"):
        changed = module.clone()
        one, other = copies(changed)
        if what in ("domains", "bodies"):
            one.domain, other.domain = other.domain, one.domain
        for own, theirs in zip(one.reads(), other.reads(), strict=True):
            if what in ("reads", "bodies"):
                own.access, theirs.access = theirs.access, own.access
        for own, theirs in zip(one.writes(), other.writes(), strict=True):
            if what in ("writes", "bodies"):
                own.access, theirs.access = theirs.access, own.access
        yield f"two copies have exchanged their {what}", changed


@pytest.mark.parametrize("pattern", ["interleaved", "blocks"])
def test_copies_that_go_wrong_are_refused(pattern: str):
    module = copied_chip(pattern)
    prove(chip_of(module))
    for what, changed in copies_gone_wrong(module):
        with pytest.raises((CmcError, VerifyException)):
            verify_module(changed)
            prove(chip_of(changed))
            pytest.fail(what)


CRAMPED = """
name = "cramped"
clock_ghz = 1
cores = 1
activation_bits = 8
sram_bytes = {}
crossbars = 6
rows = 64
columns = 16
mxv_ns = 20
mxv_interval_ns = 20
"""


def test_what_fits_without_copies_is_not_refused_because_of_copies(tmp_path: Path):
    """Copies of one stage that share a core have a ring each for what all of them read."""
    nodes = [
        helper.make_node("Conv", [a, f"w{b}"], [b], kernel_shape=[3, 3])
        for a, b in pairwise(["x", "a", "y"])
    ]
    weights = {"wa": normal(4, 4, 3, 3), "wy": normal(4, 4, 3, 3, seed=1)}
    model = chain_model([1, 4, 7, 7], *nodes, constants=weights)
    target = tmp_path / "cramped.toml"

    def compiled(sram: object, copies: str) -> cmc.Program:
        target.write_text(CRAMPED.format(sram))
        return cmc.compile(model, target=target, copies=copies)

    (core,) = compiled('"unlimited"', "none").time(1).cores[1:]
    assert core.sram_bytes < compiled('"unlimited"', "auto").time(1).cores[1].sram_bytes
    for percent in (100, 90, 80):
        sram = core.sram_bytes * percent // 100
        alone, program = (compiled(sram, copies) for copies in ("none", "auto"))
        assert program.time(20).cycles <= alone.time(20).cycles
    x = normal(4, 4, 7, 7)
    assert_close(program.run({"x": x}).outputs, Reference(model)({"x": x}))
