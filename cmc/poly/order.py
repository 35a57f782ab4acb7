# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Integer points in lexicographic order, and the number of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import islpy as isl
import numpy as np

from cmc.poly.evaluate import Bools, Ints, contains, spans, tabulate
from cmc.poly.extremes import lexmax, lexmin

_MOST = 1 << 62
"""Points of a box that have numbers of 64 bits."""


def lexicographic(points: Ints, among: Ints) -> tuple[Ints, Ints]:
    """A number for each of two lots of points, `[count, rank]`, ordered as the points are."""
    both = np.concatenate([points, among])
    lows, highs = (extreme(0, initial=0).tolist() for extreme in (both.min, both.max))
    extents = [high - low + 1 for low, high in zip(lows, highs, strict=True)]
    if prod(extents) > _MOST:
        numbers = np.unique(both, axis=0, return_inverse=True)[1].reshape(-1)
    else:
        numbers = np.zeros(len(both), np.int64)
        for column, low, extent in zip(both.T, lows, extents, strict=True):
            numbers *= extent
            numbers += column - low
    return numbers[: len(points)], numbers[len(points) :]


@dataclass(frozen=True, eq=False)
class Order:
    """Points `[count, rank]` in ascending lexicographic order."""

    points: Ints

    @property
    def box(self) -> None:
        """None: the points are those of no box."""

    @property
    def identity(self) -> object:
        """What is equal of the same points."""
        return id(self.points)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.points)

    def point(self, number: int) -> list[int]:
        """One of them, by its number from 0."""
        return self.points[number].tolist()

    @staticmethod
    def of(domain: isl.Set) -> Order:
        """All points of a finite set, found one dimension after the other."""
        rank = domain.dim(isl.dim_type.set)
        points = np.zeros((1, 0), np.int64)
        for d in range(rank):
            shadow = domain.project_out(isl.dim_type.set, d + 1, rank - d - 1).reset_tuple_id()
            values = isl.Map.from_range(shadow).move_dims(
                isl.dim_type.in_, 0, isl.dim_type.out, 0, d
            )
            columns = tuple(points.T)
            low, high = (
                np.broadcast_to(tabulate(extreme, columns).coordinates[0], len(points))
                for extreme in (lexmin(values), lexmax(values))
            )
            owner, number = spans(high - low + 1)
            points = np.concatenate([points[owner], (low[owner] + number)[:, None]], axis=1)
            inside = np.broadcast_to(contains(shadow, tuple(points.T)), len(points))
            points = points if np.all(inside) else points[inside]
        return Order(points)

    def reached(self, points: Ints) -> Ints:
        """How many points of the order there are up to each of the given ones, itself included."""
        own, others = lexicographic(self.points, points)
        if len(own) and own[-1] - own[0] == len(own) - 1:
            # No gaps between them, as in every box.
            return np.clip(others - own[0] + 1, 0, len(own))
        return np.searchsorted(own, others, "right")

    def number(self, points: Ints) -> Ints:
        """The number of each point, from 0; -1 for what is not in the order."""
        number = self.reached(points) - 1
        found = (number >= 0) & np.all(self.points[number] == points, axis=1)
        return np.where(found, number, -1)


@dataclass(frozen=True, eq=False)
class Box:
    """All integer points from `lows` on, `extents` of them on each axis, in lexicographic order."""

    lows: Ints
    extents: tuple[int, ...]

    @property
    def box(self) -> Box:
        """Itself: the points come in the order of a box."""
        return self

    @property
    def identity(self) -> object:
        """What is equal of boxes of the same points."""
        return *self.lows.tolist(), *self.extents

    @property
    def count(self) -> int:
        """How many there are."""
        return prod(self.extents)

    @cached_property
    def set(self) -> isl.Set:
        """The points as isl has them."""
        axes = list(zip(self.lows.tolist(), self.extents, strict=True))
        names = ", ".join(f"i{axis}" for axis in range(len(axes)))
        bounds = [f"{low} <= i{a} < {low + extent}" for a, (low, extent) in enumerate(axes)]
        return isl.Set(f"{{ [{names}] : {' and '.join(bounds) or 'true'} }}")

    @cached_property
    def weights(self) -> Ints:
        """By how much the number of a point grows with each coordinate."""
        axes = range(len(self.extents))
        return np.array([prod(self.extents[d + 1 :]) for d in axes], np.int64)

    @cached_property
    def points(self) -> Ints:
        """All of them, `[count, rank]`."""
        axes = np.unravel_index(np.arange(self.count), self.extents) if self.extents else ()
        return np.array(axes, np.int64).reshape(len(self.extents), self.count).T + self.lows

    def point(self, number: int) -> list[int]:
        """One of them, by its number from 0."""
        return (self.lows + number // self.weights % np.array(self.extents, np.int64)).tolist()

    def contains(self, points: Ints) -> Bools:
        """Which of some points are in the box."""
        return np.all((points >= self.lows) & (points - self.lows < self.extents), axis=1)

    def number(self, points: Ints) -> Ints:
        """The number of each point, from 0; -1 for what is not in the box."""
        return np.where(self.contains(points), (points - self.lows) @ self.weights, -1)

    def reached(self, points: Ints) -> Ints:
        """How many points of the box there are up to each of the given ones, itself included."""
        count = np.zeros(len(points), np.int64)
        undecided = np.ones(len(points), np.bool_)
        for axis, (extent, weight) in enumerate(zip(self.extents, self.weights, strict=True)):
            place = points[:, axis] - self.lows[axis]
            count += np.where(undecided, np.clip(place, 0, extent), 0) * weight
            undecided &= (place >= 0) & (place < extent)
        return count + undecided


def ends(points: isl.Set) -> tuple[Ints, Ints]:
    """The least and the greatest coordinates, on each axis, of a finite set that is not empty."""
    axes = range(points.dim(isl.dim_type.set))
    lows = [points.dim_min_val(axis).to_python() for axis in axes]
    highs = [points.dim_max_val(axis).to_python() for axis in axes]
    return np.array(lows, np.int64), np.array(highs, np.int64)


def box_of(domain: isl.Set) -> Box | None:
    """The box that a finite set that is not empty is, if it is one."""
    lows, highs = ends(domain)
    box = Box(lows, tuple((highs - lows + 1).tolist()))
    return box if box.set.is_equal(domain.reset_tuple_id()) else None


def as_box(domain: isl.Set) -> isl.Set:
    """A finite set that is not empty, said in the simplest way if it is a box; without a name."""
    box = box_of(domain)
    return domain.reset_tuple_id() if box is None else box.set


def in_order(domain: isl.Set) -> Box | Order:
    """All points of a finite set that is not empty."""
    box = box_of(domain)
    return Order.of(domain) if box is None else box
