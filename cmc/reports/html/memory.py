# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The SRAM of a core: where its rings and constants lie, and how full the rings are over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from bokeh.models import HoverTool, NumeralTickFormatter, Quad
from bokeh.plotting import figure

from cmc.poly.evaluate import Ints
from cmc.reports.details import RingDetails
from cmc.reports.html.critical import Critical
from cmc.reports.html.figures import (
    BOX,
    Choices,
    Columns,
    Figure,
    joined,
    label_glyph,
    make_plot,
    rims,
    shown_cycles,
    source_of,
    span,
)
from cmc.reports.html.palette import GREY, SKY
from cmc.reports.report import CoreReport, Report, RingReport

_HEIGHT = 420

_LABELLED = 30
"""What has at least such a part of the memory has its name written on it."""

_CELLS, _LEAST, _MOST = 250_000, 100, 1500
"""Intervals of time, of all rings together and of one."""

_CAPTION = (
    "The SRAM of one core: addresses in bytes upwards, time in cycles to the right, as in the "
    "timeline. A box is a ring, filled as high as its slots are taken: the most of them at one "
    "time in each short interval. A slot is taken from when the iteration begins that fills it "
    "until its writer knows that it is free. Hatched boxes are constants."
)

_ELEMENTS = 4_000_000
"""What is sent into all rings, up to which more than one image is shown."""


def memory(report: Report, critical: Critical, timeline: figure) -> Figure | None:
    """The map of one core, the fullest at first, along the time of the timeline."""
    if report.details is None or not report.details.rings:
        return None
    cores = [core for core in report.cores if core.sram_bytes]
    rings = {core.name: [r for r in report.details.rings if r.core == core.name] for core in cores}
    fills = _fills(report, rings)
    cycles = shown_cycles(report)
    frames = [_frames(core, cycles, critical) for core in cores]
    fullest = max(range(len(cores)), key=lambda number: cores[number].sram_bytes)
    plot = make_plot(
        "memory",
        _HEIGHT,
        timeline.x_range,
        span(0, cores[fullest].sram_bytes),
        "xpan,xwheel_zoom,box_zoom,wheel_zoom,reset",
    )
    plot.xaxis.axis_label = "cycle"
    plot.yaxis.axis_label = "address in bytes"
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0")
    shown = [source_of(parts[fullest]) for parts in (frames, fills)]
    held = plot.add_glyph(
        shown[0],
        Quad(
            **BOX,
            fill_color=GREY,
            fill_alpha="alpha",
            line_color="rim",
            line_width="thick",
            hatch_color=GREY,
            hatch_pattern="hatch",
            hatch_alpha=0.6,
        ),
    )
    filled = plot.add_glyph(shown[1], Quad(**BOX, fill_color=SKY, line_color=SKY))
    plot.add_glyph(shown[0], label_glyph("left", "middle", "label", 6))
    plot.add_tools(
        HoverTool(renderers=[held], tooltips="@what"),
        HoverTool(
            renderers=[filled],
            tooltips=[("slots taken", "@taken{0,0}"), ("cycles", "@left{0,0} up to @right{0,0}")],
        ),
    )
    choices = Choices([core.name for core in cores], fullest)
    choices.choose(plot, shown, [frames, fills], [core.sram_bytes for core in cores])
    return Figure("SRAM", plot, _CAPTION + critical.marked, choices)


def _fills(report: Report, rings: Mapping[str, Sequence[RingDetails]]) -> list[Columns]:
    """How full the rings of each core are, in intervals of time that are as short as can be."""
    all = [ring for some in rings.values() for ring in some]
    own = _images(report, all)
    bins = min(max(_CELLS // len(all), _LEAST), _MOST)
    bounds = np.linspace(*shown_cycles(report), bins + 1).astype(np.int64)
    return [_fill(some, own, bounds) for some in rings.values()]


def _fill(rings: Sequence[RingDetails], own: Mapping[str, int], bounds: Ints) -> Columns:
    """A row wherever the number of slots that are taken changes, in rings that hold any."""
    parts: list[Columns] = []
    for ring in rings:
        begun, freed = ring.taken(own[ring.reader])
        most = most_taken(begun, freed, bounds)
        new = np.flatnonzero(np.append(True, np.diff(most) != 0))
        ends = np.append(bounds[new[1:]], bounds[-1])
        taken = most[new]
        some = taken > 0
        height = ring.bytes * taken / ring.slots
        columns = {
            "left": bounds[new].astype(float),
            "right": ends.astype(float),
            "bottom": np.full(len(new), float(ring.address)),
            "top": ring.address + height,
            "taken": taken.astype(np.int32),
        }
        parts.append({name: column[some] for name, column in columns.items()})
    return joined(parts)


def _images(report: Report, rings: Sequence[RingDetails]) -> Mapping[str, int]:
    """Of each program, how many of its images are looked at."""
    shown = {one.name: one.shown.length // one.iterations for one in report.programs}
    size = {one.name: one.iterations for one in report.programs}
    elements = max(sum(size[ring.writer] for ring in rings), 1)
    most = max(_ELEMENTS // elements, 1)
    return {name: min(images, most) for name, images in shown.items()}


def most_taken(begun: Ints, freed: Ints, bounds: Ints) -> Ints:
    """The most slots that are taken at one time in each interval from one bound to the next."""
    before = bounds[:-1]
    most = np.searchsorted(begun, before, "right") - np.searchsorted(freed, before, "right")
    # Only what is taken makes it more.
    place = np.searchsorted(bounds, begun, "right") - 1
    inside = (place >= 0) & (place < len(most))
    taken = np.arange(1, len(begun) + 1) - np.searchsorted(freed, begun, "right")
    np.maximum.at(most, place[inside], taken[inside])
    return most


def _frames(core: CoreReport, cycles: tuple[int, int], critical: Critical) -> Columns:
    """Where rings and constants lie: over all time."""
    names = [
        f"ring of {ring.channel}: {ring.slots:,} slots, {ring.bytes:,} bytes at {ring.address:,}"
        for ring in core.rings
    ] + [
        f"constants of @{one.stage}: {one.bytes:,} bytes at {one.address:,}"
        for one in core.constants
    ]
    held = [*core.rings, *core.constants]
    bottom = np.array([one.address for one in held], float)
    sizes = np.array([one.bytes for one in held], float)
    labels = [one.channel if isinstance(one, RingReport) else f"@{one.stage}" for one in held]
    constant = np.arange(len(held)) >= len(core.rings)
    return {
        "left": np.full(len(held), float(cycles[0])),
        "right": np.full(len(held), float(cycles[1])),
        "bottom": bottom,
        "top": bottom + sizes,
        "alpha": np.where(constant, 0.3, 0.08),
        "hatch": np.where(constant, "/", " "),
        "what": np.array(names),
        **rims([label in critical.rings for label in labels]),
        "middle": bottom + sizes / 2,
        "label": np.where(sizes >= core.sram_bytes / _LABELLED, labels, ""),
    }
