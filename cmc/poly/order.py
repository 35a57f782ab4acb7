"""Integer points in lexicographic order, and the number of each."""

from __future__ import annotations

from dataclasses import dataclass

import islpy as isl
import numpy as np

from cmc.poly.evaluate import Ints, contains, spans, tabulate
from cmc.poly.extremes import lexmax, lexmin


def lexicographic(points: Ints, among: Ints) -> tuple[Ints, Ints]:
    """A number for each of two lots of points, `[count, rank]`, ordered as the points are."""
    numbers = np.zeros(len(points) + len(among), np.int64)
    for column, other in zip(points.T, among.T, strict=True):
        both = np.concatenate([column, other])
        low = both.min(initial=0)
        numbers *= both.max(initial=0) - low + 1
        numbers += both - low
    return numbers[: len(points)], numbers[len(points) :]


@dataclass(frozen=True, eq=False)
class Order:
    """Points `[count, rank]` in ascending lexicographic order."""

    points: Ints

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
