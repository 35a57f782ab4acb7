# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmpipe-replicate-stage`: let several copies of a stage share its iterations.

Each copy runs some of the iterations, those of a box, as a domain of its own that begins at 0, and
writes what these write: the copies are writers of one object. They hold the same matrices, whose
weights are stored once, and take the same time. All else, what waits for what and how much is kept
of it, follows from their accesses.

Along a loop, copies are interleaved or in blocks. Of three copies of twelve rows, the second runs
rows 1, 4, 7 and 10 if they are `interleaved`, so that all work on neighbours at the same time, and
rows 4 to 7 in `blocks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import islpy as isl
from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr, SymbolRefAttr
from xdsl.passes import ModulePass

from cmc.dialects.cmpipe import CoreOp, PipelineOp, StageOp
from cmc.dialects.poly import MapAttr
from cmc.errors import CmcError
from cmc.fitting.mapping import Copies
from cmc.fitting.parts import PATTERNS, Part, are_whole, shared
from cmc.passes.cmpipe_reorder_stage import run_as
from cmc.poly.counting import Iterations
from cmc.tiling.select import Names


def box_of(stage: StageOp) -> Part | None:
    """The values that each loop of a stage takes; None if its iterations are not a whole box."""
    own = Iterations(stage.domain.data)
    if not own.is_box:
        return None
    return tuple(range(low, high + 1) for low, high in zip(own.lows, own.highs, strict=True))


def replicate(stage: StageOp, parts: Sequence[Part], names: Names) -> list[StageOp]:
    """Put copies of a stage in its place, each of which runs one of its parts.

    The parts are boxes of iterations, with or without gaps, that are the whole domain together.
    Each copy comes on a core of its own; the first one on that of the stage.
    """
    pipeline = stage.parent_op()
    assert isinstance(pipeline, PipelineOp)
    name = stage.sym_name.data
    copies: list[StageOp] = []
    for number, part in enumerate(parts):
        copy = stage.clone()
        run_as(copy, _order(part))
        at = _places(part, loop_names(stage))
        copy.part = MapAttr(at if stage.part is None else at.apply_range(stage.part.data))
        copy.properties["sym_name"] = StringAttr(names.make(f"{name}_copy{number}"))
        copy.copy_of = StringAttr(stage.origin)
        copies.append(copy)
    block = pipeline.body.block
    block.insert_ops_before(copies, stage)
    stage.detach()
    stage.erase()
    first, *others = (copy.sym_name.data for copy in copies)
    for core in list(pipeline.cores()):
        runs = [ref.root_reference.data for ref in core.stages]
        if name in runs:
            runs[runs.index(name)] = first
            core.stages = ArrayAttr([SymbolRefAttr(run) for run in runs])
            cores = [CoreOp(names.make(core.sym_name.data), [other]) for other in others]
            for new in cores:
                new.location = core.location
            block.insert_ops_after(cores, core)
    return copies


def loop_names(stage: StageOp) -> list[str]:
    """The names of a stage's loops: `i0` of the first, if it has none."""
    domain = stage.domain.data
    return [
        domain.get_dim_name(isl.dim_type.set, d) or f"i{d}" for d in range(stage.iteration_rank())
    ]


def parts_of(stage: StageOp, copies: Copies) -> list[Part]:
    """What each copy of a stage runs; CmcError where its iterations cannot be shared like that."""
    where, domain = f"stage @{stage.sym_name.data}", stage.domain.data
    box = box_of(stage)
    if box is None:
        raise CmcError(
            f"its iterations are no box, of which each copy could run a part: {domain}", where
        )
    if copies.parts:
        if not are_whole(copies.parts, box):
            ends = " x ".join(f"{loop[0]}:{loop[-1] + 1}" for loop in box)
            raise CmcError(f"the parts of its copies are not its iterations, {ends}", where)
        return list(copies.parts)
    names = loop_names(stage)
    cut = [[loop] for loop in box]
    for name, count, pattern in zip(copies.loops, copies.copies, copies.pattern, strict=True):
        if name not in names:
            known = f"the loops are {', '.join(names)}" if names else "there are no loops"
            raise CmcError(f"there is no loop {name}: {known}", where)
        loop = box[names.index(name)]
        if count > len(loop):
            raise CmcError(
                f"loop {name} has {len(loop)} iterations, too few for {count} copies", where
            )
        cut[names.index(name)] = shared(loop, count, pattern)
    return list(product(*cut))


def copies_of(stages: Iterable[StageOp]) -> dict[str, Copies]:
    """What each copy among some stages runs of the stage that it is a copy of."""
    parts: dict[str, list[Part]] = {}
    for stage in stages:
        if stage.copy_of is not None and stage.part is not None:
            extents = Iterations(stage.domain.data).extents
            ran = stage.domain.data.apply(stage.part.data)
            loops: list[range] = []
            for d, extent in enumerate(extents):
                low, high = ran.dim_min_val(d).to_python(), ran.dim_max_val(d).to_python()
                loops.append(range(low, high + 1, (high - low) // max(1, extent - 1) or 1))
            parts.setdefault(stage.origin, []).append(tuple(loops))
    return {name: Copies(parts=tuple(found)) for name, found in parts.items()}


def _order(part: Part) -> isl.Map:
    """From the iterations of a part to those of a copy, each loop of which begins at 0."""
    new = [f"floor((i{d} - {loop[0]})/{loop.step})" for d, loop in enumerate(part)]
    which = [
        f"{loop[0]} <= i{d} <= {loop[-1]} and (i{d} - {loop[0]}) mod {loop.step} = 0"
        for d, loop in enumerate(part)
    ]
    return isl.Map(
        f"{{ [{_names(part)}] -> [{', '.join(new)}] : {' and '.join(which) or 'true'} }}"
    )


def _places(part: Part, names: Sequence[str]) -> isl.Map:
    """From the iterations of a copy to those of the part."""
    places = [f"{loop[0]} + {loop.step} {name}" for loop, name in zip(part, names, strict=True)]
    return isl.Map(f"{{ [{', '.join(names)}] -> [{', '.join(places)}] }}")


def _names(loops: Part) -> str:
    return ", ".join(f"i{d}" for d in range(len(loops)))


@dataclass(frozen=True)
class CmpipeReplicateStagePass(ModulePass):
    """Run a stage in several copies.

    `loops` names one loop or more, `copies` has the number of copies along each, and `pattern` says
    of each whether they are `interleaved` or in `blocks`. `loops=w copies=4 pattern=blocks` makes
    four copies, each of some columns; `loops=h,w copies=2,3 pattern=interleaved,blocks` makes six,
    each of every other row of a third of the columns.
    """

    name = "cmpipe-replicate-stage"

    stage: str | None = None
    loops: tuple[str, ...] = ()
    copies: tuple[int, ...] = ()
    pattern: tuple[str, ...] = ()

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        self._check_options()
        pipelines = [p for p in op.walk() if isinstance(p, PipelineOp)]
        if any(True for p in pipelines for _ in p.channels()):
            raise self._error(
                "the pipeline has channels, which hold for the stages that it has: make copies "
                "before cmpipe-derive-control"
            )
        stages = [s for p in pipelines for s in p.stages() if s.sym_name.data == self.stage]
        if not stages:
            raise self._error(f"there is no stage @{self.stage}")
        copies = Copies(self.loops, self.copies, self.pattern)
        for stage in stages:
            pipeline = stage.parent_op()
            assert isinstance(pipeline, PipelineOp)
            replicate(stage, parts_of(stage, copies), Names(pipeline))

    def _error(self, message: str) -> CmcError:
        return CmcError(message, f"pass '{self.name}'")

    def _check_options(self) -> None:
        if self.stage is None or not self.loops:
            raise self._error("name a stage and a loop: stage=conv loops=w copies=4 pattern=blocks")
        for option, values in (("copies", self.copies), ("pattern", self.pattern)):
            if len(values) != len(self.loops):
                raise self._error(f"{option} has one value for each loop, here {len(self.loops)}")
        if len(set(self.loops)) < len(self.loops):
            raise self._error("loops names each loop once")
        for number in self.copies:
            if number < 1:
                raise self._error(f"there is at least 1 copy, not {number}")
        for pattern in self.pattern:
            if pattern not in PATTERNS:
                raise self._error(
                    f"the pattern of copies is {' or '.join(PATTERNS)}, not {pattern}"
                )
