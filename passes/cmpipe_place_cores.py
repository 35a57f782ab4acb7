# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmpipe-place-cores`: give each core a place on the chip.

Cores that send each other much come near each other. Where places make no difference, there are
none to give, and it is only looked at whether the links carry what is sent.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from cmc.dialects.cmpipe import CoreOp, PipelineOp, target_of
from cmc.errors import CmcError
from cmc.fitting.loads import largest_load
from cmc.fitting.mapping import MappingFile, read_mapping
from cmc.fitting.places import MORE, Placement, cost_of, lower_bound, placed
from cmc.fitting.refusal import DoesNotFit
from cmc.fitting.relief import relieved
from cmc.fitting.traffic import Crossing, Sent, between_cores, crossing, hops_of, sent, together
from cmc.passes.on_target import put_target
from cmc.poly.evaluate import Ints
from cmc.targets import Target
from cmc.targets.topology import Topology, topology_of

_NAMED = 3
"""Of the channels over a link, how many are named."""


@dataclass(frozen=True)
class _Cores:
    """The cores of a pipeline, and what they send each other."""

    pipeline: PipelineOp
    target: Target
    interval: int | None

    @property
    def _where(self) -> str:
        return f"pipeline @{self.pipeline.sym_name.data} on target {self.target.name}"

    @cached_property
    def cores(self) -> list[CoreOp]:
        return list(self.pipeline.cores())

    @cached_property
    def topology(self) -> Topology:
        return topology_of(self.target)

    @cached_property
    def hops(self) -> Ints:
        return hops_of(self.target)

    @cached_property
    def channels(self) -> list[Sent]:
        """Those between two cores."""
        core = self.core
        return [c for c in sent(self.pipeline) if core[c.channel.writer] != core[c.channel.reader]]

    @cached_property
    def core(self) -> dict[str, int]:
        """The number of each stage's core; CmcError where a stage has none."""
        found = {
            name.root_reference.data: number
            for number, core in enumerate(self.cores)
            for name in core.stages
        }
        for stage in self.pipeline.stages():
            if (name := stage.sym_name.data) not in found:
                message = f"no core runs @{name}: assign stages to cores with cmpipe-assign-cores"
                raise CmcError(message, self._where)
        return found

    @cached_property
    def traffic(self) -> Ints:
        return between_cores(self.channels, self.core, len(self.cores), self.target)

    def place(self, seed: int, time_limit: float) -> Placement:
        """Find places, and give them to the cores; CmcError says why where there are none."""
        self._expect_degrees()
        found = placed(self.traffic, self.hops, seed=seed, time_limit=time_limit)
        self._expect_ways(found.places)
        allowed = largest_load(self.pipeline) if self.interval is None else self.interval
        if self.crossing(found.places).busiest[1] > allowed:
            places = relieved(self.channels, self.core, found.places, self.target, allowed)
            cost = cost_of(self.traffic, self.hops, places)
            found = Placement(places, cost, found.bound)
        return self._put(found)

    def place_as(self, mapping: MappingFile, file: str) -> Placement:
        """Give cores the places that a mapping says; CmcError where it does not fit."""
        places: list[int] = []
        for core in self.cores:
            name = core.sym_name.data
            place = mapping.cores[name].place if name in mapping.cores else None
            if place is None:
                raise CmcError(f"cores.{name}.place: is missing", file)
            if place >= self.topology.cores:
                raise CmcError(
                    f"cores.{name}.place: target {self.target.name} has places from 0 to "
                    f"{self.topology.cores - 1}, and no {place}",
                    file,
                )
            if place in places:
                other = self.cores[places.index(place)].sym_name.data
                raise CmcError(f"cores.{name}.place: core {other} is at {place}, too", file)
            places.append(place)
        self._expect_ways(places)
        cost = cost_of(self.traffic, self.hops, places)
        return self._put(Placement(places, cost, lower_bound(self.traffic, self.hops)))

    def _put(self, found: Placement) -> Placement:
        self.expect_capacity(found.places)
        for core, place in zip(self.cores, found.places, strict=True):
            core.place = place
        return found

    def crossing(self, places: Sequence[int]) -> Crossing:
        return crossing(self.channels, self.core, places, self.target)

    def expect_count(self) -> None:
        """CmcError where there are more cores than places."""
        places = self.target.cores
        if places is not None and len(self.cores) > places:
            raise CmcError(
                f"{len(self.cores)} cores are to be placed, and there are {places} places: assign "
                "stages to fewer cores with cmpipe-assign-cores",
                self._where,
            )

    def _expect_degrees(self) -> None:
        """CmcError where no place has links for all that a core sends, or gets."""
        if self.interval is None:
            return
        links = [link for link in self.topology.links if link.source is not None]
        ends = [link.source for link in links], [link.to for link in links]
        for what, side, at in zip(("send", "receive"), ("writer", "reader"), ends, strict=True):
            most = max((at.count(place) for place in set(at)), default=0)
            needs = [0] * len(self.cores)

            def end(one: Sent, side: str = side) -> int:
                return self.core[one.channel.writer if side == "writer" else one.channel.reader]

            for vectors, one in together(self.channels, self.target, end):
                needs[end(one)] += vectors * one.cycles
            core = int(np.argmax(needs))
            if needs[core] > most * self.interval:
                raise CmcError(
                    f"core @{self.cores[core].sym_name.data} must {what} for {needs[core]} cycles "
                    f"of a link an image, and no place has more than {most} links, for "
                    f"{self.interval} cycles each",
                    self._where,
                )

    def _expect_ways(self, places: Sequence[int]) -> None:
        """CmcError where there is no way for a channel."""
        for one in self.channels:
            ends = [self.core[one.channel.writer], self.core[one.channel.reader]]
            if self.hops[places[ends[0]], places[ends[1]]] >= MORE:
                names = [f"core @{self.cores[end].sym_name.data}" for end in ends]
                raise DoesNotFit(
                    f"no places were found with a way from {names[0]} to {names[1]} for "
                    f"{one.channel}: too few cores of the target reach each other",
                    self._where,
                )

    def expect_capacity(self, places: Sequence[int]) -> None:
        """CmcError where a link would carry more than there is room for in the interval."""
        if self.interval is None:
            return
        crossing = self.crossing(places)
        link, cycles = crossing.busiest
        if cycles > self.interval:
            over = sorted(crossing.channels[link], key=lambda one: -one.vectors * one.cycles)
            named = [f"{c.vectors * c.cycles} for {c.channel}" for c in over[:_NAMED]]
            if more := over[_NAMED:]:
                rest = sum(one.vectors * one.cycles for one in more)
                named.append(f"{rest} for {len(more)} more")
            raise CmcError(
                f"in the best placement found, {self.topology.links[link].title} would be taken "
                f"for {cycles} cycles an image, and an interval has {self.interval}: "
                f"{', '.join(named)}",
                self._where,
            )

    def report(self, found: Placement) -> str:
        """What was found, in a line."""
        link, cycles = self.crossing(found.places).busiest
        gap = f"{found.cost / found.bound - 1:.1%}" if found.bound else "0.0%"
        line = (
            f"{len(self.cores)} cores on {self.topology.cores} places: {found.cost} bytes x hops "
            f"an image, at least {found.bound}: gap {gap}"
        )
        if cycles:
            line += f"; {self.topology.links[link].title} is taken for {cycles} cycles, most of all"
        return line


def place_cores(pipeline: PipelineOp) -> None:
    """Give all cores of a pipeline places where that makes a difference, whatever they had before.

    CmcError where there are none.
    """
    cores = _Cores(pipeline, target_of(pipeline), None)
    cores.expect_count()
    if cores.topology.placed:
        cores.place(0, 1.0)


@dataclass(frozen=True)
class CmpipePlaceCoresPass(ModulePass):
    """Place cores so that what they send goes over few links: bytes times hops, added up.

    Links carry what is sent in an `interval` of so many cycles, or the pipeline is refused; without
    one, in the time that an image takes of the busiest unit, as far as places are found for that.
    For few cores, a solver has `time_limit` seconds, which it counts by what it does, to find the
    best places. The same `seed` gives the same places. With `report=true`, a line says what was
    found, and what is possible at best. `mapping` is a file that says the places instead.
    """

    name = "cmpipe-place-cores"

    target: str | None = None
    interval: int | None = None
    time_limit: float = 1.0
    seed: int = 0
    report: bool = False
    mapping: str | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        put_target(op, self.target)
        for pipeline in [p for p in op.walk() if isinstance(p, PipelineOp)]:
            cores = _Cores(pipeline, target_of(pipeline), self.interval)
            if not cores.cores:
                continue
            cores.expect_count()
            if not cores.topology.placed:
                cores.expect_capacity(range(len(cores.cores)))
                continue
            if self.mapping is not None:
                found = cores.place_as(read_mapping(self.mapping), self.mapping)
            else:
                found = cores.place(self.seed, self.time_limit)
            if self.report:
                print(f"@{pipeline.sym_name.data}: {cores.report(found)}", file=sys.stderr)
