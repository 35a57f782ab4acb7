# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Operations on each element: unary, and binary with numpy's broadcasting."""

from abc import ABC

from xdsl.dialects.builtin import Float32Type, FloatAttr, f32
from xdsl.irdl import irdl_op_definition, operand_def, opt_prop_def, prop_def, traits_def
from xdsl.traits import Commutative, Pure

from cmc.dialects.nn.base import (
    Axes,
    Canonical,
    F32Tensor,
    Operand,
    SameShapeOp,
    Shape,
    TensorOp,
    broadcast_shape,
    shape_of,
    tensor_type,
)
from cmc.dialects.nn.numbers import Number


class UnaryOp(SameShapeOp, ABC):
    """A function of each element alone."""

    assembly_format = "$input attr-dict `:` type($input)"

    def __init__(self, input: Operand):
        super().__init__(operands=[input], result_types=[tensor_type(shape_of(input))])


class BinaryOp(TensorOp, ABC):
    """The operands are broadcast to a common shape, as in numpy."""

    lhs = operand_def(F32Tensor)
    rhs = operand_def(F32Tensor)
    traits = traits_def(Pure(), Canonical())
    assembly_format = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)"

    def __init__(self, lhs: Operand, rhs: Operand):
        shape = broadcast_shape(shape_of(lhs), shape_of(rhs))
        super().__init__(operands=[lhs, rhs], result_types=[tensor_type(shape)])

    def result_shape(self) -> Shape:
        return broadcast_shape(shape_of(self.lhs), shape_of(self.rhs))

    def carried(self, operand: int) -> Axes:
        rank = len(shape_of(self.result))
        return tuple(range(rank - len(shape_of(self.operands[operand])), rank))


@irdl_op_definition
class ReluOp(UnaryOp):
    """`max(x, 0)`.

    Example:

    ```mlir
    %y = nn.relu %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.relu"


@irdl_op_definition
class SigmoidOp(UnaryOp):
    """`1 / (1 + exp(-x))`.

    Example:

    ```mlir
    %y = nn.sigmoid %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.sigmoid"


@irdl_op_definition
class TanhOp(UnaryOp):
    """The hyperbolic tangent.

    Example:

    ```mlir
    %y = nn.tanh %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.tanh"


@irdl_op_definition
class ExpOp(UnaryOp):
    """`e` to the power of `x`.

    Example:

    ```mlir
    %y = nn.exp %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.exp"


@irdl_op_definition
class SqrtOp(UnaryOp):
    """The square root.

    Example:

    ```mlir
    %y = nn.sqrt %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.sqrt"


@irdl_op_definition
class NegOp(UnaryOp):
    """`-x`.

    Example:

    ```mlir
    %y = nn.neg %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.neg"


@irdl_op_definition
class AbsOp(UnaryOp):
    """The magnitude.

    Example:

    ```mlir
    %y = nn.abs %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.abs"


@irdl_op_definition
class LogOp(UnaryOp):
    """The natural logarithm.

    Example:

    ```mlir
    %y = nn.log %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.log"


@irdl_op_definition
class ErfOp(UnaryOp):
    """The error function.

    Example:

    ```mlir
    %y = nn.erf %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.erf"


@irdl_op_definition
class FloorOp(UnaryOp):
    """The largest integer that is not above `x`.

    Example:

    ```mlir
    %y = nn.floor %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.floor"


@irdl_op_definition
class CeilOp(UnaryOp):
    """The smallest integer that is not below `x`.

    Example:

    ```mlir
    %y = nn.ceil %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.ceil"


@irdl_op_definition
class RoundOp(UnaryOp):
    """The nearest integer, the even one of two.

    Example:

    ```mlir
    %y = nn.round %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.round"


@irdl_op_definition
class SignOp(UnaryOp):
    """1 where `x` is positive, -1 where it is negative, else 0.

    Example:

    ```mlir
    %y = nn.sign %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.sign"


@irdl_op_definition
class SinOp(UnaryOp):
    """The sine of an angle in radians.

    Example:

    ```mlir
    %y = nn.sin %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.sin"


@irdl_op_definition
class CosOp(UnaryOp):
    """The cosine of an angle in radians.

    Example:

    ```mlir
    %y = nn.cos %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.cos"


@irdl_op_definition
class TanOp(UnaryOp):
    """The tangent of an angle in radians.

    Example:

    ```mlir
    %y = nn.tan %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.tan"


@irdl_op_definition
class AsinOp(UnaryOp):
    """The angle in radians whose sine is `x`.

    Example:

    ```mlir
    %y = nn.asin %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.asin"


@irdl_op_definition
class AcosOp(UnaryOp):
    """The angle in radians whose cosine is `x`.

    Example:

    ```mlir
    %y = nn.acos %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.acos"


@irdl_op_definition
class AtanOp(UnaryOp):
    """The angle in radians whose tangent is `x`.

    Example:

    ```mlir
    %y = nn.atan %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.atan"


@irdl_op_definition
class SinhOp(UnaryOp):
    """The hyperbolic sine.

    Example:

    ```mlir
    %y = nn.sinh %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.sinh"


@irdl_op_definition
class CoshOp(UnaryOp):
    """The hyperbolic cosine.

    Example:

    ```mlir
    %y = nn.cosh %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.cosh"


@irdl_op_definition
class AsinhOp(UnaryOp):
    """The inverse of the hyperbolic sine.

    Example:

    ```mlir
    %y = nn.asinh %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.asinh"


@irdl_op_definition
class AcoshOp(UnaryOp):
    """The inverse of the hyperbolic cosine.

    Example:

    ```mlir
    %y = nn.acosh %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.acosh"


@irdl_op_definition
class AtanhOp(UnaryOp):
    """The inverse of the hyperbolic tangent.

    Example:

    ```mlir
    %y = nn.atanh %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.atanh"


@irdl_op_definition
class TruncOp(UnaryOp):
    """The nearest integer that is not further from zero.

    Example:

    ```mlir
    %y = nn.trunc %x : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.trunc"


@irdl_op_definition
class LeakyReluOp(SameShapeOp):
    """`x` where it is not negative, `alpha * x` elsewhere.

    Example:

    ```mlir
    %y = nn.leaky_relu %x alpha 0.01 : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.leaky_relu"
    alpha = prop_def(FloatAttr[Float32Type])
    custom_directives = (Number,)
    assembly_format = "$input `alpha` custom<Number>($alpha) attr-dict `:` type($input)"

    def __init__(self, input: Operand, alpha: float):
        super().__init__(
            operands=[input],
            properties={"alpha": FloatAttr(alpha, f32)},
            result_types=[tensor_type(shape_of(input))],
        )


@irdl_op_definition
class ClipOp(SameShapeOp):
    """`min(max(x, min), max)`; a bound that is absent does not bind.

    Example:

    ```mlir
    %y = nn.clip %x min 0.0 max 6.0 : tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.clip"
    min = opt_prop_def(FloatAttr[Float32Type])
    max = opt_prop_def(FloatAttr[Float32Type])
    custom_directives = (Number,)
    assembly_format = (
        "$input (`min` custom<Number>($min)^)? (`max` custom<Number>($max)^)? attr-dict "
        "`:` type($input)"
    )

    def __init__(self, input: Operand, min: float | None = None, max: float | None = None):
        super().__init__(
            operands=[input],
            properties={
                "min": None if min is None else FloatAttr(min, f32),
                "max": None if max is None else FloatAttr(max, f32),
            },
            result_types=[tensor_type(shape_of(input))],
        )


@irdl_op_definition
class AddOp(BinaryOp):
    """`lhs + rhs`.

    Example:

    ```mlir
    %z = nn.add %x, %y : (tensor<1x8x28x28xf32>, tensor<8x1x1xf32>) -> tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.add"
    traits = traits_def(Pure(), Canonical(), Commutative())


@irdl_op_definition
class SubOp(BinaryOp):
    """`lhs - rhs`.

    Example:

    ```mlir
    %z = nn.sub %x, %y : (tensor<1x8x28x28xf32>, tensor<8x1x1xf32>) -> tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.sub"


@irdl_op_definition
class MulOp(BinaryOp):
    """`lhs * rhs`.

    Example:

    ```mlir
    %z = nn.mul %x, %y : (tensor<1x8x28x28xf32>, tensor<8x1x1xf32>) -> tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.mul"
    traits = traits_def(Pure(), Canonical(), Commutative())


@irdl_op_definition
class DivOp(BinaryOp):
    """`lhs / rhs`.

    Example:

    ```mlir
    %z = nn.div %x, %y : (tensor<1x8x28x28xf32>, tensor<8x1x1xf32>) -> tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.div"


@irdl_op_definition
class MaximumOp(BinaryOp):
    """The larger of the two.

    Example:

    ```mlir
    %z = nn.maximum %x, %y : (tensor<1x8x28x28xf32>, tensor<8x1x1xf32>) -> tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.maximum"
    traits = traits_def(Pure(), Canonical(), Commutative())


@irdl_op_definition
class MinimumOp(BinaryOp):
    """The smaller of the two.

    Example:

    ```mlir
    %z = nn.minimum %x, %y : (tensor<1x8x28x28xf32>, tensor<8x1x1xf32>) -> tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.minimum"
    traits = traits_def(Pure(), Canonical(), Commutative())


@irdl_op_definition
class RemainderOp(BinaryOp):
    """What is left of `lhs` without as many `rhs` as are in it: its sign is that of `lhs`. Exact.

    Example:

    ```mlir
    %z = nn.remainder %x, %y : (tensor<1x8x28x28xf32>, tensor<8x1x1xf32>) -> tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.remainder"


@irdl_op_definition
class PowOp(BinaryOp):
    """`lhs` to the power of `rhs`.

    Example:

    ```mlir
    %z = nn.pow %x, %y : (tensor<1x8x28x28xf32>, tensor<8x1x1xf32>) -> tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.pow"


@irdl_op_definition
class LessOp(BinaryOp):
    """1 where `lhs < rhs`, else 0.

    Example:

    ```mlir
    %z = nn.less %x, %y : (tensor<1x8x28x28xf32>, tensor<8x1x1xf32>) -> tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.less"


@irdl_op_definition
class LessEqualOp(BinaryOp):
    """1 where `lhs <= rhs`, else 0.

    Example:

    ```mlir
    %z = nn.less_equal %x, %y : (tensor<1x8x28x28xf32>, tensor<8x1x1xf32>) -> tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.less_equal"


@irdl_op_definition
class EqualOp(BinaryOp):
    """1 where both are the same, else 0.

    Example:

    ```mlir
    %z = nn.equal %x, %y : (tensor<1x8x28x28xf32>, tensor<8x1x1xf32>) -> tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.equal"
    traits = traits_def(Pure(), Canonical(), Commutative())


@irdl_op_definition
class WhereOp(TensorOp):
    """`lhs` where `condition` is not 0, `rhs` elsewhere; all three are broadcast.

    Example:

    ```mlir
    %z = nn.where %c, %x, %y
      : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>, tensor<1xf32>) -> tensor<1x8x4x4xf32>
    ```
    """

    name = "nn.where"
    condition = operand_def(F32Tensor)
    lhs = operand_def(F32Tensor)
    rhs = operand_def(F32Tensor)
    traits = traits_def(Pure(), Canonical())
    assembly_format = (
        "$condition `,` $lhs `,` $rhs attr-dict `:` functional-type(operands, results)"
    )

    def __init__(self, condition: Operand, lhs: Operand, rhs: Operand):
        shape = broadcast_shape(*map(shape_of, (condition, lhs, rhs)))
        super().__init__(operands=[condition, lhs, rhs], result_types=[tensor_type(shape)])

    def result_shape(self) -> Shape:
        return broadcast_shape(*map(shape_of, self.operands))

    def carried(self, operand: int) -> Axes:
        rank = len(shape_of(self.result))
        return tuple(range(rank - len(shape_of(self.operands[operand])), rank))
