"""Tensors of the network to and from the elements of objects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cmc.dialects.cmpipe import InputOp, OutputOp, find_object
from cmc.poly.evaluate import Ints, grid, tabulate
from cmc.simulator.gather import Floats, flat_index
from cmc.streams import image_shape


def port_shapes(ports: Iterable[InputOp | OutputOp]) -> dict[str, tuple[int, ...]]:
    """The shape of one image by the name of its tensor."""
    return {op.tensor_name.data: image_shape(op.tensor.get_shape()) for op in ports}


@dataclass(frozen=True, eq=False)
class Port:
    """A tensor of the network, and the object that it goes into or comes out of."""

    op: InputOp | OutputOp

    @property
    def tensor(self) -> str:
        return self.op.tensor_name.data

    @property
    def object(self) -> str:
        return self.op.object.root_reference.data

    @property
    def shape(self) -> tuple[int, ...]:
        """That of one image."""
        return image_shape(self.op.tensor.get_shape())

    @cached_property
    def places(self) -> Ints:
        """Which float of the object each element of an image is, these in row-major order."""
        object = find_object(self.op, self.op.object)
        shape = self.op.tensor.get_shape()
        table = tabulate(self.op.layout.data, grid(shape))
        flat = flat_index(table.coordinates, (*object.shape, object.vector), 1)
        return np.broadcast_to(flat, shape).reshape(-1)

    def enter(self, images: Floats, elements: Floats) -> None:
        """Put a stream of an input's images where its object lies, `[images, elements, vector]`."""
        count = len(images)
        elements.reshape(count, -1)[:, self.places] = images.reshape(count, -1)

    def leave(self, elements: Floats, images: Floats) -> None:
        """Put an object's elements, `[images, elements, vector]`, into a stream of an output."""
        count = len(images)
        images.reshape(count, -1)[:] = elements.reshape(count, -1)[:, self.places]
