"""Objects with several writers: values, times and proof, by every level and in both modes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from cmc.api import Pipeline, Program, make_context
from cmc.compiler.standard import BufferPolicy
from cmc.diagnostics import verify_module
from cmc.files.parsing import parse_file
from cmc.simulator.pipeline import pipeline_of
from end_to_end import Arrays, assert_close, assert_same, bound, lower

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
