"""`cmpipe-assign-cores`: say which core of the target runs which stages.

Where the target has as many cores as are wanted, nothing changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from graphlib import TopologicalSorter
from itertools import count

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.symbol_table import get_name_if_symbol

from cmc.dialects.cmpipe import (
    CoreOp,
    PipelineOp,
    StageOp,
    find_object,
    read_from,
    target_of,
    writers_of,
)
from cmc.errors import CmcError
from cmc.fitting.cores import ENDLESS, Need, Room, assigned
from cmc.fitting.refusal import too_large, too_much, too_scattered
from cmc.passes.cmpipe_size_buffers import slots_by_policy
from cmc.passes.on_target import put_target
from cmc.sizing.model import CountedPipeline
from cmc.targets import Target


@dataclass(frozen=True)
class _Assignment:
    """One pipeline and its target, which has so many cores."""

    pipeline: PipelineOp
    target: Target
    cores: int

    @property
    def room(self) -> Room:
        return Room(self.cores, self.target.crossbars, self.target.sram_bytes or ENDLESS)

    @property
    def _where(self) -> str:
        return f"pipeline @{self.pipeline.sym_name.data} on target {self.target.name}"

    def apply(self) -> None:
        """Rewrite the lists of the pipeline's cores; CmcError where no assignment is found."""
        needs = self._needs()
        self._expect_room(needs)
        places = assigned(needs, self.room)
        if places is None:
            raise self._no_place(needs)
        self._rewrite(places)

    def _needs(self) -> list[Need]:
        """What the stages need, each after those that it reads from."""
        model = CountedPipeline(self.pipeline)
        bytes = self._ring_bytes(model)

        def need(stage: StageOp, follows: Sequence[str]) -> Need:
            name = stage.sym_name.data
            constants = sum(floats for _, floats in stage.constants()) * self.target.element_bytes
            process = model.flow.processes[name]
            cycles = {unit: n * process.iterations for unit, n in stage.occupied.items()}
            pace = process.iterations * process.pace
            crossbars = len(list(stage.crossbars()))
            return Need(name, crossbars, bytes[name] + constants, cycles, pace, follows)

        stages = {stage.sym_name.data: stage for stage in self.pipeline.stages()}
        writers = writers_of(stages.values())
        follows = {
            name: [channel.writer for channel in read_from(stage, writers)]
            for name, stage in stages.items()
        }
        order = TopologicalSorter(follows).static_order()
        return [need(stages[name], follows[name]) for name in order]

    def _ring_bytes(self, model: CountedPipeline) -> dict[str, int]:
        """By reader, the bytes of its rings: where they are not sized yet, of minimal ones."""
        bytes = dict.fromkeys(model.iterations, 0)
        if self.target.sram_bytes is None:
            return bytes
        given = model.slots
        least = given if all(given) else slots_by_policy(model, "minimal")
        for op, slots, few in zip(model.channels, given, least, strict=True):
            vector = find_object(op, op.object).vector
            bytes[op.channel.reader] += (slots or few) * vector * self.target.element_bytes
        return bytes

    def _expect_room(self, needs: Sequence[Need]) -> None:
        """CmcError where a stage does not fit on any core, or all do not fit on all."""
        for resource, each, needed in self._resources(needs):
            if large := {title: count for title, count in needed.items() if count > each}:
                raise too_large(resource, "a core", each, large, self._where)
            if sum(needed.values()) > self.cores * each:
                raise too_much(resource, "the chip", self.cores * each, needed, self._where)

    def _no_place(self, needs: Sequence[Need]) -> CmcError:
        """Stages do not fit together, although there is enough of everything in all."""
        resource, each, needed = max(
            self._resources(needs), key=lambda one: Fraction(sum(one[2].values()), one[1])
        )
        return too_scattered(resource, self.cores, each, needed, self._where)

    def _resources(self, needs: Sequence[Need]) -> list[tuple[str, int, dict[str, int]]]:
        """Resources, how much a core has of each, and how much each stage needs."""
        room = self.room
        crossbars = {f"@{need.name}": need.crossbars for need in needs}
        bytes = {f"@{need.name}": need.bytes for need in needs}
        return [("crossbars", room.crossbars, crossbars), ("bytes of SRAM", room.bytes, bytes)]

    def _rewrite(self, places: Mapping[str, int]) -> None:
        """List the stages of each core, in the order in which they stand.

        A core has the name of one that ran the first of them before.
        """
        before: dict[str, str] = {}
        for core in list(self.pipeline.cores()):
            before |= {name.root_reference.data: core.sym_name.data for name in core.stages}
            core.detach()
            core.erase()
        runs: dict[int, list[StageOp]] = {}
        for stage in self.pipeline.stages():
            runs.setdefault(places[stage.sym_name.data], []).append(stage)
        taken = {get_name_if_symbol(op) for op in self.pipeline.body.ops}
        free = (name for n in count() if (name := f"core{n}") not in {*taken, *before.values()})
        for stages in runs.values():
            names = [stage.sym_name.data for stage in stages]
            name = before.get(names[0])
            if name is None or name in taken:
                name = next(free)
            taken.add(name)
            core = CoreOp(name, names)
            core.location = stages[0].location
            self.pipeline.body.block.insert_op_after(core, stages[0])


@dataclass(frozen=True)
class CmpipeAssignCoresPass(ModulePass):
    """Assign stages to the cores of a target, so that each fits, and loads are even.

    `target` is what the pipelines are for, if they do not say so themselves or say otherwise.
    """

    name = "cmpipe-assign-cores"

    target: str | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        put_target(op, self.target)
        for pipeline in [p for p in op.walk() if isinstance(p, PipelineOp)]:
            target = target_of(pipeline)
            if target.cores is not None:
                _Assignment(pipeline, target, target.cores).apply()
