# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmpipe-balance`: give slow stages as many copies as the chip has room for.

First the shortest interval is found that the crossbars and the units of the chip allow, whatever
copies there are: a lower bound. Then copies are chosen that come near to it. Where copies of stages
cannot use the chip, or would send more than a bus carries, there are to be copies of the pipeline.

Where the target has as many cores as are wanted, nothing changes.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from functools import cached_property
from math import ceil

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, NameLoc
from xdsl.passes import ModulePass

from cmc.compiler.standard import AUTO, NONE
from cmc.dialects.cmpipe import PipelineOp, StageOp, stages_before, states_of, target_of
from cmc.errors import CmcError
from cmc.fitting.balance import Balance, Layer
from cmc.fitting.bound import Demand, Supply, work_of, works
from cmc.fitting.cores import ENDLESS, Room
from cmc.fitting.exchange import Exchange
from cmc.fitting.mapping import Copies, read_mapping
from cmc.fitting.parts import Part, Sharing
from cmc.passes.cmpipe_derive_control import derive_channels
from cmc.passes.cmpipe_replicate_stage import box_of, parts_of, replicate
from cmc.passes.on_target import put_target
from cmc.precedence import circles
from cmc.sizing.model import CountedPipeline
from cmc.targets import Target
from cmc.tiling.select import Names
from cmc.timing.circles import circles_of


def layers_of(stages: Sequence[StageOp], around: Set[str] = frozenset()) -> list[Layer]:
    """The stages in layers: those that were one stage, before its matrix was cut, are one.

    Stages that are copies already stay what they are, and so do those `around` a circle: their
    iterations wait for each other, and copies of them would.
    """
    sharings: dict[Part, Sharing] = {}
    layers: dict[object, list[StageOp]] = {}
    for stage in stages:
        layer = stage.location.desc if isinstance(stage.location, NameLoc) else stage
        circled = stage.sym_name.data in around
        key = (layer, box_of(stage), circled) if stage.copy_of is None else stage
        layers.setdefault(key, []).append(stage)
    found: list[Layer] = []
    for same in layers.values():
        kept = same[0].copy_of is not None or same[0].sym_name.data in around
        box = None if kept else box_of(same[0])
        sharing = None if box is None else sharings.setdefault(box, Sharing(box))
        work = [work_of(stage, stage.sym_name.data) for stage in same]
        found.append(Layer(work, work[0].iterations, sharing))
    return found


@dataclass(frozen=True)
class _Choice:
    """So many pipelines that take turns, and what each copy of their stages runs."""

    pipelines: int
    parts: Mapping[str, Sequence[Part]]
    interval: float = ENDLESS
    """About how many cycles there are between images then."""
    cores: int = 0
    """How many a pipeline uses."""

    def make(self, pipeline: PipelineOp) -> None:
        """Make the copies of stages, and say how many pipelines there are to be."""
        names = Names(pipeline)
        pipeline.copies = self.pipelines
        for stage in list(pipeline.stages()):
            if (parts := self.parts.get(stage.sym_name.data)) is not None:
                replicate(stage, parts, names)


_MORE = 1.2
"""How many times as many cores a pipeline has in the next try as in the last one."""

_TRIES = 2
"""After how many that gave no shorter interval there are no more."""

_PIECES = (60, 45)
"""For which parts of an interval copies are tried where all share a bus, in percent."""

_NEAR = 1.03
"""Fewer pipelines will do that have an interval so many times as long as the shortest one."""


@dataclass(frozen=True)
class _Balancing:
    """One pipeline on a target with so many cores and no more."""

    pipeline: PipelineOp
    target: Target
    cores: int

    @cached_property
    def layers(self) -> list[Layer]:
        around = {name for circle in self._circles for name in circle}
        return layers_of(list(self.pipeline.stages()), around)

    @cached_property
    def _circles(self) -> list[list[str]]:
        return circles(stages_before(self.pipeline))

    @cached_property
    def _around(self) -> int:
        """How long an image takes of stages that wait for each other in turn, at the least."""
        if not self._circles:
            return 0
        copy = self.pipeline.clone()
        copy.body.block.add_ops(derive_channels(copy))
        flow = CountedPipeline(copy).flow
        return max(circle.interval for circle in circles_of(flow))

    @cached_property
    def demand(self) -> Demand:
        return Demand(works(self.pipeline.stages()), works(self.pipeline.inputs()))

    def choose(self, interval: int) -> _Choice | None:
        """Copies of stages first; several pipelines where these do not use the chip.

        So it is where more than half of the cores are idle, or a bus cannot carry what is sent. An
        image comes as often as it can, or every so many cycles. None where the chip has too few
        crossbars.
        """
        bound, alone = self._bound(1), None
        if bound is None:
            return None
        if states_of(self.pipeline.inputs()):
            # What an image needs of the one before, no other pipeline has.
            return self._choice(1, interval)
        if self._on_bus <= bound:
            alone = self._choice(1, interval)
            if alone.cores == 0 or 2 * alone.cores > self.cores:
                return alone
        found: list[_Choice] = []
        cores, worse = self._fewest_cores, 0
        while cores <= self.cores and worse < _TRIES:
            pipelines = self.cores // cores
            best = min((one.interval for one in found), default=ENDLESS)
            if self._bound(pipelines) is not None:
                if self._on_bus > bound:
                    tried = list(self._on_few_cores(pipelines))
                else:
                    tried = [self._choice(pipelines, interval)]
                better = any(one.interval < best for one in tried)
                worse = 0 if better or not found else worse + 1
                found += (one for one in tried if one.interval < ENDLESS)
            # As many cores as there are for so many pipelines, and then some more.
            cores = max(int(cores * _MORE), self.cores // pipelines + 1)
        least = min((one.interval for one in found), default=0)
        near = [one for one in found if one.interval <= max(interval, _NEAR * least)]
        return min(near, key=lambda one: one.pipelines, default=alone)

    @cached_property
    def _exchange(self) -> Exchange:
        return Exchange(self.pipeline)

    @cached_property
    def _fewest_cores(self) -> int:
        """How many have crossbars enough for a pipeline."""
        crossbars = sum(work.crossbars for work in self.demand.stages)
        return max(1, -(-crossbars // self.target.crossbars))

    @cached_property
    def _on_bus(self) -> int:
        """For how long an image takes the bus if all that stages send goes over one."""
        bus = self.target.topology == "bus" and self.target.link_bytes_per_cycle is not None
        return self._exchange.total if bus else 0

    def _bound(self, pipelines: int) -> int | None:
        """The shortest interval of each of so many pipelines; None with too few crossbars."""
        supply = Supply(self.cores, self.cores * self.target.crossbars)
        least = self.demand.least_interval(supply, pipelines)
        return None if least is None else max(least, self._around)

    def _balance(self, pipelines: int) -> Balance:
        """That of one of so many pipelines."""
        return Balance(self.layers, Room(self.cores // pipelines, self.target.crossbars))

    def _choice(self, pipelines: int, interval: int) -> _Choice:
        """Copies of stages on the cores of one of so many pipelines; none where they do not fit."""
        bound, balance = self._bound(pipelines), self._balance(pipelines)
        assert bound is not None
        parts = balance.choose(max(bound, pipelines * interval))
        filled = balance.filled(parts)
        if filled is None:
            # It is refused with a reason by cmpipe-assign-cores.
            return _Choice(1, {})
        streams = self.demand.streams
        shared = sum((work.cycles for work in streams), Counter[str]())
        own = max((work.iterations * work.pace for work in streams), default=0)
        busiest = max(filled.busiest, own, self._around) / pipelines
        return _Choice(pipelines, parts, max([busiest, *shared.values()]), filled.cores)

    def _on_few_cores(self, pipelines: int) -> Iterator[_Choice]:
        """Copies of stages on the cores of one of so many pipelines, where all share a bus."""
        bound = self._bound(pipelines)
        assert bound is not None
        balance = self._balance(pipelines)
        for share in _PIECES:
            parts = balance.pieces(bound * share // 100)
            interval = balance.interval_on_bus(parts, self._exchange, pipelines)
            if interval is not None:
                yield _Choice(pipelines, parts, interval)


def balance(pipeline: PipelineOp, interval: int, times: int, report: bool) -> None:
    """Replicate the stages of a pipeline, on a target with so many cores and no more."""
    target = target_of(pipeline)
    assert target.cores is not None
    balancing = _Balancing(pipeline, target, target.cores)
    bound = balancing.demand.least_of_all(Supply(target.cores, target.cores * target.crossbars))
    if times > 1 and bound is not None:
        interval = max(interval, ceil(times * bound))
    choice = balancing.choose(interval)
    if choice is None:
        # What does not fit without copies is refused with a reason by cmpipe-assign-cores.
        return
    choice.make(pipeline)
    if report:
        assert bound is not None
        print(_described(pipeline.sym_name.data, bound, choice), file=sys.stderr)


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


def _described(name: str, bound: Fraction, choice: _Choice) -> str:
    """The bound, and what has copies: `@main: an image every 1,024 cycles at best; copies: …`."""
    copies = [f"{len(all)} of @{stage}" for stage, all in choice.parts.items()]
    if choice.pipelines > 1:
        copies.insert(0, f"{choice.pipelines} of the pipeline")
    return (
        f"@{name}: an image every {float(bound):,.10g} cycles at best; "
        f"copies: {', '.join(copies) or 'none'}"
    )


@dataclass(frozen=True)
class CmpipeBalancePass(ModulePass):
    """Replicate slow stages, so that an image comes as often as the chip's crossbars allow.

    `target` is what the pipelines are for, if they do not say so themselves or say otherwise.
    `copies=none` makes none, and a mapping file those that it says, on any target. With `interval`,
    an image every so many cycles is often enough, and with `times` one in so many times the least
    interval of any mapping. `report` prints that, and the copies.
    """

    name = "cmpipe-balance"

    target: str | None = None
    copies: str = AUTO
    interval: int = 1
    times: int = 1
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
                balance(pipeline, self.interval, self.times, self.report)
            else:
                _replicate_as(pipeline, given.copies, self.copies)
                pipeline.copies = given.pipelines
