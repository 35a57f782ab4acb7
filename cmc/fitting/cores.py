"""Stages to cores: within what a core has, and so that no unit has much more to do than others.

Which assignment is best is a packing problem that is hard to solve exactly. What is done here is
greedy, always comes to the same, and takes milliseconds. Stages with crossbars go first, those that
need most of a core before others, each to the core that has least to do. Where that leaves too few
crossbars or bytes together, they fill one core after the other, with as low a limit of what a core
may have to do as that takes. Stages without crossbars then go to a core that runs a stage that they
follow, unless that is full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

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
    """By unit, how long an image takes it."""
    pace: int
    """Cycles for an image of the stage by itself."""
    follows: Sequence[str] = ()
    """The stages that it reads from."""


@dataclass(frozen=True)
class Room:
    """What a chip has: cores, and in each of them crossbars and bytes of SRAM."""

    cores: int
    crossbars: int = ENDLESS
    bytes: int = ENDLESS


def assigned(needs: Sequence[Need], room: Room) -> dict[str, int] | None:
    """The number of a core for each stage, by name; None where no place is found for one.

    Stages stand after those that they follow. A stage without crossbars finds a core full that
    would have more to do than any other, and more than the average.
    """
    least = max([_average(needs, room.cores), *(need.pace for need in needs)], default=0)
    cores = _Cores.of(needs, room)
    if cores.spread(least):
        return cores.places
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
    return cores.places


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
    units = {unit for need in needs for unit in need.cycles}
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
