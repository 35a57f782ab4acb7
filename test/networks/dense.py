# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Steps that multiply by a matrix."""

from dataclasses import dataclass
from math import sqrt

from networks.graph import Graph, Value
from networks.layout import Flatten
from networks.steps import Step


@dataclass(frozen=True, repr=False)
class MatMul(Step):
    """Maps the last axis: every token of a token model, or the features of a flat tensor."""

    features: int = 1
    bias: bool = False

    def apply(self, graph: Graph, x: Value) -> Value:
        weight = graph.normal((x.shape[-1], self.features), 1 / sqrt(x.shape[-1]))
        y = graph.op("MatMul", x, weight)
        return graph.op("Add", y, graph.uniform((self.features,), -0.5, 0.5)) if self.bias else y


@dataclass(frozen=True, repr=False)
class Gemm(Step):
    """Flattens and maps all features."""

    features: int = 1
    bias: bool = True
    transposed: bool = False
    """Whether the matrix is stored [out, in]."""
    scaled: bool = False
    """Whether alpha and beta are other than 1."""

    def apply(self, graph: Graph, x: Value) -> Value:
        x = x if x.rank == 2 else Flatten().apply(graph, x)
        shape = (x.shape[1], self.features)
        weight = graph.normal(shape[::-1] if self.transposed else shape, 1 / sqrt(x.shape[1]))
        operands = [x, weight]
        if self.bias:
            operands.append(graph.uniform((self.features,), -0.5, 0.5))
        alpha, beta = (0.5, 2.0) if self.scaled else (1.0, 1.0)
        transposed = int(self.transposed)
        return graph.op("Gemm", *operands, transB=transposed, alpha=alpha, beta=beta)
