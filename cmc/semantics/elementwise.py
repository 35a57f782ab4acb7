"""Elementwise operators: what they do to one vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from xdsl.dialects import arith, math
from xdsl.ir import Operation, SSAValue

from cmc.dialects import nn
from cmc.dialects.cmpipe import vector_shape
from cmc.semantics.builder import StageBuilder

Emit = Callable[[Operation, StageBuilder, Sequence[SSAValue]], SSAValue]
"""Append what an operator does, given its operands as vectors of the same length."""

ELEMENTWISE: dict[type[Operation], Emit] = {}

OpT = TypeVar("OpT", bound=Operation)


def _register(
    op_type: type[OpT], emit: Callable[[OpT, StageBuilder, Sequence[SSAValue]], SSAValue]
):
    def checked(op: Operation, body: StageBuilder, operands: Sequence[SSAValue]) -> SSAValue:
        assert isinstance(op, op_type)
        return emit(op, body, operands)

    ELEMENTWISE[op_type] = checked


def _like(body: StageBuilder, value: float, vector: SSAValue) -> SSAValue:
    return body.splat(value, vector_shape(vector.type))


def _relu(op: nn.ReluOp, body: StageBuilder, x: Sequence[SSAValue]) -> SSAValue:
    return body.add(arith.MaximumfOp(x[0], _like(body, 0.0, x[0])))


def _leaky_relu(op: nn.LeakyReluOp, body: StageBuilder, x: Sequence[SSAValue]) -> SSAValue:
    zero = _like(body, 0.0, x[0])
    negative = body.add(arith.MinimumfOp(x[0], zero))
    scaled = body.add(arith.MulfOp(negative, _like(body, op.alpha.value.data, x[0])))
    return body.add(arith.AddfOp(body.add(arith.MaximumfOp(x[0], zero)), scaled))


def _clip(op: nn.ClipOp, body: StageBuilder, x: Sequence[SSAValue]) -> SSAValue:
    value = x[0]
    if op.min is not None:
        value = body.add(arith.MaximumfOp(value, _like(body, op.min.value.data, value)))
    if op.max is not None:
        value = body.add(arith.MinimumfOp(value, _like(body, op.max.value.data, value)))
    return value


def _sigmoid(op: nn.SigmoidOp, body: StageBuilder, x: Sequence[SSAValue]) -> SSAValue:
    one = _like(body, 1.0, x[0])
    exponential = body.add(math.ExpOp(body.add(arith.NegfOp(x[0]))))
    return body.add(arith.DivfOp(one, body.add(arith.AddfOp(one, exponential))))


_register(nn.ReluOp, _relu)
_register(nn.LeakyReluOp, _leaky_relu)
_register(nn.ClipOp, _clip)
_register(nn.SigmoidOp, _sigmoid)
_register(nn.TanhOp, lambda op, body, x: body.add(math.TanhOp(x[0])))
_register(nn.ExpOp, lambda op, body, x: body.add(math.ExpOp(x[0])))
_register(nn.SqrtOp, lambda op, body, x: body.add(math.SqrtOp(x[0])))
_register(nn.NegOp, lambda op, body, x: body.add(arith.NegfOp(x[0])))
_register(nn.AbsOp, lambda op, body, x: body.add(math.AbsFOp(x[0])))
_register(nn.AddOp, lambda op, body, x: body.add(arith.AddfOp(x[0], x[1])))
_register(nn.SubOp, lambda op, body, x: body.add(arith.SubfOp(x[0], x[1])))
_register(nn.MulOp, lambda op, body, x: body.add(arith.MulfOp(x[0], x[1])))
_register(nn.DivOp, lambda op, body, x: body.add(arith.DivfOp(x[0], x[1])))
_register(nn.MaximumOp, lambda op, body, x: body.add(arith.MaximumfOp(x[0], x[1])))
_register(nn.MinimumOp, lambda op, body, x: body.add(arith.MinimumfOp(x[0], x[1])))
_register(nn.PowOp, lambda op, body, x: body.add(math.PowFOp(x[0], x[1])))


def operand(body: StageBuilder, value: SSAValue) -> SSAValue:
    """The vector of a tensor that broadcasts to the stage's result, at the stage's coordinates."""
    layout = body.layout
    shape = nn.shape_of(value)
    lead = len(layout.shape) - len(shape)
    array = body.tensors.constant(value)
    if array is not None:
        full = array.reshape((1,) * lead + shape)
        varying = [a for a, extent in enumerate(full.shape) if extent > 1]
        if all(a == layout.channel for a in varying):
            return body.constant(np.broadcast_to(full.reshape(-1), (layout.vector,)))
    coordinates = [
        "0" if extent == 1 else name
        for extent, name in zip(shape, layout.coordinates()[lead:], strict=True)
    ]
    return body.read(value, coordinates, {"c": layout.vector})
