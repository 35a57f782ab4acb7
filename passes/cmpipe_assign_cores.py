# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmpipe-assign-cores`: say which core of the target runs which stages.

Each core has crossbars and SRAM enough for its stages, and no core has much more to do than others.
Where it costs something to send vectors over links, stages that send each other much share a core
if they can. Where the target has as many cores as are wanted, nothing changes.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from itertools import count
from re import fullmatch
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
from cmc.fitting.bound import Demand, Supply, Work, works
from cmc.fitting.cores import (
    ENDLESS,
    NOTHING,
    Need,
    Packing,
    Room,
    Sending,
    assigned,
    chips,
    gathered,
    least_load,
)
from cmc.fitting.loads import turns_of_images, work_of
from cmc.fitting.mapping import MappingFile, read_mapping
from cmc.fitting.refusal import too_large, too_much, too_scattered
from cmc.fitting.traffic import links_cost, sent
from cmc.fitting.turns import TURNS, Turns
from cmc.passes.cmpipe_size_buffers import slots_by_policy
from cmc.passes.on_target import put_target
from cmc.precedence import in_order
from cmc.sizing.model import CountedPipeline
from cmc.sizing.throughput import throughput_slots
from cmc.targets import Target


class _Search(NamedTuple):
    """How an assignment is looked for, and whether a line is to say what was found."""

    seed: int
    report: bool


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

    def apply(self, search: _Search) -> None:
        """Rewrite the lists of the pipeline's cores; CmcError where no assignment is found.

        Rings that are not sized yet are taken to be those of `throughput`, or minimal ones where
        there is no room for these.
        """
        self._expect_crossbars()
        needs, places = self._places()
        sending = self.sending()
        if sending.sent:
            places = gathered(needs, self.room, places, sending, search.seed)
        if search.report:
            print(self._report(needs, places, sending), file=sys.stderr)
        self._rewrite(places)

    def apply_mapping(self, mapping: MappingFile, file: str) -> None:
        """Rewrite the lists of the pipeline's cores as a mapping says; CmcError if it cannot be."""
        stages = {stage.sym_name.data: stage for stage in self.pipeline.stages()}
        found: dict[str, str] = {}
        for core, given in mapping.cores.items():
            key = f"cores.{core}.stages"
            for name in given.stages:
                if name not in stages:
                    close = get_close_matches(name, stages, 1)
                    hint = f"; did you mean '{close[0]}'?" if close else ""
                    raise CmcError(f"{key}: there is no stage '{name}'{hint}", file)
                if name in found:
                    raise CmcError(f"{key}: '{name}' is a stage of core {found[name]}", file)
                found[name] = core
            crossbars = sum(len(list(stages[name].crossbars())) for name in given.stages)
            if crossbars > self.room.crossbars:
                raise CmcError(
                    f"{key}: {crossbars} crossbars are needed, and a core has "
                    f"{self.room.crossbars}",
                    file,
                )
        if missing := [name for name in stages if name not in found]:
            raise CmcError(f"cores: no core runs '{missing[0]}'", file)
        if len(mapping.cores) > self.cores:
            message = f"cores: there are {len(mapping.cores)}, and the target has {self.cores}"
            raise CmcError(message, file)
        self._remove_cores()
        for core, given in mapping.cores.items():
            self._insert(core, [stages[name] for name in given.stages])

    def _places(self) -> tuple[list[Need], dict[str, int]]:
        """What the stages need, and cores on which all of them have room."""
        if self.target.sram_bytes is None:
            needs = self.needs({})
            if (places := assigned(needs, self.room)) is None:
                raise self._no_place(needs)
            return needs, places
        model = CountedPipeline(self.pipeline)
        needs = self.needs(self._held(model, throughput_slots(model.flow)))
        places = assigned(needs, self.room)
        if places is None:
            held = self._held(model, slots_by_policy(model, "minimal"))
            for parts in held.values():
                if sum(parts.values()) > self.room.bytes:
                    raise too_much("bytes of SRAM", "a core", self.room.bytes, parts, self._where)
            needs = self.needs(held)
            if self._exceeds(self._bytes(needs)):
                raise self._too_much(self._bytes(needs), needs)
            places = assigned(needs, self.room)
        if places is None:
            raise self._no_place(needs)
        return needs, places

    def sending(self) -> Sending:
        """What stages send each other, where that costs something."""
        if not links_cost(self.target):
            return NOTHING
        bus = self.target.topology == "bus" and self.target.link_bytes_per_cycle is not None
        found: Counter[tuple[str, str]] = Counter()
        copies = self.pipeline.copies
        for one in sent(self.pipeline):
            ends = one.channel.writer, one.channel.reader
            found[ends] += copies * one.vectors * (one.cycles if bus else one.bytes)
        return Sending(found, bus)

    def _report(self, needs: Sequence[Need], places: Mapping[str, int], sending: Sending) -> str:
        """What was found, in a line: cycles and bytes of an image."""
        turns = turns_of_images(self.pipeline)

        def each(total: int) -> str:
            return f"{total / turns:,.6g}"

        packing = Packing.of(needs, self.room, sending)
        of = packing.numbered(places)
        load, least = packing.work(of), least_load(needs, self.room)
        line = (
            f"@{self.pipeline.sym_name.data}: {len(needs)} stages on {len(set(places.values()))} "
            f"cores: the busiest has {each(load)} cycles of work an image, at least {each(least)}: "
            f"gap {load / max(1, least) - 1:.1%}"
        )
        if sending.sent:
            between, total = packing.between(of), sum(sending.sent.values())
            unit = "cycles of the bus" if sending.bus else "bytes"
            line += f"; {each(between)} of {each(total)} {unit} from core to core"
            if sending.bus:
                interval, bound = max(load, between), packing.least(least)
                gap = interval / max(1, bound) - 1
                line += f"; both take {each(interval)}, at least {each(bound)}: gap {gap:.1%}"
        return line

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

    def needs(self, held: Mapping[str, Mapping[str, int]]) -> list[Need]:
        """What the stages need, each after those that it reads from."""

        works = {stage.sym_name.data: work_of(stage) for stage in self.pipeline.stages()}
        turns = Turns.of(list(works.values()), self.cores)

        def need(work: Work, follows: Sequence[str]) -> Need:
            bytes = sum(held.get(work.name, {}).values())
            cycles = {**work.cycles, TURNS: turns.held(work.occupies, work.iterations)}
            pace = work.iterations * work.pace
            return Need(work.name, work.crossbars, bytes, cycles, pace, follows, work.iterations)

        return [need(works[name], follows) for name, follows in self._before().items()]

    def _before(self) -> Mapping[str, Sequence[str]]:
        """The stages that each stage reads from, by their names; each stage stands after those."""
        channels = [op.channel for op in self.pipeline.channels()]
        if not channels:
            return stages_before(self.pipeline)
        before: dict[str, list[str]] = {one.sym_name.data: [] for one in self.pipeline.stages()}
        for channel in channels:
            if channel.writer in before:
                before[channel.reader].append(channel.writer)
        return {name: before[name] for name in in_order(before)}

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
        demand = Demand(works(stages), works(self.pipeline.inputs()))
        interval = demand.least_interval(Supply(self.cores, self.cores * self.room.crossbars))
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

        A core keeps the name of one that ran the first of them before, if somebody gave it that.
        """
        before = self._remove_cores()
        runs: dict[int, list[StageOp]] = {}
        for stage in self.pipeline.stages():
            runs.setdefault(places[stage.sym_name.data], []).append(stage)
        given = {name for name in before.values() if not fullmatch(r"core\d+(_\d+)?", name)}
        taken = {get_name_if_symbol(op) for op in self.pipeline.body.ops}
        free = (name for n in count() if (name := f"core{n}") not in taken)
        for stages in runs.values():
            name = before.get(stages[0].sym_name.data)
            if name not in given:
                name = next(free)
            given.discard(name)
            self._insert(name, stages)

    def _remove_cores(self) -> dict[str, str]:
        """Remove all cores; the name of that of each stage."""
        before: dict[str, str] = {}
        for core in list(self.pipeline.cores()):
            before |= {name.root_reference.data: core.sym_name.data for name in core.stages}
            core.detach()
            core.erase()
        return before

    def _insert(self, name: str, stages: Sequence[StageOp]) -> None:
        """Let a new core run stages; it stands after the first one."""
        core = CoreOp(name, [stage.sym_name.data for stage in stages])
        core.location = stages[0].location
        self.pipeline.body.block.insert_op_after(core, stages[0])


@dataclass(frozen=True)
class CmpipeAssignCoresPass(ModulePass):
    """Assign stages to the cores of a target, so that each fits, and loads are even.

    `target` is what the pipelines are for, if they do not say so themselves or say otherwise. The
    same `seed` gives the same cores. With `report=true`, a line says what was found, and what is
    possible at best. `mapping` is a file that says the cores instead.
    """

    name = "cmpipe-assign-cores"

    target: str | None = None
    seed: int = 0
    report: bool = False
    mapping: str | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        put_target(op, self.target)
        for pipeline in [p for p in op.walk() if isinstance(p, PipelineOp)]:
            target = target_of(pipeline)
            # Copies of the pipeline have cores of their own, and all share a bus.
            cores = ENDLESS if target.cores is None else max(1, target.cores // pipeline.copies)
            assignment = _Assignment(pipeline, target, cores)
            if self.mapping is not None:
                assignment.apply_mapping(read_mapping(self.mapping), self.mapping)
            elif target.cores is not None:
                assignment.apply(_Search(self.seed, self.report))
