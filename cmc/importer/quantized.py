# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Quantised tensors: integers times a factor.

Products take the integers as they are, so that a crossbar holds the integer matrix of the model,
and the factor comes after the sum. All sums are exact in float32 as long as they stay below 2^24,
and then results are those of integer arithmetic: one rounding by the factor, one to the output's
scale, half to even. Beyond, a sum is off by its last bits, which is less than a step of any scale
of 8 bits.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import Operation, SSAValue

from cmc.dialects import nn
from cmc.files.weights import Float32Array
from cmc.importer.load import Array
from cmc.importer.node import Node, Value

Kind = np.dtype[np.generic]

NO_ZERO = np.zeros((), np.float32)
"""The zero point that is no other."""


@dataclass(frozen=True)
class Scaled:
    """A tensor `integers * factor`, the factor a scalar or a number for each slice of one axis."""

    integers: Value
    factor: Value
    axis: int = 0


class QuantizedValues:
    """What is known of tensors and arrays of a graph: how they came from integers."""

    def __init__(self) -> None:
        self._scaled: dict[int, tuple[Value, Scaled]] = {}
        self._centred: dict[int, list[tuple[Value, Value, Value]]] = {}

    def note(self, value: Value, scaled: Scaled) -> None:
        self._scaled[id(value)] = (value, scaled)

    def scaled(self, value: Value) -> Scaled | None:
        """`value` as integers times a factor, if it is that."""
        return self._scaled.get(id(value), (value, None))[1]

    def note_centred(self, value: Value, zero_point: Value, centred: Value) -> None:
        self._centred.setdefault(id(value), []).append((value, zero_point, centred))

    def centred(self, value: Value, zero_point: Value) -> Value | None:
        """`value - zero_point`, if it was computed before."""
        for _, known, centred in self._centred.get(id(value), ()):
            if _is_same(known, zero_point) and _is_there(centred):
                return centred
        return None


def _is_there(value: Value) -> bool:
    """Whether what computes a tensor was not given up since, with the node that it was part of."""
    owner = value.owner if isinstance(value, SSAValue) else None
    return not isinstance(owner, Operation) or owner.parent is not None


def _is_same(a: Value, b: Value) -> bool:
    if isinstance(a, SSAValue) or isinstance(b, SSAValue):
        return a is b
    return np.array_equal(a, b)


# Arithmetic on what is known now and what is not


def shape_of(value: Value) -> tuple[int, ...]:
    return nn.shape_of(value) if isinstance(value, SSAValue) else value.shape


def as_tensor(node: Node, value: Value, name: str | None = None) -> SSAValue:
    """`value` as a tensor of the network; an array becomes a constant of that name."""
    if isinstance(value, SSAValue):
        return value
    return node.emit_constant(np.asarray(value, np.float32), name)


def apply(
    node: Node,
    make: Callable[..., nn.TensorOp],
    function: Callable[..., NDArray[np.float32]],
    *values: Value,
) -> Value:
    """An operation on tensors, or what it computes where all of them are known."""
    arrays = [np.asarray(v, np.float32) for v in values if not isinstance(v, SSAValue)]
    if len(arrays) == len(values):
        with np.errstate(all="ignore"):
            return np.asarray(function(*arrays), np.float32)
    return node.emit(make(*(as_tensor(node, value) for value in values)))


def multiply(node: Node, a: Value, b: Value) -> Value:
    return apply(node, nn.MulOp, np.multiply, a, b)


def divide(node: Node, a: Value, b: Value) -> Value:
    return apply(node, nn.DivOp, np.divide, a, b)


def add(node: Node, a: Value, b: Value) -> Value:
    return apply(node, nn.AddOp, np.add, a, b)


def subtract(node: Node, a: Value, b: Value) -> Value:
    return apply(node, nn.SubOp, np.subtract, a, b)


def reshaped(node: Node, value: Value, shape: tuple[int, ...]) -> Value:
    if shape_of(value) == shape:
        return value
    if isinstance(value, SSAValue):
        return node.emit(nn.ReshapeOp(value, shape))
    return value.reshape(shape)


def aligned(node: Node, value: Value, axis: int, rank: int) -> Value:
    """A scale or zero point so that it broadcasts: one, or one for each slice of an axis."""
    shape = shape_of(value)
    if np.prod(shape) == 1:
        return reshaped(node, value, ())
    if len(shape) == 1:
        return reshaped(node, value, (*shape, *(1,) * (rank - 1 - axis)))
    return value


def is_zero(value: Value) -> bool:
    return not isinstance(value, SSAValue) and not np.asarray(value, np.float32).any()


# Into and out of integers


def limits(node: Node, kind: Kind) -> tuple[int, int]:
    """The least and the greatest of a type of integers. CmcError if it is none."""
    if kind.kind in "iu":
        info = np.iinfo(kind.name)
        return int(info.min), int(info.max)
    if kind.name not in _SMALL:
        raise node.error(f"it rounds to {kind}, which is no type of integers, on the cores")
    return _SMALL[kind.name]


_SMALL = {"int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1), "uint2": (0, 3)}


def centred(node: Node, value: Value, zero_point: Value) -> Value:
    """`value - zero_point`; the zero point broadcasts."""
    if is_zero(zero_point):
        return value
    known = node.graph.quantized.centred(value, zero_point)
    if known is None:
        known = subtract(node, value, zero_point)
        node.graph.quantized.note_centred(value, zero_point, known)
    return known


def read(node: Node, index: int, axis: int = 0) -> Scaled:
    """The quantised tensor of inputs `index`, its scale, and its zero point."""
    value, scale = node.value(index), scale_of(node, node.value(index + 1))
    rank = len(shape_of(value))
    if scale is None:
        shape = list(node.shape(index + 1))
        raise node.error(f"a scale of shape {shape} is not supported: it is one, or one a channel")
    axis = axis % rank if rank else 0
    return Scaled(centred(node, value, zero_point(node, index + 2, axis, rank)), scale, axis)


def scale_of(node: Node, scale: Value) -> Value | None:
    """A scale as a scalar, or as a list of numbers; None if it is neither."""
    shape = shape_of(scale)
    if not isinstance(scale, SSAValue):
        scale = scale.astype(np.float32)
    if np.prod(shape) == 1:
        return reshaped(node, scale, ())
    return scale if len(shape) == 1 else None


def zero_point(node: Node, index: int, axis: int, rank: int) -> Value:
    """The optional zero point at input `index`, so that it broadcasts."""
    if not node.has_input(index):
        return NO_ZERO
    return aligned(node, node.value(index), axis, rank)


def write(node: Node, real: Scaled | Value, scale: Value, zero: Value, kind: Kind) -> Value:
    """`real / scale`, rounded half to even, plus the zero point, saturated to the type.

    Scale and zero point broadcast. The factor of what is scaled is divided by the scale first, as
    integer arithmetic does.
    """
    low, high = limits(node, kind)
    if isinstance(real, Scaled):
        rank = len(shape_of(real.integers))
        factor = aligned(node, real.factor, real.axis, rank)
        quotient = multiply(node, real.integers, divide(node, factor, scale))
    else:
        quotient = divide(node, real, scale)
    rounded = apply(node, nn.RoundOp, np.rint, quotient)
    result = _clipped(node, rounded, low, high, zero)
    if is_zero(zero):
        return result
    shifted = add(node, result, zero)
    node.graph.quantized.note_centred(shifted, zero, result)
    return shifted


def write_together(node: Node, quotient: Value, zero: Value, kind: Kind) -> Value:
    """As `write`, of what was divided by the scale already, the zero point added before rounding.

    So onnxruntime adds and multiplies: where a result is between two integers, this may be another.
    """
    low, high = limits(node, kind)
    rounded = apply(node, nn.RoundOp, np.rint, add(node, quotient, zero))
    return _clipped(node, rounded, low, high, NO_ZERO)


def real_of(node: Node, scaled: Scaled) -> Value:
    """The real numbers that integers and their factor stand for."""
    rank = len(shape_of(scaled.integers))
    return multiply(node, scaled.integers, aligned(node, scaled.factor, scaled.axis, rank))


def _clipped(node: Node, value: Value, low: int, high: int, zero: Value) -> Value:
    """`value` between both limits less the zero point."""
    if not isinstance(zero, SSAValue) and zero.ndim == 0:
        least, greatest = low - float(zero), high - float(zero)
        if isinstance(value, SSAValue):
            return node.emit(nn.ClipOp(value, least, greatest))
        return np.clip(value, least, greatest)
    least, greatest = (subtract(node, np.array(limit), zero) for limit in (low, high))
    above = apply(node, nn.MaximumOp, np.maximum, value, least)
    return apply(node, nn.MinimumOp, np.minimum, above, greatest)


# Products


@dataclass(frozen=True)
class Factors:
    """The operands of a product without their factors, and the factor of the product.

    `lhs_is_real` if the left operand is no integers times a factor.
    """

    lhs: SSAValue
    rhs: SSAValue
    factor: Value
    lhs_is_real: bool

    def times_factor(self, node: Node, total: SSAValue, axis: int, alpha: float = 1.0) -> SSAValue:
        """The product, given the sum of integers; of it is noted what it is."""
        factor = self.factor
        if alpha != 1.0:
            factor = multiply(node, factor, np.array(alpha))
        spread = aligned(node, factor, axis, len(nn.shape_of(total)))
        result = node.emit(nn.MulOp(total, as_tensor(node, spread)))
        if not self.lhs_is_real:
            node.graph.quantized.note(result, Scaled(total, factor, axis))
        return result


def factors(node: Node, channel: int) -> Factors | None:
    """The first two inputs of a product, the right one with a factor for each slice of `channel`.

    None if the right one is no integers times such a factor.
    """
    rhs = node.graph.quantized.scaled(node.value(1))
    if rhs is None or (len(shape_of(rhs.factor)) and rhs.axis != channel):
        return None
    lhs = node.graph.quantized.scaled(node.value(0))
    real = lhs is None or bool(len(shape_of(lhs.factor)))
    if lhs is None or real:
        if isinstance(rhs.integers, SSAValue):
            return None
        lhs = Scaled(node.value(0), np.ones((), np.float32))
    return Factors(
        as_tensor(node, lhs.integers, node.proto.input[0]),
        as_tensor(node, rhs.integers, node.proto.input[1]),
        multiply(node, lhs.factor, rhs.factor),
        real,
    )


def addend(node: Node, index: int, product: Factors) -> SSAValue | None:
    """Input `index` as integers to be added to a product before its factor.

    None if it is not known to be integers times that factor.
    """
    scaled = node.graph.quantized.scaled(node.value(index))
    if scaled is None or product.lhs_is_real:
        return None
    integers, factor = scaled.integers, scaled.factor
    for value in (integers, factor, product.factor):
        if isinstance(value, SSAValue):
            return None
    if not np.allclose(np.asarray(factor), np.asarray(product.factor), _SAME, 0):
        return None
    return as_tensor(node, integers, node.proto.input[index])


_SAME = 1e-5
"""How far two scales may be apart that are the same but for how they were rounded."""


def dequantized(array: Array, scale: Array, zero: Array) -> tuple[Float32Array, Float32Array]:
    """The integers of an array without its zero point, and times its scale; both broadcast."""
    wide = np.int64 if array.dtype.kind in "iu" else np.float32
    integers = (array.astype(wide) - zero.astype(wide)).astype(np.float32)
    return integers, integers * scale.astype(np.float32)
