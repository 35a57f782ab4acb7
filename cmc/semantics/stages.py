# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Operators with an iteration domain of their own: one stage each."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Concatenate

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from xdsl.dialects import arith, math, vector
from xdsl.dialects.builtin import VectorType, f32
from xdsl.ir import Operation, SSAValue

from cmc.dialects import nn
from cmc.dialects.cmpipe import ReduceOp, ReductionKind, SliceOp
from cmc.dialects.nn.weights import WeightsAttr
from cmc.errors import CmcError
from cmc.semantics.builder import Floats, StageBuilder
from cmc.semantics.operator import OpT, StageOperator, of
from cmc.semantics.views import pad_array
from cmc.window import Window

STAGES: dict[type[Operation], StageOperator] = {}


def _register(
    op_type: type[OpT],
    compute: Callable[Concatenate[OpT, ...], Floats],
    body: Callable[[OpT, StageBuilder], SSAValue],
    channel: Callable[[OpT], int | None],
    operand_channel: Callable[[OpT], int | None] | None = None,
) -> None:
    STAGES[op_type] = StageOperator(
        of(op_type, compute),
        of(op_type, channel),
        of(op_type, operand_channel or channel),
        of(op_type, body),
    )


def _windows(x: Floats, window: Window, fill: float) -> Floats:
    """All windows over `x`, padded by `fill`, as [N, C, output..., kernel...]."""
    spatial = x.shape[2:]
    high = [a + b for a, b in zip(window.high, window.overhangs(spatial), strict=True)]
    padded = pad_array(x, (0, 0, *window.low), (0, 0, *high), fill)
    view = sliding_window_view(padded, window.extents, tuple(range(2, padded.ndim)))
    return view[
        (
            slice(None),
            slice(None),
            *(
                slice(0, (count - 1) * stride + 1, stride)
                for count, stride in zip(window.output_shape(spatial), window.strides, strict=True)
            ),
            *(slice(None, None, dilation) for dilation in window.dilations),
        )
    ]


def _window(op: nn.ConvOp | nn.PoolOp, body: StageBuilder) -> tuple[str, list[str], dict[str, int]]:
    """The place along the first axis, those of a sliding window along the spatial axes, and the
    window's axes."""
    window = op.window
    first, _, *names = body.layout.coordinates()
    axes = [f"k{name}" for name in names]
    places = [
        f"{stride}*{name} + {dilation}*{k} - {low}"
        for name, k, stride, dilation, low in zip(
            names, axes, window.strides, window.dilations, window.low, strict=True
        )
    ]
    return first, places, dict(zip(axes, window.kernel, strict=True))


def _conv(op: nn.ConvOp, x: Floats, weight: Floats, bias: Floats | None = None) -> Floats:
    windows = _windows(x, op.window, 0.0)
    rank, group = op.window.rank, op.group.value.data
    output = windows.shape[2 : 2 + rank]
    # One matrix product per group: filters by elements of a window, times those by windows.
    columns = np.moveaxis(windows, range(2, 2 + rank), range(2 + rank, 2 + 2 * rank))
    product = weight.reshape(group, weight.shape[0] // group, -1) @ columns.reshape(
        len(x), group, -1, int(np.prod(output))
    )
    result = product.reshape(len(x), weight.shape[0], *output)
    return result if bias is None else result + bias.reshape(-1, *(1,) * rank)


def _conv_body(op: nn.ConvOp, body: StageBuilder) -> SSAValue:
    weight = body.tensors.constant(op.weight)
    if weight is None:
        raise CmcError("a convolution needs constant weights, to hold them in a crossbar")
    groups = op.group.value.data
    filters, channels, *kernel = weight.shape
    first, places, window = _window(op, body)
    if groups == 1:
        extents = {**window, "c": channels}
        axes = range(len(extents))[::-1]
        value = body.pieces(op.input, [first, "c", *places], extents, axes)
        matrix = np.moveaxis(weight, (0, 1), (-1, -2)).reshape(-1, filters)
    else:
        extents = {"g": groups, **window, "c": channels}
        value = body.pieces(op.input, [first, f"{channels}*g + c", *places], extents, [0])
        matrix = weight.reshape(groups, filters // groups, channels, *kernel)
        matrix = np.moveaxis(matrix, (1, 2), (-1, -2))
        matrix = matrix.reshape(groups, -1, filters // groups)
    result = body.mxv(matrix, value)
    if op.bias is None:
        return result
    bias = body.tensors.constant(op.bias)
    if bias is None:
        raise CmcError("a convolution needs a constant bias")
    return body.add(arith.AddfOp(result, body.constant(bias)))


def _max_pool(op: nn.MaxPoolOp, x: Floats) -> Floats:
    windows = _windows(x, op.window, -np.inf)
    return windows.max(tuple(range(-op.window.rank, 0)))


def _max_pool_body(op: nn.MaxPoolOp, body: StageBuilder) -> SSAValue:
    first, places, window = _window(op, body)
    extents = {**window, "c": body.layout.vector}
    value = body.pieces(op.input, [first, "c", *places], extents, [len(window)], pad=-np.inf)
    return body.reduce(ReductionKind.MAX, value)


def _sum_pool(op: nn.SumPoolOp, x: Floats) -> Floats:
    return _windows(x, op.window, 0.0).sum(tuple(range(-op.window.rank, 0)))


def _sum_pool_body(op: nn.PoolOp, body: StageBuilder) -> SSAValue:
    first, places, window = _window(op, body)
    extents = {**window, "c": body.layout.vector}
    value = body.pieces(op.input, [first, "c", *places], extents, [len(window)])
    return body.reduce(ReductionKind.ADD, value)


def _average_pool(op: nn.AveragePoolOp, x: Floats) -> Floats:
    sums = _windows(x, op.window, 0.0).sum(tuple(range(-op.window.rank, 0)))
    return sums / _counts(op)


def _average_pool_body(op: nn.AveragePoolOp, body: StageBuilder) -> SSAValue:
    channels = body.layout.vector
    total = _sum_pool_body(op, body)
    counts = _counts(op)
    if np.all(counts == counts.flat[0]):
        count = body.splat(float(counts.flat[0]), (channels,))
    else:
        # The number of elements differs at the border: a constant tensor, read as any other.
        tensor = nn.ConstantOp(WeightsAttr.from_array(counts[None, None]))
        coordinates = ["0", "0", *body.layout.coordinates()[2:]]
        count = body.read(tensor.result, coordinates, {"c": channels})
    return body.add(arith.DivfOp(total, count))


def _counts(op: nn.AveragePoolOp) -> Floats:
    """For each place of the window, the number of elements that the mean is taken over."""
    window, spatial = op.window, nn.shape_of(op.input)[2:]
    result = np.ones((), np.float32)
    for axis, size in enumerate(window.output_shape(spatial)):
        low, high = 0, spatial[axis]
        if op.count_include_pad is not None:
            low, high = low - window.low[axis], high + window.high[axis]
        elements = window.elements(axis, size)
        counted = ((low <= elements) & (elements < high)).sum(1, dtype=np.float32)
        result = result[..., None] * counted
    # A window wholly in the padding has the mean 0, of no elements.
    return np.maximum(result, 1).astype(np.float32)


def _matmul(op: nn.MatMulOp, lhs: Floats, rhs: Floats) -> Floats:
    return np.matmul(lhs, rhs)


def _matmul_body(op: nn.MatMulOp, body: StageBuilder) -> SSAValue:
    left, right = nn.shape_of(op.lhs), nn.shape_of(op.rhs)
    if min(len(left), len(right)) < 2:
        raise CmcError("a product with a tensor of one axis is not supported: reshape it to two")
    *lead, row, _ = (*body.layout.coordinates(),)
    inner = left[-1]
    constant_left, constant_right = (body.tensors.constant(v) for v in (op.lhs, op.rhs))

    def at(shape: tuple[int, ...], first: str, second: str) -> list[str]:
        """Coordinates in an operand whose leading axes broadcast."""
        own = lead[len(lead) - (len(shape) - 2) :] if len(shape) > 2 else []
        return [*("0" if e == 1 else n for e, n in zip(shape, own, strict=False)), first, second]

    if body.layout.channel == len(body.layout.shape) - 2:
        assert constant_left is not None
        column = body.layout.coordinates()[-1]
        value = body.pieces(op.rhs, at(right, "k", column), {"k": inner}, [0])
        return body.mxv(constant_left.reshape(left[-2], inner).T, value)
    if constant_right is not None and prod(right[:-2]) == 1:
        value = body.pieces(op.lhs, at(left, row, "k"), {"k": inner}, [0])
        return body.mxv(constant_right.reshape(inner, right[-1]), value)
    columns = right[-1]
    window = {"k": inner, "c": columns}
    a = body.read(op.lhs, at(left, row, "k"), window)
    b = body.read(op.rhs, at(right, "k", "c"), window)
    return body.add(ReduceOp(ReductionKind.ADD, body.add(arith.MulfOp(a, b)), columns))


def _matmul_channel(op: nn.MatMulOp) -> int:
    """Along the columns, unless the crossbar holds the left operand."""
    rank = len(nn.shape_of(op.result))
    on_left = isinstance(op.lhs.owner, nn.ConstantOp) and prod(nn.shape_of(op.lhs)[:-2]) == 1
    return rank - 2 if on_left else rank - 1


def _softmax(op: nn.SoftmaxOp, x: Floats) -> Floats:
    axis = op.axis.value.data
    powers: Floats = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def _softmax_body(op: nn.SoftmaxOp, body: StageBuilder) -> SSAValue:
    length = body.layout.vector
    type = VectorType(f32, [length])
    value = body.read(op.input, body.layout.coordinates(), {"c": length})
    largest = body.add(ReduceOp(ReductionKind.MAX, value, 1))
    shifted = arith.SubfOp(value, body.add(vector.BroadcastOp(largest, type)))
    exponential = body.add(math.ExpOp(body.add(shifted)))
    total = body.add(ReduceOp(ReductionKind.ADD, exponential, 1))
    return body.add(arith.DivfOp(exponential, body.add(vector.BroadcastOp(total, type))))


def _lrn(op: nn.LRNOp, x: Floats) -> Floats:
    size = op.size.value.data
    low = (size - 1) // 2
    squares = np.pad(np.square(x), [(0, 0), (low, size - 1 - low), *[(0, 0)] * (x.ndim - 2)])
    sums = sliding_window_view(squares, size, 1).sum(-1)
    alpha, beta, bias = (np.float32(value.value.data) for value in (op.alpha, op.beta, op.bias))
    powers: Floats = np.power(bias + alpha / np.float32(size) * sums, beta)
    return x / powers


def _lrn_body(op: nn.LRNOp, body: StageBuilder) -> SSAValue:
    size, channels = op.size.value.data, body.layout.vector
    coordinates, low = [*body.layout.coordinates()], (size - 1) // 2
    coordinates[1] = f"c - {low}"
    values = body.read(op.input, coordinates, {"c": channels + size - 1})
    squares = body.add(arith.MulfOp(values, values))
    total, *others = (body.add(SliceOp(squares, first, channels)) for first in range(size))
    for other in others:
        total = body.add(arith.AddfOp(total, other))
    value = body.add(SliceOp(values, low, channels))
    scale = body.splat(op.alpha.value.data / size, (channels,))
    scaled = body.add(arith.MulfOp(total, scale))
    base = body.add(arith.AddfOp(scaled, body.splat(op.bias.value.data, (channels,))))
    power = body.add(math.PowFOp(base, body.splat(op.beta.value.data, (channels,))))
    return body.add(arith.DivfOp(value, power))


def _second(op: Operation) -> int:
    return 1


def _last_of_lhs(op: nn.MatMulOp) -> int:
    return len(nn.shape_of(op.lhs)) - 1


_register(nn.ConvOp, _conv, _conv_body, _second)
_register(nn.MaxPoolOp, _max_pool, _max_pool_body, _second)
_register(nn.SumPoolOp, _sum_pool, _sum_pool_body, _second)
_register(nn.AveragePoolOp, _average_pool, _average_pool_body, _second)
_register(nn.MatMulOp, _matmul, _matmul_body, _matmul_channel, _last_of_lhs)
_register(nn.SoftmaxOp, _softmax, _softmax_body, lambda op: op.axis.value.data)
_register(nn.LRNOp, _lrn, _lrn_body, _second)
