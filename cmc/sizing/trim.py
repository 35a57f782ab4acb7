"""Rings without a slot to spare: with one less on any of them, some image would come later.

The schedule that `throughput` sizes are taken from is one of many, and need not be the one that
needs least of every ring. What execution itself makes of a slot less is found by solving the times
of a stream, once for each ring, and a few times more for a ring that can spare slots. Smaller rings
elsewhere never let a ring be smaller, so one pass over the rings is enough.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cmc.timing.flow import Flow
from cmc.timing.solver import solve
from cmc.timing.times import Times

LARGEST = 1 << 12
"""Iterations of an image, times channels, up to which it takes less than half a second."""

STREAM = 64
"""Images after which a stream counts only if each is the one before, so many cycles later."""


def trimmed(flow: Flow, slots: Sequence[int]) -> list[int]:
    """Slots of each edge's channel, no more than `slots`, with which every image is as early.

    Those of large pipelines, and where machines stop early or units are shared, stay as they are:
    where processes take turns, a slot less may also make images come earlier.
    """
    iterations = sum(process.iterations for process in flow.processes.values())
    if iterations * len(flow.edges) > LARGEST or not flow.complete or flow.shared:
        return list(slots)
    trim = list(slots)
    on_time = solve(flow.with_slots(trim), STREAM)
    if not on_time.alike:
        return trim
    for place, most in enumerate(slots):
        fewest, step = most, 1
        # Slots with which images are late, or none.
        late = 0
        while late < fewest - 1:
            trim[place] = max(late + 1, fewest - step)
            if _as_early(solve(flow.with_slots(trim), STREAM), on_time):
                fewest, step = trim[place], 2 * step
            else:
                late, step = trim[place], max(1, (fewest - trim[place]) // 2)
        trim[place] = fewest
    return trim


def _as_early(times: Times, others: Times) -> bool:
    """Whether a stream of any length with fewer slots is through as early as with more.

    Some of its parts may be slower all the same, if others are not through before them.
    """
    if not times.complete or not times.alike:
        return False
    images = max(times.settled, others.settled) + 1
    return np.array_equal(times.ends(images), others.ends(images))
