# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a network is an example of, so that a test can tell when a kind is no longer drawn."""

from collections import Counter
from collections.abc import Iterator
from math import prod

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, NodeProto, helper, numpy_helper
from onnx.shape_inference import infer_shapes

from networks.joins import Residual
from networks.network import Network

Constants = dict[str, npt.NDArray[np.float32] | npt.NDArray[np.int64]]
Shapes = dict[str, tuple[int, ...]]

RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")


def kinds(network: Network) -> set[str]:
    """The names of all that the network is an example of: its operators, and special uses."""
    graph = infer_shapes(network.model).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    shapes = {
        value.name: tuple(size.dim_value or 1 for size in value.type.tensor_type.shape.dim)
        for value in (*graph.input, *graph.value_info, *graph.output)
        if value.name not in constants
    }
    found = {*_of_recipe(network), *_of_paths(graph, shapes)}
    for node in graph.node:
        found |= {node.op_type, *_of_attributes(node), *_of_operands(node, constants, shapes)}
    return found


def _of_recipe(network: Network) -> Iterator[str]:
    yield f"opset {network.opset}"
    yield "open batch" if network.open_batch else "batch of 1"
    yield f"input of rank {len(network.shape)}"
    if network.shape[2:] == (1, 1):
        yield "single pixel"
    for step in network.steps:
        if isinstance(step, Residual):
            yield f"residual by {step.shortcut}"


def _of_paths(graph: GraphProto, shapes: Shapes) -> Iterator[str]:
    """`shapes` holds all tensors that are not constants."""
    makers = {node.output[0]: node.op_type for node in graph.node}
    reads = Counter(name for node in graph.node for name in set(node.input))
    if len(graph.input) > 1:
        yield "two inputs"
    if len(graph.output) > 1:
        yield "two outputs"
    if any(reads[name] > 1 for name in shapes):
        yield "fork"
    for value in graph.output:
        if reads[value.name]:
            yield "output that is read on"
        if makers[value.name] in RESHAPES:
            yield "output that is a reshape"


def _of_attributes(node: NodeProto) -> Iterator[str]:
    values = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    if "auto_pad" in values:
        auto_pad: str = values["auto_pad"].decode()
        yield f"{auto_pad} {node.op_type}"
        yield f"{auto_pad.partition('_')[0]} {node.op_type}"
    if 3 in values.get("strides", ()):
        yield f"stride 3 {node.op_type}"
    if max(values.get("dilations", (1,))) > 1:
        yield f"dilated {node.op_type}"
    if "mode" in values:
        yield f"{values['mode'].decode()} {node.op_type}"
    for name in ("ceil_mode", "count_include_pad", "transB"):
        if values.get(name):
            yield f"{name} {node.op_type}"
    if node.op_type == "Gemm" and values["alpha"] != 1:
        yield "scaled Gemm"
    if values.get("group", 1) > 1:
        yield f"grouped {node.op_type}"
    if "pads" in values:
        low, high = np.array(values["pads"]).reshape(2, -1)
        dilations = np.array(values.get("dilations", [1] * len(low)))
        reach = (np.array(values["kernel_shape"]) - 1) * dilations
        if np.any(low != high):
            yield f"asymmetric {node.op_type}"
        if np.any(low > reach) or np.any(high > reach + np.array(values["strides"])):
            yield f"{node.op_type} window in the padding"


def _of_operands(node: NodeProto, constants: Constants, shapes: Shapes) -> Iterator[str]:
    operands = [shapes[name] for name in node.input if name in shapes]
    if node.op_type == "Conv":
        weight = constants[node.input[1]].shape
        yield f"{len(weight) - 2}-D Conv"
        if weight[1] == 1 and operands[0][1] > 1:
            yield "depthwise Conv"
    elif node.op_type == "MatMul" and len(operands[0]) == 3:
        yield "MatMul over tokens"
    elif node.op_type == "Mul" and any(prod(shape[2:]) == 1 for shape in operands):
        if len(operands) == 2 and operands[0] != operands[1]:
            yield "Mul by a number per channel"
    elif node.op_type == "Pad" and constants[node.input[1]].min() < 0:
        yield "cropping Pad"
    elif node.op_type == "Slice" and constants[node.input[4]].min() < 0:
        yield "backward Slice"
