# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How many copies of each stage there are to be, and which of its iterations each of them runs.

For an interval that is wanted, a stage is cut into as few parts as there can be of which none takes
longer. The shorter it is, the more copies, and the more crossbars. Where stages share the units of
cores, copies for the interval itself would be too large to be spread evenly over cores; where each
core has one crossbar, there is nothing to spread. So copies are chosen for several intervals, and
those are taken with which the assignment to cores leaves least to do for the busiest one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

from cmc.fitting.bound import Work
from cmc.fitting.cores import NOTHING, Need, Packing, Room, Sending, assigned, gathered
from cmc.fitting.exchange import Exchange, copy_name
from cmc.fitting.parts import Part, Sharing
from cmc.fitting.turns import TURNS, Turns

_SHARES = (100, 90, 80, 70, 60, 50, 40)
"""For which parts of the best interval copies are tried, in percent."""

_FEW_STEPS = 1 << 15
"""In how many steps stages are brought together where it is only asked what that comes to."""

_WAITING = 2
"""How many times as long as by itself a stage takes about that waits for its turns on a core."""

_NEAR = 102
"""So much of the least load of the busiest core, in percent, is not worth more copies."""


@dataclass(frozen=True, eq=False)
class Layer:
    """Stages that run the same iterations and hand their results on to each other, one by one.

    They are cut in the same way, so that each copy reads from one copy of the stage before it.
    """

    stages: Sequence[Work]
    iterations: int
    sharing: Sharing | None
    """None if they cannot have copies."""

    @property
    def pace(self) -> int:
        """The cycles of an iteration of the slowest of them."""
        return max(stage.pace for stage in self.stages)

    def most(self, interval: int) -> int:
        """How many iterations of a copy there are in an interval at most, or at least one."""
        return max(1, interval // self.pace)

    def copies(self, interval: int) -> int:
        """How many copies it takes; those of a stage that cannot have any are one."""
        return 1 if self.sharing is None else self.sharing.count(self.most(interval))

    def parts(self, interval: int) -> list[Part] | None:
        """What each copy runs; None where there is one that runs everything."""
        most = self.most(interval)
        return None if self.sharing is None or most >= self.iterations else self.sharing.parts(most)


@dataclass(frozen=True)
class Filled:
    """Cores with stages."""

    busiest: int
    """About the cycles until the last of them is through with an image."""
    cores: int
    """How many have a stage."""


@dataclass(frozen=True, eq=False)
class Balance:
    """The layers of a pipeline, and the room on the chip that there is for copies of them."""

    layers: Sequence[Layer]
    room: Room

    def choose(self, interval: int) -> dict[str, list[Part]]:
        """What each copy of each stage that has several runs, if no interval has to be shorter.

        There are none where not even the stages themselves fit.
        """
        tried: list[tuple[int, int, dict[str, list[Part]]]] = []
        for each in self._intervals(interval):
            parts = self._parts(each, interval)
            filled = self.filled(parts)
            if filled is not None:
                tried.append((sum(map(len, parts.values())), filled.busiest, parts))
        if not tried:
            return {}
        least = max(interval, min(busiest for _, busiest, _ in tried))
        near = [one for one in tried if one[1] * 100 <= least * _NEAR]
        return min(near, key=lambda one: one[:2])[2]

    def pieces(self, interval: int) -> dict[str, list[Part]]:
        """What each copy runs, if none is to take longer than that: as far as crossbars last."""
        shortest = self._shortest()
        return {} if shortest is None else self._parts(max(shortest, interval))

    def _intervals(self, interval: int) -> Iterator[int]:
        """Intervals to choose copies for, the longest first, with crossbars enough for each."""
        shortest = self._shortest()
        if shortest is not None:
            yield from {max(shortest, interval * share // 100): None for share in _SHARES}

    def _shortest(self) -> int | None:
        """The shortest interval with copies for which the chip has crossbars enough."""
        high = max((layer.pace * layer.iterations for layer in self.layers), default=1)
        if not self._suffice(high):
            return None
        low = 0
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._suffice(middle) else (middle, high)
        return high

    def _suffice(self, interval: int) -> bool:
        """Whether the chip has crossbars enough for all copies that an interval takes."""
        crossbars = sum(
            layer.copies(interval) * sum(stage.crossbars for stage in layer.stages)
            for layer in self.layers
        )
        return crossbars <= self.room.cores * self.room.crossbars

    def _parts(self, interval: int, longest: int = 0) -> dict[str, list[Part]]:
        """What copies run, none of which takes longer than an interval.

        Stages that fill a core with their crossbars share it with few others, or none: their copies
        take up to as much of the longest interval that there may be, if that is more.
        """

        def allowed(layer: Layer) -> int:
            crossbars = max(stage.crossbars for stage in layer.stages)
            return max(interval, longest * crossbars // max(1, self.room.crossbars))

        return {
            stage.name: parts
            for layer in self.layers
            if (parts := layer.parts(allowed(layer))) is not None
            for stage in layer.stages
        }

    def filled(self, parts: Mapping[str, Sequence[Part]]) -> Filled | None:
        """What such copies make of the cores; None where one finds no place on any."""
        needs = self.needs(parts)
        places = assigned(needs, self.room)
        if places is None:
            return None
        packing = Packing.of(needs, self.room, NOTHING)
        return Filled(packing.load(packing.numbered(places)), len(set(places.values())))

    def needs(self, parts: Mapping[str, Sequence[Part]]) -> list[Need]:
        """What each copy needs of a core."""
        return [
            need
            for layer in self.layers
            for stage in layer.stages
            for need in self._needs(stage, parts.get(stage.name))
        ]

    @cached_property
    def _turns(self) -> Turns:
        stages = [stage for layer in self.layers for stage in layer.stages]
        return Turns.of(stages, self.room.cores)

    def _needs(self, stage: Work, parts: Sequence[Part] | None) -> Iterator[Need]:
        """What each copy of a stage needs of a core."""
        counts = [stage.iterations] if parts is None else [prod(map(len, part)) for part in parts]
        for number, count in enumerate(counts):
            cycles = {unit: n * count for unit, n in stage.occupies.items()}
            cycles[TURNS] = self._turns.held(stage.occupies, count)
            name = copy_name(stage.name, number)
            yield Need(name, stage.crossbars, 0, cycles, count * stage.pace, (), count)

    def interval_on_bus(
        self, parts: Mapping[str, Sequence[Part]], exchange: Exchange, pipelines: int
    ) -> float | None:
        """About how many cycles there are between images of so many pipelines that share a bus.

        That is what an image takes of a core, or of the bus; or more, where a stage waits for its
        turns. None where a copy finds no place on any core.
        """
        sent = exchange.sent(parts)
        follows: dict[str, list[str]] = {}
        for writer, reader in sent:
            follows.setdefault(reader, []).append(writer)
        order = {name: number for number, name in enumerate(exchange.follows)}
        stages = (stage for layer in self.layers for stage in layer.stages)
        needs = [
            replace(need, follows=follows.get(need.name, ()))
            for stage in sorted(stages, key=lambda stage: order[stage.name])
            for need in self._needs(stage, parts.get(stage.name))
        ]
        places = assigned(needs, self.room)
        if places is None:
            return None
        sending = Sending({ends: pipelines * cycles for ends, cycles in sent.items()}, bus=True)
        packing = Packing.of(needs, self.room, sending)
        of = packing.numbered(gathered(needs, self.room, places, sending, steps=_FEW_STEPS))
        slowest = max((need.pace for need in needs), default=0)
        turns = slowest * (_WAITING if self.room.crossbars > 1 else 1)
        return max(packing.load(of), packing.between(of), turns) / pipelines
