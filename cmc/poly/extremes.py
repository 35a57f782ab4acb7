"""The lexicographically first and last points of sets and relations."""

from __future__ import annotations

from typing import TypeVar

import islpy as isl

_Points = TypeVar("_Points", isl.Set, isl.Map)


def lexmax(points: _Points) -> _Points:
    """The last point of a set; of a relation, the last image of each point.

    isl loses points where constraints on integer divisions are redundant: those go first.
    """
    return points.remove_redundancies().lexmax()


def lexmin(points: _Points) -> _Points:
    """The first point of a set; of a relation, the first image of each point."""
    return points.remove_redundancies().lexmin()
