# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""From isl's loops to `affine` and `scf`: one perfect order of steps becomes a loop nest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import islpy as isl
from xdsl.dialects import affine, arith, scf
from xdsl.dialects.builtin import AffineMapAttr, IndexType, IntegerAttr
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineExpr, AffineMap

from cmc.poly.evaluate import evaluate_aff, pieces


@dataclass(frozen=True)
class Step:
    """One step inside of the loops: affine expressions of the loop variables `operands`."""

    operands: tuple[SSAValue, ...]
    coordinates: tuple[AffineExpr, ...]

    def apply(self, function: isl.MultiAff) -> Step:
        """The step with the function's values at its coordinates as its coordinates."""
        zero = AffineExpr.constant(0)
        dims = len(self.operands)
        values = tuple(
            evaluate_aff(function.get_aff(i), self.coordinates, zero).simplify(dims, 0)
            for i in range(function.dim(isl.dim_type.out))
        )
        return Step(self.operands, values)

    def affine(self) -> tuple[list[SSAValue], AffineMap]:
        """The operands that are used, and the coordinates as a map of them."""
        map = AffineMap(len(self.operands), 0, self.coordinates)
        used = map.used_dims_bit_vector()
        operands = [v for v, keep in zip(self.operands, used, strict=True) if keep]
        return operands, map.drop_dims([not keep for keep in used])


Emit = Callable[[Step], Sequence[Operation]]


@dataclass(frozen=True)
class _Scope:
    """What is known at one place in the nest.

    These are the loop variables, what isl's iterators stand for, and by isl's text for them the
    conditions under which expressions are selected, where a branch around the place decides them.
    """

    operands: tuple[SSAValue, ...]
    iterators: dict[str, AffineExpr]
    hints: dict[str, str]
    decided: dict[str, bool]

    def bind(self, name: str, value: AffineExpr) -> _Scope:
        return replace(self, iterators={**self.iterators, name: value})

    def enter(self, name: str, variable: SSAValue) -> _Scope:
        variable.name_hint = self.hints.get(name)
        dimension = AffineExpr.dimension(len(self.operands))
        return replace(self.bind(name, dimension), operands=(*self.operands, variable))

    def decide(self, condition: isl.AstExpr, holds: bool) -> _Scope:
        return replace(self, decided={**self.decided, condition.to_C_str(): holds})


_SELECT = (isl.ast_expr_op_type.select, isl.ast_expr_op_type.cond)


def _args(expr: isl.AstExpr) -> list[isl.AstExpr]:
    if expr.get_type() != isl.ast_expr_type.op:
        return []
    return [expr.get_op_arg(i) for i in range(expr.get_op_n_arg())]


def _undecided(expr: isl.AstExpr, scope: _Scope) -> isl.AstExpr | None:
    """The first condition in an expression that selects one of two, and is not decided."""
    args = _args(expr)
    if args and isl.ast_expr_op_type(expr.get_op_type()) in _SELECT:
        holds = scope.decided.get(args[0].to_C_str())
        if holds is None:
            return args[0]
        args = [args[1] if holds else args[2]]
    return next((found for arg in args if (found := _undecided(arg, scope)) is not None), None)


def _expression(expr: isl.AstExpr, scope: _Scope) -> AffineExpr:
    kind = expr.get_type()
    if kind == isl.ast_expr_type.int:
        return AffineExpr.constant(expr.get_val().to_python())
    if kind == isl.ast_expr_type.id:
        return scope.iterators[expr.get_id().get_name()]
    op = isl.ast_expr_op_type(expr.get_op_type())
    ops = isl.ast_expr_op_type
    if op in _SELECT:
        condition, one, other = _args(expr)
        return _expression(one if scope.decided[condition.to_C_str()] else other, scope)
    args = [_expression(arg, scope) for arg in _args(expr)]
    if op == ops.add:
        return args[0] + args[1]
    if op == ops.sub:
        return args[0] - args[1]
    if op == ops.mul:
        return args[1] * args[0] if isinstance(args[0], AffineConstantExpr) else args[0] * args[1]
    if op == ops.minus:
        return -args[0]
    if op in (ops.fdiv_q, ops.pdiv_q, ops.div):
        return args[0] // args[1]
    if op in (ops.pdiv_r, ops.zdiv_r):
        return args[0] % args[1]
    raise ValueError(f"isl generated an expression that is not affine: {expr.to_C_str()}")


def _extrema(expr: isl.AstExpr, scope: _Scope, kind: isl.ast_expr_op_type) -> list[AffineExpr]:
    """The expressions that `expr` is the minimum, or the maximum, of."""
    if expr.get_type() == isl.ast_expr_type.op and expr.get_op_type() == kind:
        return [e for arg in _args(expr) for e in _extrema(arg, scope, kind)]
    return [_expression(expr, scope)]


_COMPARISONS = {
    isl.ast_expr_op_type.eq: "eq",
    isl.ast_expr_op_type.le: "sle",
    isl.ast_expr_op_type.lt: "slt",
    isl.ast_expr_op_type.ge: "sge",
    isl.ast_expr_op_type.gt: "sgt",
}
_AND = (isl.ast_expr_op_type["and_"], isl.ast_expr_op_type.and_then)
_OR = (isl.ast_expr_op_type["or_"], isl.ast_expr_op_type.or_else)


def _value(expr: AffineExpr, scope: _Scope, ops: list[Operation]) -> SSAValue:
    value = expr.simplify(len(scope.operands), 0)
    if isinstance(value, AffineConstantExpr):
        constant = arith.ConstantOp(IntegerAttr.from_index_int_value(value.value))
        ops.append(constant)
        return constant.result
    operands, map = Step(scope.operands, (value,)).affine()
    if map == AffineMap.identity(1):
        return operands[0]
    apply = affine.ApplyOp(operands, AffineMapAttr(map))
    ops.append(apply)
    return apply.result


def _condition(expr: isl.AstExpr, scope: _Scope, ops: list[Operation]) -> SSAValue:
    if expr.get_type() == isl.ast_expr_type.int:
        constant = arith.ConstantOp.from_int_and_width(expr.get_val().to_python(), 1)
        ops.append(constant)
        return constant.result
    op = isl.ast_expr_op_type(expr.get_op_type())
    if op in _COMPARISONS:
        left = _value(_expression(expr.get_op_arg(0), scope), scope, ops)
        right = _value(_expression(expr.get_op_arg(1), scope), scope, ops)
        result = arith.CmpiOp(left, right, _COMPARISONS[op])
        ops.append(result)
        return result.result
    if op not in (*_AND, *_OR):
        raise ValueError(f"isl generated a condition that is not affine: {expr.to_C_str()}")
    left = _condition(expr.get_op_arg(0), scope, ops)
    right = _condition(expr.get_op_arg(1), scope, ops)
    result = (arith.AndIOp if op in _AND else arith.OrIOp)(left, right)
    ops.append(result)
    return result.result


def _loops(node: isl.AstNode, scope: _Scope, emit: dict[str, Emit]) -> list[Operation]:
    kind = node.get_type()
    if kind == isl.ast_node_type.block:
        children = node.block_get_children()
        return [
            op
            for i in range(children.n_ast_node())
            for op in _loops(children.get_at(i), scope, emit)
        ]
    undecided = _first_undecided(node, scope)
    if undecided is not None:
        return _branch(
            undecided, scope, lambda holds: _loops(node, scope.decide(undecided, holds), emit)
        )
    if kind == isl.ast_node_type["for_"]:
        return _for(node, scope, emit)
    if kind == isl.ast_node_type["if_"]:
        return _if(node, scope, emit)
    call = node.user_get_expr()
    name = call.get_op_arg(0).get_id().get_name()
    coordinates = tuple(
        _expression(call.get_op_arg(i), scope).simplify(len(scope.operands), 0)
        for i in range(1, call.get_op_n_arg())
    )
    return list(emit[name](Step(scope.operands, coordinates)))


def _first_undecided(node: isl.AstNode, scope: _Scope) -> isl.AstExpr | None:
    """The first undecided condition in what is evaluated at a node, not further in."""
    kind = node.get_type()
    if kind == isl.ast_node_type["for_"]:
        evaluated = [node.for_get_init(), node.for_get_cond()]
    elif kind == isl.ast_node_type["if_"]:
        evaluated = [node.if_get_cond()]
    else:
        evaluated = [node.user_get_expr()]
    return next((c for expr in evaluated if (c := _undecided(expr, scope)) is not None), None)


def _for(node: isl.AstNode, scope: _Scope, emit: dict[str, Emit]) -> list[Operation]:
    name = node.for_get_iterator().get_id().get_name()
    if node.for_is_degenerate():
        value = _expression(node.for_get_init(), scope)
        return _loops(node.for_get_body(), scope.bind(name, value), emit)
    lower = _extrema(node.for_get_init(), scope, isl.ast_expr_op_type.max)
    condition = node.for_get_cond()
    upper = _extrema(condition.get_op_arg(1), scope, isl.ast_expr_op_type.min)
    if condition.get_op_type() == isl.ast_expr_op_type.le:
        upper = [bound + 1 for bound in upper]
    block = Block(arg_types=[IndexType()])
    inner = scope.enter(name, block.args[0])
    block.add_ops(_loops(node.for_get_body(), inner, emit))
    step = node.for_get_inc().get_val().to_python()
    match [bound.simplify(len(scope.operands), 0) for bound in (*lower, *upper)]:
        case [AffineConstantExpr(value=first), AffineConstantExpr(value=end)]:
            block.add_op(affine.YieldOp.get())
            return [affine.ForOp.from_region([], [], [], [], first, end, Region(block), step)]
        case _:
            # What bounds depend on, stock passes take apart for scf alone.
            block.add_op(scf.YieldOp())
            ops: list[Operation] = []
            bounds = (
                _extreme(lower, scope, arith.MaxSIOp, ops),
                _extreme(upper, scope, arith.MinSIOp, ops),
            )
            by = _value(AffineExpr.constant(step), scope, ops)
            return [*ops, scf.ForOp(*bounds, by, [], Region(block))]


def _extreme(
    bounds: list[AffineExpr],
    scope: _Scope,
    kind: type[arith.MaxSIOp] | type[arith.MinSIOp],
    ops: list[Operation],
) -> SSAValue:
    """The minimum or maximum of some expressions."""
    value, *others = (_value(bound, scope, ops) for bound in bounds)
    for other in others:
        result = kind(value, other)
        ops.append(result)
        value = result.result
    return value


def _if(node: isl.AstNode, scope: _Scope, emit: dict[str, Emit]) -> list[Operation]:
    def side(holds: bool) -> list[Operation]:
        if holds:
            return _loops(node.if_get_then_node(), scope, emit)
        return _loops(node.if_get_else_node(), scope, emit) if node.if_has_else_node() else []

    return _branch(node.if_get_cond(), scope, side)


def _branch(
    condition: isl.AstExpr, scope: _Scope, side: Callable[[bool], list[Operation]]
) -> list[Operation]:
    """What each side of a condition does."""
    ops: list[Operation] = []
    value = _condition(condition, scope, ops)
    then, otherwise = side(True), side(False)
    branch = scf.IfOp(
        value, (), [*then, scf.YieldOp()], [*otherwise, scf.YieldOp()] if otherwise else None
    )
    return [*ops, branch]


def _aligned(rank: int, option: str) -> isl.UnionMap:
    """An option for all loops, by which no piece runs ahead of another in a loop that they share.

    Where pieces follow each other at a stride isl would let the one run at an offset from the
    other, `a(i); b(i + 1)`, but it takes offsets for constant that are not, between pieces of
    tiles, and then steps come in the wrong order. It does not try with options that depend on the
    variable of the loop, even if they ask for nothing.
    """
    times = [f"c{d}" for d in range(rank)]
    some = " and ".join(f"{time} >= 0" for time in times) or "true"
    return isl.UnionMap(f"{{ [{', '.join(times)}] -> {option}[d] : {some} }}")


def _tree(times: Sequence[isl.Map], rank: int) -> isl.AstNode:
    """isl's loops for times of rank `rank`, each of a step of its own.

    It may give up on some relations, and not on the same relations in another form.
    """
    for option, form in product(("none", "separate"), (isl.Map.detect_equalities, isl.Map.copy)):
        schedule = isl.UnionMap("{ }")
        for step in times:
            schedule = schedule.union(form(step).to_union_map())
        build = isl.AstBuild.from_context(isl.Set("{ : }")).set_options(_aligned(rank, option))
        try:
            return build.node_from_schedule_map(schedule)
        except isl.Error:
            continue
    raise ArithmeticError(f"isl finds no loops for the times {'; '.join(map(str, times))}")


def loops(
    order: isl.Map, steps: isl.Map, emit: Callable[[Step, Step], Sequence[Operation]]
) -> list[Operation]:
    """Loops over the points of `steps`' domain, in lexicographic order of their times.

    `order` gives each point its time. For each point p, `emit(p, steps(p))` makes the operations
    of one step. `steps` is single-valued; each of its pieces becomes a step of its own.
    """
    times: list[isl.Map] = []
    emitters: dict[str, Emit] = {}
    time = order.reset_tuple_id(isl.dim_type.out)
    for position, (domain, function) in enumerate(pieces(steps)):
        name = f"piece{position}"
        times.append(time.intersect_domain(domain).set_tuple_name(isl.dim_type.in_, name))
        emitters[name] = lambda point, f=function: emit(point, point.apply(f))
    rank = order.dim(isl.dim_type.out)
    hints = {
        f"c{position}": name
        for position in range(rank)
        if (name := order.get_dim_name(isl.dim_type.out, position)) is not None
    }
    return _loops(_tree(times, rank), _Scope((), {}, hints, {}), emitters)


def loops_over(domain: isl.Set, emit: Callable[[Step], Sequence[Operation]]) -> list[Operation]:
    """Loops over the points of `domain`, in lexicographic order."""
    identity = domain.identity()
    return loops(identity, identity, lambda point, _: emit(point))
