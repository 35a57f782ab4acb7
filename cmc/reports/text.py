"""A report as text for a terminal: a table of the cores, and a picture of the pipeline."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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
    header = ("core", "stages", "crossbars", "cells used", "busy", *busy, "SRAM bytes")
    rows = [
        (
            core.name,
            _format_some([program.name for program in core.programs], "more"),
            f"{core.crossbars:,}" if core.crossbars else "",
            _format_of(core.cells_used, core.cells) if core.crossbars else "",
            _format_share(report, core.load),
            *(_format_share(report, core.loads.get(unit, 0)) for unit in units),
            _format_of(core.sram_bytes, report.target.sram_bytes) if core.sram_bytes else "",
            _format_waiting(core),
        )
        for core in report.cores
    ]
    return "\n".join(_align([(*header, "waiting on"), *rows]))


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


def _align(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The first two columns and the last one to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    last = len(widths) - 1
    return [
        "  ".join(
            cell if i == last else cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _draw(program: ProgramReport, starts: Runs, bounds: NDArray[np.int64]) -> str:
    """For each column, the image with most iterations begun in its cycles."""
    begun, iterations = starts.below(bounds), program.iterations
    images = np.arange(starts.length // iterations)[:, np.newaxis]
    counts = np.diff(np.clip(begun - images * iterations, 0, iterations))
    return "".join(
        str(program.turn.image(image) % 10) if counts[image, i] else "."
        for i, image in enumerate(counts.argmax(0).tolist())
    )
