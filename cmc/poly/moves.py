# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Relations in coordinates of a part's own: what copies of a stage do is alike but for a place."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import islpy as isl

_SET = isl.dim_type.set

Move = tuple[int, ...]
"""By how much points are moved along each axis."""


def corner(points: isl.Set) -> Move:
    """The least value on each axis of a finite set that is not empty."""
    return tuple(points.dim_min_val(axis).to_python() for axis in range(points.dim(_SET)))


def back(move: Move) -> Move:
    """The opposite move."""
    return tuple(-by for by in move)


def moved_domain(relation: isl.Map, move: Move) -> isl.Map:
    """`relation`, whose domain has no name, with the points of its domain moved."""
    return relation.apply_domain(_translation(move)) if any(move) else relation


def moved_range(relation: isl.Map, move: Move) -> isl.Map:
    """`relation`, whose range has no name, with the points of its range moved."""
    return relation.apply_range(_translation(move)) if any(move) else relation


def moved_set(points: isl.Set, move: Move) -> isl.Set:
    """Points without a name, moved; their coordinates have names, as those of a box."""
    if not any(move):
        return points
    points = points.apply(_translation(move))
    for axis in range(len(move)):
        points = points.set_dim_name(_SET, axis, f"i{axis}")
    return points


@lru_cache(maxsize=1 << 12)
def _translation(move: Sequence[int]) -> isl.Map:
    axes = [f"i{axis}" for axis in range(len(move))]
    moved = [f"{axis} + {by}" for axis, by in zip(axes, move, strict=True)]
    return isl.Map(f"{{ [{', '.join(axes)}] -> [{', '.join(moved)}] }}")
