# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Elementwise operators: what they do to arrays, and to one vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Concatenate

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects import arith, math
from xdsl.ir import Operation, SSAValue

from cmc.dialects import nn
from cmc.dialects.cmpipe import EqualOp, LessEqualOp, LessOp, RemainderOp, SelectOp, vector_shape
from cmc.erf import erf
from cmc.semantics.builder import Floats, StageBuilder
from cmc.semantics.operator import ElementwiseOperator, OpT, of

ELEMENTWISE: dict[type[Operation], ElementwiseOperator] = {}


def _register(
    op_type: type[OpT],
    compute: Callable[Concatenate[OpT, ...], Floats],
    emit: Callable[[OpT, StageBuilder, Sequence[SSAValue]], SSAValue],
) -> None:
    ELEMENTWISE[op_type] = ElementwiseOperator(of(op_type, compute), of(op_type, emit))


def _register_same(
    op_type: type[Operation], function: Callable[..., Floats], make: Callable[..., Operation]
) -> None:
    """An operator that one function of numpy computes, and one operation on vectors."""

    def compute(op: Operation, *arrays: Floats) -> Floats:
        return function(*arrays)

    ELEMENTWISE[op_type] = ElementwiseOperator(compute, lambda op, body, x: body.add(make(*x)))


def _like(body: StageBuilder, value: float, vector: SSAValue) -> SSAValue:
    return body.splat(value, vector_shape(vector.type))


def _relu(op: nn.ReluOp, x: Floats) -> Floats:
    return np.maximum(x, np.float32(0))


def _emit_relu(op: nn.ReluOp, body: StageBuilder, x: Sequence[SSAValue]) -> SSAValue:
    return body.add(arith.MaximumfOp(x[0], _like(body, 0.0, x[0])))


def _leaky_relu(op: nn.LeakyReluOp, x: Floats) -> Floats:
    return np.where(x < 0, np.float32(op.alpha.value.data) * x, x)


def _emit_leaky_relu(op: nn.LeakyReluOp, body: StageBuilder, x: Sequence[SSAValue]) -> SSAValue:
    zero = _like(body, 0.0, x[0])
    negative = body.add(arith.MinimumfOp(x[0], zero))
    scaled = body.add(arith.MulfOp(negative, _like(body, op.alpha.value.data, x[0])))
    return body.add(arith.AddfOp(body.add(arith.MaximumfOp(x[0], zero)), scaled))


def _clip(op: nn.ClipOp, x: Floats) -> Floats:
    if op.min is not None:
        x = np.maximum(x, np.float32(op.min.value.data))
    if op.max is not None:
        x = np.minimum(x, np.float32(op.max.value.data))
    return x


def _emit_clip(op: nn.ClipOp, body: StageBuilder, x: Sequence[SSAValue]) -> SSAValue:
    value = x[0]
    if op.min is not None:
        value = body.add(arith.MaximumfOp(value, _like(body, op.min.value.data, value)))
    if op.max is not None:
        value = body.add(arith.MinimumfOp(value, _like(body, op.max.value.data, value)))
    return value


def _sigmoid(op: nn.SigmoidOp, x: Floats) -> Floats:
    return np.reciprocal(np.exp(-x) + np.float32(1))


def _emit_sigmoid(op: nn.SigmoidOp, body: StageBuilder, x: Sequence[SSAValue]) -> SSAValue:
    one = _like(body, 1.0, x[0])
    exponential = body.add(math.ExpOp(body.add(arith.NegfOp(x[0]))))
    return body.add(arith.DivfOp(one, body.add(arith.AddfOp(one, exponential))))


def _sign(op: nn.SignOp, x: Floats) -> Floats:
    return np.sign(x)


def _emit_sign(op: nn.SignOp, body: StageBuilder, x: Sequence[SSAValue]) -> SSAValue:
    zero = _like(body, 0.0, x[0])
    positive, negative = body.add(LessOp(zero, x[0])), body.add(LessOp(x[0], zero))
    return body.add(arith.SubfOp(positive, negative))


def _truth(function: Callable[..., NDArray[np.bool_]]) -> Callable[..., Floats]:
    """A comparison of numpy as ones and zeros."""

    def compute(x: Floats, y: Floats) -> Floats:
        return function(x, y).astype(np.float32)

    return compute


def _where(condition: Floats, lhs: Floats, rhs: Floats) -> Floats:
    return np.where(condition != 0, lhs, rhs)


_register(nn.ReluOp, _relu, _emit_relu)
_register(nn.LeakyReluOp, _leaky_relu, _emit_leaky_relu)
_register(nn.ClipOp, _clip, _emit_clip)
_register(nn.SigmoidOp, _sigmoid, _emit_sigmoid)
_register_same(nn.TanhOp, np.tanh, math.TanhOp)
_register_same(nn.ExpOp, np.exp, math.ExpOp)
_register_same(nn.SqrtOp, np.sqrt, math.SqrtOp)
_register_same(nn.NegOp, np.negative, arith.NegfOp)
_register_same(nn.AbsOp, np.abs, math.AbsFOp)
_register_same(nn.AddOp, np.add, arith.AddfOp)
_register_same(nn.SubOp, np.subtract, arith.SubfOp)
_register_same(nn.MulOp, np.multiply, arith.MulfOp)
_register_same(nn.DivOp, np.divide, arith.DivfOp)
_register_same(nn.MaximumOp, np.maximum, arith.MaximumfOp)
_register_same(nn.MinimumOp, np.minimum, arith.MinimumfOp)
_register_same(nn.PowOp, np.power, math.PowFOp)
_register_same(nn.LogOp, np.log, math.LogOp)
_register_same(nn.ErfOp, erf, math.ErfOp)
_register_same(nn.FloorOp, np.floor, math.FloorOp)
_register_same(nn.CeilOp, np.ceil, math.CeilOp)
_register_same(nn.RoundOp, np.rint, math.RoundEvenOp)
_register_same(nn.SinOp, np.sin, math.SinOp)
_register_same(nn.CosOp, np.cos, math.CosOp)
_register_same(nn.TanOp, np.tan, math.TanOp)
_register_same(nn.AsinOp, np.arcsin, math.AsinOp)
_register_same(nn.AcosOp, np.arccos, math.AcosOp)
_register_same(nn.AtanOp, np.arctan, math.AtanOp)
_register_same(nn.SinhOp, np.sinh, math.SinhOp)
_register_same(nn.CoshOp, np.cosh, math.CoshOp)
_register_same(nn.AsinhOp, np.arcsinh, math.AsinhOp)
_register_same(nn.AcoshOp, np.arccosh, math.AcoshOp)
_register_same(nn.AtanhOp, np.arctanh, math.AtanhOp)
_register_same(nn.TruncOp, np.trunc, math.TruncOp)
_register_same(nn.RemainderOp, np.fmod, RemainderOp)
_register(nn.SignOp, _sign, _emit_sign)
_register_same(nn.LessOp, _truth(np.less), LessOp)
_register_same(nn.LessEqualOp, _truth(np.less_equal), LessEqualOp)
_register_same(nn.EqualOp, _truth(np.equal), EqualOp)
_register_same(nn.WhereOp, _where, SelectOp)


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
