"""Tensors of the network to and from the elements of objects."""

from __future__ import annotations

import numpy as np

from cmc.dialects.cmpipe import InputOp, OutputOp, find_object
from cmc.poly.evaluate import Ints, grid, tabulate
from cmc.simulator.gather import Floats, flat_index


def image_shape(port: InputOp | OutputOp) -> tuple[int, ...]:
    """The shape of one image's tensor in a stream: without the batch axis, if there is one.

    A network may squeeze it out of an output, or move it away from the front.
    """
    shape = port.tensor.get_shape()
    return shape[1:] if shape[:1] == (1,) else shape


def places(port: InputOp | OutputOp) -> Ints:
    """For each element of a tensor, in row-major order, its place in the object's floats."""
    object = find_object(port, port.object)
    shape = port.tensor.get_shape()
    table = tabulate(port.layout.data, grid(shape))
    flat = flat_index(table.coordinates, (*object.shape, object.vector), 1)
    return np.broadcast_to(flat, shape).reshape(-1)


def enter(port: InputOp, images: Floats, elements: Floats) -> None:
    """Put a stream of an input's images where its object lies, `[images, elements, vector]`."""
    count = len(images)
    elements.reshape(count, -1)[:, places(port)] = images.reshape(count, -1)


def leave(port: OutputOp, elements: Floats, images: Floats) -> None:
    """Put the elements of an object, `[images, elements, vector]`, into a stream of an output."""
    count = len(images)
    images.reshape(count, -1)[:] = elements.reshape(count, -1)[:, places(port)]
