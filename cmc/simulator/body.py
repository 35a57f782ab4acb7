"""What the operations of a body compute, on arrays with any number of leading axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

import numpy as np
from xdsl.dialects import arith, math, vector
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, FloatAttr, ShapedType
from xdsl.ir import Operation, SSAValue

from cmc.dialects.cmpipe import (
    ConstantOp,
    MxvOp,
    ReduceOp,
    ReductionKind,
    find_crossbar,
    vector_shape,
)
from cmc.errors import CmcError
from cmc.simulator.gather import Floats

Ufunc = Callable[..., Floats]

ELEMENTWISE: Mapping[type[Operation], np.ufunc] = {
    arith.AddfOp: np.add,
    arith.SubfOp: np.subtract,
    arith.MulfOp: np.multiply,
    arith.DivfOp: np.divide,
    arith.MaximumfOp: np.maximum,
    arith.MinimumfOp: np.minimum,
    arith.MaxnumfOp: np.fmax,
    arith.MinnumfOp: np.fmin,
    arith.NegfOp: np.negative,
    math.AbsFOp: np.absolute,
    math.CeilOp: np.ceil,
    math.CosOp: np.cos,
    math.ExpOp: np.exp,
    math.Exp2Op: np.exp2,
    math.ExpM1Op: np.expm1,
    math.FloorOp: np.floor,
    math.LogOp: np.log,
    math.Log1pOp: np.log1p,
    math.PowFOp: np.power,
    math.RoundEvenOp: np.rint,
    math.SinOp: np.sin,
    math.SqrtOp: np.sqrt,
    math.TanhOp: np.tanh,
    math.TruncOp: np.trunc,
}
"""The operations that act on vectors element by element."""

REDUCTIONS: Mapping[ReductionKind, np.ufunc] = {
    ReductionKind.ADD: np.add,
    ReductionKind.MAX: np.maximum,
}


def constant(op: Operation) -> Floats | None:
    """The value of an operation that is a constant."""
    match op:
        case ConstantOp():
            return op.value.array
        case arith.ConstantOp(value=DenseIntOrFPElementsAttr() as value):
            assert isinstance(value.type, ShapedType)
            shape = value.type.get_shape()
            if value.is_splat():
                return np.full(shape, value.get_values()[0], np.float32)
            return np.array(value.get_values(), np.float32).reshape(shape)
        case arith.ConstantOp(value=FloatAttr() as value):
            return np.array(value.value.data, np.float32)
        case _:
            return None


def multiply(matrix: Floats, vectors: Floats) -> Floats:
    """Vectors through a crossbar: `[n, K]` or `[n, G, K]` to `[n, M]` or `[n, G, M]`."""
    if matrix.ndim == 2:
        return vectors @ matrix
    if matrix.shape[2] == 1:
        return np.einsum("ngk,gk->ng", vectors, matrix[:, :, 0])[:, :, None]
    return np.matmul(vectors.swapaxes(0, 1), matrix).swapaxes(0, 1)


def compute(op: Operation, operands: Sequence[Floats], leading: int) -> Floats:
    """The result of an operation for `leading` iterations: every array is `[leading, ...]`."""
    shape = (leading, *vector_shape(op.results[0].type))
    ufunc = ELEMENTWISE.get(type(op))
    if ufunc is not None:
        return ufunc(*operands)
    match op:
        case MxvOp():
            matrix = find_crossbar(op, op.crossbar).value.array
            rows = operands[0].reshape(leading, *matrix.shape[:-1])
            return multiply(matrix, rows).reshape(shape)
        case ReduceOp():
            length = prod(shape[1:])
            rows = operands[0].reshape(leading, -1, length)
            return REDUCTIONS[op.kind.data].reduce(rows, axis=1).reshape(shape)
        case vector.BroadcastOp():
            rank = len(shape) - operands[0].ndim
            source = operands[0].reshape(leading, *[1] * rank, *operands[0].shape[1:])
            return np.broadcast_to(source, shape)
        case _:
            raise CmcError(f"the digital unit of a core has no operation {op.name}")


def supported(op: Operation) -> bool:
    """Whether a body may hold this operation, reads and writes apart."""
    return (
        type(op) in ELEMENTWISE
        or isinstance(op, MxvOp | ReduceOp | vector.BroadcastOp)
        or constant(op) is not None
    )


def last_uses(ops: Sequence[Operation]) -> dict[Operation, list[SSAValue]]:
    """For each operation, the values that none after it uses."""
    last: dict[SSAValue, Operation] = {}
    for op in ops:
        for value in op.operands:
            last[value] = op
    result: dict[Operation, list[SSAValue]] = {op: [] for op in ops}
    for value, op in last.items():
        result[op].append(value)
    return result
