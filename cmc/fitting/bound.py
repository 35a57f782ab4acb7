# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How fast images may follow each other on a chip at best, whichever stages get how many copies.

Counted is what an image takes. A copy of a stage begins at most so many iterations in an interval
as can follow each other in it, so a stage needs copies enough for all of its iterations. All copies
together need no more crossbars than the chip has. Of each kind of unit, every core has one. What
the GCU sends has no copies. All of this is necessary, whatever copies there are on whatever cores,
so the shortest interval that allows it is a lower bound; and as it only gets easier with a longer
interval, bisection finds that.

What an image takes of a core, or of a copy, is a whole number of cycles. So an interval, which is
an average over many images and may be a fraction, is no shorter than the bound, which is whole.
Only where several pipelines take turns it is a fraction: each then has an image in that time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from cmc.dialects.cmpipe import StageOp, Writer
from cmc.poly.counting import Iterations


@dataclass(frozen=True)
class Work:
    """What a stage, or a stream of the GCU, does for an image, in one copy or in many."""

    name: str
    iterations: int
    pace: int
    """The cycles of an iteration in which the same copy begins no other."""
    occupies: Mapping[str, int]
    """By unit, the cycles for which an iteration takes it."""
    crossbars: int = 0
    """Those of one copy."""

    def copies(self, interval: int) -> int | None:
        """How many copies it takes at least; None if an iteration is longer than the interval."""
        each = interval // self.pace
        return -(-self.iterations // each) if each else None

    @property
    def cycles(self) -> Counter[str]:
        """By unit, the cycles for which an image takes it."""
        return Counter({unit: n * self.iterations for unit, n in self.occupies.items()})


@dataclass(frozen=True)
class Supply:
    """What there is of cores, and of crossbars in all of them."""

    cores: int
    crossbars: int


def work_of(writer: Writer, name: str) -> Work:
    """The work of a stage or a stream, by this name."""
    count = Iterations(writer.iterations.reset_tuple_id()).count
    pace = max([writer.cycles[1], *writer.occupied.values()])
    crossbars = len(list(writer.crossbars())) if isinstance(writer, StageOp) else 0
    return Work(name, count, pace, writer.occupied, crossbars)


def works(writers: Iterable[Writer], pipelines: int = 1) -> list[Work]:
    """The work of stages and streams for an image, where so many pipelines take turns with them.

    Copies of one stage are one work.
    """
    found: dict[str, Work] = {}
    counts: Counter[str] = Counter()
    for writer in writers:
        name = writer.origin if isinstance(writer, StageOp) else writer.sym_name.data
        found[name] = work_of(writer, name)
        counts[name] += found[name].iterations
    return [replace(work, iterations=counts[name] // pipelines) for name, work in found.items()]


@dataclass(frozen=True)
class Demand:
    """What a network needs of a chip for an image."""

    stages: Sequence[Work]
    streams: Sequence[Work]

    def least_interval(self, supply: Supply, pipelines: int = 1) -> int | None:
        """The cycles at the least in which each of so many pipelines is through with an image.

        None where their stages need too many crossbars.
        """
        works = (*self.stages, *self.streams)
        slowest = max((work.iterations * work.pace for work in works), default=0)
        high = max(1, slowest, pipelines * sum(sum(work.cycles.values()) for work in works))
        if not self._suffices(high, supply, pipelines):
            return None
        low = 0
        while high - low > 1:
            middle = (low + high) // 2
            enough = self._suffices(middle, supply, pipelines)
            low, high = (low, middle) if enough else (middle, high)
        return high

    def least_of_all(self, supply: Supply) -> Fraction | None:
        """The cycles between two images at the least, however many pipelines take turns."""
        least = self.least_interval(supply)
        crossbars = sum(work.crossbars for work in self.stages)
        if least is None:
            return None
        if crossbars == 0:  # any number of them, of which each has but a share of every unit
            shares = [Fraction(cycles, supply.cores) for cycles in _total(self.stages)]
            return max([*shares, *map(Fraction, _total(self.streams))], default=Fraction(0))
        best = Fraction(least)
        for pipelines in range(2, supply.crossbars // crossbars + 1):
            if self._suffices(ceil(best * pipelines) - 1, supply, pipelines):
                found = self.least_interval(supply, pipelines)
                assert found is not None
                best = Fraction(found, pipelines)
        return best

    def _suffices(self, interval: int, supply: Supply, pipelines: int) -> bool:
        """Whether nothing takes more than there is of it, with an image each in an interval."""
        crossbars = 0
        for work in self.stages:
            copies = work.copies(interval)
            if copies is None:
                return False
            crossbars += pipelines * work.crossbars * copies
        return (
            crossbars <= supply.crossbars
            and all(pipelines * n <= supply.cores * interval for n in _total(self.stages))
            and all(work.iterations * work.pace <= interval for work in self.streams)
            and all(pipelines * n <= interval for n in _total(self.streams))
        )


def _total(works: Iterable[Work]) -> Iterable[int]:
    """For each kind of unit, the cycles for which an image takes those of all cores together."""
    total: Counter[str] = Counter()
    for work in works:
        total.update(work.cycles)
    return total.values()
