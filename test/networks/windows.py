# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Steps that slide a window: convolution and pooling, over images and signals."""

from dataclasses import dataclass, replace
from math import gcd, prod, sqrt
from typing import Literal

from networks.brief import Brief
from networks.graph import Attribute, Graph, Value
from networks.steps import Step

AutoPad = Literal["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]

AVERAGE_POOL_DILATES = 19
"""The first opset whose AveragePool has dilations."""
CEIL_MODE_IS_CLEAR = 22
"""The first opset that says that no window of a pooling starts behind the last element."""


@dataclass(frozen=True, repr=False)
class Axis(Brief):
    """What a window does along one spatial axis."""

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    low: int = 0
    """Padding before the first element."""
    high: int = 0
    """Padding after the last element."""

    def fitted(self, extent: int, auto_pad: AutoPad) -> "Axis":
        """This axis, padded only where that is explicit, with a window that fits into its room."""
        axis = self if auto_pad == "NOTSET" else replace(self, low=0, high=0)
        if auto_pad.startswith("SAME"):
            return axis
        room = axis.low + extent + axis.high
        kernel = min(axis.kernel, room)
        dilation = axis.dilation if (kernel - 1) * axis.dilation < room else 1
        return replace(axis, kernel=kernel, dilation=dilation)

    def touching(self, extent: int, auto_pad: AutoPad) -> "Axis":
        """This axis such that every window holds an element that is not padding."""
        if auto_pad.startswith("SAME"):
            return replace(self, stride=min(self.stride, self.kernel), dilation=1)
        most = self.kernel - 1
        dilation = self.dilation if self.dilation <= extent else 1
        return replace(self, low=min(self.low, most), high=min(self.high, most), dilation=dilation)


Axes = tuple[Axis, Axis]
"""One for either spatial axis of an image; a signal, which has only one, takes the first."""


def window_attributes(axes: list[Axis], auto_pad: AutoPad) -> dict[str, Attribute]:
    """The attributes that all ONNX operators with windows share."""
    attributes: dict[str, Attribute] = {
        "kernel_shape": [axis.kernel for axis in axes],
        "strides": [axis.stride for axis in axes],
    }
    if auto_pad == "NOTSET":
        attributes["pads"] = [axis.low for axis in axes] + [axis.high for axis in axes]
    else:
        attributes["auto_pad"] = auto_pad
    if any(axis.dilation > 1 for axis in axes):
        attributes["dilations"] = [axis.dilation for axis in axes]
    return attributes


@dataclass(frozen=True, repr=False)
class Conv(Step):
    """A convolution; pads may be larger than the kernel, and windows lie wholly in the padding."""

    channels: int = 1
    axes: Axes = (Axis(), Axis())
    auto_pad: AutoPad = "NOTSET"
    group: int = 1
    """Cut to a divisor of the channels; 0 for depthwise."""
    bias: bool = True

    def apply(self, graph: Graph, x: Value) -> Value:
        if x.rank not in (3, 4):
            return x
        zipped = zip(self.axes, x.spatial, strict=False)
        axes = [axis.fitted(extent, self.auto_pad) for axis, extent in zipped]
        group = gcd(self.group, x.shape[1])
        filters = group * -(-self.channels // group)
        kernel = [axis.kernel for axis in axes]
        weight_shape = (filters, x.shape[1] // group, *kernel)
        weight = graph.normal(weight_shape, 1 / sqrt(prod(weight_shape[1:])))
        bias = graph.uniform((filters,), -0.5, 0.5) if self.bias else None
        operands = [x, weight] if bias is None else [x, weight, bias]
        attributes = window_attributes(axes, self.auto_pad)
        return graph.op("Conv", *operands, group=group, **attributes)


@dataclass(frozen=True, repr=False)
class Pool(Step):
    """A pooling whose windows all hold an element of the image: ONNX defines no others."""

    op_type: Literal["MaxPool", "AveragePool"] = "MaxPool"
    axes: Axes = (Axis(), Axis())
    auto_pad: AutoPad = "NOTSET"
    ceil_mode: bool = False
    count_include_pad: bool = False

    def apply(self, graph: Graph, x: Value) -> Value:
        if x.rank not in (3, 4):
            return x
        zipped = zip(self.axes, x.spatial, strict=False)
        axes = [self._fitted(axis, extent, graph.opset) for axis, extent in zipped]
        attributes = window_attributes(axes, self.auto_pad)
        if self.ceil_mode and self.auto_pad == "NOTSET":
            attributes["ceil_mode"] = 1
        if self.count_include_pad and self.op_type == "AveragePool":
            attributes["count_include_pad"] = 1
        return graph.op(self.op_type, x, **attributes)

    def _fitted(self, axis: Axis, extent: int, opset: int) -> Axis:
        if self.op_type == "AveragePool" and opset < AVERAGE_POOL_DILATES:
            axis = replace(axis, dilation=1)
        if self.ceil_mode and opset < CEIL_MODE_IS_CLEAR:
            axis = replace(axis, stride=min(axis.stride, axis.kernel), high=0)
        return axis.touching(extent, self.auto_pad).fitted(extent, self.auto_pad)


@dataclass(frozen=True, repr=False)
class GlobalPool(Step):
    op_type: Literal["GlobalAveragePool", "GlobalMaxPool"] = "GlobalAveragePool"

    def apply(self, graph: Graph, x: Value) -> Value:
        return graph.op(self.op_type, x) if x.rank in (3, 4) else x
