# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How many bits the arithmetic of loops needs, so that nothing on the way leaves them.

Control is proved over the integers, and computed in words of a control unit. So the values of all
loop variables, bounds and expressions are followed as intervals, in the order in which expressions
compute them: if all of them fit into a word, both arithmetics are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

from xdsl.dialects import affine, arith, scf
from xdsl.dialects.builtin import IntegerAttr, IntegerType
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

CONTROL_BITS = 32
"""Of the words of a control unit."""

INDEX_BITS = 64
"""Of an index where programs are simulated."""


@dataclass(frozen=True)
class _Interval:
    """What a value may be: all from `low` to `high`."""

    low: int
    high: int

    @property
    def bits(self) -> int:
        """Of the shortest word that holds all of it, with a sign."""
        return 1 + max(self.high, -self.low - 1, 0).bit_length()

    @staticmethod
    def around(values: Sequence[int]) -> _Interval:
        return _Interval(min(values), max(values))


def bits_needed(block: Block, most: int = INDEX_BITS) -> int:
    """Bits of the words in which a block of loops computes as over the integers.

    CmcError where that is more than `most`, or where a block holds what is no control.
    """
    followed = _Followed(most)
    followed.block(block, {})
    return followed.bits


_Values = dict[SSAValue, _Interval]


@dataclass
class _Followed:
    """What is found on the way through a block."""

    most: int
    bits: int = field(default=1)

    def keep(self, op: Operation, value: _Interval) -> _Interval:
        """A value that is computed, if it fits into a word."""
        if value.bits > self.most:
            raise operation_error(
                op,
                f"computes with numbers from {value.low} to {value.high}, which need {value.bits} "
                f"bits, and there are {self.most}",
            )
        self.bits = max(self.bits, value.bits)
        return value

    def block(self, block: Block, outer: _Values) -> None:
        values = dict(outer)
        for op in block.ops:
            match op:
                case PointOp():
                    self.results(op, op.point.data, op.indices, values)
                case affine.ForOp() | scf.ForOp():
                    self.loop(op, values)
                case scf.IfOp():
                    _value(op, op.cond, values)
                    for region in op.regions:
                        for side in region.blocks:
                            self.block(side, values)
                case affine.YieldOp() | scf.YieldOp():
                    pass
                case _ if len(op.results) == 1:
                    values[op.results[0]] = self.computed(op, values)
                case _:
                    raise operation_error(op, "is no operation of a core's control")

    def loop(self, op: affine.ForOp | scf.ForOp, values: _Values) -> None:
        if isinstance(op, affine.ForOp):
            lower = self.results(op, op.lowerBoundMap.data, op.lowerBoundOperands, values)
            upper = self.results(op, op.upperBoundMap.data, op.upperBoundOperands, values)
            step = op.step.value.data
        else:
            low, high, steps = (_value(op, v, values) for v in (op.lb, op.ub, op.step))
            lower, upper, step = [low], [high], steps.high
        first, end = max(e.low for e in lower), min(e.high for e in upper)
        if first >= end:
            return
        # After the last round the variable is beyond the end.
        self.keep(op, _Interval(first, end - 1 + step))
        self.keep(op, _Interval(0, end - first))
        self.block(op.body.block, {**values, op.body.block.args[0]: _Interval(first, end - 1)})

    def results(
        self, op: Operation, map: AffineMap, operands: Sequence[SSAValue], values: _Values
    ) -> list[_Interval]:
        given = [_value(op, operand, values) for operand in operands]
        return [self.expression(op, expr, given, map.num_dims) for expr in map.results]

    def expression(
        self, op: Operation, expr: AffineExpr, given: Sequence[_Interval], dims: int
    ) -> _Interval:
        match expr:
            case AffineConstantExpr(value=value):
                return self.keep(op, _Interval(value, value))
            case AffineDimExpr(position=position):
                return given[position]
            case AffineSymExpr(position=position):
                return given[dims + position]
            case AffineBinaryOpExpr(kind=kind, lhs=lhs, rhs=rhs):
                left, right = (self.expression(op, side, given, dims) for side in (lhs, rhs))
                return self.binary(op, kind, left, right)
            case _:
                raise operation_error(op, f"has an expression that is not affine: {expr}")

    def binary(
        self, op: Operation, kind: AffineBinaryOpKind, left: _Interval, right: _Interval
    ) -> _Interval:
        match kind:
            case AffineBinaryOpKind.Add:
                value = _Interval(left.low + right.low, left.high + right.high)
            case AffineBinaryOpKind.Mul:
                ends = product((left.low, left.high), (right.low, right.high))
                value = _Interval.around([a * b for a, b in ends])
            case _ if right.low < 1:
                raise operation_error(op, "divides by what is no positive constant")
            case AffineBinaryOpKind.Mod:
                value = _Interval(0, right.high - 1)
            case AffineBinaryOpKind.FloorDiv:
                ends = product((left.low, left.high), (right.low, right.high))
                value = _Interval.around([a // b for a, b in ends])
            case AffineBinaryOpKind.CeilDiv:
                self.keep(op, _Interval(-left.high, -left.low))
                ends = product((left.low, left.high), (right.low, right.high))
                value = _Interval.around([-(-a // b) for a, b in ends])
        return self.keep(op, value)

    def computed(self, op: Operation, values: _Values) -> _Interval:
        """The value of index arithmetic, in the words of its type; a truth value is 0 or 1."""
        given = [_value(op, operand, values) for operand in op.operands]
        match op:
            case arith.ConstantOp(value=IntegerAttr() as constant):
                value = _Interval(constant.value.data, constant.value.data)
            case affine.ApplyOp():
                (value,) = self.results(op, op.map.data, op.mapOperands, values)
            case arith.CmpiOp():
                value = _Interval(0, 1)
            case arith.IndexCastOp():
                value = given[0]
            case arith.AddiOp():
                value = self.binary(op, AffineBinaryOpKind.Add, *given)
            case arith.SubiOp():
                left, right = given
                value = self.keep(op, _Interval(left.low - right.high, left.high - right.low))
            case arith.MuliOp():
                value = self.binary(op, AffineBinaryOpKind.Mul, *given)
            case arith.FloorDivSIOp():
                value = self.binary(op, AffineBinaryOpKind.FloorDiv, *given)
            case arith.CeilDivSIOp():
                value = self.binary(op, AffineBinaryOpKind.CeilDiv, *given)
            case arith.RemSIOp():
                left, right = given
                rest = self.binary(op, AffineBinaryOpKind.Mod, *given).high
                value = _Interval(-rest if left.low < 0 else 0, rest if left.high > 0 else 0)
            case arith.MinSIOp():
                value = _Interval(min(v.low for v in given), min(v.high for v in given))
            case arith.MaxSIOp():
                value = _Interval(max(v.low for v in given), max(v.high for v in given))
            case arith.AndIOp() | arith.OrIOp() | arith.XOrIOp():
                bits = max(v.bits for v in given)
                value = _Interval(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
            case _:
                raise operation_error(op, "is no operation of a core's control")
        type = op.results[0].type
        if isinstance(type, IntegerType) and type.bitwidth > 1 and value.bits > type.bitwidth:
            raise operation_error(
                op, f"gives {type} numbers from {value.low} to {value.high}: not all of them fit"
            )
        return self.keep(op, value)


def _value(op: Operation, operand: SSAValue, values: _Values) -> _Interval:
    value = values.get(operand)
    if value is None:
        raise operation_error(op, "uses a value that nothing before it gives")
    return value
