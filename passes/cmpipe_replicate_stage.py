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

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import islpy as isl
from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr, SymbolRefAttr
from xdsl.passes import ModulePass

from cmc.dialects.cmpipe import CoreOp, PipelineOp, StageOp
from cmc.errors import CmcError
from cmc.fitting.parts import Part, blocks, interleaved
from cmc.passes.cmpipe_reorder_stage import run_as
from cmc.poly.counting import Iterations
from cmc.tiling.select import Names

PATTERNS = ("interleaved", "blocks")


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
        for stage in stages:
            pipeline = stage.parent_op()
            assert isinstance(pipeline, PipelineOp)
            replicate(stage, self._parts(stage), Names(pipeline))

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

    def _parts(self, stage: StageOp) -> list[Part]:
        where = f"stage @{stage.sym_name.data}"
        domain = stage.domain.data
        box = box_of(stage)
        if box is None:
            raise CmcError(
                f"its iterations are no box, of which each copy could run a part: {domain}", where
            )
        names = [domain.get_dim_name(isl.dim_type.set, d) or f"i{d}" for d in range(len(box))]
        cut = [[loop] for loop in box]
        for name, copies, pattern in zip(self.loops, self.copies, self.pattern, strict=True):
            if name not in names:
                known = f"the loops are {', '.join(names)}" if names else "there are no loops"
                raise CmcError(f"there is no loop {name}: {known}", where)
            loop = box[names.index(name)]
            if copies > len(loop):
                raise CmcError(
                    f"loop {name} has {len(loop)} iterations, too few for {copies} copies", where
                )
            cut_as = interleaved if pattern == "interleaved" else blocks
            cut[names.index(name)] = cut_as(loop, copies)
        return list(product(*cut))
