# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Operators that ONNX itself defines by others: their bodies, in place of their nodes."""

from collections.abc import Mapping, Sequence
from typing import Protocol, cast

import onnx
from onnx import TypeProto, helper
from onnx.defs import OpSchema, SchemaError, get_schema
from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.importer.node import Node


class _Schema(Protocol):
    """What onnx knows of an operator, as far as its bodies need it."""

    @property
    def attributes(self) -> Mapping[str, OpSchema.Attribute]: ...
    @property
    def function_opset_versions(self) -> Sequence[int]: ...
    @property
    def context_dependent_function_opset_versions(self) -> Sequence[int]: ...
    def get_function_with_opset_version(self, version: int, /) -> bytes: ...
    def get_context_dependent_function_with_opset_version(
        self, version: int, node: bytes, types: Sequence[bytes], /
    ) -> bytes: ...


def expand(node: Node) -> tuple[onnx.GraphProto, int] | None:
    """The nodes that compute what `node` does, and their opset; None if ONNX has no body for it.

    They read and write what the node does. All other names begin with the node's.
    """
    domain = node.proto.domain
    version = node.graph.model.opsets.get(domain, 0) if domain else node.opset
    try:
        schema = cast(_Schema, get_schema(node.op_type, version, domain))
    except SchemaError:
        return None
    versions = schema.function_opset_versions
    dependent = schema.context_dependent_function_opset_versions
    if not versions and not dependent:
        return None
    chosen = _closest(versions or dependent, version)
    function = onnx.FunctionProto()
    if versions:
        function.ParseFromString(schema.get_function_with_opset_version(chosen))
    else:
        function.ParseFromString(
            schema.get_context_dependent_function_with_opset_version(
                chosen, node.proto.SerializeToString(), _types(node)
            )
        )
    opsets = {entry.domain: entry.version for entry in function.opset_import}
    return _graph(node, schema, function), opsets.get("", node.opset) if domain else chosen


def _closest(versions: Sequence[int], opset: int) -> int:
    """The newest of the versions that is not newer than the model, or the oldest."""
    return max((version for version in versions if version <= opset), default=min(versions))


def _types(node: Node) -> list[bytes]:
    """The types of the node's inputs."""
    types: list[TypeProto] = []
    for index in range(len(node)):
        if not node.has_input(index):
            types.append(TypeProto())
            continue
        value = node.value(index)
        shape = nn.shape_of(value) if isinstance(value, SSAValue) else value.shape
        element = helper.np_dtype_to_tensor_dtype(node.kind(index))
        types.append(helper.make_tensor_type_proto(element, shape))
    return [type_.SerializeToString() for type_ in types]


def _graph(node: Node, schema: _Schema, function: onnx.FunctionProto) -> onnx.GraphProto:
    names = {"": ""}
    for formal, actual in (
        (function.input, node.proto.input),
        (function.output, node.proto.output),
    ):
        padded = [*actual, *[""] * (len(formal) - len(actual))]
        names |= {name: given for name, given in zip(formal, padded, strict=False)}
    given = {attribute.name: attribute for attribute in node.proto.attribute}
    defaults = {
        name: attribute.default_value
        for name, attribute in schema.attributes.items()
        if attribute.default_value.name
    }
    graph = onnx.GraphProto()
    for inner in function.node:
        graph.node.append(_bound(inner, {**defaults, **given}, names, node.name))
    wanted = [name for name in node.proto.output if node.graph.is_used(name)]
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    return graph


def _bound(
    node: onnx.NodeProto,
    attributes: dict[str, onnx.AttributeProto],
    names: dict[str, str],
    prefix: str,
) -> onnx.NodeProto:
    """A node of a body with the names and attributes of the node that it stands for."""
    result = onnx.NodeProto()
    result.CopyFrom(node)
    result.name = f"{prefix}/{node.name or node.output[0]}"
    del result.input[:], result.output[:], result.attribute[:]
    result.input.extend(names.get(name, f"{prefix}/{name}") for name in node.input)
    result.output.extend(names.get(name) or f"{prefix}/{name}" for name in node.output)
    for attribute in node.attribute:
        bound = onnx.AttributeProto()
        bound.CopyFrom(attribute)
        if attribute.ref_attr_name:
            if attribute.ref_attr_name not in attributes:
                continue
            bound.CopyFrom(attributes[attribute.ref_attr_name])
            bound.name = attribute.name
        if attribute.HasField("g"):
            bound.g.CopyFrom(_bound_graph(attribute.g, attributes, names, prefix))
        result.attribute.append(bound)
    return result


def _bound_graph(
    graph: onnx.GraphProto,
    attributes: dict[str, onnx.AttributeProto],
    names: dict[str, str],
    prefix: str,
) -> onnx.GraphProto:
    """A graph within a node of a body, in which the same names stand for the same."""
    result = onnx.GraphProto()
    result.CopyFrom(graph)
    del result.node[:]
    result.node.extend(_bound(node, attributes, names, prefix) for node in graph.node)
    for value in (*result.input, *result.output, *result.initializer):
        value.name = names.get(value.name, f"{prefix}/{value.name}")
    return result
