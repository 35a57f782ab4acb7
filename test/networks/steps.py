# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Steps: what a network does to a tensor, described apart from the tensor's shape.

A step is a small value that a person can read and paste into a test. It fits itself to whatever it
is applied to (a kernel larger than the image shrinks to it) and leaves alone what it cannot be
applied to. So any list of steps is a network, and a part of the list is a smaller one.
"""

from abc import ABC, abstractmethod
from math import prod

from networks.brief import Brief
from networks.graph import Graph, Value

MAX_NODES = 24
MAX_EXTENT = 16
"""Of an axis, unless there is only one."""
MAX_ELEMENTS = 1024


class Step(Brief, ABC):
    """One step of a network."""

    @abstractmethod
    def apply(self, graph: Graph, x: Value) -> Value:
        """Append the step's nodes, which read `x`, and return the result; or return `x`."""


Steps = tuple[Step, ...]


def apply_steps(graph: Graph, x: Value, steps: Steps) -> Value:
    """Append the steps one after the other, without those that would make the network too large."""
    for step in steps:
        mark = graph.mark()
        y = step.apply(graph, x)
        wide = y.rank > 2 and max(y.shape) > MAX_EXTENT
        if wide or prod(y.shape) > MAX_ELEMENTS or graph.size > MAX_NODES:
            graph.undo_to(mark)
        elif y != x:
            x = y
            graph.trail.append(x)
    return x
