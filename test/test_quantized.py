# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Quantised networks: integers on crossbars, and results as onnxruntime has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors import safe_open

import cmc
from cmc.api import Program
from cmc.compiler.standard import BufferPolicy
from cmc.dialects.cmpipe import CrossbarOp
from cmc.errors import CmcError
from cmc.importer import import_model
from cmc.reference import Reference
from cmc.semantics.network import evaluate
from end_to_end import assert_same, lower
from onnx_models import Array, chain_model, graph_model, normal
from quantizing import NETWORKS, SHAPE, quantized

node = helper.make_node
Floats = NDArray[np.float32]

IMAGES = normal(2, *SHAPE[1:], seed=50)


def integers(
    *shape: int, kind: type[np.integer] = np.int8, part: int = 1, seed: int = 0
) -> NDArray[np.integer]:
    """Any integers of a type of 8 bits, or of a part of its range."""
    info = np.iinfo(kind)
    random = np.random.default_rng(seed)
    return random.integers(info.min // part, info.max // part, shape, np.int64, True).astype(kind)


def matrices(program: Program) -> list[Floats]:
    """What the crossbars of a chip hold."""
    found = [op for op in program.module.walk() if isinstance(op, CrossbarOp)]
    return [op.value.array for op in found]


def step_of(model: onnx.ModelProto) -> float:
    """The scale of the last integers before output `y`."""
    last = next(n for n in model.graph.node if n.output[0] == "y")
    assert last.op_type == "DequantizeLinear"
    scales = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    return float(scales[last.input[1]])


def check(model: onnx.ModelProto, images: Floats, step: float, target: str = "ideal") -> Program:
    """Both modes compute of a stream what onnxruntime does, to one step, and control is proved."""
    expected = Reference(model)({"x": images})["y"]
    program = cmc.compile(model, target=target, copies="none")
    policies: tuple[BufferPolicy, ...] = ("minimal",) if target == "ideal" else ()
    for one in (program, *(cmc.compile(model, buffers=policy) for policy in policies)):
        lower(one.module, "cmctrl-verify-control")
        bulk = one.run({"x": images})
        found = bulk.outputs["y"].reshape(expected.shape)
        assert np.abs(found - expected).max() <= step * 1.001
        assert_same(one.run({"x": images}, mode="interpret"), bulk)
    return program


@pytest.mark.parametrize(
    ("kind", "format", "activations", "weights", "symmetric", "per_channel"),
    [
        ("residual", "QDQ", "QUInt8", "QInt8", False, True),
        ("residual", "QDQ", "QInt8", "QInt8", True, False),
        ("depthwise", "QDQ", "QUInt8", "QUInt8", False, False),
        ("mixed", "QDQ", "QUInt8", "QInt8", False, True),
        ("depthwise", "QOperator", "QUInt8", "QInt8", False, True),
        ("mixed", "QOperator", "QUInt8", "QUInt8", False, False),
    ],
)
def test_networks_as_the_quantizer_writes_them(
    kind: str,
    format: str,
    activations: str,
    weights: str,
    symmetric: bool,
    per_channel: bool,
    tmp_path: Path,
):
    model = quantized(
        NETWORKS[kind](),
        tmp_path,
        format=format,
        activations=activations,
        weights=weights,
        symmetric=symmetric,
        per_channel=per_channel,
    )
    program = check(model, IMAGES, step_of(model))
    for matrix in matrices(program):
        assert np.array_equal(matrix, np.rint(matrix))
        assert np.abs(matrix).max() <= 255


def test_a_quantized_network_on_small_crossbars(tmp_path: Path):
    model = quantized(NETWORKS["depthwise"](), tmp_path)
    check(model, IMAGES, step_of(model), "pcm-64:dac_bits=16,adc_bits=16")


@pytest.mark.parametrize("kind", ["depthwise", "mixed"])
def test_networks_with_scales_of_each_image(kind: str, tmp_path: Path):
    model = quantized(NETWORKS[kind](), tmp_path, format="dynamic", weights="QUInt8")
    program = check(model, IMAGES, 1e-4)
    assert any(np.array_equal(m, np.rint(m)) and np.abs(m).max() > 9 for m in matrices(program))


def qdq_conv(weight: Array, bias: Array) -> onnx.ModelProto:
    """A convolution of what was rounded to 8 bits by what was before, as exporters write it."""
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["xq"], "xq"),
        node("DequantizeLinear", ["xq", "s", "z"], ["xd"], "xd"),
        node("DequantizeLinear", ["w", "ws"], ["wd"], "wd", axis=0),
        node("DequantizeLinear", ["b", "bs"], ["bd"], "bd", axis=0),
        node("Conv", ["xd", "wd", "bd"], ["c"], "conv", pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["r"], "relu"),
        node("QuantizeLinear", ["r", "ys", "yz"], ["yq"], "yq"),
        node("DequantizeLinear", ["yq", "ys", "yz"], ["y"], "y"),
    ]
    scales = (np.abs(normal(len(weight))) * np.float32(0.01) + np.float32(0.001)).astype(np.float32)
    scale = np.array(0.03, np.float32)
    constants: dict[str, Array] = {
        "s": scale,
        "z": np.array(117, np.uint8),
        "w": weight,
        "ws": scales,
        "b": bias,
        "bs": scale * scales,
        "ys": np.array(0.2, np.float32),
        "yz": np.array(3, np.uint8),
    }
    return chain_model((1, 3, 6, 6), *nodes, constants=constants)


def test_a_crossbar_holds_the_integers_of_the_model(tmp_path: Path):
    weight, bias = integers(8, 3, 3, 3), np.arange(-400, 400, 100).astype(np.int32)
    program = cmc.compile(qdq_conv(weight, bias))
    (matrix,) = matrices(program)
    assert matrix.shape == (27, 8)
    assert np.array_equal(np.sort(matrix, 0), np.sort(weight.reshape(8, 27).T, 0))
    program.save(tmp_path / "program.mlir")
    with safe_open(tmp_path / "program.safetensors", framework="np") as file:
        kinds = [file.get_slice(key).get_dtype() for key in file.keys()]  # noqa: SIM118
    assert kinds == ["I8"]
    images = {"x": normal(3, 3, 6, 6)}
    again = cmc.load(tmp_path / "program.mlir").run(images).outputs["y"]
    assert np.array_equal(again, program.run(images).outputs["y"])


def test_sums_and_biases_are_those_of_integers():
    """Padding is zero, wherever the zero point is; one factor rounds, and one scale."""
    weight, bias = integers(8, 3, 3, 3), np.arange(-400, 400, 100).astype(np.int32)
    model = qdq_conv(weight, bias)
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    x = normal(1, 3, 6, 6)
    centred = np.clip(np.rint(x / constants["s"]) + 117, 0, 255).astype(np.int64) - 117
    padded = np.pad(centred, [(0, 0), (0, 0), (1, 1), (1, 1)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    total = np.einsum("nchwij,mcij->nmhw", windows, weight.astype(np.int64))
    total += bias[:, None, None]
    real = total * (constants["s"] * constants["ws"])[:, None, None]
    rounded = np.clip(np.rint(np.maximum(real, 0) / np.float32(0.2)) + 3, 0, 255)
    expected = ((rounded - 3) * np.float32(0.2)).astype(np.float32)
    assert len(np.unique(expected)) > 20
    assert np.array_equal(cmc.compile(model).run({"x": x}).outputs["y"][0], expected[0])


@pytest.mark.parametrize("weights", [np.uint8, np.int8])
@pytest.mark.parametrize("per_channel", [False, True])
def test_qlinear_conv_is_exact(weights: type[np.integer], per_channel: bool):
    count = 4 if per_channel else 1
    zero = integers(count, kind=weights, part=4, seed=3)
    constants: dict[str, Array] = {
        "s": np.array(0.02, np.float32),
        "z": np.array(130, np.uint8),
        "w": integers(4, 1, 3, 3, kind=weights, part=2),
        "ws": np.array([0.01, 0.02, 0.03, 0.015], np.float32)[:count],
        "wz": zero if weights is np.uint8 else zero * 0,
        "ys": np.array(0.11, np.float32),
        "yz": np.array(100, np.uint8),
        "b": np.array([500, -900, 20, 0], np.int32),
    }
    names = ["x", "s", "z", "w", "ws", "wz", "ys", "yz", "b"]
    nodes = [
        node("QLinearConv", names, ["q"], "conv", group=2, pads=[1, 0, 1, 2], strides=[2, 1]),
        node("Cast", ["q"], ["y"], "cast", to=TensorProto.FLOAT),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.UINT8, (1, 2, 7, 6))]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    model = graph_model(nodes, inputs, outputs, constants)
    images = integers(3, 2, 7, 6, kind=np.uint8).astype(np.float32)
    expected = Reference(model)({"x": images})["y"]
    assert len(np.unique(expected)) > 20
    found = cmc.compile(model).run({"x": images}).outputs["y"]
    assert np.array_equal(found.reshape(expected.shape), expected)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint16])
def test_rounding_is_half_to_even_and_saturates(kind: type[np.integer]):
    info = np.iinfo(kind)
    x = np.array([[-1e9, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.1, 1e9]], np.float32)
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"], "quantize"),
        node("DequantizeLinear", ["q", "s", "z"], ["y"], "dequantize"),
    ]
    constants: dict[str, Array] = {"s": np.array(0.5, np.float32), "z": np.array(7, kind)}
    model = chain_model(x.shape, *nodes, constants=constants, opset=21)
    found = cmc.compile(model).run({"x": x / 2}).outputs["y"]
    low, high = (info.min - 7) / 2, (info.max - 7) / 2
    expected = np.clip([low, -1, -1, 0, 0, 1, 1, 1.5, high], low, high)
    assert np.array_equal(found, expected[None])


def test_blocks_have_scales_of_their_own():
    nodes = [
        node("QuantizeLinear", ["x", "s"], ["q"], "quantize", axis=1, block_size=2),
        node("DequantizeLinear", ["q", "s"], ["y"], "dequantize", axis=1, block_size=2),
    ]
    scales = np.array([[1, 2, 4]], np.float32)
    model = chain_model((1, 6), *nodes, constants={"s": scales}, opset=21)
    found = evaluate(import_model(model), {"x": np.full((1, 6), 2.9, np.float32)})["y"]
    assert found.tolist() == [[3, 3, 2, 2, 4, 4]]


def test_a_type_that_is_no_integer_is_refused():
    zero = helper.make_tensor("z", TensorProto.FLOAT8E4M3FN, [], [0.0])
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"], "quantize"),
        node("DequantizeLinear", ["q", "s", "z"], ["y"], "dequantize"),
    ]
    model = chain_model((1, 4), *nodes, constants={"s": np.array(0.5, np.float32)}, opset=21)
    model.graph.initializer.append(zero)
    with pytest.raises(CmcError, match="it rounds to float8_e4m3fn, which is no type of integers"):
        import_model(model)


def test_quantised_scalars_are_constants():
    """What an attention is scaled by has no axes."""
    scale, zero, three = np.array(0.5, np.float32), np.array(0, np.uint8), np.array(3, np.uint8)
    model = chain_model(
        [1, 4],
        node("QuantizeLinear", ["x", "half", "zero"], ["q"]),
        node("DequantizeLinear", ["q", "half", "zero"], ["d"]),
        node("DequantizeLinear", ["three", "half", "zero"], ["f"]),
        node("Mul", ["d", "f"], ["y"]),
        constants={"half": scale, "zero": zero, "three": three},
    )
    x = normal(3, 4, seed=1)
    found = evaluate(import_model(model), {"x": x})["y"]
    assert np.array_equal(found, Reference(model)({"x": x})["y"])


def test_a_bias_of_another_scale():
    """It is added after the factors then, to each channel."""
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("DequantizeLinear", ["w", "ws"], ["weights"]),
        node("DequantizeLinear", ["b", "bs"], ["bias"]),
        node("Conv", ["d", "weights", "bias"], ["y"]),
    ]
    constants: dict[str, Array] = {"s": np.array(0.1, np.float32), "z": np.array(3, np.uint8)}
    constants |= {"w": integers(2, 1, 2, 2), "ws": np.array(0.01, np.float32)}
    constants |= {"b": np.array([70, -90], np.int32), "bs": np.array(0.01, np.float32)}
    model = chain_model([1, 1, 4, 4], *nodes, constants=constants)
    x = normal(2, 1, 4, 4, seed=1)
    found = evaluate(import_model(model), {"x": x})["y"]
    np.testing.assert_allclose(found.reshape(2, -1), Reference(model)({"x": x})["y"], atol=1e-5)
