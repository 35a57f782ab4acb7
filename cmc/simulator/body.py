# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What the operations of a body compute, on arrays with any number of leading axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod

import numpy as np
from xdsl.dialects import arith, math, vector
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, FloatAttr, ShapedType, VectorType, f32
from xdsl.ir import Attribute, Operation
from xdsl.utils.hints import isa

from cmc.dialects.cmpipe import (
    ConstantOp,
    EqualOp,
    JoinOp,
    LessEqualOp,
    LessOp,
    MxvOp,
    ReadOp,
    ReduceOp,
    ReductionKind,
    RemainderOp,
    SelectOp,
    SliceOp,
    WriteOp,
    find_crossbar,
    vector_shape,
)
from cmc.erf import erf
from cmc.errors import CmcError
from cmc.simulator.crossbars import Rows, Tile
from cmc.simulator.gather import Floats


def _select(condition: Floats, lhs: Floats, rhs: Floats, out: Floats) -> None:
    # What is selected may lie where the result goes.
    np.copyto(out, np.where(condition != 0, lhs, rhs))


ELEMENTWISE: Mapping[type[Operation], Callable[..., object]] = {
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
    math.AcosOp: np.arccos,
    math.AcoshOp: np.arccosh,
    math.AsinOp: np.arcsin,
    math.AsinhOp: np.arcsinh,
    math.AtanOp: np.arctan,
    math.AtanhOp: np.arctanh,
    math.CeilOp: np.ceil,
    math.CosOp: np.cos,
    math.CoshOp: np.cosh,
    math.ErfOp: erf,
    math.Exp2Op: np.exp2,
    math.ExpM1Op: np.expm1,
    math.ExpOp: np.exp,
    math.FloorOp: np.floor,
    math.Log1pOp: np.log1p,
    math.LogOp: np.log,
    math.PowFOp: np.power,
    math.RoundEvenOp: np.rint,
    math.SinOp: np.sin,
    math.SinhOp: np.sinh,
    math.SqrtOp: np.sqrt,
    math.TanOp: np.tan,
    math.TanhOp: np.tanh,
    math.TruncOp: np.trunc,
    LessOp: np.less,
    LessEqualOp: np.less_equal,
    EqualOp: np.equal,
    RemainderOp: np.fmod,
    SelectOp: _select,
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


def is_executable(op: Operation) -> bool:
    """Whether a core can do an operation of a body, on what it is given."""
    if any(not _is_f32(value.type) for value in (*op.operands, *op.results)):
        return False
    known = ReadOp | WriteOp | MxvOp | JoinOp | SliceOp | ReduceOp | vector.BroadcastOp
    return isinstance(op, known) or type(op) in ELEMENTWISE or constant(op) is not None


def _is_f32(type: Attribute) -> bool:
    return type == f32 or (isa(type, VectorType) and type.element_type == f32)


Call = tuple[Callable[..., object], tuple[object, ...]]
"""A function of numpy and its arguments: all arrays are fixed."""


def joins(op: Operation) -> int | None:
    """How many floats long the vector is in which an operation wants its operands side by side.

    None if it takes them as they are.
    """
    match op:
        case JoinOp():
            return prod(vector_shape(op.result.type))
        case MxvOp() if len(op.vectors) != 1:
            return sum(prod(vector_shape(value.type)) for value in op.vectors)
        case _:
            return None


def parts(op: Operation, joined: Floats) -> list[Floats]:
    """Where the operands of an operation lie in their `joined` vector, `[rows, floats]`: views.

    Each is `[rows, ...]`, as its operand.
    """
    shapes = [vector_shape(value.type) for value in op.operands]
    rows = len(joined)
    if isinstance(op, JoinOp):
        joined = joined.reshape(rows, *vector_shape(op.result.type))
        lengths = [shape[-1] for shape in shapes]
    else:
        lengths = [prod(shape) for shape in shapes]
    ends = np.cumsum(lengths[:-1])
    return [
        part.reshape(rows, *shape)
        for part, shape in zip(np.split(joined, ends, -1), shapes, strict=True)
    ]


def call(
    op: Operation,
    operands: Sequence[Floats],
    out: Floats,
    where: Rows,
    tiles: Mapping[Operation, Tile],
) -> Call:
    """An operation on some rows as a call that fills `out`.

    Arrays are `[rows, ...]`. What an operation `joins` is one operand. A product that has a tile is
    computed by that.
    """
    rows = where.count
    ufunc = ELEMENTWISE.get(type(op))
    if ufunc in (np.maximum, np.minimum):
        # numpy wants their third argument by name, which is slower for the others.
        return partial(ufunc, out=out), tuple(operands)
    if ufunc is not None:
        return ufunc, (*operands, out)
    match op:
        case MxvOp():
            matrix = find_crossbar(op, op.crossbar).value.array
            vectors = operands[0].reshape(rows, *matrix.shape[:-1])
            products = out.reshape(*vectors.shape[:-1], matrix.shape[-1])
            if op in tiles:
                return tiles[op].multiply, (vectors, products, where)
            if matrix.ndim == 2:
                return np.dot if rows == 1 else np.matmul, (vectors, matrix, products)
            if matrix.shape[2] == 1:
                weights = np.ascontiguousarray(matrix[:, :, 0])
                product = partial(np.einsum, "ngk,gk->ng", out=products[:, :, 0])
                return product, (vectors, weights)
            turned = (vectors.swapaxes(0, 1), matrix, products.swapaxes(0, 1))
            return np.matmul, turned
        case ReduceOp():
            length = prod(vector_shape(op.result.type))
            vectors = operands[0].reshape(rows, -1, length)
            reduce = REDUCTIONS[op.kind.data].reduce
            return reduce, (vectors, 1, None, out.reshape(rows, length))
        case SliceOp(places=places):
            return np.copyto, (out, operands[0][..., places.start : places.stop])
        case vector.BroadcastOp():
            rank = out.ndim - operands[0].ndim
            source = operands[0].reshape(rows, *[1] * rank, *operands[0].shape[1:])
            return np.copyto, (out, source)
        case _:
            raise CmcError(f"the digital unit of a core has no operation {op.name}")
