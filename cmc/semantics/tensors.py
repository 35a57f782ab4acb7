"""Where tensors live: a tensor as a view of an object, element by element."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import islpy as isl
import numpy as np
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, StringAttr

from cmc.dialects import nn
from cmc.poly.evaluate import grid, tabulate
from cmc.poly.relations import box


@dataclass(frozen=True)
class Layout:
    """How a tensor is cut into vectors: along `channel`; the other axes index the vectors.

    A leading axis of extent 1, the batch, does not index anything.
    """

    shape: tuple[int, ...]
    channel: int

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes that index vectors."""
        skip = 1 if self.shape[:1] == (1,) else 0
        return tuple(a for a in range(skip, len(self.shape)) if a != self.channel)

    @property
    def vector(self) -> int:
        """The number of floats in one vector; 1 for a scalar."""
        return self.shape[self.channel] if self.shape else 1

    @property
    def index_shape(self) -> tuple[int, ...]:
        return tuple(self.shape[a] for a in self.axes)

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each axis in `axes`."""
        count = len(self.axes)
        return ("d", "h", "w")[3 - count :] if count <= 3 else tuple(f"i{i}" for i in range(count))

    def coordinates(self) -> list[str]:
        """For each axis of the tensor, its coordinate in terms of `names` and the channel `c`."""
        result = ["0"] * len(self.shape)
        for axis, name in zip(self.axes, self.names, strict=True):
            result[axis] = name
        if self.shape:
            result[self.channel] = "c"
        return result

    def to_object(self) -> isl.Map:
        """From the tensor's coordinates to the element and channel in the object that holds it."""
        source = [f"t{a}" for a in range(len(self.shape))]
        channel = source[self.channel] if self.shape else "0"
        target = [*(source[a] for a in self.axes), channel]
        return isl.Map(f"{{ [{', '.join(source)}] -> [{', '.join(target)}] }}")


@dataclass(frozen=True)
class View:
    """A tensor as elements of an object.

    `exact` maps the tensor's coordinates to an element and a channel of the object, whose extents
    are `extents`. Where it is not defined the tensor has the value `pad`, which is None if it is
    defined everywhere. `simple` agrees with it, and may be defined beyond: it prints better.
    """

    object: str
    extents: tuple[int, ...]
    shape: tuple[int, ...]
    exact: isl.Map
    simple: isl.Map
    pad: float | None = None

    @staticmethod
    def whole(object: str, layout: Layout) -> View:
        """A tensor that an object holds as it is."""
        simple = layout.to_object()
        exact = simple.intersect_domain(box(layout.shape))
        return View(object, (*layout.index_shape, layout.vector), layout.shape, exact, simple)

    def through(self, places: isl.Map, shape: tuple[int, ...], pad: float | None) -> View:
        """The tensor of the given shape whose element t is this tensor's element `places(t)`.

        Where `places` is not defined it has the value `pad`.
        """
        exact = places.intersect_domain(box(shape)).apply_range(self.exact).coalesce()
        simple = places.apply_range(self.simple)
        filling = pad if self.pad is None else self.pad
        if filling is not None and box(shape).is_subset(exact.domain()):
            filling = None
        return View(self.object, self.extents, shape, exact, simple, filling)

    def channel_axis(self) -> int | None:
        """The axis along which neighbours are neighbours in one vector, if there is one."""
        for axis in range(len(self.shape)):
            if self.shape[axis] > 1 and steps_along(self.exact, self.shape, axis) == (
                self.exact.dim(isl.dim_type.out) - 1
            ):
                return axis
        return None


def steps_along(function: isl.Map, shape: Sequence[int], axis: int) -> int | None:
    """The output dimension that alone grows, by 1 a step, along `axis` from the origin; or None."""
    line = grid([shape[axis] if a == axis else 1 for a in range(len(shape))])
    table = tabulate(function, line)
    if not np.all(table.defined):
        return None
    moving = [
        (i, values)
        for i, c in enumerate(table.coordinates)
        if np.any((values := c.reshape(-1)) != values[0])
    ]
    if len(moving) != 1 or np.any(np.diff(moving[0][1]) != 1):
        return None
    return moving[0][0]


def tensor_names(
    attributes: ArrayAttr[DictionaryAttr] | None, count: int, default: str
) -> list[str]:
    """The ONNX names of a function's arguments or results; numbered ones if they have none."""
    names = [f"{default}{index}" for index in range(count)]
    for index, dictionary in enumerate(attributes or ()):
        if isinstance(name := dictionary.data.get(nn.NAME), StringAttr):
            names[index] = name.data
    return names
