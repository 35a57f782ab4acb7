"""Step functions of channels as counts: how many signals each step awaits, how far it reaches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import islpy as isl
import numpy as np

from cmc.flow import Steps
from cmc.poly.counting import Iterations, counted
from cmc.poly.order import Order
from cmc.runs import Runs


@dataclass(frozen=True, eq=False)
class Staircase:
    """A machine's steps, each of which awaits more signals and reaches further than the one before.

    Step i happens when `awaits[i]` signals of the image were seen; then `reaches[i]` of what the
    machine drives may happen. `initial` may happen before the first one.
    """

    awaits: Runs
    reaches: Runs
    initial: int

    @cached_property
    def starts(self) -> Runs:
        """How much may happen before each step: the first thing that it allows, counted from 0."""
        return Runs.joined([Runs.line(1, self.initial), self.reaches]).head(self.reaches.length)

    @property
    def end(self) -> int:
        """How much may happen after the last step."""
        return self.reaches.last if self.reaches.length else self.initial

    def steps(self) -> Steps:
        """Step by step."""
        return Steps(self.awaits.expanded(), self.reaches.expanded(), self.initial)


def staircase(
    steps: isl.Map, initial: isl.Set | None, signals: Iterations, driven: Iterations
) -> Staircase:
    """The steps of a single-valued map from signals to the last that each of them allows."""
    start = 0 if initial is None else int(driven.reached(Order.of(initial).points)[-1])
    awaits, reaches = counted(steps, signals, driven)
    if not (reaches.increasing and np.all(reaches.values[:1] > start)):
        each = np.maximum.accumulate(np.maximum(reaches.expanded(), start))
        grows = np.diff(each, prepend=start) > 0
        awaits, reaches = Runs.of(awaits.expanded()[grows]), Runs.of(each[grows])
    return Staircase(awaits, reaches, start)
