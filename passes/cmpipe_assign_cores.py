"""`cmpipe-assign-cores`: say which core of the target runs which stages.

Where the target has as many cores as are wanted, nothing changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import NamedTuple

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, NameLoc
from xdsl.passes import ModulePass
from xdsl.utils.symbol_table import get_name_if_symbol

from cmc.dialects.cmpipe import (
    CoreOp,
    PipelineOp,
    StageOp,
    stages_before,
    target_of,
)
from cmc.errors import CmcError
from cmc.fitting.cores import ENDLESS, Need, Room, assigned
from cmc.fitting.refusal import too_large, too_much, too_scattered
from cmc.passes.cmpipe_size_buffers import slots_by_policy
from cmc.passes.on_target import put_target
from cmc.sizing.model import CountedPipeline
from cmc.sizing.throughput import throughput_slots
from cmc.targets import Target


class _Resource(NamedTuple):
    """How much a core has of something, and how much of it each stage needs, by its title."""

    name: str
    each: int
    needed: Mapping[str, int]


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
        """Rewrite the lists of the pipeline's cores; CmcError where no assignment is found.

        Rings that are not sized yet are taken to be those of `throughput`, or minimal ones where
        there is no room for these.
        """
        model = CountedPipeline(self.pipeline)
        needs = self._needs(model, self._held(model, throughput_slots(model.flow)))
        crossbars = self._crossbars(needs)
        if large := {title: n for title, n in crossbars.needed.items() if n > crossbars.each}:
            raise too_large(crossbars.name, "a core", crossbars.each, large, self._where)
        self._expect_room(crossbars)
        places = assigned(needs, self.room)
        if places is None:
            held = self._held(model, slots_by_policy(model, "minimal"))
            for parts in held.values():
                if sum(parts.values()) > self.room.bytes:
                    raise too_much("bytes of SRAM", "a core", self.room.bytes, parts, self._where)
            needs = self._needs(model, held)
            self._expect_room(self._bytes(needs))
            places = assigned(needs, self.room)
        if places is None:
            raise self._no_place(needs)
        self._rewrite(places)

    def _held(self, model: CountedPipeline, slots: Sequence[int]) -> dict[str, dict[str, int]]:
        """The bytes of what each stage has in SRAM, by a title, with so many slots."""
        held: dict[str, dict[str, int]] = {}
        for stage in self.pipeline.stages():
            name, constants = stage.sym_name.data, stage.constant_floats
            held[name] = {f"the constants of @{name}": self.target.element_bytes * constants}
        rings = zip(model.channels, model.with_given(slots), model.slot_bytes, strict=True)
        for op, number, bytes in rings:
            held[op.channel.reader][f"the ring of {op.channel}"] = number * bytes
        return held

    def _needs(self, model: CountedPipeline, held: Mapping[str, Mapping[str, int]]) -> list[Need]:
        """What the stages need, each after those that it reads from."""

        def need(stage: StageOp, follows: Sequence[str]) -> Need:
            name = stage.sym_name.data
            process = model.flow.processes[name]
            cycles = {unit: n * process.iterations for unit, n in stage.occupied.items()}
            pace = process.iterations * process.pace
            crossbars = len(list(stage.crossbars()))
            return Need(name, crossbars, sum(held[name].values()), cycles, pace, follows)

        stages = {stage.sym_name.data: stage for stage in self.pipeline.stages()}
        before = stages_before(self.pipeline)
        return [need(stages[name], follows) for name, follows in before.items()]

    def _expect_room(self, resource: _Resource) -> None:
        """CmcError where all stages together need more than all cores have."""
        name, each, needed = resource
        if sum(needed.values()) > self.cores * each:
            raise too_much(name, "the chip", self.cores * each, self._layers(needed), self._where)

    def _no_place(self, needs: Sequence[Need]) -> CmcError:
        """Stages do not fit together, although there is enough of everything in all."""
        resources = self._crossbars(needs), self._bytes(needs)
        scarce = max(resources, key=lambda one: Fraction(sum(one.needed.values()), one.each))
        return too_scattered(scarce.name, self.cores, scarce.each, scarce.needed, self._where)

    def _layers(self, needed: Mapping[str, int]) -> dict[str, int]:
        """What the stages of each layer of the network need together, by its name."""
        layers: dict[str, int] = {}
        for stage in self.pipeline.stages():
            title, layer = f"@{stage.sym_name.data}", stage.location
            name = f"'{layer.desc.data}'" if isinstance(layer, NameLoc) else title
            layers[name] = layers.get(name, 0) + needed[title]
        return layers

    def _crossbars(self, needs: Sequence[Need]) -> _Resource:
        needed = {f"@{need.name}": need.crossbars for need in needs}
        return _Resource("crossbars", self.room.crossbars, needed)

    def _bytes(self, needs: Sequence[Need]) -> _Resource:
        needed = {f"@{need.name}": need.bytes for need in needs}
        return _Resource("bytes of SRAM", self.room.bytes, needed)

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
