# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What ONNX itself says of a model: names that occur once, and nodes as their operators declare."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches

import onnx
from onnx.defs import OpSchema, SchemaError, get_all_schemas, get_schema, onnx_opset_version

from cmc.errors import CmcError, Malformed

NEWEST_OPSET = onnx_opset_version()
"""The newest that the installed onnx knows."""


def node_name(node: onnx.NodeProto) -> str:
    """The name of a node, or that of its first result where it has none."""
    return node.name or next(filter(None, node.output), "")


def describe_node(node: onnx.NodeProto) -> str:
    """A node as an error names it."""
    return f"{node.op_type} node {node_name(node)!r}"


def malformed(node: onnx.NodeProto, message: str, within: str = "") -> Malformed:
    """An error about a node for whoever would compute it."""
    return Malformed(message, describe_node(node) + within, node_name(node))


def undefined(name: str) -> str:
    """What is wrong with a name that a node reads, and nothing gives it."""
    return f"{name!r} is used before any node or input defines it"


def check_names(graph: onnx.GraphProto) -> None:
    """CmcError if inputs, outputs, arrays or results share a name, or an input has none."""
    if not all(info.name for info in graph.input):
        raise CmcError("an input of the model has no name: give it one")
    _check_once((info.name for info in graph.input), "inputs of the model")
    _check_once((info.name for info in graph.output), "outputs of the model")
    _check_once((tensor.name for tensor in graph.initializer), "arrays of the model")
    sources = {info.name: "an input of the model" for info in graph.input}
    sources |= {tensor.name: "an array of the model" for tensor in graph.initializer}
    for node in graph.node:
        where = describe_node(node)
        for name in filter(None, node.output):
            if name in sources:
                raise CmcError(
                    f"it writes {name!r}, which {sources[name]} is already: rename one of them",
                    where,
                )
            sources[name] = f"a result of {where}"


def check_nodes(
    nodes: Iterable[onnx.NodeProto],
    opsets: Mapping[str, int],
    known: Collection[str],
    within: str = "",
) -> None:
    """Malformed if nodes are not what `check_node` wants, or nodes of graphs in them.

    Or if one reads what nothing before it defines, and is none of those `known`.
    """
    known = set(known)
    for node in nodes:
        for name in filter(None, node.input):
            if name not in known:
                raise malformed(node, undefined(name), within)
        check_node(node, opsets.get(node.domain, 0))
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                _check_graph(graph, opsets, known, describe_node(node))
        known.update(node.output)


def _check_graph(
    graph: onnx.GraphProto, opsets: Mapping[str, int], outer: Collection[str], where: str
) -> None:
    known = {*outer, *(info.name for info in graph.input)}
    known.update(tensor.name for tensor in graph.initializer)
    check_nodes(graph.node, opsets, known, f" in {where}")
    known.update(name for node in graph.node for name in node.output)
    for info in graph.output:
        if info.name not in known:
            raise Malformed("no node or input defines it", f"output {info.name!r} in {where}")


def check_node(node: onnx.NodeProto, opset: int) -> None:
    """Malformed if a node has attributes, inputs or outputs that its operator does not have.

    Or if it lacks some that its operator needs. The operators that ONNX does not know are for
    others to refuse.
    """
    domain = "" if node.domain == "ai.onnx" else node.domain
    try:
        schema = get_schema(node.op_type, opset, domain)
    except SchemaError:
        return
    try:
        _check_node(node, schema, opset)
    except CmcError as error:
        raise malformed(node, error.message) from None


def missing_operator(op_type: str, opset: int) -> str | None:
    """What is wrong with an operator that ONNX itself does not have in an opset."""
    try:
        get_schema(op_type, opset)
    except SchemaError:
        names = {schema.name for schema in get_all_schemas() if not schema.domain}
        close = get_close_matches(op_type, names, 1)
        if op_type in names:
            hint = ", but has in a later one"
        else:
            hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"ONNX has no operator {op_type!r} in opset {opset}{hint}"
    return None


def _check_node(node: onnx.NodeProto, schema: OpSchema, opset: int) -> None:
    _check_once((attribute.name for attribute in node.attribute), "attributes of the node")
    for attribute in node.attribute:
        if attribute.name not in schema.attributes:
            raise CmcError(_unknown_attribute(attribute.name, schema, opset))
    given = {attribute.name for attribute in node.attribute}
    for name, attribute in schema.attributes.items():
        if attribute.required and name not in given:
            raise CmcError(f"attribute {name!r} is missing")
    for what, given, most in (
        ("inputs", len(node.input), schema.max_input),
        ("outputs", len(node.output), schema.max_output),
    ):
        if given > most:
            raise CmcError(f"the operator has at most {most} {what} in opset {opset}, not {given}")
    for index in range(max(len(node.input), schema.min_input)):
        parameter = schema.inputs[min(index, len(schema.inputs) - 1)]
        absent = index >= len(node.input) or not node.input[index]
        if absent and parameter.option != OpSchema.FormalParameterOption.Optional:
            raise CmcError(f"input {index} is missing")


def result_kind(node: onnx.NodeProto, opset: int, index: int, kind_of: Callable[[str], int]) -> int:
    """The type of the elements of a result, as ONNX numbers them; 0 where that is not known."""
    for attribute in node.attribute:
        if attribute.name in ("to", "dtype", "output_dtype") and attribute.i:
            return attribute.i
    try:
        schema = get_schema(node.op_type, opset, node.domain)
    except SchemaError:
        return 0
    wanted = schema.outputs[min(index, len(schema.outputs) - 1)].type_str
    for position, name in enumerate(node.input):
        parameter = schema.inputs[min(position, len(schema.inputs) - 1)]
        if name and parameter.type_str == wanted:
            return kind_of(name)
    if wanted.startswith("tensor("):
        allowed = [wanted]
    else:
        constraints = {one.type_param_str: one.allowed_type_strs for one in schema.type_constraints}
        allowed = list(constraints.get(wanted, ()))
    return _NUMBERS.get(allowed[0], 0) if len(allowed) == 1 else 0


_NUMBERS = {f"tensor({name.lower()})": number for name, number in onnx.TensorProto.DataType.items()}
"""What ONNX calls the types of elements in operators' declarations."""


def _unknown_attribute(name: str, schema: OpSchema, opset: int) -> str:
    close = get_close_matches(name, schema.attributes, 1)
    known = ", ".join(sorted(schema.attributes)) or "none"
    hint = f"did you mean {close[0]!r}?" if close else f"there is {known}"
    return f"the operator has no attribute {name!r} in opset {opset}; {hint}"


def _check_once(names: Iterable[str], what: str) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise CmcError(f"{count} {what} have the name {name!r}: rename all but one of them")
