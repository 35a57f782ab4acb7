# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What ONNX infers of the types and shapes of tensors that are not translated."""

from collections.abc import Mapping
from contextlib import suppress
from math import prod

import onnx
from onnx import TensorProto, TypeProto, ValueInfoProto, helper, numpy_helper
from onnx.defs import get_schema
from onnx.shape_inference import infer_node_outputs, infer_shapes

from cmc.host.evaluator import types_by_onnxruntime
from cmc.importer.graph import live_nodes
from cmc.importer.load import Array, Model
from cmc.importer.schema import check_nodes

_SMALL = 1024
"""The most elements of an array that may say what shape another one has."""

Types = Mapping[str, TypeProto]


def infer_values(model: Model, inputs: Types) -> dict[str, TypeProto]:
    """The types of the tensors of a model whose inputs are of those types, as far as known.

    Malformed for nodes that are not as their operators declare: onnx does not get over some.
    """
    proto = model.proto
    nodes, _ = live_nodes(proto.graph)
    check_nodes(nodes, model.opsets, {*inputs, *model.initializers})
    bare = onnx.ModelProto(ir_version=proto.ir_version, opset_import=proto.opset_import)
    graph = bare.graph
    graph.name = "types"
    graph.node.extend(nodes)
    graph.input.extend(ValueInfoProto(name=name, type=one) for name, one in inputs.items())
    graph.value_info.extend(proto.graph.value_info)
    for tensor in proto.graph.initializer:
        if prod(tensor.dims) <= _SMALL and not tensor.external_data:
            graph.initializer.append(tensor)
        else:
            info = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            graph.input.append(info)
    graph.output.extend(_undimensioned(info) for info in proto.graph.output)
    # To know the data is to list all of a Range, whatever its length.
    lists = any(node.op_type == "Range" for node in nodes)
    with suppress(Exception):  # onnx's C++ side raises several types
        graph = infer_shapes(bare, data_prop=not lists).graph
    return {info.name: info.type for info in (*graph.value_info, *graph.output)}


def infer_node(
    model: Model,
    node: onnx.NodeProto,
    types: Types,
    arrays: Mapping[str, Array | None],
    inferred: Types,
) -> dict[str, TypeProto]:
    """The types of a node's results, from those of what it reads, or else from `inferred`.

    That of a result of which nothing is known is empty.
    """
    domain = "" if node.domain == "ai.onnx" else node.domain
    version = model.opsets.get(domain, 0)
    found: Mapping[str, TypeProto] = {}
    known = {name: types[name] for name in filter(None, node.input)}
    data = {
        name: numpy_helper.from_array(array, name)
        for name, array in arrays.items()
        if array is not None and array.size <= _SMALL and name in known
    }
    with suppress(Exception):  # onnx's C++ side raises several types
        found = infer_node_outputs(
            get_schema(node.op_type, version, domain),
            node,
            dict(known),
            data,
            opset_imports=list(model.proto.opset_import),
        )
    if not found and domain:
        found = types_by_onnxruntime(_alone(model, node, known, arrays))
    return {
        name: _better(found.get(name, TypeProto()), inferred.get(name, TypeProto()))
        for name in filter(None, node.output)
    }


def _alone(
    model: Model, node: onnx.NodeProto, known: Types, arrays: Mapping[str, Array | None]
) -> onnx.ModelProto:
    """A model of one node."""
    held = {name: array for name, array in arrays.items() if array is not None}
    graph = helper.make_graph(
        [node],
        "node",
        [ValueInfoProto(name=n, type=one) for n, one in known.items() if n not in held],
        [ValueInfoProto(name=name) for name in filter(None, node.output)],
        [numpy_helper.from_array(array, name) for name, array in held.items()],
    )
    proto = model.proto
    return helper.make_model(graph, opset_imports=proto.opset_import, ir_version=proto.ir_version)


def static_shape(type_: TypeProto) -> tuple[int, ...] | None:
    """The shape of a tensor if all of it is known."""
    if not type_.tensor_type.HasField("shape"):
        return None
    dims = type_.tensor_type.shape.dim
    if not all(dim.HasField("dim_value") and dim.dim_value >= 0 for dim in dims):
        return None
    return tuple(dim.dim_value for dim in dims)


def _better(one: TypeProto, other: TypeProto) -> TypeProto:
    """That of two types of one tensor which says more."""
    if one.WhichOneof("value") is None:
        return other
    if static_shape(one) is None and static_shape(other) is not None:
        return other
    return one


def _undimensioned(info: ValueInfoProto) -> ValueInfoProto:
    """A declaration without its shape, which may be what the author wished for."""
    result = ValueInfoProto()
    result.CopyFrom(info)
    if result.type.HasField("tensor_type") and result.type.tensor_type.elem_type:
        result.type.tensor_type.ClearField("shape")
    elif result.type.tensor_type.elem_type == TensorProto.UNDEFINED:
        result.ClearField("type")
    return result
