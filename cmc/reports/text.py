# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A report as text for a terminal: a table of the cores, and a picture of the pipeline."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cmc.reports.columns import aligned
from cmc.reports.energy import FIGURES, Energy, Kind
from cmc.reports.host import format_host
from cmc.reports.report import CoreReport, ProgramReport, Report
from cmc.timing.runs import Runs

_IMAGES_SHOWN = 8

_LISTED = 3
"""Of a core's stages, and of what it waited for, how many are named."""


def format_report(report: Report, width: int) -> str:
    """Table, picture and totals, in lines of at most `width` characters where that is possible."""
    parts = [format_host(report.host, bool(report.cores))]
    if report.cores:
        parts = [format_table(report), format_picture(report, width), format_totals(report), *parts]
    return "\n\n".join(part for part in parts if part)


def format_table(report: Report) -> str:
    """One line a core: what it runs, what of it that takes, and what it waited for."""
    units = sorted({unit for core in report.cores for unit in core.loads})
    busy = [f"{unit} busy" for unit in units]
    energy = report.energy if report.energy is not None and report.energy.total else None
    joules = [] if energy is None else ["energy"]
    header = ("core", "stages", "crossbars", "cells used", "busy", *busy, "SRAM bytes", *joules)
    rows = [
        (
            core.name,
            _format_some([program.name for program in core.programs], "more"),
            f"{core.crossbars:,}" if core.crossbars else "",
            _format_of(core.cells_used, core.cells) if core.crossbars else "",
            _format_share(report, core.load),
            *(_format_share(report, core.loads.get(unit, 0)) for unit in units),
            _format_of(core.sram_bytes, report.target.sram_bytes) if core.sram_bytes else "",
            *([] if energy is None else [_format_core_joules(energy, core.name)]),
            _format_waiting(core),
        )
        for core in report.cores
    ]
    lines = aligned([(*header, "waiting on"), *rows], left=(0, 1, len(header)))
    return "\n".join(lines)


def format_picture(report: Report, width: int) -> str:
    """Programs downwards, time to the right: which image (last digit) a program works on."""
    shown = [
        (one, one.shown.head(min(one.shown.length, _IMAGES_SHOWN * one.iterations)))
        for core in report.cores
        for one in core.programs
        if one.shown.length
    ]
    begin = min(starts.first for _, starts in shown)
    end = max(starts.last for _, starts in shown) + 1
    margin = max(len(one.name) for one, _ in shown)
    columns = max(1, min(width - margin - 3, end - begin))
    # In a column are the cycles from its bound on to the next one's.
    bounds = begin - np.arange(columns + 1) * (begin - end) // columns
    lines = [f"{one.name:<{margin}} |{_draw(one, starts, bounds)}|" for one, starts in shown]
    last = (one.turn.image(starts.length // one.iterations - 1) for one, starts in shown)
    images = 1 + max(last)
    what = "image 0" if images == 1 else f"images 0 to {images - 1}"
    per_column = (end - begin) / columns
    scale = f"{per_column:,.0f}" if per_column >= 100 else f"{per_column:.3g}"
    title = f"{what}, cycles {begin:,} to {end - 1:,}, {scale} a column, '.' is idle"
    return "\n".join([title, *lines])


def format_totals(report: Report) -> str:
    """How long the stream took, how long an image takes, what binds, and what is used."""
    text = f"{_count(report.images, 'image')} in {_count(report.cycles, 'cycle')}"
    if report.cycles_per_image is not None:
        text += f", {_format_number(report.cycles_per_image)} cycles per image in steady state"
    if report.pipelines > 1:
        text += f"; {report.pipelines} pipelines take turns with images"
    lines = [text, f"latency {_format_time(report, report.latency)}"]
    if report.interval is not None and report.images_per_second is not None:
        lines += [
            f"interval {_format_time(report, report.interval)}: "
            f"{_format_number(report.images_per_second)} images per second",
            f"bound by {report.bound_by}, {_format_bound(report)}",
        ]
        lines += _format_least(report)
    if report.copies:
        copies = [f"{count} of {stage}" for stage, count in report.copies.items()]
        lines.append(f"copies: {_format_some(copies, 'more stages')}")
    if report.links:
        lines += [_format_links(report), *_format_hops(report)]
    lines.append(_format_used(report))
    if report.energy is not None:
        lines += format_energy(report.energy)
    return "\n".join(lines)


def _format_bound(report: Report) -> str:
    """How far from its bound the interval is."""
    share = f"{_format_share(report, report.load)} busy"
    if report.interval is None or not 0 < report.bound < report.interval:
        return share
    above = f"{report.interval / report.bound - 1:.1%}"
    return f"{share}: the interval is {above} longer than its {_count(report.bound, 'cycle')}"


def _format_least(report: Report) -> list[str]:
    """How far the interval is from that of any mapping, where another one might be shorter."""
    least = report.interval_bound
    if report.interval is None or not 0 < least < report.bound:
        return []
    times = f"{report.interval / least:,.3g} times"
    return [
        f"no mapping has an interval below {_format_number(least)} cycles: this is {times} as long"
    ]


def _format_links(report: Report) -> str:
    """The links that an image takes most of."""
    busiest = [
        f"{link.name} {_format_share(report, link.cycles) or '0%'}"
        f" ({_count(link.bytes, 'byte')} an image)"
        for link in report.links
    ]
    return f"busy links: {_format_some(busiest, 'more')}"


def _format_hops(report: Report) -> list[str]:
    """What crosses links in all, and how much of that depends on where cores are."""
    sent = report.hop_bytes
    if sent is None:
        return []
    found, least = (_format_number(n / report.pipelines) for n in (sent.found, sent.least))
    if sent.found <= sent.least:
        return [f"{found} bytes x links an image: no places of these cores have less"]
    above = f"{sent.found / max(1, sent.least) - 1:.1%}"
    return [f"{found} bytes x links an image, {above} above a bound of {least} for these cores"]


def _format_used(report: Report) -> str:
    """What is used of the target."""
    target = report.target
    used = {
        "cores used": (len(report.cores) - 1, target.cores),
        "crossbars": (report.crossbars, target.cores and target.cores * target.crossbars),
        "their cells": (report.cells_used, report.cells),
        "bytes of SRAM in the fullest core": (report.sram_bytes, target.sram_bytes),
    }
    return ", ".join(f"{what} {_format_of(*counts)}" for what, counts in used.items())


_TITLES: Mapping[Kind, str] = {
    Kind.MXV: "MxVs",
    Kind.DIGITAL: "digital operations",
    Kind.SRAM: "bytes of SRAM",
    Kind.LINKS: "bytes x links",
    Kind.IDLE: "idle power",
}


def format_energy(energy: Energy) -> list[str]:
    """What is done for an image, what that takes, and how much of the target's peak that is."""
    counts = [(energy.counts.of(kind), title) for kind, title in _TITLES.items()]
    done = [f"{_format_per(n, energy.pipelines)} {title}" for n, title in counts if n]
    return [
        f"an image takes {', '.join(done)}",
        _format_joules(energy),
        *_format_tops(energy),
    ]


def _format_core_joules(energy: Energy, core: str) -> str:
    """What is known of the energy that an image takes of a core; nothing of the GCU."""
    joules = energy.core_total(core) if core in energy.cores else None
    return _format_joule(joules) if joules else ""


def _format_joules(energy: Energy) -> str:
    """What is known of the energy of an image, by kind; and what is not."""
    if energy.total is None:
        return f"its energy is unknown: target {energy.target.name} has no figures for it"
    known = [(kind, joules) for kind, joules in energy.joules().items() if joules]
    parts = ", ".join(f"{_TITLES[kind]} {_format_joule(joules)}" for kind, joules in known)
    text = f"its energy is {_format_joule(energy.total)}: {parts}"
    if not energy.unknown:
        return text
    missing = _listed([FIGURES[kind] for kind in energy.unknown])
    return f"{text}; the rest is unknown: target {energy.target.name} has no {missing}"


def _format_tops(energy: Energy) -> list[str]:
    """What the products come to, beside the most that the target's crossbars can do.

    Nothing of a target without limits and figures, whose cycle is no time.
    """
    if energy.peak_tops is None and energy.total is None:
        return []
    per_watt = _format_beside(energy.tops_per_watt, energy.peak_tops_per_watt, "TOPS/W")
    parts = [
        _format_beside(energy.tops, energy.peak_tops, "TOPS"),
        f"at most {per_watt}" if per_watt and energy.unknown else per_watt,
        _format_beside(energy.tops_per_mm2, energy.peak_tops_per_mm2, "TOPS/mm²"),
    ]
    return [f"in products {', '.join(filter(None, parts))}"] if any(parts) else []


def _format_beside(found: float | None, peak: float | None, unit: str) -> str:
    if found is None:
        return ""
    text = f"{found:.3g}"
    return f"{text} {unit}" if peak is None else f"{text} of {peak:.3g} {unit}"


def _format_joule(joules: float) -> str:
    """An energy, in a unit in which it has few digits before the point."""
    for factor, unit in ((1, "J"), (1e3, "mJ"), (1e6, "µJ"), (1e9, "nJ")):
        if joules * factor >= 1:
            return f"{joules * factor:.4g} {unit}"
    return f"{joules * 1e12:.4g} pJ"


def _format_per(count: int, pipelines: int) -> str:
    return _format_number(count // pipelines if count % pipelines == 0 else count / pipelines)


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _count(number: int | float, what: str) -> str:
    return f"{_format_number(number)} {what}{'' if number == 1 else 's'}"


def _format_time(report: Report, cycles: float) -> str:
    return f"{_format_number(report.target.ns(cycles) / 1000)} µs, {_format_number(cycles)} cycles"


def _format_number(number: int | float) -> str:
    """Whole numbers as they are, others to six digits."""
    if isinstance(number, int):
        return f"{number:,}"
    whole = number >= 100_000 or number.is_integer()
    return f"{number:,.0f}" if whole else f"{number:,.6g}"


def _format_of(used: int, available: int | None) -> str:
    """What is used of what there is, where that is not all."""
    return f"{used:,}" if available in (None, used) else f"{used:,} of {available:,}"


def _format_share(report: Report, load: int) -> str:
    """What part of the interval a load is; nothing for none."""
    share = report.share(load)
    if not share:
        return ""
    return f"{share:.0%}" if share >= 0.005 else "<1%"


def _format_waiting(core: CoreReport) -> str:
    waiting: Counter[str] = Counter()
    for program in core.programs:
        waiting.update(program.waiting)
    longest = [(what, cycles) for what, cycles in waiting.most_common() if cycles]
    return _format_some([f"{what} {cycles:,}" for what, cycles in longest], "more")


def _format_some(items: Sequence[str], rest: str) -> str:
    """The first few of some items, and how many more there are."""
    more = len(items) - _LISTED
    return ", ".join(items) if more <= 0 else f"{', '.join(items[:_LISTED])}, {more} {rest}"


def _draw(program: ProgramReport, starts: Runs, bounds: NDArray[np.int64]) -> str:
    """For each column, the image with most iterations begun in its cycles."""
    begun, iterations = starts.below(bounds), program.iterations
    images = np.arange(starts.length // iterations)[:, np.newaxis]
    counts = np.diff(np.clip(begun - images * iterations, 0, iterations))
    return "".join(
        str(program.turn.image(image) % 10) if counts[image, i] else "."
        for i, image in enumerate(counts.argmax(0).tolist())
    )
