# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How long a core takes to be through with an image's iterations of all its stages.

An iteration takes all its units at once, and gives them back one by one. Those of most stages need
the same unit longest, such as the port that issues products. They are taken to follow each other,
each for as long as it takes that. Stages that have work begin an iteration each in turn. So in a
round of turns a core does one iteration of all that are not through with the image; and a round
takes no less than an iteration of any of them. So the last ones, which have most iterations, may
leave a core idle whose crossbars take longer than its port: they are best together with others of
as many.

Others need another unit longest, and have it while these are at work: what is pooled takes the
digital unit as soon as data come and that is free, while the port issues products. But the next
products wait if it is not through when the port is. How long they do depends on when the data come:
taken is the average over all moments.

In a round, one whose iterations take much longer than others has the core for most of the time. If
that is long, rings of the others run full, and empty, and all stages that depend on these wait as
well: it is best alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cmc.fitting.bound import Work
from cmc.poly.evaluate import Ints

TURNS = "turns"
"""In place of a unit: for how long an image's iterations keep others from beginning."""

_LONG = 8
"""How many times as long as others an iteration takes that rings do not make up for, ..."""

_ALONE = 0.3
"""... and for which part of the interval such iterations do so that are best alone on a core."""


class Rounds(NamedTuple):
    """What stages do in turns, for an image, by stage."""

    iterations: Ints
    held: Ints
    """For how many cycles all of them keep others of a core from beginning."""
    pace: Ints
    """The cycles of all of them, if the stage is by itself."""
    takes: Ints
    """`[stages, units]`: for how many cycles each iteration takes each unit; there is a unit."""
    longest: Ints
    """The unit that each stage takes longest."""

    @staticmethod
    def of(iterations: Ints, held: Ints, pace: Ints, takes: Ints) -> Rounds:
        """The same of stages that take some units, or none."""
        takes = takes if takes.shape[1] else np.zeros((len(takes), 1), np.int64)
        return Rounds(iterations, held, pace, takes, takes.argmax(axis=1))


def longest(rounds: Rounds, of: Ints) -> float:
    """The cycles that the slowest core takes to be through with an image, by each stage's core."""
    alone = np.bincount(of)[of] == 1
    most = float(np.maximum(rounds.held, rounds.pace)[alone].max(initial=0))
    if alone.all():
        return most
    # What is compiled takes a while to load.
    from cmc.fitting.anneal import through

    return max(most, through(rounds, of))


@dataclass(frozen=True)
class Turns:
    """What the stages of a pipeline are like on average."""

    pace: float
    """How long it takes until the same stage begins the next iteration."""
    interval: int
    """What each core has to do if all but one have as much."""

    @staticmethod
    def of(works: Sequence[Work], cores: int) -> Turns:
        """The turns of such stages on so many cores."""
        count = max(1, sum(work.iterations for work in works))
        pace = sum(work.iterations * work.pace for work in works) / count
        most = sum(work.iterations * _longest(work.occupies) for work in works)
        return Turns(pace, -(-most // max(1, cores - 1)))

    def held(self, occupies: Mapping[str, int], iterations: int) -> int:
        """The cycles for which so many iterations keep others from beginning."""
        longest = _longest(occupies)
        whole = iterations * longest
        if longest > _LONG * self.pace and whole > _ALONE * self.interval:
            return max(whole, self.interval)
        return whole


def _longest(occupies: Mapping[str, int]) -> int:
    return max(occupies.values(), default=0)
