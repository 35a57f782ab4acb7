# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Reductions over axes: as pools, and as products of halves."""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod

from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.importer.node import Node
from cmc.window import Window

Pool = Callable[[SSAValue, Window], nn.TensorOp]
Reduce = Callable[[Node, SSAValue, Sequence[int]], SSAValue]
"""Reduces the axes, in order, of a tensor: of the result they have size 1, or another rank."""


def import_reduction(reduce: Reduce, axes_are_inputs_since: int, node: Node) -> SSAValue:
    """Reduce the axes that the node names, or all of them."""
    tensor, shape = node.tensor(0), node.shape(0)
    given = node.ints("axes", 1, axes_are_inputs_since)
    keep = node.get_int("keepdims", 1)
    if node.get_int("noop_with_empty_axes", 0) and not given:
        return reduce(node, tensor, ())
    axes = sorted(node.axes(given or range(len(shape)), len(shape)))
    result = reduce(node, tensor, axes)
    kept = [1 if axis in axes else size for axis, size in enumerate(shape)]
    if not keep:
        kept = [size for axis, size in enumerate(shape) if axis not in axes]
    return result if nn.shape_of(result) == tuple(kept) else node.emit(nn.ReshapeOp(result, kept))


def reduce_along(reduce: Reduce, node: Node, tensor: SSAValue, axes: Sequence[int]) -> SSAValue:
    """Reduce axes, which stay with size 1."""
    kept = [1 if axis in axes else size for axis, size in enumerate(nn.shape_of(tensor))]
    result = reduce(node, tensor, sorted(axes))
    return result if nn.shape_of(result) == tuple(kept) else node.emit(nn.ReshapeOp(result, kept))


def _pool(make: Pool, node: Node, tensor: SSAValue, axes: Sequence[int]) -> SSAValue:
    """A pool whose window is all of the axes."""
    shape = nn.shape_of(tensor)
    if not axes:
        return tensor
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


reduce_max: Reduce = partial(_pool, nn.MaxPoolOp)
reduce_mean: Reduce = partial(_pool, nn.AveragePoolOp)
reduce_sum: Reduce = partial(_pool, nn.SumPoolOp)


def reduce_min(node: Node, tensor: SSAValue, axes: Sequence[int]) -> SSAValue:
    negative = node.emit(nn.NegOp(tensor))
    return node.emit(nn.NegOp(reduce_max(node, negative, axes)))


def reduce_prod(node: Node, tensor: SSAValue, axes: Sequence[int]) -> SSAValue:
    """The product of both halves, of their halves, and so on."""
    for axis in axes:
        while (size := nn.shape_of(tensor)[axis]) > 1:
            half = size // 2
            product = node.emit(
                nn.MulOp(
                    part_of(node, tensor, axis, 0, half), part_of(node, tensor, axis, half, half)
                )
            )
            if size % 2:
                last = part_of(node, tensor, axis, size - 1, 1)
                product = node.emit(nn.ConcatOp([product, last], axis))
            tensor = product
    return tensor


def part_of(node: Node, tensor: SSAValue, axis: int, start: int, size: int) -> SSAValue:
    """`size` elements along an axis."""
    sizes = list(nn.shape_of(tensor))
    starts = [0] * len(sizes)
    starts[axis], sizes[axis] = start, size
    return node.emit(nn.SliceOp(tensor, starts, sizes))


def reduce_l1(node: Node, tensor: SSAValue, axes: Sequence[int]) -> SSAValue:
    return reduce_sum(node, node.emit(nn.AbsOp(tensor)), axes)


def reduce_sum_square(node: Node, tensor: SSAValue, axes: Sequence[int]) -> SSAValue:
    return reduce_sum(node, node.emit(nn.MulOp(tensor, tensor)), axes)


def reduce_l2(node: Node, tensor: SSAValue, axes: Sequence[int]) -> SSAValue:
    return node.emit(nn.SqrtOp(reduce_sum_square(node, tensor, axes)))


def reduce_log_sum(node: Node, tensor: SSAValue, axes: Sequence[int]) -> SSAValue:
    return node.emit(nn.LogOp(reduce_sum(node, tensor, axes)))


def reduce_log_sum_exp(node: Node, tensor: SSAValue, axes: Sequence[int]) -> SSAValue:
    """Relative to the largest, or the least finite number, so that nothing overflows."""
    largest = reduce_along(reduce_max, node, tensor, axes)
    largest = node.emit(nn.ClipOp(largest, _LEAST, -_LEAST))
    powers = node.emit(nn.ExpOp(node.emit(nn.SubOp(tensor, largest))))
    logarithm = node.emit(nn.LogOp(reduce_along(reduce_sum, node, powers, axes)))
    return node.emit(nn.AddOp(logarithm, largest))


_LEAST = -3.4028234663852886e38

_REDUCTIONS: dict[str, tuple[Reduce, int]] = {
    "ReduceL1": (reduce_l1, 18),
    "ReduceL2": (reduce_l2, 18),
    "ReduceLogSum": (reduce_log_sum, 18),
    "ReduceLogSumExp": (reduce_log_sum_exp, 18),
    "ReduceMax": (reduce_max, 18),
    "ReduceMean": (reduce_mean, 18),
    "ReduceMin": (reduce_min, 18),
    "ReduceProd": (reduce_prod, 18),
    "ReduceSum": (reduce_sum, 13),
    "ReduceSumSquare": (reduce_sum_square, 18),
}
"""How each reduces, and the opset since which its axes are an input."""

OPERATORS: dict[str, Callable[[Node], SSAValue]] = {
    name: partial(import_reduction, reduce, since) for name, (reduce, since) in _REDUCTIONS.items()
}
