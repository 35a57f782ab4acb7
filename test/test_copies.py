"""Stages in several copies: values, times, proof, and how little of them is stored."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

from cmc.api import Program
from cmc.compiler.standard import BufferPolicy
from cmc.diagnostics import verify_module
from cmc.dialects.cmctrl import CoreOp
from cmc.dialects.cmpipe import PipelineOp
from cmc.errors import CmcError
from cmc.fitting.parts import blocks, interleaved
from cmc.importer import import_model
from cmc.passes.cmpipe_replicate_stage import box_of, replicate
from cmc.tiling.select import Names
from conftest import examples
from end_to_end import assert_close, assert_same, compile_with, lower
from networks import Network, networks, random_inputs, reference

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
