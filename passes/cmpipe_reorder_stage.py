# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmpipe-reorder-stage`: run the iterations of a stage in another order.

A stage runs its domain in lexicographic order, so an order is a relation from its iterations to new
ones: the domain is replaced by its image, and each access is reached through the inverse. Nothing
else changes: channels, rings and machines are derived from the new relations afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import islpy as isl
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from cmc.dialects.cmpipe import PipelineOp, StageOp
from cmc.dialects.poly import MapAttr, SetAttr, read_isl
from cmc.errors import CmcError
from cmc.poly.evaluate import pieces
from cmc.poly.extremes import coordinates, first_point, lexmin


def reorder(stage: StageOp, order: isl.Map) -> None:
    """Let each iteration i of a stage run as iteration `order(i)` of a new domain.

    CmcError if `order` does not give each iteration one place of its own.
    """
    domain, dims = stage.domain.data, order.dim(isl.dim_type.in_)
    if dims != stage.iteration_rank():
        raise _error(
            stage,
            f"the new order is of {dims} dimensions, and the domain has {stage.iteration_rank()}: "
            f"{', '.join(_names(domain))}",
        )
    _check_one_place_each(stage, order.intersect_domain(domain))
    run_as(stage, order)


def run_as(stage: StageOp, order: isl.Map) -> None:
    """Let a stage run those of its iterations that `order` has, each i as iteration `order(i)`.

    `order` is one to one. What other iterations wrote of the object is left to other writers.
    """
    domain, rank = stage.domain.data, stage.iteration_rank()
    names = _new_names(order, _names(domain))
    order = order.intersect_domain(domain)
    iterations = order.range().coalesce()
    for position, name in enumerate(names):
        if name is not None:
            iterations = iterations.set_dim_name(isl.dim_type.set, position, name)

    def moved(access: isl.Map) -> MapAttr:
        """The access from new iterations, and the places in a window that may follow them."""
        dims = access.dim(isl.dim_type.in_)
        window = isl.Set.universe(isl.Space.set_alloc(order.get_ctx(), 0, dims - rank))
        exact = access.apply_domain(order.product(window.identity()).flatten())
        # Nothing is read or written outside of the domain: what only says so is left out.
        simple = exact.gist_domain(iterations.product(window).flatten()).coalesce()
        result = simple if simple.is_single_valued() else exact
        places = (access.get_dim_name(isl.dim_type.in_, d) for d in range(rank, dims))
        for position, name in enumerate((*names, *places)):
            if name is not None:
                result = result.set_dim_name(isl.dim_type.in_, position, name)
        return MapAttr(result)

    for read in stage.reads():
        read.access = moved(read.access.data)
    for write in stage.writes():
        write.access = moved(write.access.data)
    stage.domain = SetAttr(iterations)


def _error(stage: StageOp, message: str) -> CmcError:
    return CmcError(message, f"stage @{stage.sym_name.data}")


def _names(domain: isl.Set) -> list[str]:
    """The names of dimensions as isl prints them: `i0` for the first, if it has none."""
    return [
        domain.get_dim_name(isl.dim_type.set, d) or f"i{d}"
        for d in range(domain.dim(isl.dim_type.set))
    ]


def _new_names(order: isl.Map, old: Sequence[str]) -> list[str | None]:
    """The names that `order` gives to new dimensions, or else the old dimension that each is of.

    Where several are of one old dimension the innermost keeps its name: `h_outer, w_outer, h, w`.
    """
    functions = [function for _, function in pieces(order)] if order.is_single_valued() else []
    names: list[str | None] = []
    for position in reversed(range(order.dim(isl.dim_type.out))):
        name = order.get_dim_name(isl.dim_type.out, position)
        affs = [function.get_aff(position) for function in functions]
        of = [
            old_name
            for d, old_name in enumerate(old)
            if any(aff.involves_dims(isl.dim_type.in_, d, 1) for aff in affs)
        ]
        if name is None and len(of) == 1:
            name = of[0]
            while name in names:
                name += "_outer"
        names.insert(0, name)
    return names


def _check_one_place_each(stage: StageOp, order: isl.Map) -> None:
    missing = stage.domain.data.subtract(order.domain())
    if not missing.is_empty():
        raise _error(
            stage, f"the new order leaves out iteration {coordinates(first_point(missing))}"
        )
    if not order.is_single_valued():
        raise _error(stage, "the new order gives an iteration more than one place")
    meeting = order.apply_range(order.reverse()).subtract(order.domain().identity())
    if not meeting.is_empty():
        first = lexmin(meeting.domain())
        second = first.apply(meeting)
        raise _error(
            stage,
            f"the new order puts iterations {coordinates(first_point(first))} and "
            f"{coordinates(first_point(second))} in one place",
        )


@dataclass(frozen=True)
class CmpipeReorderStagePass(ModulePass):
    """Run the iterations of a stage, or of every stage, in another order.

    `schedule` is any order: `schedule="{ [h, w] -> [w, h] }"`. Otherwise the loops named by
    `reverse` run backwards, then `interchange` names all loops from the outermost in, then `tile`
    cuts them into blocks: for each loop the extent of a block, or 0 to leave it whole; the loops
    over blocks come outermost. So `interchange=w,h` runs columns, `tile=4,4` square blocks,
    `tile=0,4` blocks of columns, and `interchange=w,h tile=0,4` blocks of rows.

    Without `stage`, every stage is reordered whose domain has the dimensions in question.
    """

    name = "cmpipe-reorder-stage"

    stage: str | None = None
    schedule: str | None = None
    reverse: tuple[str, ...] = ()
    interchange: tuple[str, ...] = ()
    tile: tuple[int, ...] = ()

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if not (self.schedule or self.reverse or self.interchange or self.tile):
            raise self._option_error("give it schedule, reverse, interchange or tile")
        if self.schedule and (self.reverse or self.interchange or self.tile):
            raise self._option_error("schedule is the whole order: give it alone")
        if any(extent < 0 for extent in self.tile):
            raise self._option_error("the extent of a block is at least 1, or 0 for the whole loop")
        pipelines = [p for p in op.walk() if isinstance(p, PipelineOp)]
        if any(True for p in pipelines for _ in p.channels()):
            raise CmcError(
                "the pipeline has channels, which hold for the order that it has: reorder before "
                "cmpipe-derive-control",
                f"pass '{self.name}'",
            )
        stages = [s for p in pipelines for s in p.stages()]
        named = [s for s in stages if self.stage in (None, s.sym_name.data)]
        orders = [(s, order) for s in named if (order := self._order(s)) is not None]
        if not named and self.stage is not None:
            raise self._option_error(f"there is no stage @{self.stage}")
        if not orders:
            raise self._option_error("no stage has these dimensions")
        for stage, order in orders:
            reorder(stage, order)

    def _option_error(self, message: str) -> CmcError:
        return CmcError(message, f"pass '{self.name}'")

    def _order(self, stage: StageOp) -> isl.Map | None:
        """The new order of a stage, or None if it has other dimensions and was not named."""
        if self.schedule is not None:
            order = self._read_schedule(self.schedule)
            fits = order.dim(isl.dim_type.in_) == stage.iteration_rank()
            return order if fits or self.stage is not None else None
        names = _names(stage.domain.data)
        problem = self._misfit(names)
        if problem is None:
            return self._loops(stage.domain.data, names)
        if self.stage is None:
            return None
        raise _error(stage, problem)

    def _read_schedule(self, text: str) -> isl.Map:
        try:
            return read_isl(text, isl.Map)
        except ValueError as error:
            raise self._option_error(str(error)) from error

    def _misfit(self, names: Sequence[str]) -> str | None:
        """Why the options do not fit loops of these names."""
        loops = f"the loops are {', '.join(names)}" if names else "there are no loops"
        for name in self.reverse:
            if name not in names:
                return f"there is no loop {name} to reverse: {loops}"
        if self.interchange and sorted(self.interchange) != sorted(names):
            return f"interchange names each loop once: {loops}"
        if self.tile and len(self.tile) != len(names):
            return f"tile has {len(self.tile)} extents: {loops}"
        return None

    def _loops(self, domain: isl.Set, names: Sequence[str]) -> isl.Map:
        """The order that `reverse`, `interchange` and `tile` make of a nest."""
        position = {name: d for d, name in enumerate(names)}
        loops: list[str] = []
        for name in self.interchange or names:
            d = position[name]
            ends = domain.dim_min_val(d).to_python() + domain.dim_max_val(d).to_python()
            loops.append(f"({ends} - i{d})" if name in self.reverse else f"i{d}")
        extents = self.tile or (0,) * len(loops)
        blocks = [f"floor({loop}/{n})" for loop, n in zip(loops, extents, strict=True) if n > 0]
        inner = [
            f"{loop} mod {n}" if n > 0 else loop for loop, n in zip(loops, extents, strict=True)
        ]
        inputs = ", ".join(f"i{d}" for d in range(len(names)))
        return isl.Map(f"{{ [{inputs}] -> [{', '.join([*blocks, *inner])}] }}")
