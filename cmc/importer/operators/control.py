# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Operators that choose what is computed, and how often: their graphs, in place of their nodes."""

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import numpy_helper
from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.importer.node import Node, Value, as_float32
from cmc.importer.quantized import as_tensor

LARGEST_UNROLLED = 4096
"""How many nodes the turns of a loop may have together."""

LARGEST_TURNS = 10**11
"""How many turns a loop may have on the host: of these each takes a microsecond or more."""


def import_if(node: Node) -> Sequence[Value]:
    """The branch that is taken; both where that depends on the image, and a choice of results."""
    if node.kind(0) == np.bool_ and isinstance(chosen := node.value(0), SSAValue):
        return _choose(node, chosen)
    condition = node.known(0, "the condition")
    if condition is None or condition.size != 1:
        raise node.error("the condition is not one truth value")
    branch = node.get_graph("then_branch" if condition.all() else "else_branch")
    return node.graph.inline(branch, results=node.proto.output)


def _choose(node: Node, condition: SSAValue) -> Sequence[Value]:
    """The results of one branch or the other, which are of the same shapes."""
    first, second = (
        node.graph.inline(node.get_graph(name), results=node.proto.output)
        for name in ("then_branch", "else_branch")
    )
    whole = [name for name in node.proto.output if node.graph.kind(name).kind in "iu"]
    node.reject(bool(whole), f"a choice of integers {whole} by what depends on the network's input")
    if np.prod(nn.shape_of(condition)) != 1:
        raise node.error("the condition is not one truth value")
    condition = node.emit(nn.ReshapeOp(condition, ()))
    results: list[Value] = []
    for one, other in zip(first, second, strict=True):
        if _shape(one) != _shape(other):
            raise node.error(
                f"its branches give shapes {list(_shape(one))} and {list(_shape(other))}, and the "
                "condition depends on the network's input"
            )
        results.append(
            node.emit(nn.WhereOp(condition, *(as_tensor(node, v) for v in (one, other))))
        )
    return results


def import_scan(node: Node) -> Sequence[Value]:
    """The graph for each element along an axis, which hands on its state."""
    node.reject(node.opset < 9, f"Scan of opset {node.opset}")
    body = node.get_graph("body")
    count = node.get_int("num_scan_inputs", 0)
    states = [node.value(index) for index in range(len(node) - count)]
    sequences = [node.value(index) for index in range(len(states), len(node))]
    axes = node.get_ints("scan_input_axes") or [0] * count
    axes = [
        node.axis(axis, len(_shape(value))) for axis, value in zip(axes, sequences, strict=True)
    ]
    lengths = {_shape(value)[axis] for axis, value in zip(axes, sequences, strict=True)}
    if len(lengths) != 1:
        raise node.error(f"its inputs have {sorted(lengths)} elements to go through")
    (length,) = lengths
    _check_turns(node, length, len(body.node))
    kinds = [node.graph.kind_of(name) for name in node.proto.input]
    backwards = node.get_ints("scan_input_directions") or [0] * count
    kept: list[list[Value]] = [[] for _ in range(len(body.output) - len(states))]
    for turn in range(length):
        parts = [
            _element(node, value, axis, length - 1 - turn if back else turn)
            for value, axis, back in zip(sequences, axes, backwards, strict=True)
        ]
        results = node.graph.inline(body, [*states, *parts], kinds, node.proto.output)
        states = list(results[: len(states)])
        for collected, value in zip(kept, results[len(states) :], strict=True):
            collected.append(value)
    ahead = node.get_ints("scan_output_axes") or [0] * len(kept)
    reverse = node.get_ints("scan_output_directions") or [0] * len(kept)
    stacked = [
        _stack(node, values[::-1] if back else values, axis)
        for values, axis, back in zip(kept, ahead, reverse, strict=True)
    ]
    return [*states, *stacked]


def import_loop(node: Node) -> Sequence[Value]:
    """The graph for each turn, of which there are as many as is known when compiling."""
    body = node.get_graph("body")
    most = node.known_ints(0, "the number of turns")
    known = node.known(1, "the condition")
    goes_on = True if known is None else bool(known.all())
    states = [node.value(index) for index in range(2, len(node))]
    carried = [node.graph.kind_of(name) for name in node.proto.input[2:]]
    kinds = [onnx.TensorProto.INT64, onnx.TensorProto.BOOL, *carried]
    kept: list[list[Value]] = [[] for _ in range(len(body.output) - 1 - len(states))]
    if most is not None and goes_on and _always_goes_on(body):
        if most[0] > LARGEST_TURNS:
            raise node.malformed(f"{most[0]:,} turns would take days, whoever computes them")
        _check_turns(node, most[0], len(body.node))
    turn = 0
    while goes_on and (most is None or turn < most[0]):
        _check_turns(node, turn + 1, len(body.node))
        inputs: list[Value] = [np.array(turn, np.int64), np.array(True), *states]
        condition, *results = node.graph.inline(body, inputs, kinds, ["", *node.proto.output])
        if isinstance(condition, SSAValue):
            raise node.error("how often it turns depends on the network's input")
        goes_on = bool(condition.all())
        states = list(results[: len(states)])
        for collected, value in zip(kept, results[len(states) :], strict=True):
            collected.append(value)
        turn += 1
    node.reject(turn == 0 and bool(kept), "a loop of no turns that collects values")
    return [*states, *(_stack(node, values, 0) for values in kept)]


def _always_goes_on(body: onnx.GraphProto) -> bool:
    """Whether a loop makes all of its turns: its condition is handed on, or a constant."""
    name = body.output[0].name
    for node in reversed(body.node):
        if name in node.output:
            if node.op_type == "Constant":
                return bool(numpy_helper.to_array(node.attribute[0].t).all())
            if node.op_type != "Identity":
                return False
            name = node.input[0]
    return name == body.input[1].name


def _check_turns(node: Node, turns: int, nodes: int) -> None:
    if turns * max(nodes, 1) > LARGEST_UNROLLED:
        raise node.error(
            f"{turns} turns of {nodes} nodes are more than {LARGEST_UNROLLED} nodes, and a loop "
            "becomes all of its turns"
        )


def _shape(value: Value) -> tuple[int, ...]:
    return nn.shape_of(value) if isinstance(value, SSAValue) else value.shape


def _element(node: Node, value: Value, axis: int, index: int) -> Value:
    """One element along an axis, without that axis."""
    if not isinstance(value, SSAValue):
        return np.asarray(value.take(index, axis))
    shape = nn.shape_of(value)
    chosen = node.emit(nn.GatherOp(value, axis, [index]))
    return node.emit(nn.ReshapeOp(chosen, (*shape[:axis], *shape[axis + 1 :])))


def _stack(node: Node, values: Sequence[Value], axis: int) -> Value:
    """The values along a new axis."""
    arrays = [value for value in values if not isinstance(value, SSAValue)]
    if len(arrays) == len(values):
        return np.stack(arrays, axis)
    shape = list(_shape(values[0]))
    axis = node.axis(axis, len(shape) + 1)
    shape.insert(axis, 1)
    parts = [
        node.emit(
            nn.ReshapeOp(
                value
                if isinstance(value, SSAValue)
                else node.emit_constant(as_float32(value, node, node.name)),
                shape,
            )
        )
        for value in values
    ]
    return node.emit(nn.ConcatOp(parts, axis))


OPERATORS: dict[str, Callable[[Node], Sequence[Value]]] = {
    "If": import_if,
    "Loop": import_loop,
    "Scan": import_scan,
}
