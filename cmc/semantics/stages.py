"""Operators with an iteration domain of their own: one stage each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Generic, TypeVar

import numpy as np
from xdsl.dialects import arith, math, vector
from xdsl.dialects.builtin import VectorType, f32
from xdsl.ir import Operation, SSAValue

from cmc.dialects import nn
from cmc.dialects.cmpipe import ReduceOp, ReductionKind
from cmc.dialects.nn.weights import WeightsAttr
from cmc.errors import CmcError
from cmc.semantics.builder import Floats, StageBuilder

OpT = TypeVar("OpT", bound=Operation)


@dataclass(frozen=True)
class StageOperator(Generic[OpT]):
    """An operator that becomes a stage.

    `channel` gives the axis along which its result is cut into vectors, `operand_channel` the one
    along which it would like its first operand cut, or None where that does not matter; `body`
    computes one vector of the result.
    """

    channel: Callable[[OpT], int | None]
    operand_channel: Callable[[OpT], int | None]
    body: Callable[[OpT, StageBuilder], SSAValue]


STAGES: dict[type[Operation], StageOperator[Operation]] = {}


def _register(
    op_type: type[OpT],
    body: Callable[[OpT, StageBuilder], SSAValue],
    channel: Callable[[OpT], int | None],
    operand_channel: Callable[[OpT], int | None] | None = None,
) -> None:
    def checked(op: Operation) -> OpT:
        assert isinstance(op, op_type)
        return op

    operand = operand_channel or channel
    STAGES[op_type] = StageOperator(
        lambda op: channel(checked(op)),
        lambda op: operand(checked(op)),
        lambda op, builder: body(checked(op), builder),
    )


def _window(op: nn.ConvOp | nn.PoolOp, names: tuple[str, ...]) -> tuple[list[str], dict[str, int]]:
    """The places of a sliding window along the spatial axes, and the window's axes."""
    window = op.window
    axes = [f"k{name}" for name in names]
    places = [
        f"{stride}*{name} + {dilation}*{k} - {low}"
        for name, k, stride, dilation, low in zip(
            names, axes, window.strides, window.dilations, window.low, strict=True
        )
    ]
    return places, dict(zip(axes, window.kernel, strict=True))


def _spatial(body: StageBuilder) -> tuple[str, ...]:
    """The names of the spatial axes. A batch of 1 and the channels are not among them."""
    return body.layout.names


def _conv(op: nn.ConvOp, body: StageBuilder) -> SSAValue:
    weight = body.tensors.constant(op.weight)
    if weight is None:
        raise CmcError("a convolution needs constant weights, to hold them in a crossbar")
    groups = op.group.value.data
    filters, channels, *kernel = weight.shape
    places, window = _window(op, _spatial(body))
    if groups == 1:
        value = body.read(op.input, ["0", "c", *places], {**window, "c": channels})
        matrix = np.moveaxis(weight, (0, 1), (-1, -2)).reshape(-1, filters)
    else:
        value = body.read(
            op.input, ["0", f"{channels}*g + c", *places], {"g": groups, **window, "c": channels}
        )
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


def _max_pool(op: nn.MaxPoolOp, body: StageBuilder) -> SSAValue:
    places, window = _window(op, _spatial(body))
    channels = body.layout.vector
    value = body.read(op.input, ["0", "c", *places], {**window, "c": channels}, pad=-np.inf)
    return body.add(ReduceOp(ReductionKind.MAX, value, channels))


def _average_pool(op: nn.AveragePoolOp, body: StageBuilder) -> SSAValue:
    places, window = _window(op, _spatial(body))
    channels = body.layout.vector
    value = body.read(op.input, ["0", "c", *places], {**window, "c": channels})
    total = body.add(ReduceOp(ReductionKind.ADD, value, channels))
    counts = _counts(op)
    if np.all(counts == counts.flat[0]):
        count = body.splat(float(counts.flat[0]), (channels,))
    else:
        # The number of elements differs at the border: a constant tensor, read as any other.
        tensor = nn.ConstantOp(WeightsAttr.from_array(counts[None, None]))
        coordinates = ["0", "0", *_spatial(body)]
        count = body.read(tensor.result, coordinates, {"c": channels})
    return body.add(arith.DivfOp(total, count))


def _counts(op: nn.AveragePoolOp) -> Floats:
    """For each place of the window, the number of elements that the mean is taken over."""
    window = op.window
    result = np.ones((), np.float32)
    spatial = nn.shape_of(op.input)[2:]
    for axis, (size, count) in enumerate(zip(spatial, window.output_shape(spatial), strict=True)):
        starts = np.arange(count) * window.strides[axis] - window.low[axis]
        places = starts[:, None] + np.arange(window.kernel[axis]) * window.dilations[axis]
        low, high = 0, size
        if op.count_include_pad is not None:
            low, high = -window.low[axis], size + window.high[axis]
        counts = ((places >= low) & (places < high)).sum(axis=1, dtype=np.float32)
        result = result[..., None] * counts
    # A window wholly in the padding has the mean 0, of no elements.
    return np.maximum(result, 1).astype(np.float32)


def _matmul(op: nn.MatMulOp, body: StageBuilder) -> SSAValue:
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
        value = body.read(op.rhs, at(right, "k", column), {"k": inner})
        return body.mxv(constant_left.reshape(left[-2], inner).T, value)
    if constant_right is not None and prod(right[:-2]) == 1:
        value = body.read(op.lhs, at(left, row, "k"), {"k": inner})
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


def _softmax(op: nn.SoftmaxOp, body: StageBuilder) -> SSAValue:
    length = body.layout.vector
    type = VectorType(f32, [length])
    value = body.read(op.input, body.layout.coordinates(), {"c": length})
    largest = body.add(ReduceOp(ReductionKind.MAX, value, 1))
    shifted = arith.SubfOp(value, body.add(vector.BroadcastOp(largest, type)))
    exponential = body.add(math.ExpOp(body.add(shifted)))
    total = body.add(ReduceOp(ReductionKind.ADD, exponential, 1))
    return body.add(arith.DivfOp(exponential, body.add(vector.BroadcastOp(total, type))))


def _lrn(op: nn.LRNOp, body: StageBuilder) -> SSAValue:
    size, channels = op.size.value.data, body.layout.vector
    coordinates = body.layout.coordinates()
    value = body.read(op.input, coordinates, {"c": channels})
    neighbours = [*coordinates]
    neighbours[1] = f"c + k - {(size - 1) // 2}"
    window = body.read(op.input, neighbours, {"k": size, "c": channels})
    squares = body.add(arith.MulfOp(window, window))
    total = body.add(ReduceOp(ReductionKind.ADD, squares, channels))
    scale = body.splat(op.alpha.value.data / size, (channels,))
    scaled = body.add(arith.MulfOp(total, scale))
    base = body.add(arith.AddfOp(scaled, body.splat(op.bias.value.data, (channels,))))
    power = body.add(math.PowFOp(base, body.splat(op.beta.value.data, (channels,))))
    return body.add(arith.DivfOp(value, power))


def _concat(op: nn.ConcatOp, body: StageBuilder) -> SSAValue:
    """Each operand is -0.0 outside of its part: what x + -0.0 leaves as it is, for every x."""
    axis, offset = op.axis.value.data, 0
    result: SSAValue | None = None
    for value in op.inputs:
        coordinates = body.layout.coordinates()
        coordinates[axis] = f"{coordinates[axis]} - {offset}"
        part = body.read(value, coordinates, {"c": body.layout.vector}, pad=-0.0)
        result = part if result is None else body.add(arith.AddfOp(result, part))
        offset += nn.shape_of(value)[axis]
    assert result is not None
    return result


def _second(op: Operation) -> int:
    return 1


def _last_of_lhs(op: nn.MatMulOp) -> int:
    return len(nn.shape_of(op.lhs)) - 1


_register(nn.ConvOp, _conv, _second)
_register(nn.MaxPoolOp, _max_pool, _second)
_register(nn.AveragePoolOp, _average_pool, _second)
_register(nn.MatMulOp, _matmul, _matmul_channel, _last_of_lhs)
_register(nn.SoftmaxOp, _softmax, lambda op: op.axis.value.data)
_register(nn.LRNOp, _lrn, _second)
_register(nn.ConcatOp, _concat, lambda op: None)
