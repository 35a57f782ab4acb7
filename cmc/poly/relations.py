# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What waits for what, computed from access relations.

Two sides work through their steps in lexicographic order: one *waits*, the other *signals*. A
dependence says which of the signalling side's steps each waiting step needs. Consumer iterations
that wait for writes, and writes that wait for consumer iterations to free a slot, are both of this
form, and `progress` serves both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, reduce

import islpy as isl

from cmc.poly.extremes import lexmax


@dataclass(frozen=True)
class Progress:
    """How far the waiting side may go, as a step function of the signalling side's progress.

    `steps` maps a signalling step to the last waiting step that may run once it is done, tabulated
    where it grows. `initial` holds the last waiting step that needs no signal at all, if any.
    """

    steps: isl.Map
    initial: isl.Set


def union(maps: Sequence[isl.Map]) -> isl.Map:
    """The union of one or more relations of one space."""
    return reduce(lambda a, b: a.union(b), maps)


def prefix_maximum(dependence: isl.Map, waiting: isl.Set) -> isl.Map:
    """`need(i)`: the last signalling step that any waiting step j <= i needs."""
    earlier = isl.Map.lex_ge(waiting.get_space())
    earlier = earlier.intersect_domain(waiting).intersect_range(waiting)
    return lexmax(earlier.apply_range(dependence))


def progress(dependence: isl.Map, waiting: isl.Set) -> Progress:
    """The step function of `dependence : waiting step -> signalling step`."""
    need = prefix_maximum(dependence, waiting)
    return Progress(
        lexmax(need.reverse()).coalesce(),
        lexmax(waiting.subtract(need.domain())),
    )


def box(extents: Sequence[int], name: str | None = None) -> isl.Set:
    """The integer points `0 <= x_i < extents[i]`, as a set with the given tuple name."""
    space = _box(tuple(extents))
    return space if name is None else space.set_tuple_name(name)


@cache
def _box(extents: tuple[int, ...]) -> isl.Set:
    dims = ", ".join(f"i{i}" for i in range(len(extents)))
    bounds = " and ".join(f"0 <= i{i} < {extent}" for i, extent in enumerate(extents))
    return isl.Set(f"{{ [{dims}] : {bounds or 'true'} }}")


def nameless(relation: isl.Map) -> isl.Map:
    """`relation` without the names of its tuples."""
    return relation.reset_tuple_id(isl.dim_type.in_).reset_tuple_id(isl.dim_type.out)
