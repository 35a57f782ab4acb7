# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How many points a set has, exactly: of dimensions that no constraint links, by multiplication."""

from __future__ import annotations

from math import prod

import islpy as isl
import numpy as np

from cmc.poly.evaluate import contains, grid

_SET = isl.dim_type.set

_AT_ONCE = 1 << 22
"""Points that are looked at in one array."""


def count_points(points: isl.Set) -> int:
    """The points of a finite set."""
    parts = points.compute_divs().coalesce()
    if parts.n_basic_set() > 1:
        parts = parts.make_disjoint().compute_divs()
    return sum(_count(part.remove_redundancies()) for part in parts.get_basic_sets())


def _count(part: isl.BasicSet) -> int:
    """The points of one piece: the product of those of its parts on dimensions of their own."""
    rank = part.dim(_SET)
    if part.is_empty():
        return 0
    group = {axis: {axis} for axis in range(rank)}
    for constraint in part.get_constraints():
        linked = sorted(_involved(constraint.get_aff(), rank))
        for axis in linked[1:]:
            both = group[linked[0]] | group[axis]
            group.update(dict.fromkeys(both, both))
    groups = {id(axes): sorted(axes) for axes in group.values()}
    return prod(_count_linked(_on(part, axes)) for axes in groups.values())


def _involved(aff: isl.Aff, rank: int) -> set[int]:
    """The dimensions on which an expression depends, by way of what it divides as well."""
    found = {
        axis
        for axis in range(rank)
        if not aff.get_coefficient_val(isl.dim_type.in_, axis).is_zero()
    }
    for number in range(aff.dim(isl.dim_type.div)):
        if not aff.get_coefficient_val(isl.dim_type.div, number).is_zero():
            found |= _involved(aff.get_div(number), rank)
    return found


def _on(part: isl.BasicSet, axes: list[int]) -> isl.Set:
    """What a piece is on some dimensions that no constraint links to others."""
    points = isl.Set.from_basic_set(part)
    for axis in reversed(range(part.dim(_SET))):
        if axis not in axes:
            points = points.project_out(_SET, axis, 1)
    return points


def _count_linked(points: isl.Set) -> int:
    """The points of a set that is no product, by looking at those of the box around it."""
    axes = range(points.dim(_SET))
    lows = [points.dim_min_val(axis).to_python() for axis in axes]
    extents = [points.dim_max_val(axis).to_python() - lows[axis] + 1 for axis in axes]
    if points.is_box():
        return prod(extents)
    first, *rest = grid(extents)
    rest = [coordinates + low for coordinates, low in zip(rest, lows[1:], strict=True)]
    step = max(1, _AT_ONCE // prod(extents[1:]))
    total = 0
    for start in range(0, extents[0], step):
        values = [first[start : start + step] + lows[0], *rest]
        shape = np.broadcast_shapes(*(v.shape for v in values))
        total += int(np.broadcast_to(contains(points, values), shape).sum())
    return total
