# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What happens at a point of a loop nest: starts of iterations, and the steps of machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from xdsl.dialects.builtin import AffineMapAttr, IndexType
from xdsl.ir import SSAValue
from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
    AffineSymExpr,
)
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    lazy_traits_def,
    prop_def,
    var_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import HasAncestor, OpTrait
from xdsl.utils.exceptions import VerifyException

_PRECEDENCE = {AffineBinaryOpKind.Add: 1}


_TOKENS = {
    AffineBinaryOpKind.Add: "+",
    AffineBinaryOpKind.Mul: "*",
    AffineBinaryOpKind.Mod: "mod",
    AffineBinaryOpKind.FloorDiv: "floordiv",
    AffineBinaryOpKind.CeilDiv: "ceildiv",
}


def _print_expression(printer: Printer, expr: AffineExpr, operands: Sequence[SSAValue]) -> None:
    def nested(inner: AffineExpr, tight: bool) -> None:
        if tight and isinstance(inner, AffineBinaryOpExpr):
            with printer.in_parens():
                _print_expression(printer, inner, operands)
        else:
            _print_expression(printer, inner, operands)

    match expr:
        case AffineConstantExpr(value=value):
            printer.print_string(str(value))
        case AffineDimExpr(position=position) | AffineSymExpr(position=position):
            printer.print_ssa_value(operands[position])
        case AffineBinaryOpExpr(
            kind=AffineBinaryOpKind.Add, lhs=lhs, rhs=AffineConstantExpr(value=value)
        ) if value < 0:
            nested(lhs, False)
            printer.print_string(f" - {-value}")
        case AffineBinaryOpExpr(kind=kind, lhs=lhs, rhs=rhs):
            tight = kind not in _PRECEDENCE
            nested(lhs, tight)
            printer.print_string(f" {_TOKENS[kind]} ")
            nested(rhs, tight)
        case _:
            raise ValueError(f"not an affine expression: {expr}")


def _in_program() -> tuple[OpTrait, ...]:
    from cmc.dialects.cmctrl.chip import ProgramOp

    return (HasAncestor(ProgramOp),)


def _in_machine() -> tuple[OpTrait, ...]:
    from cmc.dialects.cmctrl.chip import MachineOp

    return (HasAncestor(MachineOp),)


class PointOp(IRDLOperation):
    """An operation at a point: affine expressions of loop variables, such as `[%h - 1, 2 * %w]`."""

    indices = var_operand_def(IndexType)
    point = prop_def(AffineMapAttr)

    def __init__(self, indices: Sequence[SSAValue], point: AffineMap):
        super().__init__(operands=[indices], properties={"point": AffineMapAttr(point)})

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        map, indices = parser.parse_affine_map_of_ssa_ids()
        # xDSL reads every value as a symbol; loop variables are dimensions.
        dims = [AffineExpr.dimension(i) for i in range(len(indices))]
        op = cls(indices, map.replace_dims_and_symbols((), dims, len(dims), 0))
        op.attributes |= parser.parse_optional_attr_dict()
        return op

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        with printer.in_square_brackets():
            printer.print_list(
                self.point.data.results,
                lambda expr: _print_expression(printer, expr, self.indices),
            )
        printer.print_op_attributes(self.attributes)

    def verify_(self) -> None:
        if len(self.indices) != self.point.data.num_dims + self.point.data.num_symbols:
            raise VerifyException("the point's map has as many dimensions as there are indices")

    def expect_rank(self, rank: int, of: str) -> None:
        """Verify that the point has as many coordinates as what it is a point of."""
        if len(self.point.data.results) != rank:
            raise VerifyException(
                f"{of} has {rank} dimensions, and the point has {len(self.point.data.results)}"
            )


@irdl_op_definition
class StartOp(PointOp):
    """Start an iteration of a stage or a stream, once it is enabled and has room to write.

    ```mlir
    cmctrl.start [%h, %w]
    ```
    """

    name = "cmctrl.start"

    traits = lazy_traits_def(_in_program)


@irdl_op_definition
class AwaitOp(PointOp):
    """Wait until an element was written (ready) or an iteration is done (free), in this image.

    ```mlir
    cmctrl.await [%h, 2 * %w + 1]
    ```
    """

    name = "cmctrl.await"

    traits = lazy_traits_def(_in_machine)


@irdl_op_definition
class EnableOp(PointOp):
    """The reader's iterations up to this one, in lexicographic order, may run.

    ```mlir
    cmctrl.enable [%h - 1, %w - 1]
    ```
    """

    name = "cmctrl.enable"

    traits = lazy_traits_def(_in_machine)


@irdl_op_definition
class ReleaseOp(PointOp):
    """The slots of all elements up to this one, in write order, are free: send their credits.

    ```mlir
    cmctrl.release [%h, %w]
    ```
    """

    name = "cmctrl.release"

    traits = lazy_traits_def(_in_machine)
