# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Tensors of the network to and from the elements of objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import as_strided
from xdsl.dialects.builtin import IntegerAttr

from cmc.dialects import nn
from cmc.dialects.cmpipe import InputOp, OutputOp, find_object
from cmc.poly.evaluate import Ints, coefficients, flat_index, grid, tabulate
from cmc.simulator.gather import Floats
from cmc.streams import Turn, image_shape


def port_shapes(ports: Iterable[InputOp | OutputOp]) -> dict[str, tuple[int, ...]]:
    """The shape of one image by the name of its tensor, of which there may be several ports."""
    return {op.tensor_name.data: image_shape(op.tensor.get_shape()) for op in ports}


def largest_integers(ports: Iterable[InputOp]) -> dict[str, int]:
    """How large the integers of inputs may be, where it matters, by the names of the tensors."""
    found = {op.tensor_name.data: op.attributes.get(nn.LARGEST_INTEGER) for op in ports}
    return {name: a.value.data for name, a in found.items() if isinstance(a, IntegerAttr)}


@dataclass(frozen=True, eq=False)
class Port:
    """A tensor of the network, and the object that it goes into or comes out of.

    Streams of tensors are `[images, *shape]`, those of objects `[images, rows, *other axes,
    vector]`, or any other shape of the same floats in their order.
    """

    op: InputOp | OutputOp

    @property
    def tensor(self) -> str:
        return self.op.tensor_name.data

    @property
    def turn(self) -> Turn:
        """Which images of a stream go through this port."""
        return self.op.turn

    @property
    def object(self) -> str:
        return self.op.object.root_reference.data

    @property
    def shape(self) -> tuple[int, ...]:
        """That of one image."""
        return image_shape(self.op.tensor.get_shape())

    @cached_property
    def object_shape(self) -> tuple[int, ...]:
        """That of the object, with its vector."""
        object = find_object(self.op, self.op.object)
        return *object.shape, object.vector

    @cached_property
    def row_axis(self) -> int | None:
        """The axis of the tensor whose places are the rows of the object, if there is one.

        Rows are along the first axis of the object.
        """
        if self._linear is None or len(self.object_shape) == 1:
            return None
        matrix, first = self._linear
        (axes,) = np.nonzero(matrix[0])
        if len(axes) != 1 or np.any(matrix[1:, axes[0]]) or first[0]:
            return None
        axis, rows = int(axes[0]), self.object_shape[0]
        whole = matrix[0, axis] == 1 and self.op.tensor.get_shape()[axis] == rows
        return axis if whole else None

    def enter(self, images: Floats, elements: Floats, rows: range | None = None) -> None:
        """Put a stream of an input's images where its object lies, or some of its rows."""
        count = len(images)
        if count == 0:
            return
        if self._linear is None:
            elements.reshape(count, -1)[:, self._places] = images.reshape(count, -1)
        else:
            np.copyto(self._as_tensor(elements, rows), self._rows(images, rows))

    def leave(self, elements: Floats, images: Floats, rows: range | None = None) -> None:
        """Put an object's elements, or those of some rows, into a stream of an output."""
        count = len(images)
        if count == 0:
            return
        if self._linear is None:
            images.reshape(count, -1)[:] = elements.reshape(count, -1)[:, self._places]
        else:
            np.copyto(self._rows(images, rows), self._as_tensor(elements, rows))

    @cached_property
    def _linear(self) -> tuple[Ints, Ints] | None:
        """The layout as a matrix `[object rank + 1, tensor rank]` and a place to begin at."""
        found = coefficients(self.op.layout.data)
        if found is None or np.any(found[0] < 0) or np.any(found[1] < 0):
            return None
        last = found[0] @ (np.array(self.op.tensor.get_shape()) - 1) + found[1]
        return found if np.all(last < self.object_shape) else None

    @cached_property
    def _places(self) -> Ints:
        """For each element of a tensor, in row-major order, which float of the object it is."""
        shape = self.op.tensor.get_shape()
        table = tabulate(self.op.layout.data, grid(shape))
        flat = flat_index(table.coordinates, self.object_shape, 1)
        return np.broadcast_to(flat, shape).reshape(-1)

    def _tensor_shape(self, rows: range | None) -> Sequence[int]:
        shape = list(self.op.tensor.get_shape())
        if rows is not None:
            assert self.row_axis is not None
            shape[self.row_axis] = len(rows)
        return shape

    def _rows(self, images: Floats, rows: range | None) -> Floats:
        """Images in the tensor's whole shape, or some rows of them."""
        whole = images.reshape(len(images), *self._tensor_shape(None))
        if rows is None:
            return whole
        assert self.row_axis is not None
        return whole[(slice(None),) * (1 + self.row_axis) + (slice(rows.start, rows.stop),)]

    def _as_tensor(self, elements: Floats, rows: range | None) -> Floats:
        """Elements, of some rows or all, in the places of the tensor."""
        assert self._linear is not None
        matrix, first = self._linear
        count = self.object_shape[:1] if rows is None else (len(rows),)
        elements = elements.reshape(len(elements), *count, *self.object_shape[1:])
        strides = (np.array(elements.strides[1:]) @ matrix).tolist()
        shape = (len(elements), *self._tensor_shape(rows))
        origin = elements[(slice(None), *first.tolist(), None)]
        return as_strided(origin, shape, (elements.strides[0], *strides))
