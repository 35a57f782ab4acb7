# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Residual networks of any size: pairs of 3x3 convolutions, the input added to the second."""

from collections.abc import Sequence
from math import prod

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS = 16


def resnet18(side: int) -> onnx.ModelProto:
    """The residual network of 18 layers on images of `side` by `side` pixels, random weights.

    Batch normalisation is part of the convolutions.
    """
    random = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []

    def node(op: str, *values: str, **attributes: int | Sequence[int]) -> str:
        name = f"{op.lower()}{len(nodes)}"
        made = helper.make_node(op, list(values), [name], name)
        made.attribute.extend(helper.make_attribute(key, n) for key, n in attributes.items())
        nodes.append(made)
        return name

    def weighted(
        op: str, value: str, shape: Sequence[int], **attributes: int | Sequence[int]
    ) -> str:
        array = (
            random.standard_normal(shape).astype(np.float32) / np.float32(prod(shape[1:])) ** 0.5
        )
        arrays = {f"weight{len(nodes)}": array, f"bias{len(nodes)}": np.zeros(shape[0], np.float32)}
        weights.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
        return node(op, value, *arrays, **attributes)

    def convolution(value: str, into: int, out: int, kernel: int, stride: int = 1) -> str:
        pads, strides = [kernel // 2] * 4, [stride] * 2
        return weighted("Conv", value, (out, into, kernel, kernel), pads=pads, strides=strides)

    value = node("Relu", convolution("image", 3, 64, 7, 2))
    value = node("MaxPool", value, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    channels = 64
    for out in (64, 128, 256, 512):
        for stride in (1 if out == 64 else 2, 1):
            shortcut = value if stride == 1 else convolution(value, channels, out, 1, 2)
            first = node("Relu", convolution(value, channels, out, 3, stride))
            value = node("Relu", node("Add", convolution(first, out, out, 3), shortcut))
            channels = out
    value = node("Flatten", node("GlobalAveragePool", value))
    value = weighted("Gemm", value, (1000, 512), transB=1)
    graph = helper.make_graph(
        nodes,
        "resnet18",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, [1, 1000])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def residual_network(side: int, pairs: Sequence[int]) -> onnx.ModelProto:
    """Groups of residual pairs on images of `side` by `side` pixels and 16 channels.

    `pairs` has the number of pairs of each group; every group after the first begins with a
    convolution of stride 2.
    """
    random = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []

    def convolution(value: str, stride: int = 1) -> str:
        name = f"conv{len(weights)}"
        array = random.standard_normal((CHANNELS, CHANNELS, 3, 3), np.float32) / 12
        weights.append(numpy_helper.from_array(array, f"{name}.weight"))
        nodes.append(
            helper.make_node(
                "Conv",
                [value, f"{name}.weight"],
                [name],
                name,
                kernel_shape=[3, 3],
                pads=[1, 1, 1, 1],
                strides=[stride, stride],
            )
        )
        return name

    def relu(value: str) -> str:
        nodes.append(helper.make_node("Relu", [value], [f"{value}.relu"]))
        return f"{value}.relu"

    value = "image"
    for group, count in enumerate(pairs):
        if group:
            value = relu(convolution(value, 2))
            side = -(-side // 2)
        for _ in range(count):
            second = convolution(relu(convolution(value)))
            nodes.append(helper.make_node("Add", [second, value], [f"{second}.sum"]))
            value = f"{second}.sum"
    first = side << (len(pairs) - 1)
    shape = [1, CHANNELS, first, first]
    graph = helper.make_graph(
        nodes,
        "residual",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, [1, CHANNELS, side, side])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
