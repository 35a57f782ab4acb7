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
from cmc.fitting.bound import Chip, least_interval, works
from cmc.fitting.cores import ENDLESS, Need, Room, assigned, chips
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
        self._expect_crossbars()
        model = CountedPipeline(self.pipeline)
        needs = self._needs(model, self._held(model, throughput_slots(model.flow)))
        places = assigned(needs, self.room)
        if places is None:
            held = self._held(model, slots_by_policy(model, "minimal"))
            for parts in held.values():
                if sum(parts.values()) > self.room.bytes:
                    raise too_much("bytes of SRAM", "a core", self.room.bytes, parts, self._where)
            needs = self._needs(model, held)
            if self._exceeds(self._bytes(needs)):
                raise self._too_much(self._bytes(needs), needs)
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

    def _expect_crossbars(self) -> None:
        """CmcError where a stage needs more crossbars than a core has, or all of them than all."""
        each = self.room.crossbars
        stages = {stage.sym_name.data: stage for stage in self.pipeline.stages()}
        counts = {name: len(list(stage.crossbars())) for name, stage in stages.items()}
        if large := {f"@{name}": count for name, count in counts.items() if count > each}:
            raise too_large("crossbars", "a core", each, large, self._where)
        needs = [Need(name, count, 0, {}, 0) for name, count in counts.items()]
        crossbars = self._crossbars(needs)
        if self._exceeds(crossbars):
            raise self._too_much(crossbars, needs, self._fewer_copies())

    def _exceeds(self, resource: _Resource) -> bool:
        """Whether all stages together need more than all cores have."""
        return sum(resource.needed.values()) > self.cores * resource.each

    def _too_much(
        self, resource: _Resource, needs: Sequence[Need], helps: Sequence[str] = ()
    ) -> CmcError:
        name, each, needed = resource
        layers, more = self._layers(needed), [*helps, *self._chips(needs)]
        return too_much(name, "the chip", self.cores * each, layers, self._where, more)

    def _chips(self, needs: Sequence[Need]) -> list[str]:
        """What there is to say of several chips of this kind."""
        count = chips(needs, self.room)
        return [] if count is None else [f"{count} such chips"]

    def _fewer_copies(self) -> list[str]:
        """What there is to say where stages have copies: how fast the chip is without so many."""
        stages = list(self.pipeline.stages())
        if all(stage.origin == stage.sym_name.data for stage in stages):
            return []
        chip = Chip(self.cores, self.cores * self.room.crossbars)
        interval = least_interval(works(stages), works(self.pipeline.inputs()), chip)
        if interval is None:
            return []
        ns = self.target.ns(interval)
        return [f"fewer copies, with which an image comes every {ns:,.6g} ns at best"]

    def _no_place(self, needs: Sequence[Need]) -> CmcError:
        """Stages do not fit together, although there is enough of everything in all."""
        resources = self._crossbars(needs), self._bytes(needs)
        scarce = max(resources, key=lambda one: Fraction(sum(one.needed.values()), one.each))
        return too_scattered(
            scarce.name, self.cores, scarce.each, scarce.needed, self._where, self._chips(needs)
        )

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
