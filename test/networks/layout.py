# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Steps that move elements about without computing anything new."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from networks.graph import Graph, Value
from networks.steps import Step


def cut(graph: Graph, x: Value, axis: int, start: int, count: int, step: int) -> Value:
    """`count` slices of `x` along `axis`: at `start`, `start + step`, and so on."""
    end = start + count * step
    if end < 0:
        end = -x.shape[axis] - 1
    bounds = [graph.integers([number]) for number in (start, end, axis, step)]
    return graph.op("Slice", x, *bounds)


@dataclass(frozen=True, repr=False)
class Slice(Step):
    """Every `step`th slice along an axis, at most `count`; backwards for a negative `step`."""

    axis: int = 0
    """Counted from the channels on, modulo the rank."""
    start: int = 0
    count: int = 1
    step: int = 1

    def apply(self, graph: Graph, x: Value) -> Value:
        axis = 1 + self.axis % (x.rank - 1)
        start = self.start % x.shape[axis]
        ahead = x.shape[axis] - start if self.step > 0 else start + 1
        count = min(self.count, -(-ahead // abs(self.step)))
        return cut(graph, x, axis, start, count, self.step)


@dataclass(frozen=True, repr=False)
class Pad(Step):
    """Adds elements before and after an axis; negative numbers take some away."""

    axis: int = 0
    """Counted from the channels on, modulo the rank."""
    low: int = 0
    high: int = 0
    mode: Literal["constant", "reflect", "edge"] = "constant"
    value: float | None = None

    def apply(self, graph: Graph, x: Value) -> Value:
        axis = 1 + self.axis % (x.rank - 1)
        extent = x.shape[axis]
        low, high = self.low, self.high
        if self.mode != "constant":
            most = extent - 1 if self.mode == "reflect" else high
            low, high = max(0, min(low, most)), max(0, min(high, most))
        if extent + min(low, 0) + min(high, 0) < 1:
            return x
        pads = [0] * (2 * x.rank)
        pads[axis], pads[x.rank + axis] = low, high
        operands = [x, graph.integers(pads)]
        if self.mode == "constant" and self.value is not None:
            operands.append(graph.constant(np.array(self.value, np.float32)))
        return graph.op("Pad", *operands, mode=self.mode)


@dataclass(frozen=True, repr=False)
class Transpose(Step):
    """Permutes the axes after the image axis."""

    order: tuple[int, int, int] = (1, 0, 2)
    """A permutation of channel, first and second spatial axis; a lower rank takes its part."""

    def apply(self, graph: Graph, x: Value) -> Value:
        rest = [1 + axis for axis in self.order if axis < x.rank - 1]
        return graph.op("Transpose", x, perm=[0, *rest])


@dataclass(frozen=True, repr=False)
class Reshape(Step):
    """Merges two axes of an image, or adds a spatial axis of extent 1, or removes all of them."""

    kind: Literal["merge rows", "merge channels", "unsqueeze", "squeeze"] = "unsqueeze"

    def apply(self, graph: Graph, x: Value) -> Value:
        if self.kind == "unsqueeze" and x.rank == 3:
            return graph.op("Unsqueeze", x, graph.integers([2]))
        if self.kind == "squeeze" and 1 in x.spatial:
            single = [axis for axis in range(2, x.rank) if x.shape[axis] == 1]
            return graph.op("Squeeze", x, graph.integers(single))
        if self.kind == "merge rows" and x.rank == 4:
            return graph.op("Reshape", x, graph.integers([0, 0, -1]))
        if self.kind == "merge channels" and x.rank == 4:
            return graph.op("Reshape", x, graph.integers([0, -1, x.shape[3]]))
        return x


@dataclass(frozen=True, repr=False)
class Flatten(Step):
    """One axis of features."""

    op_type: Literal["Flatten", "Reshape"] = "Flatten"

    def apply(self, graph: Graph, x: Value) -> Value:
        if self.op_type == "Flatten":
            return graph.op("Flatten", x)
        return graph.op("Reshape", x, graph.integers([0, -1]))
