# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Functions between integer points as counts: how many points come before, on both sides.

A function's pieces are affine, and so are its counts along each row of a box of points, as far as a
piece goes. So a piece's share of a row is a run, found without looking at all its points. Where the
points are no box, or a piece's points are not evenly spaced, all points are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import islpy as isl
import numpy as np

from cmc.poly.evaluate import Ints, evaluate_aff, grid, pieces, tabulate
from cmc.poly.order import Order
from cmc.timing.runs import Runs

_IN = isl.dim_type.in_

_FAR = 1 << 40
"""Further than any coordinate."""


class Iterations:
    """The iterations of a process in their order. Points are arrays `[count, rank]`."""

    def __init__(self, domain: isl.Set):
        self.domain = domain.coalesce()
        self.is_box = self.domain.is_box()
        axes = range(domain.dim(isl.dim_type.set) if self.is_box else 0)
        self.lows = np.array([domain.dim_min_val(d).to_python() for d in axes], np.int64)
        self.highs = np.array([domain.dim_max_val(d).to_python() for d in axes], np.int64)
        self.extents: list[int] = (self.highs - self.lows + 1).tolist()
        # In a box: by how much the number of an iteration grows with each coordinate.
        self.weights = np.array([prod(self.extents[d + 1 :]) for d in axes], np.int64)

    @cached_property
    def order(self) -> Order:
        """All of them."""
        return Order.of(self.domain)

    @cached_property
    def count(self) -> int:
        """How many there are."""
        return prod(self.extents) if self.is_box else len(self.order.points)

    def coordinates(self, number: int) -> list[int]:
        """An iteration, by its number from 0."""
        if not self.is_box:
            return self.order.points[number].tolist()
        return (self.lows + number // self.weights % self.extents).tolist()

    def holds(self, points: Ints) -> bool:
        """Whether this is a box, and all of some points are in it."""
        return self.is_box and bool(np.all((points >= self.lows) & (points <= self.highs)))

    def numbers(self, some: isl.Set) -> Runs:
        """The numbers of some of them."""
        return counted(some.identity(), self, self)[0] - 1

    def reached(self, points: Ints) -> Ints:
        """How many iterations there are up to each of some points."""
        if self.holds(points):
            return (points - self.lows) @ self.weights + 1
        return self.order.reached(points)


def counted(function: isl.Map, domain: Iterations, image: Iterations) -> tuple[Runs, Runs]:
    """Where a single-valued map is defined, and its values there, in the order of its domain.

    Both count the points up to each one, itself included.
    """
    try:
        return _by_rows(function, domain, image)
    except _UnevenError:
        return _by_points(function, domain, image)


def _by_points(function: isl.Map, domain: Iterations, image: Iterations) -> tuple[Runs, Runs]:
    points = domain.order.points
    table = tabulate(function, tuple(points.T))
    defined = np.flatnonzero(np.broadcast_to(table.defined, len(points)))
    values = np.empty((len(defined), len(table.coordinates)), np.int64)
    for axis, column in enumerate(table.coordinates):
        values[:, axis] = np.broadcast_to(column, len(points))[defined]
    return Runs.of(defined + 1), Runs.of(image.reached(values))


class _UnevenError(Exception):
    """The points of a piece are not evenly spaced along rows, or its counts do not grow evenly."""


def _by_rows(function: isl.Map, domain: Iterations, image: Iterations) -> tuple[Runs, Runs]:
    if function.is_empty() or not (domain.extents and domain.is_box and image.is_box):
        raise _UnevenError
    rows = _Rows.of(domain)
    shares = [
        _share(_Part.of(part, expression, rows), rows, domain, image)
        for piece, expression in pieces(function)
        for part in piece.compute_divs().get_basic_sets()
    ]
    shares = np.concatenate(shares, axis=1)
    counts, places, place_slopes, values, value_slopes = shares[:, np.argsort(shares[1])]
    starts, total = np.cumsum(counts) - counts, int(counts.sum())
    counted = Runs(starts, places, place_slopes, total)
    if not counted.increasing:
        raise _UnevenError
    return counted.merged(), Runs(starts, values, value_slopes, total).merged()


@dataclass(frozen=True)
class _Rows:
    """Rows of a box: one point of each, `[count, rank]`.

    They run along `axis`, the last one on which the box has more than one point.
    """

    axis: int
    points: Ints

    @staticmethod
    def of(box: Iterations) -> _Rows:
        """All rows, at their first points."""
        axis = max((d for d, extent in enumerate(box.extents) if extent > 1), default=0)
        rows = grid([1 if d == axis else extent for d, extent in enumerate(box.extents)])
        points = np.stack(np.broadcast_arrays(*rows), axis=-1).reshape(-1, len(rows))
        return _Rows(axis, points + box.lows)

    def at(self, places: Ints | int) -> _Rows:
        """Other points of the rows."""
        points = self.points.copy()
        points[:, self.axis] = places
        return _Rows(self.axis, points)

    def slope(self, aff: isl.Aff) -> int:
        """By how much an expression grows with the coordinate on the axis."""
        slope = aff.get_coefficient_val(_IN, self.axis)
        rest = aff.set_coefficient_val(_IN, self.axis, 0)
        if rest.involves_dims(_IN, self.axis, 1) or not slope.is_int():
            raise _UnevenError
        return slope.to_python()

    def values(self, aff: isl.Aff) -> Ints:
        """An expression at the points."""
        return evaluate_aff(aff, tuple(self.points.T), np.zeros(len(self.points), np.int64))


@dataclass(frozen=True)
class _Part:
    """A part of a piece, in terms of numbers z of the places `stride * z + offset` in each row."""

    stride: int
    offset: Ints
    domain: isl.BasicSet
    expression: isl.MultiAff

    @staticmethod
    def of(domain: isl.BasicSet, expression: isl.MultiAff, rows: _Rows) -> _Part:
        info = domain.to_set().get_stride_info(rows.axis)
        stride, offset = info.get_stride().to_python(), info.get_offset()
        if stride > 1:
            places = isl.MultiAff.identity(domain.get_space().map_from_set())
            place = places.get_aff(rows.axis).scale_val(stride).add(offset)
            places = places.set_aff(rows.axis, place)
            domain = domain.preimage_multi_aff(places)
            expression = expression.pullback_multi_aff(places)
        return _Part(stride, rows.values(offset), domain, expression)

    def bounds(self, rows: _Rows) -> tuple[Ints, Ints]:
        """The least and the greatest z of each row; the least is greater where there are none."""
        low, high = np.full((2, len(rows.points)), [[-_FAR], [_FAR]])
        start = rows.at(0)
        for constraint in self.domain.get_constraints():
            aff = constraint.get_aff()
            # Not negative where the constraint holds.
            for side in (aff, aff.neg()) if constraint.is_equality() else (aff,):
                slope, value = rows.slope(side), start.values(side)
                if slope > 0:
                    low = np.maximum(low, -(value // slope))
                elif slope < 0:
                    high = np.minimum(high, value // -slope)
                else:
                    low = np.where(value < 0, _FAR, low)
        return low, high


def _share(part: _Part, rows: _Rows, domain: Iterations, image: Iterations) -> Ints:
    """A part's share of each row where it has points: `[5, rows]`.

    These are two progressions: the number of points, the count of the first one, by how much each
    next one's is larger, the count of the first one's value, and by how much each next one's is.
    """
    low, high = part.bounds(rows)
    some = low <= high
    rows = _Rows(rows.axis, rows.points[some])
    offset, low, last = part.offset[some], low[some], (high - low)[some]
    first = rows.at(part.stride * low + offset)
    ends = np.stack([first.points, rows.at(part.stride * (low + last) + offset).points])
    affs = [part.expression.get_aff(d) for d in range(len(image.extents))]
    slopes = np.array([rows.slope(aff) for aff in affs], np.int64)
    values = np.empty((2, len(low), len(affs)), np.int64)
    for d, aff in enumerate(affs):
        values[0, :, d] = rows.at(low).values(aff)
    values[1] = values[0] + last[:, None] * slopes
    if not (domain.holds(ends) and image.holds(values)):
        raise _UnevenError
    share = np.empty((5, len(low)), np.int64)
    share[0] = last + 1
    share[1] = domain.reached(ends[0])
    share[2] = part.stride * domain.weights[rows.axis]
    share[3] = image.reached(values[0])
    share[4] = slopes @ image.weights
    return share
