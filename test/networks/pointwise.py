# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Steps that compute every element from few others: activations, constants, normalisation."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from networks.graph import Graph, Value
from networks.steps import Step

BinaryOp = Literal["Add", "Sub", "Mul", "Div"]


@dataclass(frozen=True, repr=False)
class Activation(Step):
    op_type: Literal["Relu", "LeakyRelu", "Sigmoid", "Tanh"] = "Relu"

    def apply(self, graph: Graph, x: Value) -> Value:
        if self.op_type == "LeakyRelu":
            return graph.op("LeakyRelu", x, alpha=0.125)
        return graph.op(self.op_type, x)


@dataclass(frozen=True, repr=False)
class Clip(Step):
    """Cuts off at either bound, or at one, or at none."""

    low: float | None = None
    high: float | None = None

    def apply(self, graph: Graph, x: Value) -> Value:
        return clip(graph, x, self.low, self.high)


def clip(graph: Graph, x: Value, low: float | None, high: float | None) -> Value:
    bounds = [
        None if bound is None else graph.constant(np.array(bound, np.float32))
        for bound in (low, high)
    ]
    while bounds and bounds[-1] is None:
        bounds.pop()
    return graph.op("Clip", x, *bounds)


@dataclass(frozen=True, repr=False)
class Normalization(Step):
    """A batch normalisation as it is after training."""

    def apply(self, graph: Graph, x: Value) -> Value:
        shape = (x.shape[1],)
        scale = graph.uniform(shape, 0.5, 1.5)
        bias, mean = graph.uniform(shape, -0.5, 0.5), graph.uniform(shape, -0.5, 0.5)
        variance = graph.uniform(shape, 0.5, 1.5)
        return graph.op("BatchNormalization", x, scale, bias, mean, variance, epsilon=1e-3)


@dataclass(frozen=True, repr=False)
class Constant(Step):
    """Arithmetic with a constant that broadcasts."""

    op_type: BinaryOp = "Add"
    over: Literal["number", "one", "channel", "last", "image"] = "number"
    """A rank-0 tensor, one of shape [1], a number per channel or per last index, or one for all."""
    first: bool = False
    """Whether the constant is the left operand."""

    def apply(self, graph: Graph, x: Value) -> Value:
        shapes = {
            "number": (),
            "one": (1,),
            "channel": (x.shape[1], *(1 for _ in x.spatial)),
            "last": x.shape[-1:],
            "image": x.shape,
        }
        if self.op_type == "Div":
            constant = graph.uniform(shapes[self.over], 0.5, 2)
            x = clip(graph, x, 0.5, 2) if self.first else x
        else:
            constant = graph.uniform(shapes[self.over], -1, 1)
        operands = (constant, x) if self.first else (x, constant)
        return graph.op(self.op_type, *operands)


@dataclass(frozen=True, repr=False)
class Softmax(Step):
    over: Literal["channel", "last"] = "last"

    def apply(self, graph: Graph, x: Value) -> Value:
        return graph.op("Softmax", x, axis=1 if self.over == "channel" else -1)


@dataclass(frozen=True, repr=False)
class Nothing(Step):
    """A node that computes nothing at inference."""

    op_type: Literal["Identity", "Dropout"] = "Identity"

    def apply(self, graph: Graph, x: Value) -> Value:
        return graph.op(self.op_type, x)
