"""Residual networks of any size: pairs of 3x3 convolutions, the input added to the second."""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS = 16


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
