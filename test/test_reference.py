# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The other side of `--check`: who evaluates, and how far results are apart."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from cmc.reference import Deviation, Reference
from onnx_models import chain_model


def cumulative_model(batch: int | str) -> onnx.ModelProto:
    """A model whose result tells which images were in one batch: sums along the batch axis."""
    nodes = [helper.make_node("CumSum", ["x", "axis"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "sums",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 2])],
        [helper.make_tensor("axis", TensorProto.INT64, [], [0])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(params=["onnxruntime", "onnx"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the two evaluators."""
    name: str = request.param
    if name == "onnx":
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
    else:
        pytest.importorskip("onnxruntime")
    return name


@pytest.mark.parametrize(
    ("batch", "expected"),
    [("N", [0, 1, 2, 3, 4]), (1, [0, 1, 2, 3, 4]), (2, [0, 1, 2, 5, 4])],
)
def test_batches_are_those_of_the_model(engine: str, batch: int | str, expected: list[float]):
    reference = Reference(cumulative_model(batch))
    assert engine in reference.engine
    x = np.repeat(np.arange(5, dtype=np.float32)[:, np.newaxis], 2, axis=1)
    assert reference({"x": x})["y"][:, 0].tolist() == expected


def test_digits_are_evaluated_alike(digits: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("onnxruntime")
    images = np.random.default_rng(0).random((3, 1, 8, 8), np.float32)
    ours = Reference(digits)({"image": images})["scores"]
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    theirs = Reference(digits)({"image": images})["scores"]
    assert Deviation.measure("scores", ours, theirs).relative < 1e-5


def test_zeros_around_a_max_pool_are_numbers(engine: str):
    # Optimised, onnxruntime makes them padding, which no negative number loses against.
    pads = np.array([0, 0, 1, 0, 0, 0], np.int64)
    model = chain_model(
        [1, 1, 3],
        helper.make_node("Pad", ["x", "pads"], ["p"]),
        helper.make_node("MaxPool", ["p"], ["y"], kernel_shape=[2]),
        constants={"pads": pads},
    )
    reference = Reference(model)
    assert engine in reference.engine
    x = -np.arange(1, 4, dtype=np.float32).reshape(1, 1, 3)
    assert reference({"x": x})["y"].tolist() == [[0, -1, -2]]


def array(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("found", "reference", "absolute", "relative"),
    [
        (array(1, 2), array(1, 4), 2, 0.5),
        (array(0, 0), array(0, 0), 0, 0),
        (array(0.5), array(0), 0.5, 0.5),
        (array(np.nan), array(1), np.inf, np.inf),
        (array(1), array(np.nan), np.inf, np.inf),
        (array(np.nan, 1), array(np.nan, 1), 0, 0),
        (array(np.inf, 1), array(np.inf, 2), 1, 0.5),
        (array(-np.inf), array(np.inf), np.inf, np.inf),
        (array(), array(), 0, 0),
    ],
)
def test_deviation(
    found: NDArray[np.float32], reference: NDArray[np.float32], absolute: float, relative: float
):
    deviation = Deviation.measure("y", found, reference)
    assert (deviation.absolute, deviation.relative) == (absolute, relative)


def test_batch_normalization_of_an_old_opset(engine: str):
    """onnx's evaluator would normalise by the images' own mean."""
    names = ["scale", "bias", "mean", "variance"]
    values = [[2.0, 1.0], [0.5, 0.0], [1.0, -1.0], [4.0, 1.0]]
    node = helper.make_node("BatchNormalization", ["x", *names], ["y"], momentum=0.9, epsilon=0.0)
    graph = helper.make_graph(
        [node],
        "normalization",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 3])],
        [
            helper.make_tensor(name, TensorProto.FLOAT, [2], value)
            for name, value in zip(names, values, strict=True)
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    x = np.array([[[1, 3, 5], [0, 1, 2]]], np.float32)
    expected = np.array([[[0.5, 2.5, 4.5], [1, 2, 3]]], np.float32)
    found = Reference(model)({"x": x})["y"]
    assert np.allclose(found.reshape(expected.shape), expected)


def test_products_of_bytes_do_not_saturate():
    """onnxruntime adds two products in 16 bits on some processors."""
    pytest.importorskip("onnxruntime")
    weight = np.full((64, 1), 127, np.int8)
    node = helper.make_node("MatMulInteger", ["x", "w"], ["y"])
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 64])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [1, 1])],
        [numpy_helper.from_array(weight, "w")],
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    x = np.full((1, 64), 255, np.float32)
    assert Reference(model)({"x": x})["y"].tolist() == [[64 * 127 * 255]]
