# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What would help: each figure of a target one step better, and rings with more room."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from cmc.api import Program
from cmc.errors import CmcError
from cmc.explain.rings import ring_steps, with_ring
from cmc.explain.steps import Step, steps_of
from cmc.explore.evaluate import Evaluator
from cmc.explore.point import Point
from cmc.reports.help import Help, Row
from cmc.reports.report import Report
from cmc.targets import find_target
from cmc.targets.keys import GROUPS
from cmc.track import Track, no_track

RINGS = "rings"
"""The key of all rings."""

_ENERGY = frozenset(key.name for key in GROUPS["Energy and area"])
"""Figures that change energy alone."""


def find_help(
    program: Program,
    report: Report,
    point: Point | None,
    only: Collection[str] = (),
    track: Track = no_track,
) -> Help:
    """Try all steps, or those of some keys; `point` is what the program was compiled from.

    Without that there are rings alone. The report is of one image, as those of steps are.
    """
    rows: list[Row] = []
    base = report.figures
    steps = [] if point is None else list(steps_of(point.target))
    steps = [step for step in steps if not only or step.key in only]
    evaluator = Evaluator()
    for step in track(steps, "trying"):
        assert point is not None
        rows.append(_with_target(evaluator, point, report, step))
    others = ""
    if not only or RINGS in only:
        chip = program.loaded
        tried = list(ring_steps(chip, report))
        for ring in track(tried, "trying rings"):
            found = with_ring(chip, report, ring)
            reason = found if isinstance(found, str) else None
            rows.append(Row(RINGS, ring.title, None if isinstance(found, str) else found, reason))
        others = _others(
            len(chip.rings) - len({one.ring.channel for one in tried}), chip.flow.shared
        )
    return Help(base, tuple(sorted(rows, key=_gain)), others)


def _others(count: int, shared: bool) -> str:
    if not count:
        return ""
    rings, them = ("1 other ring", "it") if count == 1 else (f"{count} other rings", "them")
    if shared:
        return f"{rings}: nothing waited for room in {them}"
    return f"{rings}: no wait above is for room in {them}, so more cannot help"


def _gain(row: Row) -> tuple[float, float, float, str]:
    one = row.figures
    if one is None:
        return float("inf"), 0, 0, row.title
    never = float("inf")
    interval = never if one.interval_ns is None else one.interval_ns
    return interval, one.latency_ns, one.energy_pj or 0, row.title


def _with_target(evaluator: Evaluator, point: Point, report: Report, step: Step) -> Row:
    try:
        if step.key in _ENERGY:
            changed = replace(report, target=find_target(step.target))
        else:
            changed = evaluator.program(replace(point, target=step.target)).time(1)
    except CmcError as error:
        return Row(step.key, step.title, None, str(error))
    return Row(step.key, step.title, changed.figures)


def keys_of(target: str) -> Sequence[str]:
    """What there is to choose from."""
    return [*(step.key for step in steps_of(target)), RINGS]


def point_of(network: Path, target: str, options: dict[str, object]) -> Point:
    """What a program is compiled from, as explorations have it."""
    return Point(str(network), target, options, 1, {})
