# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Operators whose elements sum up what comes before: in steps of 1, 2, 4…, as many as doublings."""

from collections.abc import Callable
from functools import partial

from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.importer.node import Node

Combine = Callable[[SSAValue, SSAValue], nn.TensorOp]


def import_scan(combine: Combine, neutral: float, node: Node) -> SSAValue:
    tensor, shape = node.tensor(0), node.shape(0)
    given = node.known_ints(1, "the axis")
    if given is None or len(given) != 1:
        raise node.error("there must be one axis")
    axis = node.axis(given[0], len(shape))
    backwards = bool(node.get_int("reverse", 0))
    tensor = _reversed(node, tensor, axis) if backwards else tensor
    if node.get_int("exclusive", 0):
        tensor = _shifted(node, tensor, axis, 1, neutral)
    step = 1
    while step < shape[axis]:
        before = _shifted(node, tensor, axis, step, neutral)
        tensor = node.emit(combine(tensor, before))
        step *= 2
    return _reversed(node, tensor, axis) if backwards else tensor


def _reversed(node: Node, tensor: SSAValue, axis: int) -> SSAValue:
    shape = nn.shape_of(tensor)
    starts, steps = [0] * len(shape), [1] * len(shape)
    starts[axis], steps[axis] = shape[axis] - 1, -1
    return node.emit(nn.SliceOp(tensor, starts, shape, steps))


def _shifted(node: Node, tensor: SSAValue, axis: int, by: int, value: float) -> SSAValue:
    """The elements so many places further on, behind as many of one value."""
    low, high = [0] * len(nn.shape_of(tensor)), [0] * len(nn.shape_of(tensor))
    low[axis], high[axis] = by, -by
    return node.emit(nn.PadOp(tensor, low, high, value))


OPERATORS: dict[str, Callable[[Node], SSAValue]] = {
    "CumProd": partial(import_scan, nn.MulOp, 1.0),
    "CumSum": partial(import_scan, nn.AddOp, 0.0),
}
