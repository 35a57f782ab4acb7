# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Read loops: what a nest of `affine`'s and `scf`'s visits, and in which order, as isl's text.

Each visit of an operation at a point gets a *time*, a tuple: the place of the operation or loop in
its block, the value of the loop's variable, the place in the loop's block, and so on. Visits happen
in the lexicographic order of their times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from xdsl.dialects import affine, arith, scf
from xdsl.dialects.builtin import IndexType, IntegerAttr, IntegerType
from xdsl.ir import Attribute, Block, Operation, SSAValue
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


@dataclass(frozen=True)
class Visit:
    """All visits of one operation: times, points and conditions, over variables in the time."""

    op: PointOp
    time: tuple[str, ...]
    point: tuple[str, ...]
    conditions: tuple[str, ...]


MANY = 64
"""Operations in a block. What isl does with relations of more pieces grows with the cube of them:
then visits are looked at one by one."""


@dataclass(frozen=True)
class Timeline:
    """All visits of the operations at points in one block, and the length of their times."""

    visits: tuple[Visit, ...]
    width: int

    @staticmethod
    def of(block: Block) -> Timeline:
        """CmcError where the block holds what is no affine control."""
        visits = tuple(_Reader({}, (), (), count()).visits(block))
        return Timeline(visits, max((len(v.time) for v in visits), default=1))

    @property
    def is_long(self) -> bool:
        """Whether so much is written out that visits should be looked at one by one."""
        return len(self.visits) > MANY

    def text(self, kind: type[PointOp], rank: int) -> str:
        """The relation from times to points of rank `rank`, for operations of one kind."""
        parts = [
            f"{_tuple(visit.time + ('0',) * (self.width - len(visit.time)))} -> "
            f"{_tuple(visit.point)} : {' and '.join(visit.conditions) or 'true'}"
            for visit in self.visits
            if isinstance(visit.op, kind)
        ]
        if not parts:
            parts = [f"{_dims('t', self.width)} -> {_dims('p', rank)} : false"]
        return f"{{ {'; '.join(parts)} }}"


def _tuple(expressions: Sequence[str]) -> str:
    return f"[{', '.join(expressions)}]"


def _dims(letter: str, count: int) -> str:
    return _tuple([f"{letter}{i}" for i in range(count)])


_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
"""By the number of the predicate in `arith.cmpi`; the signed ones."""


@dataclass
class _Reader:
    """Reads a block: values in isl's text, the time and conditions of the block, places in it."""

    values: dict[SSAValue, str]
    time: tuple[str, ...]
    conditions: tuple[str, ...]
    places: Iterator[int]

    def visits(self, block: Block) -> Iterator[Visit]:
        for op in block.ops:
            match op:
                case PointOp():
                    point = self._results(op, op.point.data, op.indices)
                    yield Visit(op, (*self.time, str(next(self.places))), point, self.conditions)
                case affine.ForOp() | scf.ForOp():
                    yield from self._for(op)
                case scf.IfOp():
                    yield from self._if(op)
                case affine.YieldOp() | scf.YieldOp():
                    pass
                case _:
                    self.values[_only_result(op)] = self._compute(op)

    def _if(self, op: scf.IfOp) -> Iterator[Visit]:
        condition = self._condition(op, op.cond)
        sides = ((op.true_region, condition), (op.false_region, f"not ({condition})"))
        for region, holds in sides:
            if region.blocks:
                # What one side holds has its places in the block around both.
                conditions = (*self.conditions, holds)
                side = _Reader(dict(self.values), self.time, conditions, self.places)
                yield from side.visits(region.block)

    def _for(self, op: affine.ForOp | scf.ForOp) -> Iterator[Visit]:
        if isinstance(op, affine.ForOp):
            carried, step = op.inits, op.step.value.data
            lower = self._results(op, op.lowerBoundMap.data, op.lowerBoundOperands)
            upper = self._results(op, op.upperBoundMap.data, op.upperBoundOperands)
        else:
            carried, step = op.iter_args, self._constant(op, op.step)
            lower, upper = ((self._number(op, value),) for value in (op.lb, op.ub))
        if carried:
            raise operation_error(op, "carries values from one round to the next")
        if step < 1:
            raise operation_error(op, f"has the step {step}, and a step is at least 1")
        variable = f"v{len(self.time) // 2}"
        bounds = [*(f"{variable} >= {e}" for e in lower), *(f"{variable} < {e}" for e in upper)]
        if step > 1:
            bounds.append(f"({variable} - {_extreme('max', lower)}) mod {step} = 0")
        inner = _Reader(
            {**self.values, op.body.block.args[0]: variable},
            (*self.time, str(next(self.places)), variable),
            (*self.conditions, *bounds),
            count(),
        )
        yield from inner.visits(op.body.block)

    def _results(
        self, op: Operation, map: AffineMap, operands: Sequence[SSAValue]
    ) -> tuple[str, ...]:
        values = [self._number(op, value) for value in operands]
        return tuple(_expression(op, expr, values, map.num_dims) for expr in map.results)

    def _number(self, op: Operation, value: SSAValue) -> str:
        if not _is_number(value.type):
            raise operation_error(op, f"computes with {value.type}; control computes with index")
        return self._value(op, value)

    def _constant(self, op: Operation, value: SSAValue) -> int:
        text = self._number(op, value)
        if not _is_constant(text):
            raise operation_error(op, "has a step that is no constant")
        return int(text)

    def _condition(self, op: Operation, value: SSAValue) -> str:
        if not _is_truth(value.type):
            raise operation_error(op, f"takes {value.type} as a truth value")
        return self._value(op, value)

    def _value(self, op: Operation, value: SSAValue) -> str:
        text = self.values.get(value)
        if text is None:
            raise operation_error(op, "uses a value that no loop and no arithmetic here gives")
        return text

    def _compute(self, op: Operation) -> str:
        """The value of index arithmetic; a truth value as a condition."""
        match op:
            case arith.ConstantOp(value=IntegerAttr() as constant):
                if _is_truth(op.result.type):
                    return "true" if constant.value.data else "false"
                return str(constant.value.data)
            case affine.ApplyOp():
                return self._results(op, op.map.data, op.mapOperands)[0]
            case arith.CmpiOp(predicate=predicate) if predicate.value.data < len(_COMPARISONS):
                left, right = self._number(op, op.lhs), self._number(op, op.rhs)
                return f"({left} {_COMPARISONS[predicate.value.data]} {right})"
            case arith.AndIOp() | arith.OrIOp() | arith.XOrIOp():
                left, right = self._condition(op, op.lhs), self._condition(op, op.rhs)
                if isinstance(op, arith.AndIOp):
                    return f"({left} and {right})"
                if isinstance(op, arith.OrIOp):
                    return f"({left} or {right})"
                return f"(({left} or {right}) and not ({left} and {right}))"
            case arith.IndexCastOp() if _is_number(op.result.type):
                return self._number(op, op.input)
            case (
                arith.AddiOp()
                | arith.SubiOp()
                | arith.MuliOp()
                | arith.FloorDivSIOp()
                | arith.CeilDivSIOp()
                | arith.RemSIOp()
            ):
                kind = _ARITHMETIC[type(op)]
                left, right = (self._number(op, value) for value in (op.lhs, op.rhs))
                return _binary(op, kind, left, right)
            case arith.MinSIOp() | arith.MaxSIOp():
                left, right = self._number(op, op.lhs), self._number(op, op.rhs)
                return _extreme("min" if isinstance(op, arith.MinSIOp) else "max", (left, right))
            case _:
                raise operation_error(op, "is no operation of a core's control")


_ARITHMETIC: dict[type[Operation], str] = {
    arith.AddiOp: "+",
    arith.SubiOp: "-",
    arith.MuliOp: "*",
    arith.FloorDivSIOp: "floord",
    arith.CeilDivSIOp: "ceild",
    arith.RemSIOp: "rem",
}

_KINDS = {
    AffineBinaryOpKind.Add: "+",
    AffineBinaryOpKind.Mul: "*",
    AffineBinaryOpKind.Mod: "mod",
    AffineBinaryOpKind.FloorDiv: "floord",
    AffineBinaryOpKind.CeilDiv: "ceild",
}


def _only_result(op: Operation) -> SSAValue:
    if len(op.results) != 1:
        raise operation_error(op, "is no operation of a core's control")
    return op.results[0]


def _is_truth(type: Attribute) -> bool:
    return isinstance(type, IntegerType) and type.bitwidth == 1


def _is_number(type: Attribute) -> bool:
    return isinstance(type, IndexType) or (isinstance(type, IntegerType) and type.bitwidth >= 32)


def _extreme(which: str, expressions: Sequence[str]) -> str:
    """The minimum or maximum of one or more expressions."""
    first, *others = expressions
    for other in others:
        first = f"{which}({first}, {other})"
    return first


def _expression(op: Operation, expr: AffineExpr, values: Sequence[str], dims: int) -> str:
    match expr:
        case AffineConstantExpr(value=value):
            return str(value)
        case AffineDimExpr(position=position):
            return values[position]
        case AffineSymExpr(position=position):
            return values[dims + position]
        case AffineBinaryOpExpr(kind=kind, lhs=lhs, rhs=rhs):
            left, right = (_expression(op, side, values, dims) for side in (lhs, rhs))
            return _binary(op, _KINDS[kind], left, right)
        case _:
            raise operation_error(op, f"has an expression that is not affine: {expr}")


def _binary(op: Operation, kind: str, left: str, right: str) -> str:
    if kind == "*" and not (_is_constant(left) or _is_constant(right)):
        raise operation_error(op, "multiplies two variables, which is not affine")
    if kind in ("mod", "rem", "floord", "ceild"):
        if not (_is_constant(right) and int(right) > 0):
            raise operation_error(op, "divides by what is no positive constant")
        if kind == "rem":
            # The remainder has the sign of the dividend: a negative one is rounded up.
            quotient = f"(floord(max({left}, 0), {right}) - floord(max(-{left}, 0), {right}))"
            return f"({left} - {right} * {quotient})"
        return f"({left} mod {right})" if kind == "mod" else f"{kind}({left}, {right})"
    return f"({left} {kind} {right})"


def _is_constant(text: str) -> bool:
    return text.removeprefix("-").isdigit()
