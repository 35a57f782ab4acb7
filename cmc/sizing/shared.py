# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Rings with which a stream is as fast as the most loaded unit allows, where units are shared.

The periodic schedule that `throughput` takes rings from knows nothing of turns: two processes may
have a unit at once. Serving them in turns comes close to its pace with the rings that it needs, and
to within a few per cent or less once these hold some rows more, so that a process whose turn comes
late finds work. How many are enough is found by trying, on a stream of bounded length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from cmc.sizing.throughput import period
from cmc.timing.flow import Flow
from cmc.timing.solver import solve

MORE_ROWS = (1, 2, 4, 8)
"""By how many rows rings are made longer, as long as no fewer are enough."""

EVENTS = 1 << 20
"""Iterations, and vectors on links, of a stream that is tried: a second or so.

Where that is too few for so many images as are wanted, only the fewest slots are tried. If these
are not enough, rings are an image longer, and by the most rows at least: in a stream so short,
longer rings do little but run full.
"""

CLOSE = 1.005
"""Where the pace changes from image to image, so close to the bound is as good as there."""

IMAGES = 64
"""Images of such a stream at most, and an eighth of that at least."""


def roomy_slots(
    flow: Flow,
    least: Sequence[int],
    rows: Sequence[int],
    fitted: Callable[[Sequence[int], Sequence[int]], list[int]],
) -> list[int]:
    """The slots of each edge's channel, with which a stream is the fastest of those tried.

    `least` has those that are tried first, and `rows` the elements in a row of each channel's
    object. `fitted` takes slots away for which there is no room, those beyond `least` first.
    """
    best = fitted(least, least)
    if not flow.complete:
        return best
    fastest, tried = pace(flow, best), best
    if _images(flow) < IMAGES and not fastest.reaches(period(flow)):
        longer = zip(least, flow.edges, rows, strict=True)
        return fitted(
            [n + max(flow.elements(e), MORE_ROWS[-1] * row) for n, e, row in longer], least
        )
    for more in MORE_ROWS:
        if fastest.reaches(period(flow)):
            break
        slots = fitted([count + more * row for count, row in zip(least, rows, strict=True)], least)
        if slots == tried:
            break
        tried = slots
        if (found := pace(flow, slots)).cycles < fastest.cycles:
            best, fastest = slots, found
    return best


class Pace(NamedTuple):
    """Cycles from one image of a pipeline to its next one.

    They are not `exact`, but those of the later half of a stream, where they change.
    """

    cycles: float
    exact: bool

    def reaches(self, bound: int) -> bool:
        """Whether no stream can be faster by as much as a stream of a few images can tell."""
        return self.cycles <= (bound if self.exact else CLOSE * bound)


def pace(flow: Flow, slots: Sequence[int]) -> Pace:
    """The pace of a stream with these rings."""
    images = _images(flow)
    times = solve(flow.with_slots(slots), images * flow.turns, arrivals=False)
    if times.period is not None:
        return Pace(float(times.period), True)
    # Results come out in the order of images.
    ends = np.maximum.accumulate(times.ends(images * flow.turns))[flow.turns - 1 :: flow.turns]
    half = images // 2
    return Pace(float(ends[-1] - ends[half - 1]) / (images - half), False)


def _images(flow: Flow) -> int:
    """How many images there are of a stream that is tried."""
    return max(IMAGES // 8, min(IMAGES, EVENTS // _events(flow)))


def _events(flow: Flow) -> int:
    """Iterations of an image, and as often as one of its vectors comes to a link with others."""
    iterations = sum(process.iterations for process in flow.processes.values())
    hops = (
        flow.elements(edge) * sum(link in flow.contended for link in edge.way.links)
        for edge in flow.delayed
    )
    return iterations + sum(hops)
