"""How fast images may follow each other on a chip at best, whichever stages get how many copies.

Counted is what an image takes. A copy of a stage begins at most so many iterations in an interval
as can follow each other in it, so a stage needs copies enough for all of its iterations. All copies
together need no more crossbars than the chip has. Of each kind of unit, every core has one. What
the GCU sends has no copies. All of this is necessary, whatever copies there are on whatever cores,
so the shortest interval that allows it is a lower bound; and as it only gets easier with a longer
interval, bisection finds that.

What an image takes of a core, or of a copy, is a whole number of cycles. So an interval, which is
an average over many images and may be a fraction, is no shorter than the bound, which is whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

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
class Chip:
    """What there is of cores, and of crossbars in all of them."""

    cores: int
    crossbars: int


def works(writers: Iterable[Writer]) -> list[Work]:
    """The work of stages and streams; copies of one stage are one work."""
    found: dict[str, Work] = {}
    for writer in writers:
        is_stage = isinstance(writer, StageOp)
        name = writer.origin if is_stage else writer.sym_name.data
        count = Iterations(writer.iterations.reset_tuple_id()).count
        before = found[name].iterations if name in found else 0
        pace = max([writer.cycles[1], *writer.occupied.values()])
        crossbars = len(list(writer.crossbars())) if is_stage else 0
        found[name] = Work(name, before + count, pace, writer.occupied, crossbars)
    return list(found.values())


def least_interval(stages: Sequence[Work], streams: Sequence[Work], chip: Chip) -> int | None:
    """The cycles between two images at the least; None where stages need too many crossbars."""
    slowest = max((work.iterations * work.pace for work in (*stages, *streams)), default=0)
    totals = [*_total(stages).values(), *_total(streams).values()]
    high = max([1, slowest, *totals])
    if not _suffices(high, stages, streams, chip):
        return None
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        if _suffices(middle, stages, streams, chip):
            high = middle
        else:
            low = middle
    return high


def _suffices(interval: int, stages: Sequence[Work], streams: Sequence[Work], chip: Chip) -> bool:
    """Whether nothing that is counted takes more than there is of it in an interval."""
    crossbars = 0
    for work in stages:
        copies = work.copies(interval)
        if copies is None:
            return False
        crossbars += work.crossbars * copies
    return (
        crossbars <= chip.crossbars
        and all(cycles <= chip.cores * interval for cycles in _total(stages).values())
        and all(work.iterations * work.pace <= interval for work in streams)
        and all(cycles <= interval for cycles in _total(streams).values())
    )


def _total(works: Iterable[Work]) -> Counter[str]:
    """By unit, the cycles for which an image takes those of all cores together."""
    total: Counter[str] = Counter()
    for work in works:
        total.update(work.cycles)
    return total
