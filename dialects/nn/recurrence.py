# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What depends on itself, a step before."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import Block, BlockArgument, Operation, Region, SSAValue
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    operand_def,
    region_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import HasParent, IsTerminator, Pure, RecursiveMemoryEffect
from xdsl.utils.exceptions import VerifyException

from cmc.dialects.nn.base import (
    Axes,
    F32Tensor,
    Operand,
    Shape,
    TensorOp,
    format_shape,
    shape_of,
    tensor_type,
)


@irdl_op_definition
class RecurrenceOp(TensorOp):
    """A sequence of states, each of which follows from the one before.

    The first axis of the result counts the steps. What the body is given holds in each step what
    the result holds in the step before, and in the first one the `initial` state. The body computes
    all steps alike, each of what belongs to it: no operation on the way from the state before to
    the one after may mix steps, or tell them apart.

    Example: 5 states of 8 numbers, `h = tanh(x + R h)`.

    ```mlir
    %h = nn.recurrence %before from %initial : tensor<1x1x8xf32> -> tensor<5x1x8xf32> {
      %p = nn.matmul %before, %r : (tensor<5x1x8xf32>, tensor<8x8xf32>) -> tensor<5x1x8xf32>
      %s = nn.add %p, %x : (tensor<5x1x8xf32>, tensor<5x1x8xf32>) -> tensor<5x1x8xf32>
      %t = nn.tanh %s : tensor<5x1x8xf32>
      nn.yield %t : tensor<5x1x8xf32>
    }
    ```
    """

    name = "nn.recurrence"
    initial = operand_def(F32Tensor)
    body = region_def("single_block")
    traits = traits_def(RecursiveMemoryEffect())

    def __init__(self, initial: Operand, steps: int, body: Region | None = None):
        """Without a body, one with an empty block."""
        type = tensor_type((steps, *shape_of(initial)[1:]))
        if body is None:
            body = Region(Block(arg_types=[type]))
        super().__init__(operands=[initial], regions=[body], result_types=[type])

    @property
    def before(self) -> BlockArgument:
        """The states before each step."""
        return self.body.block.args[0]

    @property
    def after(self) -> SSAValue:
        """The states after each step."""
        last = self.body.block.last_op
        if not isinstance(last, YieldOp):
            raise VerifyException("the body ends in no nn.yield")
        return last.state

    def result_shape(self) -> Shape:
        shape, initial = shape_of(self.result), shape_of(self.initial)
        if initial[:1] != (1,) or not shape:
            raise VerifyException(
                f"the initial state has shape {format_shape(initial)}, and its first axis, which "
                "counts steps, must have one"
            )
        return (shape[0], *initial[1:])

    def carried(self, operand: int) -> Axes:
        return (None,) * len(shape_of(self.operands[operand]))

    def verify_(self) -> None:
        super().verify_()
        types = [argument.type for argument in self.body.block.args]
        if types != [self.result.type]:
            found = ", ".join(map(str, types)) or "nothing"
            raise VerifyException(f"the body is given {self.result.type}, not {found}")
        if self.after.type != self.result.type:
            raise VerifyException(f"the body gives {self.result.type}, not {self.after.type}")
        self._follow_steps()

    def _follow_steps(self) -> None:
        """VerifyException where an operation mixes steps, or moves them to another axis in the
        end."""
        axes: dict[SSAValue, int] = {self.before: 0}
        for op in self.body.block.ops:
            if isinstance(op, YieldOp):
                continue
            if not isinstance(op, TensorOp):
                raise VerifyException(f"{op.name} is no operator of nn")
            carried = {
                op.carried(index)[axes[operand]]
                for index, operand in enumerate(op.operands)
                if operand in axes
            }
            if not carried:
                continue
            axis = carried.pop()
            if axis is None or carried:
                raise VerifyException(f"{op.name} mixes steps: the state after one follows from it")
            axes[op.result] = axis
        if axes.get(self.after, 0):
            raise VerifyException(f"the body gives its steps along axis {axes[self.after]}")

    def print(self, printer: Printer) -> None:
        printer.print_string(" ")
        printer.print_ssa_value(self.before)
        printer.print_string(" from ")
        printer.print_ssa_value(self.initial)
        printer.print_string(" : ")
        printer.print_attribute(self.initial.type)
        printer.print_string(" -> ")
        printer.print_attribute(self.result.type)
        printer.print_string(" ")
        printer.print_region(self.body, print_entry_block_args=False)
        printer.print_op_attributes(self.attributes, print_keyword=True)

    @classmethod
    def parse(cls, parser: Parser) -> RecurrenceOp:
        before = parser.parse_argument(expect_type=False)
        parser.parse_keyword("from")
        initial = parser.parse_unresolved_operand()
        parser.parse_punctuation(":")
        given = parser.parse_type()
        parser.parse_punctuation("->")
        result = parser.parse_type()
        body = parser.parse_region([before.resolve(result)])
        attributes = parser.parse_optional_attr_dict_with_keyword()
        return cls.create(
            operands=[parser.resolve_operand(initial, given)],
            regions=[body],
            result_types=[result],
            attributes={} if attributes is None else dict(attributes.data),
        )


@irdl_op_definition
class YieldOp(IRDLOperation):
    """The states after each step of a recurrence.

    Example:

    ```mlir
    nn.yield %t : tensor<5x1x8xf32>
    ```
    """

    name = "nn.yield"
    state = operand_def(F32Tensor)
    traits = traits_def(IsTerminator(), HasParent(RecurrenceOp), Pure())
    assembly_format = "$state attr-dict `:` type($state)"

    def __init__(self, state: Operand):
        super().__init__(operands=[state])


def operations(block: Block) -> Sequence[Operation]:
    """All operations of a block and of what stands within them, each before those within it."""
    return [op for top in block.ops for op in top.walk()]
