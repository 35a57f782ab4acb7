# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Rings without a slot to spare: with one less on any of them, some image would come later.

The schedule that `throughput` sizes are taken from is one of many, and need not be the one that
needs least of every ring. What execution itself makes of a slot less is found by solving the times
of a stream, once for each ring, and a few times more for a ring that can spare slots. Smaller rings
elsewhere never let a ring be smaller, so one pass over the rings is enough.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from math import lcm

import numpy as np

from cmc.poly.evaluate import Ints
from cmc.streams import Turn
from cmc.timing.flow import Flow
from cmc.timing.solver import solve
from cmc.timing.times import Times

LARGEST = 1 << 12
"""Iterations of an image, times channels, up to which it takes less than half a second."""

STREAM = 256
"""Images after which a stream counts only if some are as those before, so many cycles later."""


def trimmed(flow: Flow, slots: Sequence[int]) -> list[int]:
    """Slots of each edge's channel, no more than `slots`, with which every image is as early.

    Those of large pipelines, and where machines stop early or units are shared, stay as they are:
    where processes take turns, a slot less may also make images come earlier.
    """
    if flow.turns > 1:
        return _trimmed_apart(flow, slots)
    iterations = sum(process.iterations for process in flow.processes.values())
    if iterations * len(flow.edges) > LARGEST or not flow.complete or flow.shared:
        return list(slots)
    trim = list(slots)
    on_time = solve(flow.with_slots(trim), STREAM)
    if not _span(on_time):
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


def _trimmed_apart(flow: Flow, slots: Sequence[int]) -> list[int]:
    """The same where pipelines take turns, each by itself; those that are alike once."""
    known: dict[Hashable, list[int]] = {}
    found = dict(zip(flow.edges, slots, strict=True))
    for part in flow.apart():
        given = [found[edge] for edge in part.edges]
        key = part.likeness, tuple(given)
        if key not in known:
            processes = {name: replace(p, turn=Turn()) for name, p in part.processes.items()}
            known[key] = trimmed(replace(part, processes=processes), given)
        found |= zip(part.edges, known[key], strict=True)
    return [found[edge] for edge in flow.edges]


def _as_early(times: Times, others: Times) -> bool:
    """Whether a stream of any length with fewer slots is through as early as with more.

    Some of its parts may be slower all the same, if others are not through before them.
    """
    if not times.complete or not _span(times):
        return False
    images = max(_settled(times), _settled(others)) + lcm(_span(times), _span(others))
    return np.array_equal(_ends(times, images), _ends(others, images))


def _span(times: Times) -> int:
    """How many images, the last that are solved, come again and again; 0 if none do."""
    if not times.leaps:
        return 0
    processes = times.flow.processes
    (span,) = {leap.count // processes[p].iterations for p, (leap,) in times.leaps.items()}
    return span


def _ends(times: Times, images: int) -> Ints:
    """When each image of a stream is through, however long that is.

    Its last images that are solved come again and again.
    """
    numbers, span = np.arange(1, images + 1), _span(times)
    ends: list[Ints] = []
    for name, process in times.flow.processes.items():
        again = np.maximum(0, -((times.solved[name] - numbers) // span))
        last = (numbers - again * span) * process.iterations - 1
        (leap,) = times.leaps[name]
        ends.append(times.starts[name].at(last) + process.latency + again * leap.rise)
    return np.max(ends, axis=0)


def _settled(times: Times) -> int:
    """The image after which those of the slowest processes end last."""
    span, most = _span(times), 0
    paces: list[tuple[int, Ints]] = []
    for name, process in times.flow.processes.items():
        most = max(most, times.solved[name])
        last = (times.solved[name] - np.arange(span)) * process.iterations - 1
        paces.append((times.leaps[name][0].rise, times.starts[name].at(last) + process.latency))
    pace = max(rise for rise, _ in paces)
    ends = np.max([ends for rise, ends in paces if rise == pace], axis=0)
    ahead = [-((ends - early) // (pace - rise)).min() for rise, early in paces if rise < pace]
    return most + span * max(0, *map(int, ahead), 0)
