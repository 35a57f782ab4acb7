# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Stages to cores: within what a core has, and so that no unit has much more to do than others.

Which assignment is best is a packing problem that is hard to solve exactly. What is done here
always comes to the same. First it is greedy. Stages with crossbars go first, those that need most
of a core before others, each to the core that has least to do. Where that leaves too few crossbars
or bytes together, they fill one core after the other, with as low a limit of what a core may have
to do as that takes. Stages without crossbars then go to a core that runs a stage that they follow,
unless that is full. In the end, stages of the busiest core change places with others, as long as
that helps; and where turns then take some core longer than its work must, stages change cores at
random, the less likely the longer that makes cores take.

Where links cost something, stages that send each other much are brought together, so far as no core
has more to do for that. Where all share one link, a bus, that has its own limit: cores may have
more to do as long as less has to be sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil

import numpy as np
from numpy.typing import NDArray

from cmc.fitting.gather import Exchanged, Gathering
from cmc.fitting.level import leveled
from cmc.fitting.turns import TURNS, Rounds, longest
from cmc.poly.evaluate import as_ints

_Numbers = NDArray[np.int64]

ENDLESS = 1 << 60
"""More than any chip has of anything."""


@dataclass(frozen=True)
class Need:
    """What a stage needs of the core that runs it."""

    name: str
    crossbars: int
    bytes: int
    """Of SRAM."""
    cycles: Mapping[str, int]
    """By unit, how long an image takes it. There may be `TURNS` among them."""
    pace: int
    """Cycles for an image of the stage by itself."""
    follows: Sequence[str] = ()
    """The stages that it reads from."""
    iterations: int = 1
    """Those of an image."""


@dataclass(frozen=True)
class Room:
    """What a chip has: cores, and in each of them crossbars and bytes of SRAM."""

    cores: int
    crossbars: int = ENDLESS
    bytes: int = ENDLESS


@dataclass(frozen=True)
class Sending:
    """What stages send each other, by their names, each pair once."""

    sent: Mapping[tuple[str, str], int]
    bus: bool = False
    """Whether it is in cycles of one link, that all share, and not in bytes."""


NOTHING = Sending({})

SLACK = 0.01
"""By what part the busiest core may have more to do than it must, where less is sent for it."""

LIMITS = (1.0, 1.03, 1.06, 1.1, 1.15, 1.2, 1.3, 1.4, 1.6, 2.0, 3.0, 4.0, 6.0, 9.0, 13.0, 20.0)
"""How many times as much cores may have to do as without a bus, where there is one."""

CLOSE = 1.02
"""With so many times as much to do as it must, the busiest core has little enough."""

SHAKES = 1 << 10
"""How often each stage changes cores at random where that is not so."""

STEPS = 1 << 20
"""In how many steps stages are brought together at most, ..."""

EACH = 1 << 12
"""... and how many for each stage."""


def assigned(needs: Sequence[Need], room: Room) -> dict[str, int] | None:
    """The number of a core for each stage, by name; None where no place is found for one.

    Stages stand after those that they follow. A stage without crossbars finds a core full that
    would have more to do than any other, and more than the average.
    """
    least = least_load(needs, room)
    cores = _greedy(needs, room, least)
    if cores is None:
        return None
    packing = Packing.of(needs, room, NOTHING)
    of = packing.leveled(packing.numbered(cores.places), least)
    if packing.cores > 1 and packing.load(of) > CLOSE * least:
        of = min(of, packing.shaken(of), key=packing.load)
    return packing.named(of)


def least_load(needs: Sequence[Need], room: Room) -> int:
    """What the busiest core, or the slowest stage, has to do at the least, in cycles an image."""
    return max([_average(needs, room.cores), *(need.pace for need in needs)], default=0)


def gathered(
    needs: Sequence[Need],
    room: Room,
    places: Mapping[str, int],
    sending: Sending,
    seed: int = 0,
    steps: int = STEPS,
) -> dict[str, int]:
    """Cores of stages with less to send between them, found from such `places`.

    It is looked for in so many steps, or fewer for few stages, several times.
    """
    packing, steps = Packing.of(needs, room, sending), min(steps, EACH * len(needs))
    of = packing.numbered(places)
    allowed = max(packing.load(of), int(least_load(needs, room) * (1 + SLACK)))
    best, least, limit = of, packing.cost(of), 0
    for factor in LIMITS if sending.bus else LIMITS[:1]:
        # Cores that have more to do than what was found takes are of no use.
        before, limit = limit, int(allowed * factor)
        if factor > 1 and (limit := min(limit, least[0] - 1)) <= before:
            continue
        gathering = packing.gathering(limit)
        for start in (best, of, gathering.merged()):
            if start is not None and gathering.fits(start):
                tried = gathering.improved(start, steps, seed)
                if (found := packing.cost(tried)) < least:
                    best, least = tried, found
    return packing.named(best)


@dataclass(frozen=True)
class Packing:
    """Stages as numbers: what each needs of each resource, and what a core has of it."""

    needs: Sequence[Need]
    sizes: _Numbers
    """`[stages, resources]`: cycles of units, then crossbars and bytes."""
    hard: _Numbers
    """The crossbars and bytes of a core."""
    units: Sequence[str]
    rounds: Rounds
    cores: int
    sent: Mapping[tuple[int, int], int]
    bus: bool

    @staticmethod
    def of(needs: Sequence[Need], room: Room, sending: Sending) -> Packing:
        units = sorted({unit for need in needs for unit in need.cycles} - {TURNS})
        rows = [
            [*(need.cycles.get(unit, 0) for unit in units), need.crossbars, need.bytes]
            for need in needs
        ]
        sizes = np.array(rows, np.int64).reshape(len(needs), len(units) + 2)
        hard = np.array([room.crossbars, room.bytes], np.int64)
        numbers = {need.name: number for number, need in enumerate(needs)}
        # What a stage sends itself is on its core, wherever that is.
        sent = {
            (numbers[one], numbers[two]): n for (one, two), n in sending.sent.items() if one != two
        }
        # Stages never need more cores than there are stages.
        cores = max(1, min(room.cores, len(needs)))
        iterations = as_ints(max(1, need.iterations) for need in needs)
        held = as_ints(need.cycles.get(TURNS, _busy(need)) for need in needs)
        pace = as_ints(need.pace for need in needs)
        takes = sizes[:, : len(units)] // iterations[:, None]
        rounds = Rounds.of(iterations, held, pace, takes)
        return Packing(needs, sizes, hard, units, rounds, cores, sent, sending.bus)

    def load(self, of: _Numbers) -> int:
        """How long it takes until the last core is through with an image, with its turns."""
        return ceil(longest(self.rounds, of)) if len(of) else 0

    def work(self, of: _Numbers) -> int:
        """What the busiest unit of a core, or the slowest stage, has to do: of nothing but work."""
        used = np.zeros((self.cores, len(self.units)), np.int64)
        np.add.at(used, of, self.sizes[:, : len(self.units)])
        return max([int(used.max(initial=0)), *(need.pace for need in self.needs)])

    def between(self, of: _Numbers) -> int:
        """What is sent from core to core."""
        return self._exchanged.between(of)

    def least_bus(self, interval: int) -> int:
        """For how long a bus is taken at the least, if no core has more to do than `interval`.

        So many stages need so many cores. If stages that send each other something are on several
        cores, then of any tree of such stages as many edges lead from core to core as there are
        cores but one. The lightest edges of the heaviest tree are a bound.
        """
        room = np.concatenate([np.full(len(self.units), max(1, interval), np.int64), self.hard])
        cores = int((-(-self.sizes.sum(axis=0) // np.maximum(1, room))).max(initial=1))
        weights = self._tree
        # Stages that nothing joins to others are trees, too, and need no edge.
        trees = len(self.needs) - len(weights)
        return sum(weights[: max(0, cores - trees)])

    @cached_property
    def _tree(self) -> list[int]:
        """The edges of the heaviest trees that join stages, the lightest ones first."""
        joined = list(range(len(self.needs)))

        def root(stage: int) -> int:
            while joined[stage] != stage:
                joined[stage] = stage = joined[joined[stage]]
            return stage

        weights: list[int] = []
        for (one, other), sent in sorted(self.sent.items(), key=lambda item: -item[1]):
            if root(one) != root(other):
                joined[root(one)] = root(other)
                weights.append(sent)
        return weights[::-1]

    def least(self, load: int) -> int:
        """The least interval, if it is no less than `load`: the bus has its say."""
        if not self.bus:
            return load
        low, high = load - 1, max(load, self.least_bus(load))
        while high - low > 1:
            middle = (low + high) // 2
            if self.least_bus(middle) <= middle:
                high = middle
            else:
                low = middle
        return high

    def cost(self, of: _Numbers) -> tuple[int, int]:
        """What binds an interval where there is a bus, and what is sent between cores."""
        between = self.between(of)
        return (max(self.load(of), between) if self.bus else 0), between

    def gathering(self, limit: int) -> Gathering:
        """The stages on cores that have no more to do than `limit`."""
        room = np.concatenate([np.full(len(self.units), limit, np.int64), self.hard])
        return Gathering(self.sizes, room, self.cores, self._exchanged, self.rounds, limit)

    @cached_property
    def _exchanged(self) -> Exchanged:
        return Exchanged(len(self.needs), self.sent)

    def leveled(self, of: _Numbers, enough: int) -> _Numbers:
        """The cores of stages where the busiest has less to do, or no more than is `enough`."""
        sizes = np.column_stack([self.rounds.held, self.sizes])
        return leveled(sizes, 1 + len(self.units), self.hard, self.cores, of, enough)

    def shaken(self, of: _Numbers) -> _Numbers:
        """Other cores of stages, found at random, with loads that are more even in most cases."""
        # What is compiled takes a while to load.
        from cmc.fitting.anneal import annealed_loads

        sizes, steps = self.sizes[:, len(self.units) :], SHAKES * len(self.needs)
        return annealed_loads(sizes, self.rounds, self.hard, self.cores, of, steps, 0)

    def numbered(self, places: Mapping[str, int]) -> _Numbers:
        """The number of a core for each stage, in order."""
        return np.array([places[need.name] for need in self.needs], np.int64)

    def named(self, of: _Numbers) -> dict[str, int]:
        """The number of a core for each stage, by name."""
        return {need.name: core for need, core in zip(self.needs, of.tolist(), strict=True)}


def _greedy(needs: Sequence[Need], room: Room, least: int) -> _Cores | None:
    """Cores that were filled with all stages; None where one finds no place."""
    cores = _Cores.of(needs, room)
    if cores.spread(least):
        return cores
    cores = _Cores.of(needs, room)
    if not cores.pack(ENDLESS, least):
        return None
    # Limits with which no place was found for one, and with which there was one for all.
    low, high = least - 1, cores.busiest
    while high - low > max(1, high // 32):
        limit = (low + high) // 2
        tried = _Cores.of(needs, room)
        if tried.pack(limit, least):
            cores, high = tried, limit
        else:
            low = limit
    return cores


def chips(needs: Sequence[Need], room: Room) -> int | None:
    """How many chips of so much room have a place for each stage, whatever there is to do.

    None where none is found on twice as many as have enough in all.
    """
    idle = [replace(need, cycles={}, pace=0) for need in needs]
    crossbars, bytes = sum(need.crossbars for need in idle), sum(need.bytes for need in idle)
    least = max(
        1,
        -(-crossbars // (room.cores * room.crossbars)),
        -(-bytes // (room.cores * room.bytes)),
    )
    counts = range(least, 2 * least + 1)
    return next(
        (n for n in counts if assigned(idle, replace(room, cores=n * room.cores)) is not None), None
    )


def _busy(need: Need) -> int:
    return max(need.cycles.values(), default=0)


def _average(needs: Sequence[Need], cores: int) -> int:
    """What the cores' busiest kind of unit has to do if all of them have as much."""
    units = {unit for need in needs for unit in need.cycles} - {TURNS}
    totals = (sum(need.cycles.get(unit, 0) for need in needs) for unit in units)
    return max((-(-total // cores) for total in totals), default=0)


@dataclass
class _Cores:
    """Cores that are being filled with stages."""

    needs: Sequence[Need]
    room: Room
    crossbars: _Numbers
    bytes: _Numbers
    cycles: _Numbers
    """`[cores, units]`: how much there is to do for an image."""
    units: Sequence[str]
    places: dict[str, int] = field(default_factory=dict[str, int])

    @staticmethod
    def of(needs: Sequence[Need], room: Room) -> _Cores:
        units = sorted({unit for need in needs for unit in need.cycles})
        # Stages never need more cores than there are stages.
        count = min(room.cores, len(needs))
        used, held = (np.zeros(count, np.int64) for _ in range(2))
        return _Cores(needs, room, used, held, np.zeros((count, len(units)), np.int64), units)

    def spread(self, least: int) -> bool:
        """Give stages with crossbars to cores with little to do; whether all stages have a place.

        A core is not full with `least` to do.
        """
        for need in sorted(self._with_crossbars(), key=lambda need: -_busy(need)):
            fits, after = self._fits(need), self._after(need)
            if not self._put(need, fits, (after, self.crossbars)):
                return False
        return self._follow(least)

    def pack(self, limit: int, least: int) -> bool:
        """Give stages with crossbars to cores that they fill; whether all stages have a place.

        With them, a core has no more to do than `limit`.
        """
        for need in sorted(self._with_crossbars(), key=lambda need: -self._share(need)):
            after = self._after(need)
            fits = self._fits(need) & (after <= limit)
            if not self._put(need, fits, (-self._fullness(need), after)):
                return False
        return self._follow(least)

    def _follow(self, least: int) -> bool:
        """Give stages without crossbars to cores of stages before them."""
        busiest = max(least, self.busiest)
        for need in (need for need in self.needs if not need.crossbars):
            fits, after = self._fits(need), self._after(need)
            known = [self.places[name] for name in need.follows if name in self.places]
            core = next((core for core in known if fits[core] and after[core] <= busiest), None)
            near = fits if core is None else np.arange(len(fits)) == core
            if not self._put(need, near, (after, self.crossbars)):
                return False
            busiest = max(busiest, self.busiest)
        return True

    @property
    def busiest(self) -> int:
        """The most that a unit has to do."""
        return int(self.cycles.max(initial=0))

    def _with_crossbars(self) -> list[Need]:
        return [need for need in self.needs if need.crossbars]

    def _share(self, need: Need) -> float:
        """The largest share of a core that a stage needs."""
        crossbars, bytes = max(1, self.room.crossbars), max(1, self.room.bytes)
        return max(need.crossbars / crossbars, need.bytes / bytes)

    def _fits(self, need: Need) -> NDArray[np.bool_]:
        crossbars = self.crossbars + need.crossbars <= self.room.crossbars
        return crossbars & (self.bytes + need.bytes <= self.room.bytes)

    def _taken(self, need: Need) -> _Numbers:
        return np.array([need.cycles.get(unit, 0) for unit in self.units], np.int64)

    def _after(self, need: Need) -> _Numbers:
        """How much the busiest unit of each core would have to do with a stage more."""
        return np.max(self.cycles + self._taken(need), axis=1, initial=0)

    def _fullness(self, need: Need) -> NDArray[np.float64]:
        """The largest share of anything that would be used of each core with a stage more."""
        crossbars = (self.crossbars + need.crossbars) / max(1, self.room.crossbars)
        return np.maximum(crossbars, (self.bytes + need.bytes) / max(1, self.room.bytes))

    def _put(
        self, need: Need, fits: NDArray[np.bool_], keys: Sequence[NDArray[np.generic]]
    ) -> bool:
        """Give a stage to the best core of those that fit, by the keys in order; whether one does.

        Of equal cores it is the one with the lowest number.
        """
        among = np.flatnonzero(fits)
        if not len(among):
            return False
        core = int(among[np.lexsort([key[among] for key in reversed(keys)])[0]])
        self.crossbars[core] += need.crossbars
        self.bytes[core] += need.bytes
        self.cycles[core] += self._taken(need)
        self.places[need.name] = core
        return True
