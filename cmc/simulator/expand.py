# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Run loops all at once: what `affine`'s and `scf`'s loops visit, row by row, in order.

A row is what an innermost loop visits: places and times that grow evenly from visit to visit. Where
its body decides something, or its places do not grow evenly, each visit is a row of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from xdsl.dialects import affine, arith, scf
from xdsl.dialects.builtin import AffineMapAttr, IntegerAttr
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

from cmc.diagnostics import operation_error
from cmc.dialects.cmctrl import PointOp
from cmc.errors import CmcError
from cmc.poly.evaluate import Ints, spans
from cmc.poly.order import Box, Order
from cmc.widths import bits_needed

MOST_PASSES = 1 << 25
"""Of a loop that is not innermost, or whose values do not grow evenly, in all its instances."""


@dataclass(frozen=True)
class Visits:
    """Rows of visits of one operation in a nest.

    Visit i of row r, of `counts[r]`, is at `points[r] + i * slopes[r]`, and comes in place
    `times[r] + i * steps[r]` of all visits. `points` and `slopes` are `[rows, rank]`.
    """

    op: PointOp
    times: Ints
    steps: Ints
    counts: Ints
    points: Ints
    slopes: Ints

    @property
    def lasts(self) -> Ints:
        """The last point of each row."""
        return self.points + (self.counts - 1)[:, None] * self.slopes

    def expanded(self) -> Visits:
        """The same visits in a row each."""
        row, number = spans(self.counts)
        return Visits(
            self.op,
            self.times[row] + number * self.steps[row],
            np.zeros_like(row),
            np.ones_like(row),
            self.points[row] + number[:, None] * self.slopes[row],
            np.zeros((len(row), self.points.shape[1]), np.int64),
        )


def visits(block: Block) -> list[Visits]:
    """All visits of each operation at a point, with their places in the sequence of all visits.

    CmcError where loops take too many passes, or compute with numbers too large for 64 bits.
    """
    bits_needed(block)
    return [found.visits for found in _block(block, {}, 1).found if len(found.owner)]


def read_order(found: Sequence[Visits]) -> Box | Order:
    """All points that are visited, in the order of visits: a box where they come in such an order.

    They are not checked to come in any other order.
    """
    if not found:
        return Order(np.zeros((0, 0), np.int64))
    times, steps, counts, points, slopes, lasts = (
        np.concatenate(column)
        for column in zip(
            *((v.times, v.steps, v.counts, v.points, v.slopes, v.lasts) for v in found),
            strict=True,
        )
    )
    lows = np.minimum(points, lasts).min(0)
    extents = (np.maximum(points, lasts).max(0) - lows + 1).tolist()
    box = Box(lows, tuple(extents))
    even = np.all((slopes @ box.weights == steps) | (counts == 1))
    if even and box.count == counts.sum() and np.array_equal(box.number(points), times):
        return box
    every = [v.expanded() for v in found]
    order = np.argsort(np.concatenate([v.times for v in every]))
    return Order(np.concatenate([v.points for v in every])[order])


@dataclass(frozen=True)
class _Found:
    """Rows that begin in some instances of a block, at times counted from the instance's start."""

    owner: Ints
    visits: Visits

    def within(self, owner: Ints, before: Ints) -> _Found:
        """The same rows, seen from the block around it.

        Instance i is one in instance `owner[i]` of that, and begins after `before[i]` visits.
        """
        own = self.visits
        times = own.times + before[self.owner]
        visits = Visits(own.op, times, own.steps, own.counts, own.points, own.slopes)
        return _Found(owner[self.owner], visits)


@dataclass(frozen=True)
class _Visited:
    """What the instances of a block visit, and how many visits those of each are."""

    found: list[_Found]
    counts: Ints


@dataclass(frozen=True)
class _Line:
    """A value of each instance of a block, or of each pass through its innermost loop.

    It grows evenly from pass to pass.
    """

    value: Ints
    slope: Ints | int = 0

    @property
    def constant(self) -> bool:
        return not self.slope if isinstance(self.slope, int) else not self.slope.any()


_Environment = Mapping[SSAValue, _Line]


class _UnevenError(Exception):
    """A value does not grow evenly from pass to pass."""


def _block(block: Block, environment: _Environment, instances: int) -> _Visited:
    inner = dict(environment)
    found: list[_Found] = []
    counts = np.zeros(instances, np.int64)
    everywhere = np.arange(instances)
    for op in block.ops:
        match op:
            case PointOp():
                part = _Visited([_at_point(op, inner, instances)], np.ones(instances, np.int64))
            case affine.ForOp() | scf.ForOp():
                part = _for(op, inner, instances)
            case scf.IfOp():
                part = _if(op, inner, instances)
            case affine.YieldOp() | scf.YieldOp():
                continue
            case _:
                inner[op.results[0]] = _compute(op, inner, instances)
                continue
        found += [one.within(everywhere, counts) for one in part.found]
        counts = counts + part.counts
    return _Visited(found, counts)


def _at_point(op: PointOp, environment: _Environment, instances: int) -> _Found:
    """One visit in each instance: of each pass, if the values are those of a loop."""
    map = op.point.data
    points = np.empty((2, instances, len(map.results)), np.int64)
    values = [environment[index] for index in op.indices]
    for axis, expr in enumerate(map.results):
        line = _evaluate(expr, values, map.num_dims)
        points[0, :, axis], points[1, :, axis] = line.value, line.slope
    zeros, ones = np.zeros(instances, np.int64), np.ones(instances, np.int64)
    return _Found(np.arange(instances), Visits(op, zeros, zeros, ones, *points))


def _for(op: affine.ForOp | scf.ForOp, environment: _Environment, instances: int) -> _Visited:
    if isinstance(op, affine.ForOp):
        lower = _bounds(op.lowerBoundMap, op.lowerBoundOperands, environment, instances).max(0)
        upper = _bounds(op.upperBoundMap, op.upperBoundOperands, environment, instances).min(0)
        step = np.full(instances, op.step.value.data)
        carried = op.inits
    else:
        lower, upper, step = (environment[value].value for value in (op.lb, op.ub, op.step))
        carried = op.iter_args
    if carried:
        raise CmcError(f"{op.name} carries values from one round to the next")
    if np.any(step < 1):
        raise CmcError("a loop's step is at least 1")
    passes = np.maximum(0, -((lower - upper) // step))
    block = op.body.block
    if not any(isinstance(inner, affine.ForOp | scf.ForOp | scf.IfOp) for inner in block.ops):
        try:
            lines = {**environment, block.args[0]: _Line(lower, step)}
            return _in_rows(_block(block, lines, instances), passes)
        except _UnevenError:
            pass
    total = passes.sum(dtype=np.float64)
    if total > MOST_PASSES:
        raise operation_error(
            op, f"takes {total:.0f} passes an image, and no more than {MOST_PASSES} are simulated"
        )
    owner, number = spans(passes)
    inner = {value: _Line(line.value[owner]) for value, line in environment.items()}
    inner[block.args[0]] = _Line(lower[owner] + step[owner] * number)
    return _within(_block(block, inner, len(owner)), owner, instances)


def _bounds(
    map: AffineMapAttr, operands: Sequence[SSAValue], environment: _Environment, instances: int
) -> Ints:
    """The results of a map outside of an innermost loop, `[results, instances]`."""
    return np.stack([line.value for line in _results(map.data, operands, environment, instances)])


def _in_rows(once: _Visited, passes: Ints) -> _Visited:
    """What a loop visits in so many passes, given the first of each."""
    found: list[_Found] = []
    some = passes > 0
    for one in once.found:
        kept = some[one.owner]
        owner, first = one.owner[kept], one.visits
        rows = Visits(
            first.op,
            first.times[kept],
            once.counts[owner],
            passes[owner],
            first.points[kept],
            first.slopes[kept],
        )
        found.append(_Found(owner, rows))
    return _Visited(found, once.counts * passes)


def _within(inner: _Visited, owner: Ints, instances: int) -> _Visited:
    """Visits of a block inside instance `owner[i]`, one instance after the other."""
    totals = np.zeros(instances, np.int64)
    np.add.at(totals, owner, inner.counts)
    before = np.cumsum(inner.counts) - inner.counts - (np.cumsum(totals) - totals)[owner]
    return _Visited([one.within(owner, before) for one in inner.found], totals)


def _if(op: scf.IfOp, environment: _Environment, instances: int) -> _Visited:
    condition = environment[op.cond].value != 0
    found: list[_Found] = []
    counts = np.zeros(instances, np.int64)
    for region, chosen in ((op.true_region, condition), (op.false_region, ~condition)):
        if region.blocks:
            owner = np.flatnonzero(chosen)
            inner = {value: _Line(line.value[owner]) for value, line in environment.items()}
            part = _within(_block(region.block, inner, len(owner)), owner, instances)
            found += part.found
            counts += part.counts
    return _Visited(found, counts)


def _results(
    map: AffineMap, operands: Sequence[SSAValue], environment: _Environment, instances: int
) -> list[_Line]:
    """The results of an affine map."""
    values = [environment[operand] for operand in operands]
    lines = [_evaluate(expr, values, map.num_dims) for expr in map.results]
    return [_Line(np.broadcast_to(line.value, instances), line.slope) for line in lines]


def _evaluate(expr: AffineExpr, values: Sequence[_Line], dims: int) -> _Line:
    match expr:
        case AffineConstantExpr(value=value):
            return _Line(np.array([value], np.int64))
        case AffineDimExpr(position=position):
            return values[position]
        case AffineSymExpr(position=position):
            return values[dims + position]
        case AffineBinaryOpExpr(kind=kind, lhs=lhs, rhs=rhs):
            left, right = (_evaluate(side, values, dims) for side in (lhs, rhs))
            return _BINARY[kind](left, right)
        case _:
            raise CmcError(f"not an affine expression: {expr}")


def _add(a: _Line, b: _Line) -> _Line:
    return _Line(a.value + b.value, a.slope + b.slope)


def _subtract(a: _Line, b: _Line) -> _Line:
    return _Line(a.value - b.value, a.slope - b.slope)


def _multiply(a: _Line, b: _Line) -> _Line:
    if not (a.constant or b.constant):
        raise _UnevenError
    return _Line(a.value * b.value, a.slope * b.value + a.value * b.slope)


def _divisible(a: _Line, b: _Line) -> bool:
    return b.constant and not np.any(np.remainder(a.slope, b.value))


def _floor_divide(a: _Line, b: _Line) -> _Line:
    if not _divisible(a, b):
        raise _UnevenError
    return _Line(a.value // b.value, a.slope // b.value)


def _ceil_divide(a: _Line, b: _Line) -> _Line:
    if not _divisible(a, b):
        raise _UnevenError
    return _Line(-(-a.value // b.value), a.slope // b.value)


def _remainder(a: _Line, b: _Line) -> _Line:
    if not _divisible(a, b):
        raise _UnevenError
    return _Line(a.value % b.value)


_Binary = Callable[[_Line, _Line], _Line]

_BINARY: dict[AffineBinaryOpKind, _Binary] = {
    AffineBinaryOpKind.Add: _add,
    AffineBinaryOpKind.Mul: _multiply,
    AffineBinaryOpKind.Mod: _remainder,
    AffineBinaryOpKind.FloorDiv: _floor_divide,
    AffineBinaryOpKind.CeilDiv: _ceil_divide,
}

_EVEN: dict[type[Operation], _Binary] = {
    arith.AddiOp: _add,
    arith.SubiOp: _subtract,
    arith.MuliOp: _multiply,
    arith.FloorDivSIOp: _floor_divide,
    arith.CeilDivSIOp: _ceil_divide,
}
"""Index arithmetic of which evenly growing values make evenly growing ones."""

_OTHER: dict[type[Operation], Callable[[Ints, Ints], Ints]] = {
    arith.AndIOp: np.bitwise_and,
    arith.OrIOp: np.bitwise_or,
    arith.XOrIOp: np.bitwise_xor,
    arith.MinSIOp: np.minimum,
    arith.MaxSIOp: np.maximum,
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


def _compute(op: Operation, environment: _Environment, instances: int) -> _Line:
    """The value of index arithmetic in all instances; a truth value is 0 or 1."""
    match op:
        case arith.ConstantOp(value=IntegerAttr() as value):
            return _Line(np.full(instances, value.value.data, np.int64))
        case affine.ApplyOp():
            return _results(op.map.data, op.mapOperands, environment, instances)[0]
        case arith.CmpiOp(predicate=predicate) if predicate.value.data < len(_COMPARISONS):
            compare = _COMPARISONS[predicate.value.data]
            left, right = _constants(environment, op.lhs, op.rhs)
            return _Line(compare(left, right).astype(np.int64))
        case arith.IndexCastOp():
            return environment[op.input]
        case _ if type(op) in _EVEN:
            left, right = op.operands
            return _EVEN[type(op)](environment[left], environment[right])
        case _ if type(op) in _OTHER:
            left, right = op.operands
            return _Line(_OTHER[type(op)](*_constants(environment, left, right)))
        case _:
            raise CmcError(f"a core's control has no operation {op.name}")


def _constants(environment: _Environment, *values: SSAValue) -> list[Ints]:
    """Values that are the same in each pass."""
    lines = [environment[value] for value in values]
    if not all(line.constant for line in lines):
        raise _UnevenError
    return [line.value for line in lines]
