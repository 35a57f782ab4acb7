# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How the windows of a read are gathered: as views of its object, or by index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.lib.stride_tricks import as_strided

from cmc.poly.evaluate import Bools, Ints, coefficients, size
from cmc.simulator.body import Call
from cmc.simulator.gather import Floats
from cmc.simulator.load import Read
from cmc.simulator.memory import Pool

BLOCK = 1 << 18
"""Floats in the windows of one block: they stay in a second-level cache."""


@dataclass(frozen=True)
class Slices:
    """Some iterations, counted within their band, of some of the images computed together."""

    images: slice
    iterations: slice

    @property
    def rows(self) -> int:
        return (self.images.stop - self.images.start) * (
            self.iterations.stop - self.iterations.start
        )


@dataclass(frozen=True)
class Stored:
    """The rows of an object that are kept: `[images, kept rows, *other axes, vector]`.

    Row r, along the first axis of the object, lies in place r modulo the number of rows kept. An
    object without axes has one row.
    """

    array: Floats
    rows: int
    """Of the object, in all."""

    def parts(self, rows: range) -> list[Floats]:
        """Some rows, in one part or two."""
        kept = self.array.shape[1]
        start, stop = rows.start % kept, (rows.stop - 1) % kept + 1
        if not rows:
            return []
        if start < stop:
            return [self.array[:, start:stop]]
        return [self.array[:, start:], self.array[:, :stop]]


@dataclass(frozen=True)
class Source:
    """How the windows of one read are gathered from an object, for all images together.

    `prepare` is called once per band, and may fill an array that is `lent` for it; the windows of
    some rows are a `view`, or gathered by a call that will `fill` an array. What a read is over
    lies in that array before.
    """

    prepare: list[Call]
    lent: Floats | None
    fill: Callable[[Slices, Floats], Call]
    view: Callable[[Slices], Floats | None]


@dataclass(frozen=True)
class Linear:
    """The element and channel that a read gathers, where they are linear in all places.

    `matrix` is `[object rank + 1, iteration and window rank]`, `constants`
    `[object rank + 1]`; an object without axes counts as one with one row.
    """

    matrix: Ints
    constants: Ints
    extents: tuple[int, ...]
    """Of the iterations."""
    window: tuple[int, ...]

    @staticmethod
    def of(read: Read, extents: tuple[int, ...] | None) -> Linear | None:
        """None where a read is not linear, or over another, or its iterations are no box from 0."""
        found = coefficients(read.op.access.data) if read.op.under is None else None
        if extents is None or found is None:
            return None
        matrix, constants = found
        if len(constants) == 1:
            matrix = np.pad(matrix, ((1, 0), (0, 0)))
            constants = np.pad(constants, (1, 0))
        return Linear(matrix, constants, extents, read.op.window_shape)

    def of_rows(self, rows: range) -> Linear:
        """The same, of some rows of iterations alone, that is, places of the first loop."""
        if not self.extents:
            return self
        constants = self.constants + self.matrix[:, 0] * rows.start
        return Linear(self.matrix, constants, (len(rows), *self.extents[1:]), self.window)

    @property
    def bounds(self) -> tuple[Ints, Ints]:
        """The least and the greatest place on each axis of the object, and channel."""
        spans = np.array([*self.extents, *self.window]) - 1
        low = self.constants + np.minimum(self.matrix, 0) @ spans
        return low, self.constants + np.maximum(self.matrix, 0) @ spans

    def rows_of(self, count: int) -> range:
        """Which of the rows of an object are read."""
        low, high = self.bounds
        start = min(max(0, int(low[0])), count)
        return range(start, max(start, min(count, int(high[0]) + 1)))


def strided(access: Linear, pad: float, stored: Stored, pool: Pool) -> Source | None:
    """Windows as a view of the object, in another array where windows reach beyond it.

    None where that would be much larger than the object.
    """
    low, high = access.bounds
    full = np.array([stored.rows, *stored.array.shape[2:]])
    rows = access.rows_of(stored.rows)
    parts = stored.parts(rows)
    prepare: list[Call] = []
    lent: Floats | None = None
    if len(parts) == 1 and np.all(low >= 0) and np.all(high < full):
        source, first = parts[0], np.zeros_like(low)
        first[0] = rows.start
    else:
        images, first = len(stored.array), low
        if prod((high - low + 1).tolist()) > 4 * prod(full.tolist()) + BLOCK:
            return None
        lent = source = pool.take((images, *(high - low + 1).tolist()))
        starts = np.clip(-low, 0, high - low + 1)
        stops = np.clip(full - low, starts, high - low + 1)
        inner, prepare = _surrounded(source, starts.tolist(), stops.tolist(), pad)
        inside = [slice(int(a), int(b)) for a, b in zip(starts + low, stops + low, strict=True)]
        at = 0
        for part in parts:
            place = inner[:, at : at + part.shape[1]]
            prepare.append((np.copyto, (place, part[:, :, *inside[1:]])))
            at += part.shape[1]
    strides = access.matrix.T @ np.array(source.strides[1:])
    origin = source[(slice(None), *(access.constants - first).tolist(), None)]
    windows = as_strided(
        origin,
        (len(source), *access.extents, *access.window),
        (source.strides[0], *strides.tolist()),
    )
    inner_rows = prod(access.extents[1:])

    def cut(block: Slices) -> Floats:
        if not access.extents:
            return windows[block.images]
        rows = slice(block.iterations.start // inner_rows, block.iterations.stop // inner_rows)
        return windows[block.images, rows]

    def fill(block: Slices, out: Floats) -> Call:
        part = cut(block)
        return np.copyto, (out.reshape(part.shape), part)

    def view(block: Slices) -> Floats | None:
        part = cut(block)
        shape = (block.rows, *access.window)
        return part.reshape(shape) if part.flags.c_contiguous else None

    return Source(prepare, lent, fill, view)


def _surrounded(
    larger: Floats, starts: Sequence[int], stops: Sequence[int], filling: float
) -> tuple[Floats, list[Call]]:
    """A part of an array, and the calls that fill what is around it.

    The part lies from `starts` to `stops` on each axis but the first.
    """
    calls: list[Call] = []
    inner = larger
    for axis, (start, stop) in enumerate(zip(starts, stops, strict=True), 1):
        low, inner, high = np.split(inner, (start, stop), axis)
        calls += [(np.copyto, (side, filling)) for side in (low, high) if side.size]
    return inner, calls


def indexed(read: Read, iterations: range, elements: Floats, pool: Pool) -> Source:
    """Windows of some iterations gathered by index.

    Where there is padding, from a copy of what they read with one more place for it. `elements`
    are all of the object, `[images, elements, vector]`.
    """
    gather = read.gather.some(iterations)
    images, _, vector = elements.shape
    source, width, places = elements, vector, gather.element
    if not gather.whole_vectors:
        source, width = elements.reshape(images, -1, 1), 1
        places = gather.element * vector + gather.channel
        places = np.where(gather.channel < 0, -1, places)
    places = np.where(gather.element < 0, -1, places)
    window = (*gather.window[:-1], 1) if gather.whole_vectors else gather.window
    # In a part of what is joined, the last axis cannot be taken together with those before it.
    last = size(window[-1:])
    places = np.broadcast_to(places, (len(places), *window)).reshape(len(places), -1, last)
    missing = places < 0
    prepare: list[Call] = []
    lent: Floats | None = None
    if len(iterations) < read.iterations.count and not np.all(missing):
        found = places[~missing]
        first = int(found.min())
        source = source[:, first : int(found.max()) + 1]
        places = np.where(missing, -1, places - first)
    if read.op.under is None and np.any(missing):
        lent = pool.take((images, source.shape[1] + 1, width))
        inner, prepare = _surrounded(lent, [0, 0], source.shape[1:], gather.pad)
        prepare.append((np.copyto, (inner, source)))
        places = np.where(missing, source.shape[1], places)
        source = lent
    places, present = (
        np.broadcast_to(array, (len(iterations), *array.shape[1:])) for array in (places, ~missing)
    )

    def fill(block: Slices, out: Floats) -> Call:
        chosen = np.ascontiguousarray(places[block.iterations])
        part = source[block.images]
        target = out.reshape(len(part), *chosen.shape, width)
        assert np.may_share_memory(target, out)
        if read.op.under is None:
            return np.take, (part, chosen, 1, target, "clip")
        return _take_over, (part, chosen, target, present[block.iterations, ..., None])

    return Source(prepare, lent, fill, lambda block: None)


def _take_over(source: Floats, places: Ints, target: Floats, present: Bools) -> None:
    """Take what is `present`, and leave the rest of the target as it is."""
    np.copyto(target, source.take(places, 1, mode="clip"), where=present)
