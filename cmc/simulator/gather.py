# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Windows as index arrays: which elements and channels of an object each iteration reads."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cmc.dialects.cmpipe import ObjectOp, ReadOp
from cmc.poly.evaluate import Ints, flat_index, grid, tabulate

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Gather:
    """A window for each iteration.

    `element` and `channel` broadcast to `[iterations, *window]`; -1 stands for padding, whose value
    is `pad`. An array that does not depend on an axis has extent 1 there.
    """

    element: Ints
    channel: Ints
    window: tuple[int, ...]
    pad: float
    vector: int
    """The number of floats in a vector of the object."""

    @staticmethod
    def of(op: ReadOp, object: ObjectOp, points: Ints) -> Gather:
        """The windows that a read gathers at the given iterations, `[iterations, rank]`."""
        window, shape = op.window_shape, object.shape
        iterations, rank = points.shape
        axes = 1 + len(window)
        first = [iterations, *[1] * len(window)]
        values = [points[:, d].reshape(first) for d in range(rank)]
        table = tabulate(op.access.data, [*values, *grid(window, axes, 1)])
        element = flat_index(table.coordinates[:-1], shape, 1)
        element = element.reshape([1] * (axes - element.ndim) + list(element.shape))
        channel = flat_index(table.coordinates[-1:], (object.vector,), 1)
        if not np.all(table.defined):
            extents = np.broadcast_shapes(element.shape, channel.shape)
            if all(d in (1, e) for d, e in zip(table.defined.shape, element.shape, strict=True)):
                element = np.where(table.defined, element, -1)
            elif all(d in (1, c) for d, c in zip(table.defined.shape, channel.shape, strict=True)):
                channel = np.where(table.defined, channel, -1)
            else:
                element = np.where(table.defined, np.broadcast_to(element, extents), -1)
        pad = 0.0 if op.pad is None else op.pad.value.data
        return Gather(element, channel, window, pad, object.vector)

    def some(self, iterations: range) -> Gather:
        """The windows of some of the iterations."""
        element, channel = (
            array if len(array) == 1 else array[iterations.start : iterations.stop]
            for array in (self.element, self.channel)
        )
        return replace(self, element=element, channel=channel)

    def extremes(self, order: Ints) -> tuple[Ints, Ints]:
        """For each iteration, the newest and oldest element in its window by `order`.

        `order` has the place of each element of the object, -1 for one that is not looked for.

        -1 and the largest integer where there is none. `[iterations]`, or `[1]` if all are alike.
        """
        element = self.element
        if np.any(self.channel < 0):
            element = np.where(self.channel < 0, -1, element)
        element = element.reshape(len(element), -1)
        numbers = np.where(element >= 0, order[element], -1)
        present = numbers >= 0
        none = np.iinfo(np.int64).max
        newest = np.where(present, numbers, -1).max(1)
        oldest = np.where(present, numbers, none).min(1)
        return newest, oldest

    @property
    def whole_vectors(self) -> bool:
        """Whether the last axis of the window runs through the channels of one element."""
        return (
            self.window[-1:] == (self.vector,)
            and self.element.shape[-1] == 1
            and self.channel.shape == (*(1,) * len(self.window), self.vector)
            and np.array_equal(self.channel.reshape(-1), np.arange(self.vector))
        )
