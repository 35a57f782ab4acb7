# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Where tensors live: a tensor as a view of an object, element by element."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import islpy as isl
import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, StringAttr
from xdsl.dialects.func import FuncOp

from cmc.dialects import nn
from cmc.poly.evaluate import grid, tabulate
from cmc.poly.relations import box

Floats = NDArray[np.float32]


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


@dataclass(frozen=True, eq=False)
class Part:
    """Elements of a tensor that lie in one place: an object that travels, or a constant array.

    `exact` maps the tensor's coordinates to an element and a channel of the `source`, whose extents
    are `extents`. `simple` agrees with it, and may be defined beyond: it prints better.
    """

    source: str | Floats
    extents: tuple[int, ...]
    exact: isl.Map
    simple: isl.Map

    def through(self, places: isl.Map, shape: tuple[int, ...]) -> Part:
        """The elements of a tensor whose element t is this tensor's element `places(t)`."""
        exact = places.intersect_domain(box(shape)).apply_range(self.exact).coalesce()
        return replace(self, exact=exact, simple=places.apply_range(self.simple))

    def continues(self, other: Part) -> bool:
        """Whether the elements of both lie in one place in the same way."""
        return self.source is other.source and self.simple.is_equal(other.simple)


@dataclass(frozen=True, eq=False)
class View:
    """A tensor as elements of objects and constants.

    Each element is in one of the `parts` at most. What is in none has the value `pad`, which is
    None if each is in one.
    """

    shape: tuple[int, ...]
    parts: tuple[Part, ...]
    pad: float | None = None

    @staticmethod
    def whole(object: str, layout: Layout) -> View:
        """A tensor that an object holds as it is."""
        simple = layout.to_object()
        exact = simple.intersect_domain(box(layout.shape))
        part = Part(object, (*layout.index_shape, layout.vector), exact, simple)
        return View(layout.shape, (part,))

    @staticmethod
    def constant(array: Floats) -> View:
        """A tensor that is known, its last axis as vectors."""
        stored = np.ascontiguousarray(array).reshape(array.shape or (1,))
        axes = [f"t{a}" for a in range(array.ndim)]
        simple = isl.Map(f"{{ [{', '.join(axes)}] -> [{', '.join(axes or ['0'])}] }}")
        exact = simple.intersect_domain(box(array.shape))
        return View(array.shape, (Part(stored, stored.shape, exact, simple),))

    @staticmethod
    def through(
        views: Sequence[View], places: Sequence[isl.Map], shape: tuple[int, ...], pad: float | None
    ) -> View:
        """The tensor of the given shape whose element t is element `places[i](t)` of `views[i]`.

        No t has two of them. Where it has none it has the value `pad`, which is that of the padding
        of all `views`.
        """
        parts: list[Part] = []
        for view, function in zip(views, places, strict=True):
            for part in view.parts:
                _add(parts, part.through(function, shape))
        if pad is not None and box(shape).is_subset(_union([p.exact.domain() for p in parts])):
            pad = None
        return View(shape, tuple(parts), pad)

    @property
    def object(self) -> str | None:
        """The object that the tensor lies in, if there is only one and no padding."""
        (source, *others) = (part.source for part in self.parts)
        return source if isinstance(source, str) and not others and self.pad is None else None

    def array(self) -> Floats | None:
        """The tensor, if it consists of constants."""
        values: Floats = np.asarray(self.pad or 0.0, np.float32)
        if any(isinstance(part.source, str) for part in self.parts):
            return None
        for part in self.parts:
            assert not isinstance(part.source, str)
            table = tabulate(part.exact, grid(self.shape))
            index = tuple(np.where(table.defined, c, 0) for c in table.coordinates)
            values = np.where(table.defined, part.source[index], values)
        return np.ascontiguousarray(np.broadcast_to(values, self.shape))

    def channel_axis(self) -> int | None:
        """The axis along which neighbours are neighbours in one vector, if there is one.

        Of several parts, those of the first that has one count.
        """
        spans = [range(extent) for extent in self.shape]
        for part in self.parts:
            if len(self.parts) > 1:
                spans = hull(part.exact.domain())
            for axis, span in enumerate(spans):
                if len(span) > 1 and steps_along(part.exact, spans, axis) == (
                    part.exact.dim(isl.dim_type.out) - 1
                ):
                    return axis
        return None


def _add(parts: list[Part], part: Part) -> None:
    """Add a part, to one that it continues or as one more. One that is empty only stands alone."""
    if parts and parts[0].exact.is_empty():
        parts.clear()
    if parts and part.exact.is_empty():
        return
    for position, other in enumerate(parts):
        if other.continues(part):
            exact = other.exact.union(part.exact).coalesce()
            parts[position] = replace(other, exact=exact)
            return
    parts.append(part)


def _union(sets: Sequence[isl.Set]) -> isl.Set:
    return reduce(isl.Set.union, sets)


def hull(points: isl.Set) -> list[range]:
    """The least and the greatest coordinate along each axis of a set that is not empty."""
    return [span(points, axis) for axis in range(points.dim(isl.dim_type.set))]


def span(points: isl.Set, axis: int) -> range:
    """The least and the greatest coordinate along one axis of a set that is not empty."""
    low, high = points.dim_min_val(axis).to_python(), points.dim_max_val(axis).to_python()
    return range(low, high + 1)


def steps_along(function: isl.Map, spans: Sequence[range], axis: int) -> int | None:
    """The output dimension that alone grows, by 1 a step, along `axis` of a box; or None.

    The steps start from the least coordinates.
    """
    line = [
        np.arange(span.start, span.stop if a == axis else span.start + 1, dtype=np.int64)
        for a, span in enumerate(spans)
    ]
    table = tabulate(function, list(np.ix_(*line)) if line else [])
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


def states_of_network(function: FuncOp) -> dict[str, str]:
    """The results of the image before that arguments of a function are, by the arguments' names."""
    names = tensor_names(function.arg_attrs, len(function.args), "input")
    return {
        name: state.data
        for name, dictionary in zip(names, function.arg_attrs or (), strict=False)
        if isinstance(state := dictionary.data.get(nn.STATE), StringAttr)
    }


def tensor_names(
    attributes: ArrayAttr[DictionaryAttr] | None, count: int, default: str
) -> list[str]:
    """The ONNX names of a function's arguments or results; numbered ones if they have none."""
    names = [f"{default}{index}" for index in range(count)]
    for index, dictionary in enumerate(attributes or ()):
        if isinstance(name := dictionary.data.get(nn.NAME), StringAttr):
            names[index] = name.data
    return names
