# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Ways to cut the rows of a matrix: orders of its rows by the window that they come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

import numpy as np

from cmc.poly.evaluate import Ints, grid

Shape = tuple[int, ...]

MOST_AXES = 4
"""Of axes up to which every order is tried."""


@dataclass(frozen=True)
class Box:
    """Places of a vector: from `lows` on, `extents` along each of its axes."""

    lows: Shape
    extents: Shape

    @staticmethod
    def whole(shape: Shape) -> Box:
        return Box((0,) * len(shape), shape)

    def numbers(self, shape: Shape) -> Ints:
        """The places, in row-major order, as places in the flattened vector of the given shape."""
        flat = np.zeros((1,) * len(shape), np.int64)
        for axis, coordinate in enumerate(grid(self.extents)):
            flat = flat * shape[axis] + (coordinate + self.lows[axis])
        return np.broadcast_to(flat, self.extents).reshape(-1)


@dataclass(frozen=True, eq=False)
class Rows:
    """Where the rows of a matrix come from: vectors of these shapes, flattened one after another.

    `features[f]` says of each row, for each axis of the vectors, where it lies along it; the last
    feature is the vector. Vectors with fewer axes have none of the first ones.
    """

    shapes: tuple[Shape, ...]
    features: tuple[Ints, ...]

    @staticmethod
    def of(shapes: Sequence[Shape]) -> Rows:
        rank = max(map(len, shapes))
        parts: list[list[Ints]] = [[] for _ in range(rank + 1)]
        for number, shape in enumerate(shapes):
            full = (1,) * (rank - len(shape)) + shape
            for axis, coordinate in enumerate(grid(full)):
                parts[axis].append(np.broadcast_to(coordinate, full).reshape(-1))
            parts[rank].append(np.full(int(np.prod(full)), number))
        return Rows(tuple(shapes), tuple(map(np.concatenate, parts)))

    def orders(self) -> Iterator[tuple[int, ...]]:
        """Orders of features that rows may be sorted by, the one in which they lie first."""
        moving = [f for f, values in enumerate(self.features) if values.min() != values.max()]
        natural = sorted(moving, key=lambda f: (f != len(self.features) - 1, f))
        if len(natural) <= MOST_AXES:
            yield from permutations(natural)
        else:
            yield from (tuple(natural[n:] + natural[:n]) for n in range(len(natural)))

    def sort(self, rows: Ints, order: Sequence[int]) -> Ints:
        keys = [self.features[f][rows] for f in reversed(order)]
        return rows[np.lexsort(keys)] if keys else rows

    def boxes(self, rows: Ints, order: Sequence[int]) -> list[list[Box]]:
        """For each vector, boxes that hold the given rows and no others: few, if rows lie
        together in this order."""
        rank = len(self.features) - 1
        axes = [f for f in reversed(order) if f != rank]
        axes += [axis for axis in reversed(range(rank)) if axis not in axes]
        found: list[list[Box]] = []
        for number, shape in enumerate(self.shapes):
            own = rows[self.features[rank][rows] == number]
            points = np.stack([f[own] for f in self.features[:rank]], 1) if rank else own[:, None]
            skip = rank - len(shape)
            found.append(
                [Box(box.lows[skip:], box.extents[skip:]) for box in _boxes(points, axes)]
                if rank
                else [Box((), ())] * len(own)
            )
        return found


def _boxes(points: Ints, axes: Sequence[int]) -> list[Box]:
    """Boxes that hold points: runs along the first of `axes`, then runs of these, and so on."""
    lows, highs = points, points + 1
    rank = points.shape[1]
    for axis in axes:
        if len(lows) < 2:
            break
        others = [a for a in range(rank) if a != axis]
        keys = [lows[:, axis], *(lows[:, a] for a in others), *(highs[:, a] for a in others)]
        order = np.lexsort(keys)
        lows, highs = lows[order], highs[order]
        goes_on = highs[:-1, axis] == lows[1:, axis]
        for a in others:
            goes_on &= (lows[:-1, a] == lows[1:, a]) & (highs[:-1, a] == highs[1:, a])
        first = np.concatenate([[True], ~goes_on])
        last = np.concatenate([~goes_on, [True]])
        low, high = lows[first], highs[first]
        high[:, axis] = highs[last, axis]
        lows, highs = low, high
    boxes = zip(lows.tolist(), (highs - lows).tolist(), strict=True)
    return sorted((Box(tuple(low), tuple(extents)) for low, extents in boxes), key=_first)


def _first(box: Box) -> Shape:
    return box.lows


@dataclass(frozen=True, eq=False)
class Cut:
    """One way to cut rows: sorted by the features in `order`, then so many rows a piece."""

    order: tuple[int, ...]
    sizes: tuple[int, ...]


def cuts(rows: Rows, sample: Ints, limit: int) -> Iterator[Cut]:
    """Ways to cut `sample`, rows of one unit, into as few pieces of at most `limit` rows as go.

    The coarsest first: a piece is whole lines along the innermost features, where that does.
    """
    least = -(-len(sample) // limit)
    for order in rows.orders():
        ordered = rows.sort(sample, order)
        changes = np.zeros(len(ordered) - 1, np.bool_)
        known: set[tuple[int, ...]] = set()
        for feature in order or (0,):
            values = rows.features[feature][ordered]
            changes = changes | (values[1:] != values[:-1])
            ends = [0, *(np.flatnonzero(changes) + 1).tolist(), len(ordered)]
            sizes = _filled([b - a for a, b in pairwise(ends)], limit)
            if sizes is not None and len(sizes) == least and sizes not in known:
                known.add(sizes)
                yield Cut(order, sizes)


def _filled(lines: Sequence[int], limit: int) -> tuple[int, ...] | None:
    """Lines put into pieces one after another, each full before the next; None if one is longer."""
    sizes = [0]
    for line in lines:
        if line > limit:
            return None
        if sizes[-1] + line > limit:
            sizes.append(0)
        sizes[-1] += line
    return tuple(sizes)
