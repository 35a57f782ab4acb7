"""Reductions over axes, as pools."""

from collections.abc import Callable
from functools import partial
from math import prod

from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.importer.node import Node
from cmc.window import Window

Pool = Callable[[SSAValue, Window], nn.TensorOp]


def import_reduction(make: Pool, axes_are_inputs_since: int, node: Node) -> SSAValue:
    return _reduce(make, axes_are_inputs_since, node, node.tensor(0))


def _reduce(make: Pool, axes_are_inputs_since: int, node: Node, tensor: SSAValue) -> SSAValue:
    """A pool whose window is all of the axes that the node reduces."""
    shape = nn.shape_of(tensor)
    given = node.ints("axes", 1, axes_are_inputs_since)
    if node.get_int("noop_with_empty_axes", 0) and not given:
        return tensor
    axes = sorted(node.axes(given or range(len(shape)), len(shape)))
    pooled = _pool(make, node, tensor, axes)
    kept = [1 if axis in axes else size for axis, size in enumerate(shape)]
    if not node.get_int("keepdims", 1):
        kept = [size for axis, size in enumerate(shape) if axis not in axes]
    return pooled if nn.shape_of(pooled) == tuple(kept) else node.emit(nn.ReshapeOp(pooled, kept))


def _pool(make: Pool, node: Node, tensor: SSAValue, axes: list[int]) -> SSAValue:
    shape = nn.shape_of(tensor)
    if axes[0] >= 2 and len(shape) <= 5:
        kernel = [size if axis in axes else 1 for axis, size in enumerate(shape)]
        return node.emit(make(tensor, Window.of(kernel[2:])))
    # Bring the reduced axes to the end, as one axis behind the first, if that is kept, and a
    # channel axis.
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    moved = node.emit(nn.TransposeOp(tensor, (*kept, *axes)))
    length = prod(shape[axis] for axis in axes)
    first = shape[0] if 0 in kept else 1
    rest = prod(shape[axis] for axis in kept) // first
    rows = node.emit(nn.ReshapeOp(moved, (first, rest, length)))
    return node.emit(make(rows, Window.of((length,))))


def import_reduce_min(node: Node) -> SSAValue:
    negative = node.emit(nn.NegOp(node.tensor(0)))
    return node.emit(nn.NegOp(_reduce(nn.MaxPoolOp, 18, node, negative)))


def import_reduce_sum(node: Node) -> SSAValue:
    return _sum(13, node, node.tensor(0))


def import_l1(node: Node) -> SSAValue:
    return _sum(18, node, node.emit(nn.AbsOp(node.tensor(0))))


def import_l2(node: Node) -> SSAValue:
    return node.emit(nn.SqrtOp(import_sum_square(node)))


def import_sum_square(node: Node) -> SSAValue:
    return _sum(18, node, node.emit(nn.MulOp(node.tensor(0), node.tensor(0))))


def _sum(axes_are_inputs_since: int, node: Node, tensor: SSAValue) -> SSAValue:
    mean = _reduce(nn.AveragePoolOp, axes_are_inputs_since, node, tensor)
    if mean is tensor:
        return mean
    count = prod(node.shape(0)) // prod(nn.shape_of(mean))
    return node.emit(nn.MulOp(mean, node.emit_scalar(count)))


OPERATORS: dict[str, Callable[[Node], SSAValue]] = {
    "ReduceL1": import_l1,
    "ReduceL2": import_l2,
    "ReduceMax": partial(import_reduction, nn.MaxPoolOp, 18),
    "ReduceMean": partial(import_reduction, nn.AveragePoolOp, 18),
    "ReduceMin": import_reduce_min,
    "ReduceSum": import_reduce_sum,
    "ReduceSumSquare": import_sum_square,
}
