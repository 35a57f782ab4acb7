# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Operations that slide a window over the spatial axes: convolution and pools."""

from abc import ABC, abstractmethod

from xdsl.dialects.builtin import I64, DenseArrayBase, IntegerAttr, UnitAttr, i64
from xdsl.ir import Attribute
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from cmc.dialects.nn.base import (
    Axes,
    Canonical,
    F32Tensor,
    IntsAttr,
    Operand,
    Shape,
    TensorOp,
    format_shape,
    ints,
    shape_of,
    tensor_type,
)
from cmc.window import Window


class WindowedOp(TensorOp, ABC):
    """An operation on all that its window covers, for each place of the window."""

    strides = opt_prop_def(DenseArrayBase.constr(i64))
    pads = opt_prop_def(DenseArrayBase.constr(i64))
    dilations = opt_prop_def(DenseArrayBase.constr(i64))
    traits = traits_def(Pure(), Canonical())

    @property
    @abstractmethod
    def window(self) -> Window:
        """The window with all its defaults filled in."""

    def _window(self, kernel: Shape, ceil_mode: bool = False) -> Window:
        try:
            return Window.of(
                kernel,
                _values(self.strides),
                _values(self.pads),
                _values(self.dilations),
                ceil_mode,
            )
        except ValueError as error:
            raise VerifyException(str(error)) from None


@irdl_op_definition
class ConvOp(WindowedOp):
    """A convolution of one, two or three spatial axes, ONNX's `Conv`.

    `input` is [N, C, spatial...], `weight` is [M, C / group, kernel...], `bias` is [M]. Output
    channel m sees the input channels of its group only. Padding is zero; `pads` has all low ones,
    then all high ones. Absent strides and dilations are one, absent pads zero.

    Example:

    ```mlir
    %y = nn.conv %x, %w, %b strides [2, 2] pads [1, 1, 1, 1]
      : (tensor<1x3x32x32xf32>, tensor<16x3x3x3xf32>, tensor<16xf32>) -> tensor<1x16x16x16xf32>
    ```
    """

    name = "nn.conv"
    input = operand_def(F32Tensor)
    weight = operand_def(F32Tensor)
    bias = opt_operand_def(F32Tensor)
    group = prop_def(IntegerAttr[I64], default_value=IntegerAttr(1, i64))
    assembly_format = (
        "$input `,` $weight (`,` $bias^)? (`strides` $strides^)? (`pads` $pads^)? "
        "(`dilations` $dilations^)? (`group` $group^)? attr-dict "
        "`:` functional-type(operands, results)"
    )

    def __init__(
        self,
        input: Operand,
        weight: Operand,
        bias: Operand | None,
        window: Window,
        *,
        group: int = 1,
    ):
        shape = _conv_shape(
            shape_of(input),
            shape_of(weight),
            None if bias is None else shape_of(bias),
            window,
            group,
        )
        super().__init__(
            operands=[input, weight, bias],
            properties=_window_properties(window) | {"group": IntegerAttr(group, i64)},
            result_types=[tensor_type(shape)],
        )

    @property
    def window(self) -> Window:
        return self._window(shape_of(self.weight)[2:])

    def result_shape(self) -> Shape:
        return _conv_shape(
            shape_of(self.input),
            shape_of(self.weight),
            None if self.bias is None else shape_of(self.bias),
            self.window,
            self.group.value.data,
        )

    def carried(self, operand: int) -> Axes:
        own = shape_of(self.operands[operand])
        return (0 if operand == 0 else None, *(None,) * (len(own) - 1))


class PoolOp(WindowedOp, ABC):
    """A reduction of each window of each channel."""

    input = operand_def(F32Tensor)
    kernel = prop_def(DenseArrayBase.constr(i64))
    ceil_mode = opt_prop_def(UnitAttr)

    @property
    def window(self) -> Window:
        return self._window(self.kernel.get_values(), self.ceil_mode is not None)

    def result_shape(self) -> Shape:
        return _pool_shape(shape_of(self.input), self.window)

    def carried(self, operand: int) -> Axes:
        return (0, 1, *(None,) * self.window.rank)


@irdl_op_definition
class MaxPoolOp(PoolOp):
    """The largest element of each window; padding does not take part.

    `pads`, strides and dilations are as in `nn.conv`. With `ceil_mode` a last window may reach
    beyond the padding, if it begins before the high padding does.

    Example:

    ```mlir
    %y = nn.max_pool %x kernel [3, 3] strides [2, 2] pads [1, 1, 1, 1]
      : (tensor<1x64x112x112xf32>) -> tensor<1x64x56x56xf32>
    ```
    """

    name = "nn.max_pool"
    assembly_format = (
        "$input `kernel` $kernel (`strides` $strides^)? (`pads` $pads^)? "
        "(`dilations` $dilations^)? (`ceil_mode` $ceil_mode^)? attr-dict "
        "`:` functional-type(operands, results)"
    )

    def __init__(self, input: Operand, window: Window):
        super().__init__(
            operands=[input],
            properties=_pool_properties(window),
            result_types=[tensor_type(_pool_shape(shape_of(input), window))],
        )


@irdl_op_definition
class SumPoolOp(PoolOp):
    """The sum of each window; padding is zero.

    `pads`, strides, dilations and `ceil_mode` are as in `nn.max_pool`.

    Example:

    ```mlir
    %y = nn.sum_pool %x kernel [2, 2] strides [2, 2]
      : (tensor<1x64x8x8xf32>) -> tensor<1x64x4x4xf32>
    ```
    """

    name = "nn.sum_pool"
    assembly_format = MaxPoolOp.assembly_format

    def __init__(self, input: Operand, window: Window):
        super().__init__(
            operands=[input],
            properties=_pool_properties(window),
            result_types=[tensor_type(_pool_shape(shape_of(input), window))],
        )


@irdl_op_definition
class AveragePoolOp(PoolOp):
    """The mean of each window.

    The mean is taken over the elements of the input only, or with `count_include_pad` over those of
    the padding too, which are zero; what `ceil_mode` lets lie beyond the padding never counts.

    Example:

    ```mlir
    %y = nn.average_pool %x kernel [2, 2] strides [2, 2]
      : (tensor<1x64x8x8xf32>) -> tensor<1x64x4x4xf32>
    ```
    """

    name = "nn.average_pool"
    count_include_pad = opt_prop_def(UnitAttr)
    assembly_format = (
        "$input `kernel` $kernel (`strides` $strides^)? (`pads` $pads^)? "
        "(`dilations` $dilations^)? (`ceil_mode` $ceil_mode^)? "
        "(`count_include_pad` $count_include_pad^)? attr-dict "
        "`:` functional-type(operands, results)"
    )

    def __init__(self, input: Operand, window: Window, *, count_include_pad: bool = False):
        super().__init__(
            operands=[input],
            properties=_pool_properties(window)
            | {"count_include_pad": UnitAttr() if count_include_pad else None},
            result_types=[tensor_type(_pool_shape(shape_of(input), window))],
        )


def _values(attribute: IntsAttr | None) -> Shape | None:
    return None if attribute is None else attribute.get_values()


def _window_properties(window: Window) -> dict[str, Attribute | None]:
    return {
        "strides": ints(window.strides) if set(window.strides) - {1} else None,
        "pads": ints(window.pads) if any(window.pads) else None,
        "dilations": ints(window.dilations) if set(window.dilations) - {1} else None,
    }


def _pool_properties(window: Window) -> dict[str, Attribute | None]:
    return _window_properties(window) | {
        "kernel": ints(window.kernel),
        "ceil_mode": UnitAttr() if window.ceil_mode else None,
    }


def _output_spatial(spatial: Shape, window: Window) -> Shape:
    try:
        return window.output_shape(spatial)
    except ValueError as error:
        raise VerifyException(str(error)) from None


def _conv_shape(
    input: Shape, weight: Shape, bias: Shape | None, window: Window, group: int
) -> Shape:
    if not 3 <= len(input) <= 5 or len(weight) != len(input):
        raise VerifyException(
            f"an input of shape {format_shape(input)} and a weight of shape "
            f"{format_shape(weight)} make no convolution: both need 1 to 3 spatial axes"
        )
    if weight[2:] != window.kernel:
        raise VerifyException(
            f"a window of {format_shape(window.kernel)} is not that of a weight of shape "
            f"{format_shape(weight)}"
        )
    channels, filters = input[1], weight[0]
    if group < 1 or channels % group or filters % group:
        raise VerifyException(
            f"{group} groups do not divide {channels} input and {filters} output channels"
        )
    if channels // group != weight[1]:
        raise VerifyException(
            f"the input has {channels // group} channels per group, but the weight of shape "
            f"{format_shape(weight)} takes {weight[1]}"
        )
    if bias is not None and bias != (filters,):
        raise VerifyException(
            f"the bias has shape {format_shape(bias)}, but there are {filters} output channels"
        )
    return (input[0], filters, *_output_spatial(input[2:], window))


def _pool_shape(input: Shape, window: Window) -> Shape:
    if len(input) < 3:
        raise VerifyException(f"an input of shape {format_shape(input)} has no spatial axes")
    return (*input[:2], *_output_spatial(input[2:], window))
