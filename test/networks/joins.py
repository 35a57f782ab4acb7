# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Steps where paths fork and meet again, and where tensors enter and leave on the way."""

from dataclasses import dataclass
from typing import Literal

from networks.graph import Graph, Value
from networks.layout import cut
from networks.pointwise import Activation, Normalization, clip
from networks.steps import MAX_EXTENT, Step, Steps, apply_steps
from networks.windows import Axis, Conv

Joint = Literal["Add", "Sub", "Mul", "Div", "Concat"]


def join(graph: Graph, joint: Joint, axis: int, a: Value, b: Value) -> Value:
    """Join two tensors; what is too large along an axis is cut, unless it broadcasts.

    `Concat` joins along `axis`, counted from the channels on, modulo the rank. Products and
    quotients have a bounded right operand.
    """
    axis = 1 + axis % (a.rank - 1)
    concat = joint == "Concat" and a.shape[axis] + b.shape[axis] <= MAX_EXTENT
    for other in range(1, a.rank):
        fewest = min(a.shape[other], b.shape[other])
        if (concat and other == axis) or (fewest == 1 and not concat):
            continue
        a, b = (
            value if value.shape[other] == fewest else cut(graph, value, other, 0, fewest, 1)
            for value in (a, b)
        )
    if joint == "Concat":
        return graph.op("Concat", a, b, axis=axis) if concat else graph.op("Add", a, b)
    if joint == "Mul":
        b = graph.op("Tanh", b)
    elif joint == "Div":
        b = clip(graph, b, 0.5, 2)
    return graph.op(joint, a, b)


@dataclass(frozen=True, repr=False)
class Branches(Step):
    """Two paths from one tensor that meet again, if their ranks allow it.

    An empty path is the tensor itself.
    """

    left: Steps = ()
    right: Steps = ()
    joint: Joint = "Add"
    axis: int = 0

    def apply(self, graph: Graph, x: Value) -> Value:
        mark = graph.mark()
        left, right = apply_steps(graph, x, self.left), apply_steps(graph, x, self.right)
        if left.rank != right.rank:
            graph.undo_to(mark)
            return x
        return join(graph, self.joint, self.axis, left, right)


@dataclass(frozen=True, repr=False)
class Rejoin(Step):
    """Joins in the result of an earlier step, across whatever forks and joins lie between."""

    back: int = 0
    """How many results of this rank ago, modulo their number."""
    joint: Joint = "Add"
    axis: int = 0

    def apply(self, graph: Graph, x: Value) -> Value:
        earlier = [value for value in graph.inputs + graph.trail if value.rank == x.rank]
        if not earlier:
            return x
        return join(graph, self.joint, self.axis, x, earlier[-1 - self.back % len(earlier)])


@dataclass(frozen=True, repr=False)
class Residual(Step):
    """The block of a residual network: two convolutions, a shortcut past them, an activation."""

    shortcut: Literal["identity", "projection", "slice and pad"] = "identity"
    stride: int = 1
    """Not for the identity."""
    more: int = 0
    """How many channels the block adds; not for the identity."""
    normalized: bool = False

    def apply(self, graph: Graph, x: Value) -> Value:
        if x.rank not in (3, 4):
            return x
        stride = 1 if self.shortcut == "identity" else self.stride
        more = 0 if self.shortcut == "identity" else self.more
        channels = x.shape[1] + more
        same = Axis(kernel=3, low=1, high=1)
        first = Axis(kernel=3, stride=stride, low=1, high=1)
        normal = (Normalization(),) if self.normalized else ()
        y: Value = x
        body: Steps = (
            Conv(channels, (first, first), bias=not self.normalized),
            *normal,
            Activation("Relu"),
            Conv(channels, (same, same), bias=not self.normalized),
            *normal,
        )
        for step in body:
            y = step.apply(graph, y)
        if self.shortcut == "projection":
            point = Axis(stride=stride)
            x = Conv(channels, (point, point), bias=False).apply(graph, x)
        elif self.shortcut == "slice and pad":
            for axis in range(2, x.rank):
                x = cut(graph, x, axis, 0, y.shape[axis], stride)
            pads = [0] * (2 * x.rank)
            pads[x.rank + 1] = more
            x = graph.op("Pad", x, graph.integers(pads))
        return graph.op("Relu", graph.op("Add", y, x))


@dataclass(frozen=True, repr=False)
class Excitation(Step):
    """Squeeze and excite: every channel weighed by a number computed from all."""

    squeezed: int = 1

    def apply(self, graph: Graph, x: Value) -> Value:
        if x.rank not in (3, 4):
            return x
        y = graph.op("GlobalAveragePool", x)
        y = graph.op("Relu", Conv(self.squeezed).apply(graph, y))
        return graph.op("Mul", x, graph.op("Sigmoid", Conv(x.shape[1]).apply(graph, y)))


@dataclass(frozen=True, repr=False)
class SecondInput(Step):
    """A further input of the network, joined in; there is at most one."""

    joint: Joint = "Add"
    axis: int = 0
    per_channel: bool = False
    """Whether the input has one number per channel instead of the tensor's shape."""

    def apply(self, graph: Graph, x: Value) -> Value:
        if len(graph.inputs) > 1:
            return x
        shape = (*x.shape[:2], *(1 for _ in x.spatial)) if self.per_channel else x.shape
        return join(graph, self.joint, self.axis, x, graph.input(shape))


@dataclass(frozen=True, repr=False)
class Tap(Step):
    """Makes the tensor an output, too; the steps that follow read it on."""

    def apply(self, graph: Graph, x: Value) -> Value:
        if x not in graph.inputs:
            graph.output(x)
        return x
