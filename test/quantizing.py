# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Small networks of kinds that are quantised, and what onnxruntime's quantizer makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, helper

from onnx_models import Array, Attribute, chain_model, int64, normal

SHAPE = (1, 3, 8, 8)
"""That of the images of all networks."""


class Builder:
    """A network in the making: its nodes, and its constants."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, Array] = {}

    def add(self, op_type: str, inputs: str, result: str, **attributes: Attribute) -> None:
        """A node of inputs with names between blanks, which has the name of its result."""
        one = helper.make_node(op_type, inputs.split(" "), [result], f"{result}_node")
        one.attribute.extend(helper.make_attribute(*entry) for entry in attributes.items())
        self.nodes.append(one)

    def conv(self, source: str, result: str, shape: tuple[int, ...], stride: int = 1) -> None:
        """A convolution of weights of that shape; depthwise if they are of one channel."""
        number, kernel = len(self.constants), shape[2]
        self.constants[f"{result}_w"] = normal(*shape, seed=number) * np.float32(0.3)
        self.constants[f"{result}_b"] = normal(shape[0], seed=number + 1) * np.float32(0.1)
        self.add(
            "Conv",
            f"{source} {result}_w {result}_b",
            result,
            kernel_shape=[kernel, kernel],
            pads=[kernel // 2] * 4,
            strides=[stride, stride],
            group=shape[0] if shape[1] == 1 else 1,
        )

    def model(self) -> onnx.ModelProto:
        """From `x` to `y`."""
        return chain_model(SHAPE, *self.nodes, constants=self.constants, opset=17)


def residual() -> onnx.ModelProto:
    """Two blocks with shortcuts, the second of which halves the image."""
    net = Builder()
    net.conv("x", "a", (4, 3, 3, 3))
    net.add("Relu", "a", "b")
    net.conv("b", "c", (4, 4, 3, 3))
    net.add("Add", "b c", "d")
    net.add("Relu", "d", "e")
    net.conv("e", "f", (6, 4, 3, 3), 2)
    net.conv("e", "g", (6, 4, 1, 1), 2)
    net.add("Add", "f g", "h")
    net.add("Relu", "h", "i")
    net.add("GlobalAveragePool", "i", "j")
    net.add("Flatten", "j", "k")
    net.constants |= {"fc_w": normal(5, 6), "fc_b": normal(5)}
    net.add("Gemm", "k fc_w fc_b", "y", transB=1)
    return net.model()


def depthwise() -> onnx.ModelProto:
    """A convolution of each channel between two of pixels, as mobile networks have."""
    net = Builder()
    net.constants |= {"zero": np.zeros((), np.float32), "six": np.array(6, np.float32)}
    net.conv("x", "a", (4, 3, 3, 3), 2)
    net.add("Clip", "a zero six", "b")
    net.conv("b", "c", (8, 4, 1, 1))
    net.add("Clip", "c zero six", "d")
    net.conv("d", "e", (8, 1, 3, 3))
    net.add("Clip", "e zero six", "f")
    net.conv("f", "g", (4, 8, 1, 1))
    net.add("Add", "b g", "h")
    net.add("Flatten", "h", "i")
    net.constants["fc_w"] = normal(64, 5) * np.float32(0.2)
    net.add("MatMul", "i fc_w", "y")
    return net.model()


def mixed() -> onnx.ModelProto:
    """Concatenated branches of two sizes, and attention among the pixels of what follows."""
    net = Builder()
    net.conv("x", "a", (4, 3, 3, 3), 2)
    net.add("Sigmoid", "a", "b")
    net.add("Mul", "a b", "c")
    net.add("MaxPool", "c", "d", kernel_shape=[2, 2], strides=[2, 2])
    net.constants["scales"] = np.array([1, 1, 2, 2], np.float32)
    net.add("Resize", "d  scales", "e", mode="nearest", nearest_mode="floor")
    net.add("Concat", "c e", "f", axis=1)
    net.conv("f", "g", (4, 8, 3, 3))
    net.add("LeakyRelu", "g", "h", alpha=0.1)
    net.add("MaxPool", "h", "i", kernel_shape=[2, 2], strides=[2, 2])
    net.constants["shape"] = int64(1, 4, 4)
    net.add("Reshape", "i shape", "j")
    net.add("Transpose", "j", "k", perm=[0, 2, 1])
    for name in ("query", "key"):
        net.constants[f"{name}_w"] = normal(4, 4, seed=len(name))
        net.add("MatMul", f"k {name}_w", name)
    net.add("Transpose", "key", "l", perm=[0, 2, 1])
    net.add("MatMul", "query l", "m")
    net.add("Softmax", "m", "n", axis=-1)
    net.add("MatMul", "n k", "y")
    return net.model()


NETWORKS = {make.__name__: make for make in (residual, depthwise, mixed)}


def quantized(
    model: onnx.ModelProto,
    folder: Path,
    *,
    format: str = "QDQ",
    per_channel: bool = False,
    activations: str = "QUInt8",
    weights: str = "QInt8",
    symmetric: bool = False,
) -> onnx.ModelProto:
    """`model` with the ranges of a few images; `format` is QDQ, QOperator or dynamic."""
    pytest.importorskip("onnxruntime")
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )

    class Images(CalibrationDataReader):
        def __init__(self) -> None:
            self.images = iter([normal(*SHAPE, seed=seed) for seed in range(4)])

        def get_next(self):
            image = next(self.images, None)
            return None if image is None else {"x": image}

    source, target = folder / "float.onnx", folder / "quantized.onnx"
    source.write_bytes(model.SerializeToString())
    kind = QuantType[weights]
    if format == "dynamic":
        quantize_dynamic(source, target, per_channel=per_channel, weight_type=kind)
    else:
        quantize_static(
            source,
            target,
            Images(),
            QuantFormat[format],
            per_channel=per_channel,
            activation_type=QuantType[activations],
            weight_type=kind,
            extra_options={"ActivationSymmetric": symmetric},
        )
    return onnx.load_model_from_string(target.read_bytes())
