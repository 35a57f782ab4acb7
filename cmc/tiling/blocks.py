# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Objects whose vectors are cut into blocks, each written by a stage of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import islpy as isl

from cmc.dialects.cmpipe import MxvOp, ReadOp, ReduceOp, StageOp, find_object
from cmc.dialects.poly import MapAttr
from cmc.poly.relations import box
from cmc.tiling.select import named_as


@dataclass(frozen=True)
class Blocks:
    """An object whose vectors of `length` floats were cut into `count` blocks of `width`.

    The last block may have places that nothing is in.
    """

    length: int
    count: int
    width: int

    def place(self, shift: int = 0) -> tuple[str, str]:
        """Where channel `c + shift` lies: the block, and the place in it."""
        at = f"c + {shift}" if shift else "c"
        return f"floor(({at})/{self.width})", f"({at}) mod {self.width}"


def read_blocks(stage: StageOp, read: ReadOp, blocks: Blocks) -> None:
    """Let a read find the blocks of what it reads.

    Where the window has whole vectors, and its shape does not matter, it gets an axis more.
    """
    access = read.access.data
    if access.dim(isl.dim_type.out) > len(find_object(read, read.object).shape):
        return
    rank, shape = stage.iteration_rank(), read.window_shape
    lead = shape[:-1]
    names = "".join(f"i{d}, " for d in range(rank + len(lead)))
    if (
        shape[-1:] == (blocks.length,)
        and blocks.length == blocks.count * blocks.width
        and read.under is None
        and _is_channel(access)
        and all(isinstance(use.operation, MxvOp | ReduceOp) for use in read.window.uses)
    ):
        window = (*lead, blocks.count, blocks.width)
        split = isl.Map(f"{{ [{names}b, c] -> [{names}{blocks.width}*b + c] }}")
        points = stage.domain.data.product(box(window)).flatten()
        new_access = named_as(through(split.apply_range(access), blocks, points), access)
        for d, name in enumerate(("b", "c"), rank + len(lead)):
            new_access = new_access.set_dim_name(isl.dim_type.in_, d, name)
        new = ReadOp(read.object.root_reference.data, MapAttr(new_access), window)
        if read.pad is not None:
            new.properties["pad"] = read.pad
        block = read.parent
        assert block is not None
        block.insert_op_before(new, read)
        read.window.replace_all_uses_with(new.window)
        read.detach()
        read.erase()
    else:
        points = stage.domain.data.product(box(shape)).flatten()
        read.access = MapAttr(named_as(through(access, blocks, points), access))


def indexed(
    index: isl.Map,
    stage: StageOp,
    window: Sequence[str],
    places: Sequence[str],
    condition: str = "",
) -> isl.Map:
    """The access that gives each iteration, and a place in its window, its element by `index` and
    then some more coordinates."""
    kind = isl.dim_type.set
    domain = stage.domain.data
    names = [domain.get_dim_name(kind, d) or f"i{d}" for d in range(domain.dim(kind))]
    more = isl.Map(f"{{ [{', '.join(window)}] -> [{', '.join(places)}]{condition} }}")
    access = index.product(more).flatten()
    for d, name in enumerate([*names, *window]):
        access = access.set_dim_name(isl.dim_type.in_, d, name)
    return access


def _is_channel(access: isl.Map) -> bool:
    """Whether the last place of a window is the channel that it reads."""
    inputs, outputs = access.dim(isl.dim_type.in_), access.dim(isl.dim_type.out)
    same = isl.Map.universe(access.get_space()).equate(
        isl.dim_type.in_, inputs - 1, isl.dim_type.out, outputs - 1
    )
    return access.is_subset(same)


def through(access: isl.Map, blocks: Blocks, points: isl.Set) -> isl.Map:
    """An access to whole vectors as one to their blocks, at the given points."""
    outputs = [f"e{d}" for d in range(access.dim(isl.dim_type.out) - 1)]
    sources, targets = ", ".join([*outputs, "c"]), ", ".join([*outputs, *blocks.place()])
    split = isl.Map(f"{{ [{sources}] -> [{targets}] : 0 <= c < {blocks.length} }}")
    exact = access.intersect_domain(points).apply_range(split).coalesce()
    simple = exact.gist_domain(points).coalesce()
    return simple if simple.is_single_valued() else exact
