# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A random network: a recipe that a person can read, and the ONNX model made by it."""

from dataclasses import dataclass
from functools import cached_property

import onnx

from networks.brief import Brief
from networks.graph import Graph
from networks.steps import Steps, apply_steps


@dataclass(frozen=True, repr=False)
class Network(Brief):
    """What a strategy draws; its `repr` is the expression that makes it again."""

    shape: tuple[int, ...]
    """Of one image: [1, channels, height, width], [1, channels, length], [1, tokens, features]."""
    steps: Steps
    seed: int = 0
    """Of the weights."""
    opset: int = 17
    open_batch: bool = False
    """Whether the batch dimension is `N` instead of 1."""
    constant_nodes: bool = False
    """Whether weights are Constant nodes instead of initializers."""

    @cached_property
    def model(self) -> onnx.ModelProto:
        graph = Graph(self.seed, self.opset, self.constant_nodes)
        x = graph.input(self.shape)
        y = apply_steps(graph, x, self.steps)
        graph.output(graph.op("Relu", y) if y in graph.inputs else y)
        return graph.model(self.open_batch)
