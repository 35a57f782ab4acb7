# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Single small changes to the control of a compiled chip: most of them are wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import islpy as isl
from xdsl.dialects import affine, arith
from xdsl.dialects.builtin import AffineMapAttr, IntegerAttr, ModuleOp, i64
from xdsl.ir import Attribute, Operation
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineExpr,
    AffineMap,
)

from cmc.dialects.cmctrl import (
    AwaitOp,
    ConstantsOp,
    CreditsOp,
    EnableOp,
    PointOp,
    ReleaseOp,
    RingOp,
)
from cmc.dialects.cmpipe import StageOp, find_object
from cmc.dialects.poly import SetAttr

Change = Callable[[Operation], None]


@dataclass(frozen=True)
class Mutation:
    """One change: to the operation that a walk through the module comes to as number `place`."""

    place: int
    what: str
    change: Change

    def __str__(self) -> str:
        return f"operation {self.place}: {self.what}"

    def of(self, module: ModuleOp) -> ModuleOp:
        """A copy of the module with the change made."""
        copy = module.clone()
        target = next(op for number, op in enumerate(copy.walk()) if number == self.place)
        self.change(target)
        return copy


def mutations(module: ModuleOp) -> Iterator[Mutation]:
    """All single changes to loops, machines, rings, credits and claimed domains of a module.

    What iterations compute, and what they read and write, is left as it is.
    """
    inside: set[Operation] = set()
    for place, op in enumerate(module.walk()):
        if op.parent_op() in inside:
            inside.add(op)
            continue
        if isinstance(op, StageOp):
            inside.add(op)
        for what, change in _changes(op):
            yield Mutation(place, f"{op.name}: {what}", change)


_Changes = Iterator[tuple[str, Change]]


def _changes(op: Operation) -> _Changes:
    match op:
        case PointOp():
            yield from _map_changes("point", op.point.data)
            if len(op.point.data.results) > 1:
                turned = AffineMap(
                    op.point.data.num_dims, op.point.data.num_symbols, op.point.data.results[::-1]
                )
                yield "coordinates turned around", set_property("point", AffineMapAttr(turned))
            if isinstance(op, AwaitOp | EnableOp | ReleaseOp):
                yield "left out", _leave_out
            if isinstance(op, AwaitOp) and isinstance(op.next_op, EnableOp | ReleaseOp):
                yield "after its advance", _move_back
        case affine.ForOp():
            yield from _map_changes("lowerBoundMap", op.lowerBoundMap.data)
            yield from _map_changes("upperBoundMap", op.upperBoundMap.data)
            yield from _integer_changes("step", op.step, at_least=1)
        case affine.ApplyOp():
            yield from _map_changes("map", op.map.data)
        case arith.ConstantOp(value=IntegerAttr() as value):
            yield from _integer_changes("value", value)
        case arith.CmpiOp():
            old = op.predicate.value.data
            for new in {old ^ 1, (old + 2) % 6, old} - {old}:
                attribute = IntegerAttr(new, i64)
                yield f"predicate {old} becomes {new}", set_property("predicate", attribute)
        case RingOp():
            yield from _integer_changes("slots", op.slots, at_least=1)
            yield from _integer_changes("address", op.address, at_least=0, by=4)
            elements = find_object(op, op.object).index_space.reset_tuple_id()
            carried = elements if op.carries is None else op.carries.data
            for what, other in _set_changes(carried):
                yield f"carries {what}", set_property("carries", SetAttr(other))
        case ConstantsOp():
            yield from _integer_changes("address", op.address, at_least=0, by=4)
        case CreditsOp():
            yield from _integer_changes("count", op.count, at_least=0)
        case StageOp():
            for what, domain in _set_changes(op.domain.data):
                yield f"domain {what}", set_property("domain", SetAttr(domain))
        case _:
            pass


def _set_changes(points: isl.Set) -> Iterator[tuple[str, isl.Set]]:
    """The set without its first or last point, and with one after the last one."""
    for name, less in (("first", points.lexmin()), ("last", points.lexmax())):
        yield f"without its {name} point", points.subtract(less)
    if rank := points.dim(isl.dim_type.set):
        dims = ", ".join(f"i{i}" for i in range(rank))
        shifted = points.lexmax().apply(isl.Map(f"{{ [{dims}] -> [{dims} + 1] }}"))
        yield "with a point more", points.union(shifted).coalesce()


def _integer_changes(
    name: str, value: IntegerAttr, at_least: int | None = None, by: int = 1
) -> _Changes:
    for delta in (-by, by):
        new = value.value.data + delta
        if at_least is None or new >= at_least:
            attribute = IntegerAttr(new, value.type)
            yield f"{name} {value.value.data} becomes {new}", set_property(name, attribute)


def _map_changes(name: str, map: AffineMap) -> _Changes:
    for position, expr in enumerate(map.results):
        for new in _expression_changes(expr):
            results = (*map.results[:position], new, *map.results[position + 1 :])
            attribute = AffineMapAttr(AffineMap(map.num_dims, map.num_symbols, results))
            yield f"{name} {map} becomes {attribute.data}", set_property(name, attribute)


def _expression_changes(expr: AffineExpr) -> Iterator[AffineExpr]:
    """One more, one less, and every constant inside by one more and one less."""
    if not isinstance(expr, AffineConstantExpr):
        yield from _constant_changes(expr)
    yield expr + 1
    yield expr - 1


def _constant_changes(expr: AffineExpr) -> Iterator[AffineExpr]:
    if not isinstance(expr, AffineBinaryOpExpr):
        return
    if isinstance(expr.rhs, AffineConstantExpr):
        divides = expr.kind not in (AffineBinaryOpKind.Add, AffineBinaryOpKind.Mul)
        for delta in (-1, 1):
            if not divides or expr.rhs.value + delta > 0:
                changed = AffineExpr.constant(expr.rhs.value + delta)
                yield AffineBinaryOpExpr(expr.kind, expr.lhs, changed)
    else:
        for rhs in _constant_changes(expr.rhs):
            yield AffineBinaryOpExpr(expr.kind, expr.lhs, rhs)
    for lhs in _constant_changes(expr.lhs):
        yield AffineBinaryOpExpr(expr.kind, lhs, expr.rhs)


def set_property(name: str, attribute: Attribute) -> Change:
    """The change that gives an operation another property."""

    def change(op: Operation) -> None:
        op.properties[name] = attribute

    return change


def _leave_out(op: Operation) -> None:
    op.detach()
    op.erase()


def _move_back(op: Operation) -> None:
    block, advance = op.parent, op.next_op
    assert block is not None and advance is not None
    op.detach()
    block.insert_op_after(op, advance)
