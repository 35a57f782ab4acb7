# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Operators of the domain `com.microsoft`, beside onnxruntime, which has them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, parser

import cmc
from cmc.errors import CmcError
from cmc.importer import import_model
from cmc.reference import Reference
from end_to_end import assert_close, assert_same
from onnx_models import Array, Attribute, graph_model, normal

KINDS = helper.np_dtype_to_tensor_dtype


def scale(*values: float) -> NDArray[np.float32]:
    return np.array(values[0] if len(values) == 1 else values, np.float32)


def zero(value: int, kind: type[np.integer] = np.uint8) -> Array:
    return np.array(value, kind)


def bytes_of(*shape: int, kind: type[np.integer] = np.uint8, seed: int = 0) -> Array:
    """Any integers of 8 bits."""
    info = np.iinfo(kind)
    random = np.random.default_rng(seed)
    return random.integers(info.min, info.max, shape, np.int64, True).astype(kind)


def model_of(
    op_type: str, operands: Mapping[str, Array | None], **attributes: Attribute
) -> onnx.ModelProto:
    """One node, whose operand `x` is the network's input: of those the types, and constants."""
    names = [name if array is not None else "" for name, array in operands.items()]
    one = helper.make_node(op_type, names, ["y"], "node", domain="com.microsoft")
    one.attribute.extend(helper.make_attribute(*entry) for entry in attributes.items())
    x = operands["x"]
    assert x is not None
    constants = {name: array for name, array in operands.items() if array is not None}
    del constants["x"]
    inputs = [helper.make_tensor_value_info("x", KINDS(x.dtype), x.shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.UNDEFINED, None)]
    model = graph_model([one], inputs, outputs, constants, opset=17)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


def check(model: onnx.ModelProto, x: Array, step: float) -> None:
    """Both modes compute what onnxruntime does."""
    pytest.importorskip("onnxruntime")
    quantized = step > 0
    model.graph.output[0].type.tensor_type.elem_type = (
        TensorProto.UINT8 if quantized else TensorProto.FLOAT
    )
    images = {"x": x.astype(np.float32)}
    reference = Reference(model)
    assert reference.engine.startswith("onnxruntime")
    expected = reference(images)
    program = cmc.compile(model)
    bulk = program.run(images)
    assert_same(program.run(images, mode="interpret"), bulk)
    if not quantized:
        return assert_close(bulk.outputs, expected)
    assert len(np.unique(expected["y"])) > 3
    difference = np.abs(bulk.outputs["y"].reshape(expected["y"].shape) - expected["y"])
    assert difference.max() < step


Operands = dict[str, Array | None]
Attributes = dict[str, Attribute]

IMAGE, ROWS = bytes_of(1, 4, 6, 6), bytes_of(5, 8)
X: Operands = {"x": IMAGE, "s": scale(0.03), "z": zero(120)}
"""The quantised image, which is the network's input."""

X_ROWS: Operands = {**X, "x": ROWS}

OTHER: Operands = {"c": bytes_of(4, 1, 1), "cs": scale(0.01), "cz": zero(3)}

CHOICE: Operands = {"if": normal(4, 6, 6) > 0}

WEIGHTS: Operands = {"c": bytes_of(3, 6, 3, 3), "cs": scale(0.01), "cz": zero(110)}

GEMM: Operands = {
    "c": bytes_of(4, 8, kind=np.int8),
    "cs": scale(0.01, 0.02, 0.03, 0.04),
    "cz": np.zeros(4, np.int8),
    "b": np.array([100, -2000, 0, 5], np.int32),
}


def to(step: float, zero_point: int = 90) -> Operands:
    """The scale and zero point of the result."""
    return {"ys": scale(step), "yz": zero(zero_point)}


BYTE = to(1 / 256, 0)

QUANTIZED: dict[str, tuple[str, Operands, Attributes]] = {
    "add": ("QLinearAdd", X | OTHER | to(0.05), {}),
    "mul": ("QLinearMul", X | OTHER | to(0.05), {}),
    "sigmoid": ("QLinearSigmoid", X | BYTE, {}),
    "leaky relu": ("QLinearLeakyRelu", X | to(0.05), {"alpha": 0.2}),
    "softmax": ("QLinearSoftmax", X_ROWS | BYTE, {"axis": -1, "opset": 13}),
    "old softmax": ("QLinearSoftmax", X_ROWS | BYTE, {"axis": 1, "opset": 11}),
    "average pool": (
        "QLinearAveragePool",
        X | to(0.02),
        {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 0]},
    ),
    "average pool of one scale": (
        "QLinearAveragePool",
        X | {"s": scale(0.07), "z": zero(15)} | to(0.07, 15),
        {"kernel_shape": [2, 2]},
    ),
    "average pool of pixels": (
        "QLinearAveragePool",
        X | to(0.02),
        {"kernel_shape": [2, 2], "channels_last": 1},
    ),
    "global average pool": ("QLinearGlobalAveragePool", X | to(0.01), {}),
    "concat": (
        "QLinearConcat",
        to(0.05) | X | {"c": bytes_of(1, 2, 6, 6), "cs": scale(0.05), "cz": zero(90)},
        {"axis": 1},
    ),
    "where": ("QLinearWhere", CHOICE | X | OTHER | to(0.05), {}),
    "gemm": ("QGemm", X_ROWS | GEMM | to(0.9), {"transB": 1, "alpha": 0.5}),
    "conv of pixels": ("QLinearConv", X | WEIGHTS | to(0.9), {"channels_last": 1}),
}
"""Operators whose result is uint8: all operands, in order, and attributes."""

EXACT = ("QLinearConv", "QGemm", "QLinearConcat", "QLinearWhere")
"""Those in which nothing but a factor is rounded, and the result."""


@pytest.mark.parametrize("name", QUANTIZED)
def test_results_are_integers_as_onnxruntime_has_them(name: str):
    op_type, operands, attributes = QUANTIZED[name]
    x = operands["x"]
    assert x is not None
    exact = op_type in EXACT or name == "average pool of one scale"
    check(model_of(op_type, operands, **attributes), x, 0.5 if exact else 1.5)


REAL: dict[str, tuple[str, Operands, Attributes]] = {
    "gelu": ("Gelu", {"x": normal(1, 5, 8)}, {}),
    "bias gelu": ("BiasGelu", {"x": normal(1, 5, 8), "b": normal(8)}, {}),
    "fast gelu": ("FastGelu", {"x": normal(1, 5, 8), "b": normal(8)}, {}),
    "quick gelu": ("QuickGelu", {"x": normal(1, 5, 8)}, {"alpha": 1.5}),
    "skip": (
        "SkipLayerNormalization",
        {"x": normal(1, 5, 8), "skip": normal(1, 5, 8, seed=1), "g": normal(8), "beta": normal(8)},
        {"epsilon": 1e-3},
    ),
    "skip with bias": (
        "SkipLayerNormalization",
        {
            "x": normal(1, 5, 8),
            "skip": normal(1, 5, 8, seed=1),
            "g": normal(8),
            "beta": None,
            "bias": normal(8, seed=2),
        },
        {},
    ),
    "simplified skip": (
        "SkipSimplifiedLayerNormalization",
        {"x": normal(1, 5, 8), "skip": normal(1, 5, 8, seed=1), "g": normal(8)},
        {},
    ),
    "fused conv": (
        "FusedConv",
        {"x": normal(1, 2, 6, 6), "w": normal(3, 2, 3, 3), "b": normal(3)},
        {"activation": "LeakyRelu", "activation_params": [0.2], "pads": [1, 1, 1, 1]},
    ),
    "fused conv and sum": (
        "FusedConv",
        {"x": normal(1, 2, 6, 6), "w": normal(3, 2, 1, 1), "b": None, "z": normal(1, 3, 6, 6)},
        {"activation": "Relu"},
    ),
    "fused gemm": (
        "FusedGemm",
        {"x": normal(1, 5), "w": normal(4, 5), "b": normal(4)},
        {"transB": 1, "alpha": 0.5, "activation": "Relu"},
    ),
    "fused matmul": (
        "FusedMatMul",
        {"x": normal(1, 5, 8), "w": normal(4, 8)},
        {"transB": 1, "alpha": 0.3},
    ),
    "products of integers": (
        "MatMulIntegerToFloat",
        {
            "x": ROWS[None],
            "w": bytes_of(8, 4),
            "s": scale(0.02),
            "ws": scale(0.1, 0.2, 0.3, 0.4),
            "z": zero(100),
            "wz": bytes_of(4),
            "b": normal(4),
        },
        {},
    ),
    "products of integers of each image": (
        "DynamicQuantizeMatMul",
        {"x": normal(1, 5, 8), "w": bytes_of(8, 4), "ws": scale(0.1), "wz": zero(99), "b": None},
        {},
    ),
    "four bits": (
        "MatMulNBits",
        {
            "x": normal(1, 5, 24),
            "w": bytes_of(3, 2, 8),
            "s": normal(6),
            "z": bytes_of(3),
            "order": None,
            "b": normal(3),
        },
        {"K": 24, "N": 3, "bits": 4, "block_size": 16, "weight_prepacked": 0},
    ),
    "eight bits": (
        "MatMulNBits",
        {"x": normal(1, 5, 32), "w": bytes_of(3, 2, 16), "s": normal(6)},
        {"K": 32, "N": 3, "bits": 8, "block_size": 16},
    ),
}
"""Operators whose result is real."""


@pytest.mark.parametrize("name", REAL)
def test_results_are_as_onnxruntime_has_them(name: str):
    op_type, operands, attributes = REAL[name]
    x = operands["x"]
    assert x is not None
    check(model_of(op_type, operands, **attributes), x, 0)


def test_a_recurrence_whose_matrices_hold_integers():
    matrices = {"w": bytes_of(1, 6, 12, kind=np.int8), "r": bytes_of(1, 3, 12, kind=np.int8)}
    optional = dict.fromkeys(("lengths", "h", "c", "p"))
    scales = {"ws": scale(0.01)[None], "wz": np.array([3], np.int8)}
    scales |= {"rs": scale(0.02)[None], "rz": np.array([-2], np.int8)}
    operands = {"x": normal(3, 1, 6), **matrices, "b": normal(1, 24), **optional, **scales}
    model = model_of("DynamicQuantizeLSTM", operands, hidden_size=3, direction="reverse")
    check(model, normal(2, 3, 1, 6, seed=1), 0)


def test_what_else_is_in_the_domain_is_refused_by_name():
    with pytest.raises(CmcError, match=r"'QAttention' of domain 'com\.microsoft' is not supported"):
        import_model(model_of("QAttention", {"x": normal(1, 4)}))


@pytest.mark.parametrize("name", ["LayerNormalization", "SimplifiedLayerNormalization"])
def test_normalisations_that_onnxruntime_puts_into_the_domain_of_onnx(name: str):
    operands: Operands = {"x": normal(1, 5, 8), "g": normal(8)}
    model = model_of(name, operands, axis=-1, epsilon=1e-3)
    model.graph.node[0].domain = ""
    model.opset_import[0].version = 13
    check(model, normal(1, 5, 8, seed=1), 0)


def test_cores_go_on_after_what_only_onnxruntime_knows():
    """ONNX infers nothing of what other domains compute."""
    pytest.importorskip("onnxruntime")
    proto = parser.parse_model(
        """<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>
        graph (float[1,3,3] x) => (float[1,3,2] y) {
            inverse = com.microsoft.Inverse(x)
            y = MatMul(inverse, w)
        }"""
    )
    proto.graph.initializer.append(numpy_helper.from_array(normal(3, 2), "w"))
    program = cmc.compile(proto)
    x = normal(2, 3, 3) + 2 * np.eye(3, dtype=np.float32)
    assert_close(
        program.run({"x": x}).outputs, {"y": np.linalg.inv(x).astype(np.float32) @ normal(3, 2)}
    )
    assert program.has_chip
