# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The lexicographically first and last points of sets and relations.

isl's own answer is not taken on trust: in relations between tiles it may lose points, or give up,
depending on how the relation came about. Another form of the same relation mends that, so each
answer is checked, which needs no extremes, and found from another form if it is wrong.

Coalescing leaves out the bounds of a floor where others imply them, `q = floor(w / 4)` without
`4q <= w <= 4q + 3`. Looking for an extreme may then rewrite those others, in the relation itself,
by what q stands for: nothing bounds q any more, and no form of that relation is right. Its text
still says what q is, and a relation that is read has all bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import TypeVar

import islpy as isl

Point = tuple[int, ...]

_Points = TypeVar("_Points", isl.Set, isl.Map)

_FORMS: tuple[Callable[[isl.Map], isl.Map], ...] = (
    isl.Map.remove_redundancies,
    isl.Map.coalesce,
    isl.Map.make_disjoint,
    isl.Map.detect_equalities,
)


def lexmax(points: _Points) -> _Points:
    """The last point of a set; of a relation, the last image of each point of its domain."""
    if isinstance(points, isl.Set):
        return lexmax(isl.Map.from_range(points)).range()
    return _extreme(points, isl.Map.lexmax, isl.Map.lex_lt(points.range().get_space()))


def lexmin(points: _Points) -> _Points:
    """The first point of a set; of a relation, the first image of each point of its domain."""
    if isinstance(points, isl.Set):
        return lexmin(isl.Map.from_range(points)).range()
    return _extreme(points, isl.Map.lexmin, isl.Map.lex_gt(points.range().get_space()))


def first_point(points: isl.Set) -> Point:
    """The lexicographically first point of a finite set that is not empty."""
    point = lexmin(points).sample_point()
    dims = points.dim(isl.dim_type.set)
    values = (point.get_coordinate_val(isl.dim_type.set, i) for i in range(dims))
    return tuple(value.to_python() for value in values)


def coordinates(point: Point) -> str:
    """A point as people write it: `[2, 3]`."""
    return f"[{', '.join(map(str, point))}]"


def _extreme(relation: isl.Map, find: Callable[[isl.Map], isl.Map], beyond: isl.Map) -> isl.Map:
    """`find`'s answer: an image of each point, such that the relation has no others `beyond` it."""
    for read, form in product((isl.Map.copy, _read_again), _FORMS):
        known = read(relation)
        try:
            found = find(form(known)).coalesce()
        except isl.Error:
            continue
        if (
            found.is_subset(known)
            and found.apply_range(beyond).is_disjoint(known)
            and known.domain().coalesce().is_subset(found.domain().coalesce())
        ):
            return found
    raise ArithmeticError(f"isl finds no extremes of {relation}")


def _read_again(relation: isl.Map) -> isl.Map:
    """The same relation, with the bounds of all its floors."""
    return isl.Map(str(relation))
