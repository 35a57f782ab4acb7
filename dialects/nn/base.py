# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What all operations on tensors have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, TypeAlias

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    I64,
    DenseArrayBase,
    Float32Type,
    TensorType,
    f32,
    i64,
)
from xdsl.ir import Operation, OpResult, SSAValue
from xdsl.irdl import IRDLOperation, VarConstraint, base, operand_def, result_def, traits_def
from xdsl.pattern_rewriter import RewritePattern
from xdsl.traits import HasCanonicalizationPatternsTrait, Pure
from xdsl.utils.exceptions import VerifyException

F32Tensor: TypeAlias = TensorType[Float32Type]
"""The type of every value of the dialect; its shape is static."""

Operand: TypeAlias = SSAValue | Operation
Shape: TypeAlias = tuple[int, ...]
Axes: TypeAlias = tuple[int | None, ...]
IntsAttr: TypeAlias = DenseArrayBase[I64]


LARGEST = 2**28
"""How many elements a tensor may have: what a file declares must not take all memory."""


class Canonical(HasCanonicalizationPatternsTrait):
    """Is simplified by `nn-canonicalize`, and so by xDSL's `canonicalize`."""

    @classmethod
    def get_canonicalization_patterns(cls) -> tuple[RewritePattern, ...]:
        from cmc.passes.nn_canonicalize import PATTERNS

        return PATTERNS


class TensorOp(IRDLOperation, ABC):
    """An operation with one tensor as its result, whose shape follows from the operation."""

    result: OpResult[F32Tensor] = result_def(F32Tensor)

    @abstractmethod
    def result_shape(self) -> Shape:
        """The shape that operands and properties give. VerifyException if they do not fit."""

    @abstractmethod
    def carried(self, operand: int) -> Axes:
        """For each axis of an operand, the axis of the result that it becomes, or None.

        An axis is carried where slice `i` of the result follows from slice `i` of the operand, in
        the same way for every `i`: a batch of images along it stays one.
        """

    def verify_(self) -> None:
        for value in (*self.operands, *self.results):
            if DYNAMIC_INDEX in shape_of(value):
                raise VerifyException(f"{value.type} is not static: all dimensions must be given")
        expected, actual = self.result_shape(), shape_of(self.result)
        if expected != actual:
            raise VerifyException(
                f"the result has shape {format_shape(actual)}, but must have "
                f"{format_shape(expected)}"
            )


class SameShapeOp(TensorOp, ABC):
    """An operation on one tensor whose result has that tensor's type, which is printed once."""

    TYPE: ClassVar = VarConstraint("Type", base(F32Tensor))

    input = operand_def(TYPE)
    result = result_def(TYPE)
    traits = traits_def(Pure(), Canonical())

    def result_shape(self) -> Shape:
        return shape_of(self.input)

    def carried(self, operand: int) -> Axes:
        return tuple(range(len(shape_of(self.input))))


def tensor_type(shape: Sequence[int]) -> F32Tensor:
    """The type of a float32 tensor."""
    return TensorType(f32, shape)


def shape_of(value: Operand) -> Shape:
    """The shape of a value of tensor type. VerifyException if it is of another type."""
    type_ = SSAValue.get(value).type
    if not isinstance(type_, TensorType):
        raise VerifyException(f"expected a tensor, not {type_}")
    return type_.get_shape()


def too_large(shape: Sequence[int], elements: int) -> str:
    """What is wrong with a tensor of more than `LARGEST` elements."""
    return (
        f"a tensor of shape {list(shape)} takes {4 * elements:,} bytes, and the limit is "
        f"{4 * LARGEST:,}"
    )


def format_shape(shape: Shape) -> str:
    """A shape as messages show it, such as `[1, 3, 32, 32]`."""
    return str(list(shape))


def broadcast_shape(*shapes: Shape) -> Shape:
    """The shape that `shapes` broadcast to, as in numpy. VerifyException if they do not."""
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    result: list[int] = []
    for sizes in zip(*padded, strict=True):
        others = {size for size in sizes if size != 1}
        if len(others) > 1:
            raise VerifyException(
                f"operands of shapes {' and '.join(map(format_shape, shapes))} do not broadcast"
            )
        result.append(others.pop() if others else 1)
    return tuple(result)


def all_but(axes: Axes, *lost: int) -> Axes:
    """`axes`, but for those at `lost`, which are carried nowhere."""
    return tuple(None if axis in lost else carried for axis, carried in enumerate(axes))


def ints(values: Sequence[int]) -> IntsAttr:
    """The property that holds `values`."""
    return DenseArrayBase.from_list(i64, values)
