# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Iterations of programs as bars: exact, and not too many of them to be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cmc.poly.evaluate import Ints, spans
from cmc.reports.report import ProgramReport
from cmc.timing.runs import Runs

MOST = 40_000
"""Bars that a browser draws at once without a person waiting for it."""


@dataclass(frozen=True, eq=False)
class Bars:
    """Iterations of a program, those of each bar one after the other and of one image."""

    first: Ints
    """The first iteration of each bar, counted over the program's own images."""
    counts: Ints
    begin: Ints
    """The cycle in which the first iteration begins."""
    end: Ints
    """The cycle from which on the one after the last could begin."""
    pace: int
    """Cycles for which an iteration takes its stage."""

    @property
    def busy(self) -> Ints:
        """The cycles of each bar that iterations take: all but those waited between them."""
        return self.counts * self.pace


def bars_of(programs: Sequence[ProgramReport], most: int = MOST) -> tuple[list[Bars], int]:
    """The bars of each program's shown images, and the longest wait that is within a bar.

    Each program has shown iterations.

    That is the least with which there are at most so many bars, if not of one for each image.
    """
    runs = [_by_image(program) for program in programs]
    gaps = [_gaps(one, program) for one, program in zip(runs, programs, strict=True)]
    images = sum(-(-program.shown.length // program.iterations) for program in programs)
    longest = _longest_within(gaps, most - images)
    found = [_bars(one, program, longest) for one, program in zip(runs, programs, strict=True)]
    return found, longest


def _by_image(program: ProgramReport) -> Runs:
    """When the shown iterations begin, in runs none of which has iterations of two images."""
    return program.shown.merged().split(np.arange(0, program.shown.length, program.iterations))


def _gaps(runs: Runs, program: ProgramReport) -> tuple[Ints, Ints]:
    """How long iterations of an image wait after the one before, and how many do so."""
    within = runs.slopes - program.pace, runs.counts - 1
    same = runs.starts[1:] % program.iterations != 0
    between = (runs.values[1:] - runs.lasts[:-1] - program.pace)[same]
    return (
        np.concatenate([within[0], between]),
        np.concatenate([within[1], np.ones_like(between)]),
    )


def _longest_within(gaps: Sequence[tuple[Ints, Ints]], most: int) -> int:
    """The least wait such that at most so many are longer."""
    lengths, counts = (np.concatenate(column) for column in zip(*gaps, strict=True))
    descending = np.argsort(-lengths, kind="stable")
    longer = np.cumsum(counts[descending])
    beyond = descending[longer > max(most, 0)]
    return max(int(lengths[beyond].max(initial=0)), 0)


def _bars(runs: Runs, program: ProgramReport, longest: int) -> Bars:
    step = program.pace
    # Of runs in which each iteration waits longer, each is a bar.
    apart = runs.slopes - step > longest
    run, number = spans(np.where(apart, runs.counts, np.minimum(runs.counts, 1)))
    before = np.append(0, runs.lasts[:-1]) + step
    new = (runs.values - before > longest) | (runs.starts % program.iterations == 0)
    first = (runs.starts[run] + number)[(number > 0) | new[run]]
    after = np.append(first[1:], runs.length)
    return Bars(first, after - first, runs.at(first), runs.at(after - 1) + step, step)
