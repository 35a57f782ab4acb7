# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Objects with several writers: values, times and proof, by every level and in both modes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from cmc.api import Pipeline, Program, make_context
from cmc.compiler.standard import BufferPolicy
from cmc.diagnostics import verify_module
from cmc.dialects.cmpipe import PipelineOp
from cmc.errors import CmcError
from cmc.files.parsing import parse_file
from cmc.simulator import bulk
from cmc.simulator.pipeline import pipeline_of
from end_to_end import Arrays, assert_close, assert_same, bound, compile_with, lower
from networks import Network, networks, random_inputs, reference
from splits import split_at_random

Array = NDArray[np.float32]

HERE = Path(__file__).parent / "writers"
POLICIES: tuple[BufferPolicy, ...] = ("minimal", "throughput", "whole")
IMAGES = 5


def parse(text: bytes) -> ModuleOp:
    module = parse_file(make_context(), text, "test.mlir")
    verify_module(module)
    return module


def check(module: ModuleOp, policy: BufferPolicy, inputs: Arrays, expected: Arrays) -> Program:
    """A stream by a pipeline and by the chip that it becomes, which is proved."""
    assert_close(Pipeline(pipeline_of(module)).run(inputs), expected)
    lower(
        module,
        "cmpipe-derive-control",
        f"cmpipe-size-buffers{{policy={policy}}}",
        "convert-cmpipe-to-cmctrl",
        "cmctrl-verify-control",
    )
    verify_module(module)
    program = Program(module)
    result = program.run(inputs)
    assert_close(result.outputs, expected)
    assert_same(program.run(inputs, mode="interpret"), result)
    return program


def columns(x: Array) -> Array:
    """A matrix of two by four for each pixel, and the sums of two neighbours."""
    y = np.einsum("icw,cm->imw", x, np.arange(1, 9).reshape(2, 4))
    return np.asarray(y[:, :, :-1] + y[:, :, 1:], np.float32)


def copies(x: Array) -> Array:
    """A filter of two, and the sums of three neighbours, with zeros around them."""
    y = np.pad(x[:, :, :-1] + 2 * x[:, :, 1:], ((0, 0), (0, 0), (1, 1)))
    return np.asarray(y[:, :, :-2] + y[:, :, 1:-1] + y[:, :, 2:], np.float32)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("name", "shape", "compute"), [("columns", (2, 4), columns), ("copies", (1, 8), copies)]
)
def test_by_hand(
    name: str, shape: tuple[int, ...], compute: Callable[[Array], Array], policy: BufferPolicy
):
    x = np.random.default_rng(0).standard_normal((IMAGES, *shape), np.float32)
    module = parse((HERE / f"{name}.mlir").read_bytes())
    program = check(module, policy, {"x": x}, {"y": compute(x)})
    if policy == "throughput":
        report = program.time(images=100)
        slow = {"even": 2, "odd": 2} if name == "copies" else {}
        assert report.cycles_per_image == bound(report, slow)


TWO_INPUTS = b"""
cmpipe.pipeline @inputs {
  cmpipe.object @a : memref<5x2xvector<2xf32>>
  cmpipe.object @b : memref<4xvector<4xf32>>
  cmpipe.input @left "l" @a #poly.map<"{ [n, c, w] -> [w, 0, c] }"> : tensor<1x2x5xf32>
  cmpipe.input @right "r" @a #poly.map<"{ [n, c, w] -> [4 - w, 1, c] }"> : tensor<1x2x5xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x4x4xf32>
  cmpipe.output "a" @a #poly.map<"{ [n, b, c, w] -> [w, b, c] }"> : tensor<1x2x2x5xf32>
  cmpipe.stage @sum in #poly.set<"{ [w] : 0 <= w < 4 }"> {
    %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, floor(c/2), c mod 2] }">
      : vector<2x4xf32>
    %y = cmpipe.reduce add %v : vector<2x4xf32> -> vector<4xf32>
    cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<4xf32>
  }
  cmpipe.core @core0 runs [@sum]
}
"""


@pytest.mark.parametrize("policy", POLICIES)
def test_two_inputs_fill_one_object(policy: BufferPolicy):
    random = np.random.default_rng(0)
    left, right = (random.standard_normal((IMAGES, 2, 5), np.float32) for _ in range(2))
    both = np.concatenate([left, right[:, :, ::-1]], axis=1)
    expected = {"y": both[:, :, :-1] + both[:, :, 1:], "a": both.reshape(-1, 2, 2, 5)}
    check(parse(TWO_INPUTS), policy, {"l": left, "r": right}, expected)


def chip_of_copies() -> ModuleOp:
    module = parse((HERE / "copies.mlir").read_bytes())
    lower(module, "cmpipe-derive-control", "cmpipe-size-buffers{policy=minimal}")
    lower(module, "convert-cmpipe-to-cmctrl")
    return module


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            "{ [w] -> [1 + 2w] }",
            "{ [w] -> [2w] }",
            "@even and @odd both write @b[0]",
            id="what another one writes",
        ),
        pytest.param(
            '@odd in #poly.set<"{ [w] : 0 <= w <= 2 }">',
            '@odd in #poly.set<"{ [w] : 0 <= w <= 1 }">',
            "nothing writes @b[5]: @even and @odd write the rest of the object",
            id="too little",
        ),
        pytest.param(
            "cmctrl.await [%w * 2 + 1]",
            "cmctrl.await [%w * 2]",
            "awaits [0], which is no element of @b that @odd writes",
            id="awaits another one's",
        ),
        pytest.param(
            "cmctrl.release [%w - 1]",
            "cmctrl.release [%w]",
            "releases [2], which is no element of @b that @odd writes",
            id="releases another one's",
        ),
    ],
)
def test_what_is_wrong_is_refused(old: str, new: str, message: str):
    text = str(chip_of_copies())
    assert text.count(old) == 1
    with pytest.raises(CmcError, match=re.escape(message)):
        lower(parse(text.replace(old, new).encode()), "cmctrl-verify-control")


def test_the_proof_itself_finds_what_is_written_twice():
    """Of modules that were not verified, too."""
    text = str(chip_of_copies()).replace("{ [w] -> [1 + 2w] }", "{ [w] -> [2w] }")
    module = parse_file(make_context(), text.encode(), "test.mlir")
    with pytest.raises(CmcError, match=re.escape("program @odd writes @b[0], and so does program")):
        lower(module, "cmctrl-verify-control")


def split_program(network: Network, policy: BufferPolicy, seed: int) -> Program:
    """The network, with several writers for some of its objects."""
    random = Random(seed)

    def split(pipeline: PipelineOp) -> None:
        split_at_random(random, pipeline)

    return compile_with(network.model, policy, {"convert-nn-to-cmpipe": split})


@settings(
    max_examples=20,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(networks(), st.sampled_from(POLICIES), st.integers(0, 2**16))
def test_networks_with_stages_in_parts(network: Network, policy: BufferPolicy, seed: int):
    """Stages split in any way, and vectors cut into blocks: values, times in both modes, proof."""
    program = split_program(network, policy, seed)
    verify_module(program.module)
    inputs = random_inputs(network.model, 3, seed=1)
    result = program.run(inputs)
    assert_close(result.outputs, reference(network.model, inputs))
    assert_same(program.run(inputs, mode="interpret"), result)
    lower(program.module, "cmctrl-verify-control")
    if policy == "throughput":
        assert program.time(100).cycles_per_image == bound(result.report)


@settings(
    max_examples=8,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(networks(), st.sampled_from((1, 40)), st.integers(0, 2**16))
def test_parts_in_low_bands(network: Network, floats: int, seed: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "BAND", floats)
        program = split_program(network, "throughput", seed)
        for images in (1, 3):
            inputs = random_inputs(network.model, images, seed=0)
            assert_close(program.run(inputs).outputs, reference(network.model, inputs))
