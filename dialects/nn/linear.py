# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Matrix products, and operations that normalise along channels."""

from xdsl.dialects.builtin import I64, Float32Type, FloatAttr, IntegerAttr, f32, i64
from xdsl.irdl import irdl_op_definition, operand_def, prop_def, traits_def
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from cmc.dialects.nn.base import (
    Axes,
    Canonical,
    F32Tensor,
    Operand,
    SameShapeOp,
    Shape,
    TensorOp,
    all_but,
    broadcast_shape,
    format_shape,
    shape_of,
    tensor_type,
)
from cmc.dialects.nn.numbers import Number


@irdl_op_definition
class MatMulOp(TensorOp):
    """A matrix product as numpy's `matmul`: over the last two axes, the others broadcast.

    An operand of one axis is a row on the left, a column on the right, and that axis is absent from
    the result.

    Example:

    ```mlir
    %y = nn.matmul %x, %w : (tensor<1x256xf32>, tensor<256x10xf32>) -> tensor<1x10xf32>
    ```
    """

    name = "nn.matmul"
    lhs = operand_def(F32Tensor)
    rhs = operand_def(F32Tensor)
    traits = traits_def(Pure(), Canonical())
    assembly_format = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)"

    def __init__(self, lhs: Operand, rhs: Operand):
        shape = _matmul_shape(shape_of(lhs), shape_of(rhs))
        super().__init__(operands=[lhs, rhs], result_types=[tensor_type(shape)])

    def result_shape(self) -> Shape:
        return _matmul_shape(shape_of(self.lhs), shape_of(self.rhs))

    def carried(self, operand: int) -> Axes:
        """The axes that broadcast, the rows of the left operand, the columns of the right."""
        rank, own = len(shape_of(self.result)), len(shape_of(self.operands[operand]))
        left, right = len(shape_of(self.lhs)), len(shape_of(self.rhs))
        # The rows and columns of the result: none where an operand is a vector.
        rows, columns = min(left - 1, 1), min(right - 1, 1)
        lead = tuple(range(rank - rows - columns))[max(0, rank - rows - columns - (own - 2)) :]
        if operand == 0:
            return (*lead, *(rank - columns - 1,) * rows, None)
        return (*lead, None, *(rank - 1,) * columns)


@irdl_op_definition
class BatchNormOp(TensorOp):
    """`(x - mean) / sqrt(variance + epsilon) * scale + bias`, each per channel (axis 1).

    Example:

    ```mlir
    %y = nn.batch_norm %x, %scale, %bias, %mean, %variance epsilon 1.0e-05
      : (tensor<1x16x8x8xf32>, tensor<16xf32>, tensor<16xf32>, tensor<16xf32>, tensor<16xf32>)
      -> tensor<1x16x8x8xf32>
    ```
    """

    name = "nn.batch_norm"
    input = operand_def(F32Tensor)
    scale = operand_def(F32Tensor)
    bias = operand_def(F32Tensor)
    mean = operand_def(F32Tensor)
    variance = operand_def(F32Tensor)
    epsilon = prop_def(FloatAttr[Float32Type])
    traits = traits_def(Pure(), Canonical())
    custom_directives = (Number,)
    assembly_format = (
        "$input `,` $scale `,` $bias `,` $mean `,` $variance `epsilon` custom<Number>($epsilon) "
        "attr-dict `:` functional-type(operands, results)"
    )

    def __init__(
        self,
        input: Operand,
        scale: Operand,
        bias: Operand,
        mean: Operand,
        variance: Operand,
        epsilon: float,
    ):
        super().__init__(
            operands=[input, scale, bias, mean, variance],
            properties={"epsilon": FloatAttr(epsilon, f32)},
            result_types=[tensor_type(shape_of(input))],
        )

    def result_shape(self) -> Shape:
        shape = shape_of(self.input)
        if len(shape) < 2:
            raise VerifyException(f"an input of shape {format_shape(shape)} has no channel axis")
        for name in ("scale", "bias", "mean", "variance"):
            parameter = shape_of(getattr(self, name))
            if parameter != shape[1:2]:
                raise VerifyException(
                    f"the {name} has shape {format_shape(parameter)}, but the input has {shape[1]} "
                    "channels"
                )
        return shape

    def carried(self, operand: int) -> Axes:
        axes = tuple(range(len(shape_of(self.input))))
        return all_but(axes, 1) if operand == 0 else (None,)


@irdl_op_definition
class SoftmaxOp(SameShapeOp):
    """`exp(x) / sum(exp(x))`, the sum taken along `axis`.

    Example:

    ```mlir
    %y = nn.softmax %x axis 1 : tensor<1x10xf32>
    ```
    """

    name = "nn.softmax"
    axis = prop_def(IntegerAttr[I64])
    assembly_format = "$input `axis` $axis attr-dict `:` type($input)"

    def __init__(self, input: Operand, axis: int):
        super().__init__(
            operands=[input],
            properties={"axis": IntegerAttr(axis, i64)},
            result_types=[tensor_type(shape_of(input))],
        )

    def result_shape(self) -> Shape:
        shape, axis = shape_of(self.input), self.axis.value.data
        if not 0 <= axis < len(shape):
            raise VerifyException(f"a tensor of shape {format_shape(shape)} has no axis {axis}")
        return shape

    def carried(self, operand: int) -> Axes:
        return all_but(super().carried(operand), self.axis.value.data)


@irdl_op_definition
class LRNOp(SameShapeOp):
    """Normalisation by the neighbouring channels, ONNX's `LRN`.

    `x / (bias + alpha / size * s) ** beta`, where `s` is the sum of the squares of channels
    `c - (size - 1) // 2` to `c + size // 2`, cut to those that exist.

    Example:

    ```mlir
    %y = nn.lrn %x size 5 alpha 1.0e-04 beta 7.5e-01 bias 1.0 : tensor<1x96x54x54xf32>
    ```
    """

    name = "nn.lrn"
    size = prop_def(IntegerAttr[I64])
    alpha = prop_def(FloatAttr[Float32Type])
    beta = prop_def(FloatAttr[Float32Type])
    bias = prop_def(FloatAttr[Float32Type])
    custom_directives = (Number,)
    assembly_format = (
        "$input `size` $size `alpha` custom<Number>($alpha) `beta` custom<Number>($beta) "
        "`bias` custom<Number>($bias) attr-dict `:` type($input)"
    )

    def __init__(self, input: Operand, size: int, alpha: float, beta: float, bias: float):
        super().__init__(
            operands=[input],
            properties={
                "size": IntegerAttr(size, i64),
                "alpha": FloatAttr(alpha, f32),
                "beta": FloatAttr(beta, f32),
                "bias": FloatAttr(bias, f32),
            },
            result_types=[tensor_type(shape_of(input))],
        )

    def result_shape(self) -> Shape:
        shape, size = shape_of(self.input), self.size.value.data
        if len(shape) < 2:
            raise VerifyException(f"an input of shape {format_shape(shape)} has no channel axis")
        if size < 1:
            raise VerifyException(f"a neighbourhood of {size} channels holds none")
        return shape

    def carried(self, operand: int) -> Axes:
        return all_but(super().carried(operand), 1)


def _matmul_shape(lhs: Shape, rhs: Shape) -> Shape:
    if not lhs or not rhs:
        raise VerifyException("a scalar is no matrix")
    left = (1, *lhs) if len(lhs) == 1 else lhs
    right = (*rhs, 1) if len(rhs) == 1 else rhs
    if left[-1] != right[-2]:
        raise VerifyException(
            f"operands of shapes {format_shape(lhs)} and {format_shape(rhs)} do not multiply: "
            f"{left[-1]} columns meet {right[-2]} rows"
        )
    batch = broadcast_shape(left[:-2], right[:-2])
    rows = () if len(lhs) == 1 else left[-2:-1]
    columns = () if len(rhs) == 1 else right[-1:]
    return (*batch, *rows, *columns)
