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
class PowOp(BinaryOp):
    """`lhs` to the power of `rhs`.

    Example:

    ```mlir
    %z = nn.pow %x, %y : (tensor<1x8x28x28xf32>, tensor<8x1x1xf32>) -> tensor<1x8x28x28xf32>
    ```
    """

    name = "nn.pow"
