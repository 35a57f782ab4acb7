# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Accuracy as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from cmc.accuracy.advice import Advice
from cmc.accuracy.measure import Accuracy
from cmc.accuracy.rows import (
    accuracy_rows,
    advice_rows,
    clipped_rows,
    costs_of,
    sources_of,
    stage_rows,
    title_of,
)
from cmc.accuracy.times import format_time
from cmc.reports.columns import aligned


def format_accuracy(found: Accuracy) -> str:
    """A row for the network in float, one for each time, what an image costs, and which stage
    hurts."""
    lines = [title_of(found), *(f"  {line}" for line in aligned(accuracy_rows(found)))]
    return "\n".join([*lines, costs_of(found), *_stages(found)])


def _stages(found: Accuracy) -> Iterator[str]:
    stages, clipped = stage_rows(found), clipped_rows(found)
    if not stages:
        return
    yield "signal-to-noise ratio of what each stage writes, in dB: of its own crossbars alone"
    yield from (f"  {line}" for line in aligned(stages))
    if not clipped:
        yield "no converter clips anything"
        return
    yield "clipped by converters, as what is beyond their ranges"
    yield from (f"  {line}" for line in aligned(clipped))


def format_advice(advice: Advice, found: Accuracy) -> str:
    """What stages have in the noise of the scores, and a row for each change."""
    if not advice.rows:
        return "nothing of the crossbars would help: they are exact"
    return "\n".join(
        [
            f"what would help at {format_time(advice.time)}, one step at a time, by running it: "
            "of one stage, or of all, compiled anew",
            f"  {sources_of(advice, found)}",
            *(f"  {line}" for line in aligned(advice_rows(advice, found), (0, 1))),
            *(
                f"  all stages, {row.title}: cannot be, {row.reason}"
                for row in advice.rows
                if row.reason is not None
            ),
        ]
    )
