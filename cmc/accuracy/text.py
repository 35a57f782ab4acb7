# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Accuracy as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cmc.accuracy.advice import Advice
from cmc.accuracy.measure import Accuracy
from cmc.accuracy.stages import StageNoise
from cmc.accuracy.times import format_time
from cmc.accuracy.trials import BEST, Shares
from cmc.reports.columns import aligned
from cmc.reports.help import Figures


def format_accuracy(found: Accuracy) -> str:
    """A row for the network in float, one for each time, and what an image costs."""
    best = (1, BEST)
    rows = [("", *(f"top-{number}" for number in best))]
    rows.append(("float", *(f"{share:.2%}" for share in (found.top1, found.top5))))
    for moment in found.moments:
        rows.append((format_time(moment.time), *map(format_shares, (moment.top1, moment.top5))))
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
    return "\n".join(
        [
            f"accuracy on {found.target.name}, of {images} by output '{found.output}': {spread}",
            *(f"  {line}" for line in aligned(rows)),
            _costs(found.report.figures),
            *_stages(found),
        ]
    )


def _stages(found: Accuracy) -> Iterator[str]:
    """What each stage's own crossbars add, and what is clipped, at each time."""
    moments = found.moments if found.differ else found.moments[:1]
    names = [stage.stage for stage in moments[0].stages]
    if not names:
        return
    by_name = [{stage.stage: stage for stage in moment.stages} for moment in moments]
    times = [format_time(moment.time) for moment in moments] if found.differ else ["SNR"]
    rows = [("", *times)]
    for name in names:
        rows.append((name, *(_decibels(stages[name].snr_db) for stages in by_name)))
    rows.append(
        (
            f"output '{found.output}', of all",
            *(_decibels(moment.scores_snr_db) for moment in moments),
        )
    )
    yield "signal-to-noise ratio of what each stage writes, in dB: of its own crossbars alone"
    yield from (f"  {line}" for line in aligned(rows))
    yield from _clipped(by_name, times)


def _clipped(moments: Sequence[Mapping[str, StageNoise]], times: Sequence[str]) -> Iterator[str]:
    rows: list[tuple[str, ...]] = []
    for name, stage in moments[0].items():
        for number, tile in enumerate(stage.tiles):
            tiles = [stages[name].tiles[number] for stages in moments]
            for what, shares in (
                ("inputs", [tile.inputs for tile in tiles]),
                ("sums", [tile.sums for tile in tiles]),
            ):
                if any(shares):
                    title = f"{what} of {tile.crossbar} in {name}"
                    rows.append((title, *(f"{share or 0:.2%}" for share in shares)))
    if not rows:
        yield "no converter clips anything"
        return
    yield "clipped by converters, as what is beyond their ranges"
    yield from (f"  {line}" for line in aligned([("", *times), *rows]))


def _decibels(ratio: float | None) -> str:
    return "exact" if ratio is None else f"{ratio:.1f}"


def format_advice(advice: Advice, found: Accuracy) -> str:
    """What stages have in the noise of the scores, and a row for each change."""
    parts = [f"{stage} {share:.0%}" for stage, share in advice.shares.items()]
    shown = parts if len(parts) <= _STAGES else [*parts[:_STAGES], f"{len(parts) - _STAGES} others"]
    base, moment = found.report.figures, found.moments[-1]
    columns = ("", "", "top-1", f"SNR of '{found.output}'", "interval", "energy of an image")
    rows = [columns, ("as it is", "", *_changed(moment.top1, moment.scores_snr_db, base, base))]
    for row in advice.rows:
        if row.top1 is not None:
            changed = _changed(row.top1, row.scores_snr_db, row.figures, base)
            rows.append((row.stage or "all stages", row.title, *changed))
    return "\n".join(
        [
            f"what would help at {format_time(advice.time)}, one step at a time, by running it: "
            "of one stage, or of all, compiled anew",
            f"  noise of '{found.output}' by the stage that it is from: {', '.join(shown)}",
            *(f"  {line}" for line in aligned(rows, (0, 1))),
            *(
                f"  all stages, {row.title}: cannot be, {row.reason}"
                for row in advice.rows
                if row.reason is not None
            ),
        ]
    )


_STAGES = 8
"""Of stages, how many are named in a line."""


def _changed(
    top1: Shares, ratio: float | None, figures: Figures | None, base: Figures
) -> tuple[str, str, str, str]:
    """The cells of a change; times and energies where they are others."""
    interval = energy = ""
    if figures is not None and (figures is base or figures.interval_ns != base.interval_ns):
        interval = f"{figures.interval_ns:,.6g} ns" if figures.interval_ns else "unknown"
    if figures is not None and (figures is base or figures.energy_pj != base.energy_pj):
        energy = f"{figures.energy_pj / 1e3:,.6g} nJ" if figures.energy_pj else "unknown"
    shown = "exact" if ratio is None else f"{ratio:.1f} dB"
    return format_shares(top1), shown, interval, energy


def format_shares(shares: Shares) -> str:
    spread = f" ± {shares.deviation:.2%}" if len(shares.trials) > 1 else ""
    return f"{shares.mean:.2%}{spread}"


def _costs(figures: Figures) -> str:
    known = [f"latency {figures.latency_ns:,.6g} ns"]
    if figures.interval_ns is not None:
        known.insert(0, f"an image every {figures.interval_ns:,.6g} ns")
    if figures.energy_pj is not None:
        known.append(f"{figures.energy_pj / 1e3:,.6g} nJ an image")
    return ", ".join(known)
