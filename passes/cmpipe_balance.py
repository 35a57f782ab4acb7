"""`cmpipe-balance`: give slow stages as many copies as the chip has room for.

First the shortest interval is found that the crossbars and the units of the chip allow, whatever
copies there are: a lower bound. Then copies are chosen that come near to it.

Where the target has as many cores as are wanted, nothing changes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, NameLoc
from xdsl.passes import ModulePass

from cmc.compiler.standard import AUTO, NONE
from cmc.dialects.cmpipe import PipelineOp, StageOp, target_of
from cmc.errors import CmcError
from cmc.fitting.balance import Balance, Layer
from cmc.fitting.bound import Demand, Supply, work_of, works
from cmc.fitting.cores import Room
from cmc.fitting.mapping import Copies, read_mapping
from cmc.fitting.parts import Part, Sharing
from cmc.passes.cmpipe_replicate_stage import box_of, parts_of, replicate
from cmc.passes.on_target import put_target
from cmc.tiling.select import Names


def layers_of(stages: Sequence[StageOp]) -> list[Layer]:
    """The stages in layers: those that were one stage, before its matrix was cut, are one.

    Stages that are copies already stay what they are.
    """
    sharings: dict[Part, Sharing] = {}
    layers: dict[object, list[StageOp]] = {}
    for stage in stages:
        layer = stage.location.desc if isinstance(stage.location, NameLoc) else stage
        key = (layer, box_of(stage)) if stage.copy_of is None else stage
        layers.setdefault(key, []).append(stage)
    found: list[Layer] = []
    for same in layers.values():
        box = box_of(same[0]) if same[0].copy_of is None else None
        sharing = None if box is None else sharings.setdefault(box, Sharing(box))
        work = [work_of(stage, stage.sym_name.data) for stage in same]
        found.append(Layer(work, work[0].iterations, sharing))
    return found


def balance(pipeline: PipelineOp, interval: int, report: bool) -> None:
    """Replicate the stages of a pipeline, on a target with so many cores and no more."""
    target = target_of(pipeline)
    assert target.cores is not None
    stages = list(pipeline.stages())
    layers = layers_of(stages)
    demand = Demand(works(stages), works(pipeline.inputs()))
    bound = demand.least_interval(Supply(target.cores, target.cores * target.crossbars))
    if bound is None:
        # What does not fit without copies is refused with a reason by cmpipe-assign-cores.
        return
    room = Room(target.cores, target.crossbars)
    parts = Balance(layers, room).choose(max(bound, interval))
    names = Names(pipeline)
    for stage in stages:
        if stage.sym_name.data in parts:
            replicate(stage, parts[stage.sym_name.data], names)
    if report:
        print(_described(pipeline.sym_name.data, bound, parts), file=sys.stderr)


def _replicate_as(pipeline: PipelineOp, copies: Mapping[str, Copies], file: str) -> None:
    """Give stages the copies that a mapping file says."""
    stages = {stage.sym_name.data: stage for stage in pipeline.stages()}
    names = Names(pipeline)
    for name, given in copies.items():
        if name not in stages:
            close = get_close_matches(name, stages, 1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise CmcError(f"copies.{name}: there is no stage '{name}'{hint}", file)
        try:
            parts = parts_of(stages[name], given)
        except CmcError as error:
            raise CmcError(f"copies.{name}: {error.message}", file) from error
        replicate(stages[name], parts, names)


def _described(name: str, bound: int, parts: Mapping[str, Sequence[Part]]) -> str:
    """The bound, and what has copies: `@main: an image every 1,024 cycles at best; copies: …`."""
    copies = ", ".join(f"{len(all)} of @{stage}" for stage, all in parts.items()) or "none"
    return f"@{name}: an image every {bound:,} cycles at best; copies: {copies}"


@dataclass(frozen=True)
class CmpipeBalancePass(ModulePass):
    """Replicate slow stages, so that an image comes as often as the chip's crossbars allow.

    `target` is what the pipelines are for, if they do not say so themselves or say otherwise.
    `copies=none` makes none, and a mapping file those that it says, on any target. With `interval`,
    an image every so many cycles is often enough. `report` prints the least interval of any
    mapping, and the copies.
    """

    name = "cmpipe-balance"

    target: str | None = None
    copies: str = AUTO
    interval: int = 1
    report: bool = False

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        put_target(op, self.target)
        given = None if self.copies in (AUTO, NONE) else read_mapping(self.copies)
        for pipeline in [p for p in op.walk() if isinstance(p, PipelineOp)]:
            if given is None and (target_of(pipeline).cores is None or self.copies == NONE):
                continue
            if any(True for _ in pipeline.channels()):
                raise CmcError(
                    "the pipeline has channels, which hold for the stages that it has: make copies "
                    "before cmpipe-derive-control",
                    f"pass '{self.name}'",
                )
            if given is None:
                balance(pipeline, self.interval, self.report)
            else:
                _replicate_as(pipeline, given.copies, self.copies)
