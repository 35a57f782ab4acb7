# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Accuracy as tables of words, for a terminal and for a page: the first row has the titles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

from cmc.accuracy.advice import Advice
from cmc.accuracy.measure import Accuracy
from cmc.accuracy.stages import StageNoise
from cmc.accuracy.times import format_time
from cmc.accuracy.trials import BEST, Shares
from cmc.reports.help import Figures

Rows = Sequence[tuple[str, ...]]


def title_of(found: Accuracy) -> str:
    """What was run."""
    spread = (
        f"mean and standard deviation over {found.trials} chips"
        if found.trials > 1
        else "one chip"
        if found.differ
        else "all chips are alike, and stay as they are"
    )
    images = "1 image" if found.given == 1 else f"{found.given} images"
    if found.images < found.given:
        images = f"{found.images} of {images}"
    return f"accuracy on {found.target.name}, of {images} by output '{found.output}': {spread}"


def accuracy_rows(found: Accuracy) -> Rows:
    """The network in float, and each time."""
    rows: list[tuple[str, ...]] = [("", "top-1", f"top-{BEST}")]
    rows += [("float", f"{found.top1:.2%}", f"{found.top5:.2%}")]
    for moment in found.moments:
        shares = (format_shares(one) for one in (moment.top1, moment.top5))
        rows.append((format_time(moment.time), *shares))
    return rows


def costs_of(found: Accuracy) -> str:
    """The time and the energy that an image takes."""
    figures = found.report.figures
    known = [f"latency {figures.latency_ns:,.6g} ns"]
    if figures.interval_ns is not None:
        known.insert(0, f"an image every {figures.interval_ns:,.6g} ns")
    if figures.energy_pj is not None:
        known.append(f"{figures.energy_pj / 1e3:,.6g} nJ an image")
    return ", ".join(known)


def stage_rows(found: Accuracy) -> Rows:
    """What each stage's own crossbars add at each time, and all; nothing if they are exact."""
    stages, times = _by_name(found)
    if not stages[0]:
        return []
    rows = [("", *times)]
    for name in stages[0]:
        rows.append((name, *(_decibels(moment[name].snr_db) for moment in stages)))
    ratios = [moment.scores_snr_db for moment in found.moments[: len(times)]]
    return [*rows, (f"output '{found.output}', of all", *map(_decibels, ratios))]


def clipped_rows(found: Accuracy) -> Rows:
    """What converters clip at each time; nothing if they clip nothing."""
    stages, times = _by_name(found)
    rows: list[tuple[str, ...]] = []
    for name, stage in stages[0].items():
        for number, tile in enumerate(stage.tiles):
            tiles = [moment[name].tiles[number] for moment in stages]
            for what, shares in (
                ("inputs", [one.inputs for one in tiles]),
                ("sums", [one.sums for one in tiles]),
            ):
                if any(shares):
                    title = f"{what} of {tile.crossbar} in {name}"
                    rows.append((title, *map(_clipped, shares)))
    return [("", *times), *rows] if rows else []


def advice_rows(advice: Advice, found: Accuracy) -> Rows:
    """Each change, and those that cannot be."""
    base, moment = found.report.figures, found.moments[-1]
    titles = ("", "", "top-1", f"SNR of '{found.output}'", "interval", "energy of an image")
    rows = [titles, ("as it is", "", *_changed(moment.top1, moment.scores_snr_db, base, base))]
    for row in advice.rows:
        if row.top1 is not None:
            changed = _changed(row.top1, row.scores_snr_db, row.figures, base)
            rows.append((row.stage or "all stages", row.title, *changed))
    return rows


def sources_of(advice: Advice, found: Accuracy) -> str:
    """From which stages the noise of the scores is."""
    parts = [f"{stage} {share:.0%}" for stage, share in advice.shares.items()]
    shown = parts if len(parts) <= _STAGES else [*parts[:_STAGES], f"{len(parts) - _STAGES} others"]
    return f"noise of '{found.output}' by the stage that it is from: {', '.join(shown)}"


_STAGES = 8
"""Of stages, how many are named in a line."""


def format_shares(shares: Shares) -> str:
    """A mean, and by how much chips differ."""
    spread = f" ± {shares.deviation:.2%}" if len(shares.trials) > 1 else ""
    return f"{shares.mean:.2%}{spread}"


def _by_name(found: Accuracy) -> tuple[list[Mapping[str, StageNoise]], list[str]]:
    """The stages at each time, and what these are called; of chips that stay alike at one."""
    moments = found.moments if found.differ else found.moments[:1]
    times = [format_time(moment.time) for moment in moments] if found.differ else ["at any time"]
    return [{stage.stage: stage for stage in moment.stages} for moment in moments], times


def _clipped(share: float | None) -> str:
    return "< 0.01%" if share and share < 0.0001 else f"{share or 0:.2%}"


def _decibels(ratio: float | None, unit: str = "") -> str:
    if ratio is None:
        return "exact"
    return f"{ratio:.1f}{unit}" if isfinite(ratio) else "no signal"


def _changed(
    top1: Shares, ratio: float | None, figures: Figures | None, base: Figures
) -> tuple[str, str, str, str]:
    """The cells of a change; times and energies where they are others."""
    interval = energy = ""
    if figures is not None and (figures is base or figures.interval_ns != base.interval_ns):
        interval = f"{figures.interval_ns:,.6g} ns" if figures.interval_ns else "unknown"
    if figures is not None and (figures is base or figures.energy_pj != base.energy_pj):
        energy = f"{figures.energy_pj / 1e3:,.6g} nJ" if figures.energy_pj else "unknown"
    return format_shares(top1), _decibels(ratio, " dB"), interval, energy
