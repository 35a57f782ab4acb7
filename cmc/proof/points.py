# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Points of relations, for checks that name the first one that is wrong."""

from __future__ import annotations

import islpy as isl
import numpy as np

from cmc.poly.evaluate import Ints
from cmc.poly.extremes import Point, first_point


def image(relation: isl.Map, point: Point) -> Point:
    """The image of a point under a relation that is single-valued there."""
    return first_point(as_set(point).apply(relation))


def first_pair(relation: isl.Map) -> tuple[Point, Point]:
    """The first point of the domain, and the first of its images."""
    point = first_point(relation.domain())
    return point, image(relation, point)


def as_set(point: Point) -> isl.Set:
    """The set of one point."""
    return isl.Set(f"{{ [{', '.join(map(str, point))}] }}")


def beyond(relation: isl.Map, limit: isl.Map) -> isl.Map | None:
    """What of `relation` does not lie in `limit`; None if all of it does."""
    return None if relation.is_subset(limit) else relation.subtract(limit)


def outside(points: isl.Set, limit: isl.Set) -> isl.Set | None:
    """Which of `points` do not lie in `limit`; None if all of them do."""
    return None if points.is_subset(limit) else points.subtract(limit)


def before(points: isl.Set) -> isl.Map:
    """From each point of the space of `points` to those that come later in lexicographic order."""
    return isl.Map.lex_lt(points.get_space())


def upto(points: isl.Set) -> isl.Map:
    """From each point of the space of `points` to itself and those that come later."""
    return isl.Map.lex_le(points.get_space())


def first_descent(sequence: Ints) -> tuple[int, int] | None:
    """The least member that a lesser one comes after, and the least one after it, if any is."""
    if len(sequence) < 2:
        return None
    least = np.minimum.accumulate(sequence[:0:-1])[::-1]
    descends = sequence[:-1] > least
    if not np.any(descends):
        return None
    at = int(np.argmin(np.where(descends, sequence[:-1], sequence.max())))
    return int(sequence[at]), int(least[at])
