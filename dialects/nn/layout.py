# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Operations that move elements and compute nothing, and constants."""

from collections.abc import Sequence
from math import prod

from xdsl.dialects.builtin import I64, DenseArrayBase, Float32Type, FloatAttr, IntegerAttr, f32, i64
from xdsl.dialects.utils import EnumAttribute
from xdsl.ir import SpacedOpaqueSyntaxAttribute, SSAValue
from xdsl.irdl import (
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import ConstantLike, Pure
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

from cmc.dialects.nn.base import (
    Axes,
    Canonical,
    F32Tensor,
    Operand,
    Shape,
    TensorOp,
    all_but,
    format_shape,
    ints,
    shape_of,
    tensor_type,
)
from cmc.dialects.nn.numbers import Number
from cmc.dialects.nn.weights import WeightsAttr
from cmc.files.weights import ElidedWeights, Float32Array, Weights


@irdl_op_definition
class ConstantOp(TensorOp):
    """An array of weights.

    Example:

    ```mlir
    %w = nn.constant #nn.weights<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
    ```
    """

    name = "nn.constant"
    value = prop_def(WeightsAttr)
    traits = traits_def(ConstantLike(), Pure())
    assembly_format = "qualified($value) attr-dict `:` type($result)"

    def __init__(self, value: WeightsAttr | Weights):
        value = WeightsAttr.get(value)
        super().__init__(properties={"value": value}, result_types=[tensor_type(value.shape)])

    def drop_all_references(self) -> None:
        """Let go of the weights too: erased operations stay until Python looks for cycles."""
        super().drop_all_references()
        self.properties.clear()

    def result_shape(self) -> Shape:
        return self.value.shape

    def carried(self, operand: int) -> Axes:
        raise IndexError("a constant has no operands")


@irdl_op_definition
class ReshapeOp(TensorOp):
    """The same elements in the same order under another shape.

    Example:

    ```mlir
    %y = nn.reshape %x : tensor<1x64x4x4xf32> -> tensor<1x1024xf32>
    ```
    """

    name = "nn.reshape"
    input = operand_def(F32Tensor)
    traits = traits_def(Pure(), Canonical())
    assembly_format = "$input attr-dict `:` type($input) `->` type($result)"

    def __init__(self, input: Operand, shape: Sequence[int]):
        super().__init__(operands=[input], result_types=[tensor_type(shape)])

    def result_shape(self) -> Shape:
        before, after = shape_of(self.input), shape_of(self.result)
        if prod(before) != prod(after):
            raise VerifyException(
                f"shape {format_shape(before)} has {prod(before)} elements, but "
                f"{format_shape(after)} has {prod(after)}"
            )
        return after

    def carried(self, operand: int) -> Axes:
        """Axes of one extent, with as many elements before them on both sides."""
        before, after = shape_of(self.input), shape_of(self.result)
        places = {(prod(after[:axis]), size): axis for axis, size in enumerate(after)}
        return tuple(places.get((prod(before[:axis]), size)) for axis, size in enumerate(before))


@irdl_op_definition
class TransposeOp(TensorOp):
    """Axis `i` of the result is axis `perm[i]` of the input.

    Example:

    ```mlir
    %y = nn.transpose %x perm [0, 2, 3, 1] : (tensor<1x3x8x8xf32>) -> tensor<1x8x8x3xf32>
    ```
    """

    name = "nn.transpose"
    input = operand_def(F32Tensor)
    perm = prop_def(DenseArrayBase.constr(i64))
    traits = traits_def(Pure(), Canonical())
    assembly_format = "$input `perm` $perm attr-dict `:` functional-type(operands, results)"

    def __init__(self, input: Operand, perm: Sequence[int]):
        shape = _transpose_shape(shape_of(input), perm)
        super().__init__(
            operands=[input], properties={"perm": ints(perm)}, result_types=[tensor_type(shape)]
        )

    def result_shape(self) -> Shape:
        return _transpose_shape(shape_of(self.input), self.perm.get_values())

    def carried(self, operand: int) -> Axes:
        perm = self.perm.get_values()
        return tuple(perm.index(axis) for axis in range(len(perm)))


@irdl_op_definition
class ConcatOp(TensorOp):
    """The inputs one after the other along `axis`.

    Example:

    ```mlir
    %z = nn.concat %x, %y axis 1
      : (tensor<1x8x4x4xf32>, tensor<1x16x4x4xf32>) -> tensor<1x24x4x4xf32>
    ```
    """

    name = "nn.concat"
    inputs = var_operand_def(F32Tensor)
    axis = prop_def(IntegerAttr[I64])
    traits = traits_def(Pure(), Canonical())
    assembly_format = "$inputs `axis` $axis attr-dict `:` functional-type(operands, results)"

    def __init__(self, inputs: Sequence[Operand], axis: int):
        shape = _concat_shape([shape_of(input) for input in inputs], axis)
        super().__init__(
            operands=[inputs],
            properties={"axis": IntegerAttr(axis, i64)},
            result_types=[tensor_type(shape)],
        )

    def result_shape(self) -> Shape:
        return _concat_shape([shape_of(input) for input in self.inputs], self.axis.value.data)

    def carried(self, operand: int) -> Axes:
        return all_but(tuple(range(len(shape_of(self.result)))), self.axis.value.data)


@irdl_op_definition
class SliceOp(TensorOp):
    """Element `i` of the result is element `starts + i * steps` of the input, along each axis.

    The result's type says how many elements there are. Absent steps are one; they may be negative.

    Example:

    ```mlir
    %y = nn.slice %x starts [0, 0, 0, 0] steps [1, 1, 2, 2]
      : (tensor<1x16x32x32xf32>) -> tensor<1x16x16x16xf32>
    ```
    """

    name = "nn.slice"
    input = operand_def(F32Tensor)
    starts = prop_def(DenseArrayBase.constr(i64))
    steps = opt_prop_def(DenseArrayBase.constr(i64))
    traits = traits_def(Pure(), Canonical())
    assembly_format = (
        "$input `starts` $starts (`steps` $steps^)? attr-dict "
        "`:` functional-type(operands, results)"
    )

    def __init__(
        self,
        input: Operand,
        starts: Sequence[int],
        sizes: Sequence[int],
        steps: Sequence[int] | None = None,
    ):
        super().__init__(
            operands=[input],
            properties={
                "starts": ints(starts),
                "steps": ints(steps) if steps is not None and set(steps) - {1} else None,
            },
            result_types=[tensor_type(sizes)],
        )

    @property
    def step_values(self) -> Shape:
        """The step along each axis, defaults filled in."""
        if self.steps is None:
            return (1,) * len(self.starts)
        return self.steps.get_values()

    def result_shape(self) -> Shape:
        shape, sizes = shape_of(self.input), shape_of(self.result)
        starts, steps = self.starts.get_values(), self.step_values
        if not len(shape) == len(sizes) == len(starts) == len(steps):
            raise VerifyException(
                f"a slice of {format_shape(shape)} needs {len(shape)} starts, steps and sizes, "
                f"not {len(starts)}, {len(steps)} and {len(sizes)}"
            )
        for axis, (extent, start, step, size) in enumerate(
            zip(shape, starts, steps, sizes, strict=True)
        ):
            last = start + (size - 1) * step
            if step == 0:
                raise VerifyException(f"the step along axis {axis} is zero")
            if size > 0 and not (0 <= start < extent and 0 <= last < extent):
                raise VerifyException(
                    f"elements {start} to {last} along axis {axis} are not all within its {extent}"
                )
        return sizes

    def carried(self, operand: int) -> Axes:
        whole = zip(
            shape_of(self.input),
            self.starts.get_values(),
            self.step_values,
            shape_of(self.result),
            strict=True,
        )
        return tuple(
            axis if start == 0 and step == 1 and size == extent else None
            for axis, (extent, start, step, size) in enumerate(whole)
        )


@irdl_op_definition
class GatherOp(TensorOp):
    """Element `i` of the result along `axis` is element `indices[i]` of the input.

    Example:

    ```mlir
    %y = nn.gather %x axis 3 indices [0, 0, 1, 1]
      : (tensor<1x16x4x2xf32>) -> tensor<1x16x4x4xf32>
    ```
    """

    name = "nn.gather"
    input = operand_def(F32Tensor)
    axis = prop_def(IntegerAttr[I64])
    indices = prop_def(DenseArrayBase.constr(i64))
    traits = traits_def(Pure(), Canonical())
    assembly_format = (
        "$input `axis` $axis `indices` $indices attr-dict `:` functional-type(operands, results)"
    )

    def __init__(self, input: Operand, axis: int, indices: Sequence[int]):
        super().__init__(
            operands=[input],
            properties={"axis": IntegerAttr(axis, i64), "indices": ints(indices)},
            result_types=[tensor_type(_gather_shape(shape_of(input), axis, indices))],
        )

    def result_shape(self) -> Shape:
        return _gather_shape(shape_of(self.input), self.axis.value.data, self.indices.get_values())

    def carried(self, operand: int) -> Axes:
        return all_but(tuple(range(len(shape_of(self.input)))), self.axis.value.data)


@irdl_op_definition
class DilateOp(TensorOp):
    """Element `i` of the input is element `i * steps` of the result, along each axis; 0 between.

    Example:

    ```mlir
    %y = nn.dilate %x steps [1, 1, 2, 2]
      : (tensor<1x16x4x4xf32>) -> tensor<1x16x7x7xf32>
    ```
    """

    name = "nn.dilate"
    input = operand_def(F32Tensor)
    steps = prop_def(DenseArrayBase.constr(i64))
    traits = traits_def(Pure(), Canonical())
    assembly_format = "$input `steps` $steps attr-dict `:` functional-type(operands, results)"

    def __init__(self, input: Operand, steps: Sequence[int]):
        super().__init__(
            operands=[input],
            properties={"steps": ints(steps)},
            result_types=[tensor_type(_dilated_shape(shape_of(input), steps))],
        )

    def result_shape(self) -> Shape:
        return _dilated_shape(shape_of(self.input), self.steps.get_values())

    def carried(self, operand: int) -> Axes:
        return tuple(
            axis if step == 1 else None for axis, step in enumerate(self.steps.get_values())
        )


class PadMode(StrEnum):
    """What lies beyond the edge."""

    CONSTANT = "constant"
    REFLECT = "reflect"
    EDGE = "edge"


@irdl_attr_definition
class PadModeAttr(EnumAttribute[PadMode], SpacedOpaqueSyntaxAttribute):
    """What lies beyond the edge of a padded tensor."""

    name = "nn.pad_mode"


@irdl_op_definition
class PadOp(TensorOp):
    """`low` more elements before and `high` more after the input, along each axis.

    Negative numbers take elements away. `value` (zero if absent) fills in mode `constant`, the
    nearest element in mode `edge`, the elements mirrored at the outermost one in mode `reflect`.

    Example:

    ```mlir
    %y = nn.pad %x low [0, 8, 0, 0] high [0, 8, 0, 0] mode constant
      : (tensor<1x16x16x16xf32>) -> tensor<1x32x16x16xf32>
    ```
    """

    name = "nn.pad"
    input = operand_def(F32Tensor)
    low = prop_def(DenseArrayBase.constr(i64))
    high = prop_def(DenseArrayBase.constr(i64))
    mode = prop_def(PadModeAttr, default_value=PadModeAttr(PadMode.CONSTANT))
    value = prop_def(FloatAttr[Float32Type], default_value=FloatAttr(0.0, f32))
    traits = traits_def(Pure(), Canonical())
    custom_directives = (Number,)
    assembly_format = (
        "$input `low` $low `high` $high (`mode` $mode^)? (`value` custom<Number>($value)^)? "
        "attr-dict `:` functional-type(operands, results)"
    )

    def __init__(
        self,
        input: Operand,
        low: Sequence[int],
        high: Sequence[int],
        value: float = 0.0,
        mode: PadMode = PadMode.CONSTANT,
    ):
        shape = _pad_shape(shape_of(input), low, high, mode)
        super().__init__(
            operands=[input],
            properties={
                "low": ints(low),
                "high": ints(high),
                "mode": PadModeAttr(mode),
                "value": FloatAttr(value, f32),
            },
            result_types=[tensor_type(shape)],
        )

    def result_shape(self) -> Shape:
        return _pad_shape(
            shape_of(self.input), self.low.get_values(), self.high.get_values(), self.mode.data
        )

    def carried(self, operand: int) -> Axes:
        pads = zip(self.low.get_values(), self.high.get_values(), strict=True)
        return tuple(None if low or high else axis for axis, (low, high) in enumerate(pads))


def constant_array(value: SSAValue) -> Float32Array | None:
    """The elements of `value` if it is a constant whose elements were not elided."""
    owner = value.owner
    if not isinstance(owner, ConstantOp) or isinstance(owner.value.data, ElidedWeights):
        return None
    return owner.value.array


def _transpose_shape(shape: Shape, perm: Sequence[int]) -> Shape:
    if sorted(perm) != list(range(len(shape))):
        raise VerifyException(
            f"perm {list(perm)} does not name each axis of {format_shape(shape)} once"
        )
    return tuple(shape[axis] for axis in perm)


def _concat_shape(shapes: Sequence[Shape], axis: int) -> Shape:
    if not shapes:
        raise VerifyException("nothing to concatenate")
    first = shapes[0]
    if not 0 <= axis < len(first):
        raise VerifyException(f"a tensor of shape {format_shape(first)} has no axis {axis}")
    for shape in shapes:
        if shape[:axis] + shape[axis + 1 :] != first[:axis] + first[axis + 1 :]:
            raise VerifyException(
                f"shapes {format_shape(first)} and {format_shape(shape)} differ elsewhere than "
                f"along axis {axis}"
            )
    return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])


def _gather_shape(shape: Shape, axis: int, indices: Sequence[int]) -> Shape:
    if not 0 <= axis < len(shape):
        raise VerifyException(f"a tensor of shape {format_shape(shape)} has no axis {axis}")
    for index in indices:
        if not 0 <= index < shape[axis]:
            raise VerifyException(
                f"index {index} along axis {axis} is not one of its {shape[axis]} elements"
            )
    return (*shape[:axis], len(indices), *shape[axis + 1 :])


def _dilated_shape(shape: Shape, steps: Sequence[int]) -> Shape:
    if len(steps) != len(shape) or min(steps, default=1) < 1:
        raise VerifyException(
            f"steps {list(steps)} are not {len(shape)} positive numbers, one for each axis of "
            f"{format_shape(shape)}"
        )
    return tuple(max(0, (n - 1) * step + 1) for n, step in zip(shape, steps, strict=True))


def _pad_shape(shape: Shape, low: Sequence[int], high: Sequence[int], mode: PadMode) -> Shape:
    if not len(shape) == len(low) == len(high):
        raise VerifyException(
            f"padding {format_shape(shape)} needs {len(shape)} low and high pads, not "
            f"{len(low)} and {len(high)}"
        )
    result = tuple(a + size + b for a, size, b in zip(low, shape, high, strict=True))
    for axis, (size, a, b) in enumerate(zip(shape, low, high, strict=True)):
        if result[axis] < 0:
            raise VerifyException(f"axis {axis} of size {size} cannot lose {-a - b} elements")
        kept = size + min(a, 0) + min(b, 0)
        if mode is PadMode.REFLECT and max(a, b, 0) >= max(kept, 1):
            raise VerifyException(
                f"axis {axis} has {kept} elements, too few to mirror {max(a, b)} of them"
            )
        if mode is PadMode.EDGE and kept < 1 and max(a, b) > 0:
            raise VerifyException(f"axis {axis} has no element to repeat")
    return result
