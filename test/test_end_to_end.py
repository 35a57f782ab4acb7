# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Every operator as a network of its own, from ONNX to outputs."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

import cmc
from cmc.api import Network
from cmc.compiler.standard import BufferPolicy
from cmc.errors import CmcError
from cmc.importer import import_model
from cmc.reference import Reference
from cmc.streams import random_stream
from end_to_end import assert_close, assert_same, run_levels
from networks import random_inputs, reference
from onnx_models import chain_model, float_type, graph_model, int64, normal, one_node_model
from test_importer_operators import CASES, POSITIVE, describe

IMAGES = 2


def check(model: onnx.ModelProto, buffers: BufferPolicy = "minimal") -> None:
    """A stream of different images by every level, against the reference."""
    inputs = random_stream(Network(import_model(model)).inputs, IMAGES, seed=1)
    if model.graph.node[0].op_type in POSITIVE:
        inputs = {name: np.abs(array) for name, array in inputs.items()}
    run_levels(model, buffers, inputs, Reference(model)(inputs))


@pytest.mark.parametrize(
    ("model", "buffers"),
    [*zip(CASES, cycle(get_args(BufferPolicy)), strict=False)],
    ids=lambda value: value if isinstance(value, str) else describe(value),
)
def test_operator(model: onnx.ModelProto, buffers: BufferPolicy):
    computes_weights = model.graph.node[0].op_type == "Conv" and len(model.graph.input) > 1
    if computes_weights:
        with pytest.raises(CmcError, match="'node': a convolution needs constant weights"):
            cmc.compile(model, host=False)
    else:
        check(model, buffers)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((1, 3), (3,)),
        ((1, 4, 3), (3,)),
        ((3,), (1, 3, 4)),
        ((2, 3), (1, 3, 4)),
        ((1, 2, 3, 5), (5, 4)),
        ((1, 2, 3, 5), (2, 5, 4)),
        ((2, 2, 3, 5), (1, 1, 5, 4)),
        ((4, 1), (1, 6)),
        ((1, 1), (1, 1)),
    ],
)
def test_products_with_a_constant(left: tuple[int, ...], right: tuple[int, ...]):
    first = left[0] != 1
    constant, shape = (left, right) if first else (right, left)
    model = product(["c", "x"] if first else ["x", "c"], {"x": shape}, {"c": normal(*constant)})
    check(model)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((1, 2, 3), (1, 3, 4)),
        ((1, 2, 3, 5), (1, 5, 4)),
        ((1, 1, 3, 5), (1, 2, 5, 4)),
        ((1, 1, 1), (1, 1, 1)),
    ],
)
def test_products_of_inputs(left: tuple[int, ...], right: tuple[int, ...]):
    model = product(["a", "b"], {"a": left, "b": right}, {})
    check(model)


def product(
    names: list[str],
    inputs: Mapping[str, tuple[int, ...]],
    constants: Mapping[str, NDArray[np.float32]],
) -> onnx.ModelProto:
    """A model of one MatMul of the two names."""
    node = helper.make_node("MatMul", names, ["y"], "node")
    types = [float_type(name, shape) for name, shape in inputs.items()]
    return graph_model([node], types, [float_type("y", None)], constants)


def test_empty_parts_of_a_split_add_nothing():
    split = helper.make_node("Split", ["x", "sizes"], ["a", "b"], "split", axis=1)
    concat = helper.make_node("Concat", ["a", "b"], ["y"], "concat", axis=1)
    check(chain_model((1, 6), split, concat, constants={"sizes": int64(0, 6)}))


def test_outputs_without_a_batch_axis_are_stacked():
    model = one_node_model("Squeeze", (1, 3, 1, 4), [int64(0, 2)])
    program = cmc.compile(model)
    assert program.outputs == {"y0": (3, 4)}
    images = normal(5, 3, 1, 4)
    assert np.array_equal(program.run({"x": images}).outputs["y0"], images.reshape(5, 3, 4))


def test_networks_deeper_than_the_stack(tmp_path: Path):
    """Nothing on the way calls itself once for each operator."""
    depth = 400
    names = ["x", *(f"v{index}" for index in range(1, depth)), "y"]
    nodes = [
        onnx.helper.make_node(op, [before, *constants], [after])
        for before, after, (op, *constants) in zip(
            names, names[1:], cycle((("Add", "c"), ("Tanh",), ("Neg",))), strict=False
        )
    ]
    model = chain_model([1, 4, 3], *nodes, constants={"c": normal(4, 1)})
    inputs = random_inputs(model, 2, seed=1)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 250)
    try:
        program = cmc.compile(model)
        bulk = program.run(inputs)
        interpreted = program.run(inputs, mode="interpret")
        program.save(tmp_path / "chain.mlir")
        loaded = cmc.load(tmp_path / "chain.mlir").run(inputs)
    finally:
        sys.setrecursionlimit(limit)
    assert_close(bulk.outputs, reference(model, inputs))
    assert_same(interpreted, bulk)
    assert_same(loaded, bulk)
