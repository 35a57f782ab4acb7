# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Operators that find elements: the largest, and where they are."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.importer.integers import one_hot, places
from cmc.importer.node import Node
from cmc.importer.operators.normalization import along_axis
from cmc.importer.operators.reductions import reduce_along, reduce_max

LARGEST_K = 64
"""How many of the largest elements are found one after the other."""


def place_of(
    node: Node, found: SSAValue, axis: int, *, last: bool = False, none: bool = False
) -> SSAValue:
    """The first place, or the last, along an axis where `found` is not 0; the axis keeps size 1.

    One behind the end, or before the start, where it is 0 everywhere.
    """
    shape = nn.shape_of(found)
    numbers = places(shape, axis)
    chosen = numbers if last else -numbers
    outside = node.emit_scalar(-1.0 if last else -float(shape[axis]))
    candidates = node.emit(nn.WhereOp(found, node.emit_constant(chosen), outside))
    place = reduce_along(reduce_max, node, candidates, [axis])
    return place if last else node.emit(nn.NegOp(place))


def _largest(node: Node, tensor: SSAValue, axis: int, *, last: bool = False) -> SSAValue:
    """The place of the largest element along an axis, which keeps size 1."""
    largest = reduce_along(reduce_max, node, tensor, [axis])
    return place_of(node, node.emit(nn.EqualOp(tensor, largest)), axis, last=last)


def import_arg(smallest: bool, node: Node) -> SSAValue:
    tensor, shape = node.tensor(0), node.shape(0)
    axis = node.axis(node.get_int("axis", 0), len(shape))
    if smallest:
        tensor = node.emit(nn.NegOp(tensor))
    place = _largest(node, tensor, axis, last=bool(node.get_int("select_last_index", 0)))
    if node.get_int("keepdims", 1):
        return place
    return node.emit(nn.ReshapeOp(place, (*shape[:axis], *shape[axis + 1 :])))


def import_hardmax(node: Node) -> SSAValue:
    def hardmax(tensor: SSAValue, axis: int) -> SSAValue:
        numbers = node.emit_constant(places(nn.shape_of(tensor), axis))
        return node.emit(nn.EqualOp(_largest(node, tensor, axis), numbers))

    return along_axis(node, hardmax)


def import_top_k(node: Node) -> Sequence[SSAValue | None]:
    """The largest element, then the largest of those that are left, and so on."""
    tensor, shape = node.tensor(0), node.shape(0)
    axis = node.axis(node.get_int("axis", -1), len(shape))
    if node.opset < 10:
        count = node.get_int("k", 0)
    else:
        (count,) = node.known_ints(1, "the number of elements") or [0]
    if not 1 <= count <= shape[axis]:
        raise node.error(f"there are no {count} largest of {shape[axis]} elements")
    if count > LARGEST_K:
        raise node.error(
            f"the {count} largest elements would be found one after the other, and the limit is "
            f"{LARGEST_K}: sort outside the network"
        )
    smallest = not node.get_int("largest", 1)
    node.get_int("sorted", 1)
    numbers = node.emit_constant(places(shape, axis))
    rest = node.emit(nn.NegOp(tensor)) if smallest else tensor
    values: list[SSAValue] = []
    found: list[SSAValue] = []
    left: SSAValue | None = None
    for _ in range(count):
        if left is not None:
            rest = node.emit(nn.WhereOp(left, rest, node.emit_scalar(-np.inf)))
        largest = reduce_along(reduce_max, node, rest, [axis])
        is_largest = node.emit(nn.EqualOp(rest, largest))
        if left is not None:
            is_largest = node.emit(nn.MinimumOp(is_largest, left))
        place = place_of(node, is_largest, axis)
        taken = node.emit(nn.EqualOp(numbers, place))
        others = node.emit(nn.SubOp(node.emit_scalar(1.0), taken))
        left = others if left is None else node.emit(nn.MinimumOp(left, others))
        values.append(largest)
        found.append(place)
    value = _joined(node, values, axis)
    value = node.emit(nn.NegOp(value)) if smallest else value
    results = [value, _joined(node, found, axis)]
    return [
        result if node.graph.is_used(name) else None
        for name, result in zip(node.proto.output, results, strict=False)
    ]


def _joined(node: Node, parts: Sequence[SSAValue], axis: int) -> SSAValue:
    return parts[0] if len(parts) == 1 else node.emit(nn.ConcatOp(parts, axis))


def import_one_hot(node: Node) -> SSAValue:
    """`on` at the place that an index names, counted from the end if it is negative."""
    indices, shape = node.tensor(0), node.shape(0)
    depth = node.known(1, "the depth")
    if depth is None or depth.size != 1:
        raise node.error("the depth is not one number")
    count = int(depth.reshape(-1)[0])
    axis = node.axis(node.get_int("axis", -1), len(shape) + 1)
    if node.kind(0).kind == "f":
        indices = node.emit(nn.TruncOp(indices))
    indices = node.emit(nn.ReshapeOp(indices, (*shape[:axis], 1, *shape[axis:])))
    hot = one_hot(node, indices, (*shape[:axis], count, *shape[axis:]), axis)
    off, on = (
        node.emit(nn.ReshapeOp(part, ()))
        for part in (node.emit(nn.SliceOp(node.tensor(2), [start], [1])) for start in range(2))
    )
    return node.emit(nn.WhereOp(hot, on, off))


OPERATORS: dict[str, Callable[[Node], SSAValue | Sequence[SSAValue | None]]] = {
    "ArgMax": partial(import_arg, False),
    "ArgMin": partial(import_arg, True),
    "Hardmax": import_hardmax,
    "OneHot": import_one_hot,
    "TopK": import_top_k,
}
