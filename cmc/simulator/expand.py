"""Run loops all at once: what a nest of `affine`'s and `scf`'s loops visits, as arrays in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.dialects import affine, arith, scf
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Block, Operation, SSAValue
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
    AffineSymExpr,
)

from cmc.dialects.cmctrl import PointOp
from cmc.errors import CmcError
from cmc.poly.evaluate import Ints, spans

_Environment = dict[SSAValue, Ints]


@dataclass(frozen=True)
class Visits:
    """All visits of one operation in a nest.

    `owner` says in which instance of the enclosing block a visit happens, `time` in which place
    of the sequence of all visits in that block's instances; `points` is `[visits, rank]`.
    """

    op: PointOp
    owner: Ints
    time: Ints
    points: Ints


def visits(block: Block) -> list[Visits]:
    """All visits of each operation at a point, with their places in the sequence of all visits."""
    return _block(block, {}, 1)


def _block(block: Block, environment: _Environment, instances: int) -> list[Visits]:
    environment = dict(environment)
    parts: list[list[Visits]] = []
    for op in block.ops:
        match op:
            case PointOp():
                owner = np.arange(instances)
                parts.append([Visits(op, owner, owner, _point(op, environment, instances))])
            case affine.ForOp() | scf.ForOp():
                parts.append(_for(op, environment, instances))
            case scf.IfOp():
                parts += _if(op, environment)
            case affine.YieldOp() | scf.YieldOp():
                pass
            case _:
                environment[op.results[0]] = _compute(op, environment, instances)
    return _merge([part for part in parts if part])


def _merge(parts: list[list[Visits]]) -> list[Visits]:
    """Put the visits of consecutive operations of one block into one sequence."""
    if len(parts) <= 1:
        return parts[0] if parts else []
    flat = [(position, v) for position, part in enumerate(parts) for v in part]
    owner = np.concatenate([v.owner for _, v in flat])
    place = np.concatenate([np.full(len(v.owner), position) for position, v in flat])
    time = np.concatenate([v.time for _, v in flat])
    order = np.lexsort((time, place, owner))
    merged = np.empty_like(order)
    merged[order] = np.arange(len(order))
    result: list[Visits] = []
    start = 0
    for _, v in flat:
        end = start + len(v.owner)
        result.append(Visits(v.op, v.owner, merged[start:end], v.points))
        start = end
    return result


def _nested(found: list[Visits], owner: Ints) -> list[Visits]:
    """Visits of an inner block, seen from the block around it: `owner` maps their instances."""
    return [Visits(v.op, owner[v.owner], v.time, v.points) for v in found]


def _for(op: affine.ForOp | scf.ForOp, environment: _Environment, instances: int) -> list[Visits]:
    if isinstance(op, affine.ForOp):
        lower = _bound(op.lowerBoundMap.data, op.lowerBoundOperands, environment, instances).max(0)
        upper = _bound(op.upperBoundMap.data, op.upperBoundOperands, environment, instances).min(0)
        step = np.full(instances, op.step.value.data)
        carried = op.inits
    else:
        lower, upper, step = (environment[value] for value in (op.lb, op.ub, op.step))
        carried = op.iter_args
    if carried:
        raise CmcError(f"{op.name} carries values from one round to the next")
    if np.any(step < 1):
        raise CmcError("a loop's step is at least 1")
    owner, number = spans(np.maximum(0, -((lower - upper) // step)))
    inner = {value: array[owner] for value, array in environment.items()}
    inner[op.body.block.args[0]] = lower[owner] + step[owner] * number
    return _nested(_block(op.body.block, inner, len(owner)), owner)


def _if(op: scf.IfOp, environment: _Environment) -> list[list[Visits]]:
    condition = environment[op.cond] != 0
    found: list[list[Visits]] = []
    for region, chosen in ((op.true_region, condition), (op.false_region, ~condition)):
        if region.blocks:
            owner = np.flatnonzero(chosen)
            inner = {value: array[owner] for value, array in environment.items()}
            found.append(_nested(_block(region.block, inner, len(owner)), owner))
    return found


def _bound(
    map: AffineMap, operands: Sequence[SSAValue], environment: _Environment, instances: int
) -> Ints:
    return _results(map, [environment[v] for v in operands], instances)


def _point(op: PointOp, environment: _Environment, instances: int) -> Ints:
    return _results(op.point.data, [environment[v] for v in op.indices], instances).T


def _results(map: AffineMap, values: list[Ints], instances: int) -> Ints:
    """The results of an affine map, `[results, instances]`."""
    table = np.empty((len(map.results), instances), np.int64)
    for row, expr in enumerate(map.results):
        table[row] = _evaluate(expr, values, map.num_dims)
    return table


def _evaluate(expr: AffineExpr, values: list[Ints], dims: int) -> Ints | int:
    match expr:
        case AffineConstantExpr(value=value):
            return value
        case AffineDimExpr(position=position):
            return values[position]
        case AffineSymExpr(position=position):
            return values[dims + position]
        case AffineBinaryOpExpr(kind=kind, lhs=lhs, rhs=rhs):
            return _BINARY[kind](_evaluate(lhs, values, dims), _evaluate(rhs, values, dims))
        case _:
            raise CmcError(f"not an affine expression: {expr}")


_Binary = Callable[[Ints | int, Ints | int], Ints | int]

_BINARY: dict[AffineBinaryOpKind, _Binary] = {
    AffineBinaryOpKind.Add: lambda a, b: a + b,
    AffineBinaryOpKind.Mul: lambda a, b: a * b,
    AffineBinaryOpKind.Mod: lambda a, b: a % b,
    AffineBinaryOpKind.FloorDiv: lambda a, b: a // b,
    AffineBinaryOpKind.CeilDiv: lambda a, b: -(-a // b),
}

_INDEX_ARITHMETIC: dict[type[Operation], Callable[[Ints, Ints], Ints]] = {
    arith.AddiOp: np.add,
    arith.SubiOp: np.subtract,
    arith.MuliOp: np.multiply,
    arith.AndIOp: np.bitwise_and,
    arith.OrIOp: np.bitwise_or,
    arith.XOrIOp: np.bitwise_xor,
    arith.MinSIOp: np.minimum,
    arith.MaxSIOp: np.maximum,
    arith.FloorDivSIOp: np.floor_divide,
    arith.CeilDivSIOp: lambda a, b: -(-a // b),
    arith.RemSIOp: np.fmod,
}

_COMPARISONS: tuple[Callable[[Ints, Ints], Ints], ...] = (
    np.equal,
    np.not_equal,
    np.less,
    np.less_equal,
    np.greater,
    np.greater_equal,
)
"""By the number of the predicate in `arith.cmpi`; the signed ones."""


def _compute(op: Operation, environment: _Environment, instances: int) -> Ints:
    """The value of index arithmetic for all instances; a truth value is 0 or 1."""
    match op:
        case arith.ConstantOp(value=IntegerAttr() as value):
            return np.full(instances, value.value.data, np.int64)
        case affine.ApplyOp():
            values = [environment[v] for v in op.mapOperands]
            return _results(op.map.data, values, instances)[0]
        case arith.CmpiOp(predicate=predicate) if predicate.value.data < len(_COMPARISONS):
            compare = _COMPARISONS[predicate.value.data]
            return compare(environment[op.lhs], environment[op.rhs]).astype(np.int64)
        case arith.IndexCastOp():
            return environment[op.input]
        case _ if type(op) in _INDEX_ARITHMETIC:
            left, right = op.operands
            return _INDEX_ARITHMETIC[type(op)](environment[left], environment[right])
        case _:
            raise CmcError(f"a core's control has no operation {op.name}")
