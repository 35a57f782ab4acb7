"""A report as text for a terminal: a table of the stages, and a picture of the pipeline."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cmc.reports.report import CoreReport, ProgramReport, Report
from cmc.timing.runs import Runs

_IMAGES_SHOWN = 8


def format_report(report: Report, width: int) -> str:
    """Table, picture and totals, in lines of at most `width` characters where that is possible."""
    parts = [format_table(report), format_picture(report, width), format_totals(report)]
    return "\n\n".join(part for part in parts if part)


def format_table(report: Report) -> str:
    """One line a program: iterations, first and last cycle, busy cycles, what it waited for."""
    header = ("stage", "core", "iterations", "first", "last", "busy", "slots", "waiting on")
    rows = [
        (
            program.name,
            core.name,
            f"{program.iterations:,}",
            f"{program.first_cycle:,}",
            f"{program.last_cycle:,}",
            f"{program.busy:,}",
            _format_slots(core) if program is core.programs[0] else "",
            _format_waiting(program),
        )
        for core in report.cores
        for program in core.programs
    ]
    return "\n".join(_align([header, *rows]))


def format_picture(report: Report, width: int) -> str:
    """Programs downwards, time to the right: which image (last digit) a program works on."""
    programs = [program for core in report.cores for program in core.programs]
    shown = [
        (one, one.shown.head(min(one.shown.length, _IMAGES_SHOWN * one.iterations)))
        for one in programs
    ]
    begin = min(starts.first for _, starts in shown)
    end = max(starts.last for _, starts in shown) + 1
    margin = max(len(one.name) for one in programs)
    columns = max(1, min(width - margin - 3, end - begin))
    # In a column are the cycles from its bound on to the next one's.
    bounds = begin - np.arange(columns + 1) * (begin - end) // columns
    lines = [
        f"{one.name:<{margin}} |{_draw(starts, one.iterations, bounds)}|" for one, starts in shown
    ]
    images = max(starts.length // one.iterations for one, starts in shown)
    what = "image 0" if images == 1 else f"images 0 to {images - 1}"
    per_column = (end - begin) / columns
    title = f"{what}, cycles {begin:,} to {end - 1:,}, {per_column:,.3g} a column, '.' is idle"
    return "\n".join([title, *lines])


def format_totals(report: Report) -> str:
    """The cycles of the whole stream, and of one image once the pipeline is full."""
    text = f"{_count(report.images, 'image')} in {_count(report.cycles, 'cycle')}"
    if report.cycles_per_image is not None:
        text += f", {report.cycles_per_image:,.6g} cycles per image in steady state"
    return text


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _format_slots(core: CoreReport) -> str:
    return f"{sum(ring.slots for ring in core.rings):,}" if core.rings else ""


def _format_waiting(program: ProgramReport) -> str:
    longest = sorted(program.waiting.items(), key=lambda item: -item[1])
    return ", ".join(f"{what} {cycles:,}" for what, cycles in longest if cycles)


def _align(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The first and the last column to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    last = len(widths) - 1
    return [
        "  ".join(
            cell if i == last else cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _draw(starts: Runs, iterations: int, bounds: NDArray[np.int64]) -> str:
    """For each column, the image with most iterations begun in its cycles."""
    begun = starts.below(bounds)
    images = np.arange(starts.length // iterations)[:, np.newaxis]
    counts = np.diff(np.clip(begun - images * iterations, 0, iterations))
    return "".join(
        str(image % 10) if counts[image, i] else "." for i, image in enumerate(counts.argmax(0))
    )
