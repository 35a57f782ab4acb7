# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""For how long stages keep others of their core from beginning.

An iteration takes all its units at once. While one has the digital unit for long, no other begins
that needs it for a moment, and the port that issues products is idle. So what a core is through
with in an interval is less than what each of its units has time for. How much less depends on who
follows whom. This is an estimate: most iterations take the unit that has most to do, and leave the
other units for some time on average. Others fit into that time as far as they are not longer.

While one of those that are much longer has the core, rings of the others run full, and empty, and
all stages that depend on these wait as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cmc.fitting.bound import Work

TURNS = "turns"
"""In place of a unit: what stages keep from others adds up on a core as the work of a unit does."""

_LONG = 8
"""How many times as long as others an iteration takes that rings do not make up for, ..."""

_ALONE = 0.3
"""... and for which part of the interval such iterations do so that are best alone on a core."""


@dataclass(frozen=True)
class Turns:
    """What the stages of a pipeline are like on average."""

    unit: str
    """The one that has most to do."""
    slack: float
    """For how long an iteration that takes it leaves the others, on average."""
    pace: float
    """How long it takes until the same stage begins the next iteration, on average."""
    interval: int
    """What each core has to do if all but one have as much."""

    @staticmethod
    def of(works: Sequence[Work], cores: int) -> Turns:
        """The turns of such stages on so many cores."""
        total = sum((work.cycles for work in works), Counter[str]())
        unit, most = max(total.items(), key=lambda item: item[1], default=("", 0))
        users = [work for work in works if unit in work.occupies]
        count = max(1, sum(work.iterations for work in users))
        slack = sum(work.iterations * _left(work.occupies, unit) for work in users) / count
        pace = sum(work.iterations * work.pace for work in users) / count
        return Turns(unit, slack, pace, -(-most // max(1, cores - 1)))

    def held(self, occupies: Mapping[str, int], iterations: int) -> int:
        """The cycles for which so many iterations keep others from beginning, about."""
        longest = max(occupies.values(), default=0)
        whole = iterations * longest
        if longest > _LONG * self.pace and whole > _ALONE * self.interval:
            return max(whole, self.interval)
        if self.unit not in occupies:
            longest = max(0, round(longest - self.slack))
        return iterations * longest


def _left(occupies: Mapping[str, int], unit: str) -> int:
    others = (cycles for name, cycles in occupies.items() if name != unit)
    return max(0, occupies[unit] - max(others, default=0))
