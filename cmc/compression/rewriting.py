# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""An ONNX network in which two nodes of lower rank take the place of one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, cycle

import onnx
from onnx import helper, numpy_helper

from cmc.compression.matrices import Constants, Form, Weights
from cmc.importer.graph import names_read
from cmc.importer.load import Array, Model
from cmc.importer.schema import node_name

Pair = tuple[Weights, Form, tuple[Array, Array]]
"""Weights, and by a form of theirs those of the two nodes in the place of each that has them."""

_FREE_ARRAYS = 4
"""The version of ONNX's IR from which on arrays need not be declared as inputs as well."""


def rewritten(model: Model, constants: Constants, pairs: Sequence[Pair]) -> onnx.ModelProto:
    """The network with two nodes in the place of each node that has one of the weights.

    The second has the name, the bias and the outputs of the one. Weights that nobody reads any
    more are gone, and so are the nodes that made them.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model.proto)
    graph, taken = result.graph, _names(model.proto.graph)
    nodes = [[node] for node in model.proto.graph.node]
    for weights, form, arrays in pairs:
        names = [_free(f"{weights.name}_{which}", taken) for which in ("left", "right")]
        for name, array in zip(names, arrays, strict=True):
            graph.initializer.append(numpy_helper.from_array(array, name))
            if result.ir_version < _FREE_ARRAYS:
                type_ = helper.np_dtype_to_tensor_dtype(array.dtype)
                graph.input.append(helper.make_tensor_value_info(name, type_, array.shape))
        for number in weights.nodes:
            (node,) = nodes[number]
            nodes[number] = _two(node, form, form.kernels(weights.array.shape), names, taken)
    del graph.node[:]
    graph.node.extend(node for some in nodes for node in some)
    _drop_unread(graph, constants)
    return result


def _two(
    node: onnx.NodeProto,
    form: Form,
    kernels: tuple[Sequence[int], Sequence[int]],
    names: Sequence[str],
    taken: set[str],
) -> list[onnx.NodeProto]:
    """The nodes in the place of one: the first gives what lies between, of as few channels as the
    rank, and the second has all the rest."""
    first, second = onnx.NodeProto(), onnx.NodeProto()
    second.CopyFrom(node)
    between = _free(f"{node.output[0]}_between", taken)
    if form.kind in ("Conv", "ConvTranspose"):
        first.CopyFrom(node)
        del first.input[2:]
        second.op_type = "Conv"
        own = [axis in form.axes for axis in range(len(kernels[0]))]
        _restrict(first, kernels[0], own)
        _restrict(second, kernels[1], [not has for has in own])
    else:
        first.op_type = "MatMul"
        first.input.extend(node.input[:2])
    at = 0 if form.kind == "on the left" else 1
    first.name = _free(f"{node_name(node)}_left", taken)
    first.input[at], second.input[at] = names
    second.input[1 - at] = between
    del first.output[:]
    first.output.append(between)
    return [first, second]


def _restrict(node: onnx.NodeProto, kernel: Sequence[int], own: Sequence[bool]) -> None:
    """Give a convolution a kernel, and of what it does along axes what it does along its own."""
    for number in reversed(range(len(node.attribute))):
        attribute = node.attribute[number]
        if attribute.name == "kernel_shape":
            attribute.ints[:] = kernel
        elif attribute.name in _NOTHING:
            nothing = _NOTHING[attribute.name]
            numbers = zip(attribute.ints, cycle(own), strict=False)
            attribute.ints[:] = [n if has else nothing for n, has in numbers]
        elif attribute.name != "group" and not any(own):
            del node.attribute[number]


_NOTHING = {"strides": 1, "dilations": 1, "pads": 0}
"""The attributes with a number for each axis, and which of them does nothing."""


def _names(graph: onnx.GraphProto) -> set[str]:
    """The names of all values and nodes, those of graphs within nodes too."""
    names = {value.name for value in (*graph.input, *graph.output, *graph.initializer)}
    for node in graph.node:
        names |= {node.name, *node.input, *node.output}
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                names |= _names(inner)
    return names


def _free(name: str, taken: set[str]) -> str:
    """The name, or one like it, that nothing has yet; it is taken then."""
    chosen = next(one for n in count() if (one := f"{name}_{n}" if n else name) not in taken)
    taken.add(chosen)
    return chosen


def _drop_unread(graph: onnx.GraphProto, constants: Constants) -> None:
    """Drop constants that nobody reads: arrays, and the nodes that make others of them."""
    read = {info.name for info in graph.output}
    for number in reversed(range(len(graph.node))):
        node = graph.node[number]
        made = set(filter(None, node.output))
        if made & read or not all(name in constants for name in made):
            read |= names_read(node)
        else:
            del graph.node[number]
    gone = {tensor.name for tensor in graph.initializer} - read
    for field in (graph.initializer, graph.input, graph.value_info):
        for number in reversed(range(len(field))):
            if field[number].name in gone:
                del field[number]
