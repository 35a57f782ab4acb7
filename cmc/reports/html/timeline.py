# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""When each program of each core was at which image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from bokeh.models import (
    CustomJSHover,
    DataRenderer,
    FixedTicker,
    GlyphRenderer,
    HoverTool,
    Line,
    NoOverlap,
    Quad,
    Scatter,
)
from bokeh.transform import linear_cmap

from cmc.reports.details import Details
from cmc.reports.html.bars import Bars, bars_of
from cmc.reports.html.critical import Critical
from cmc.reports.html.figures import (
    Columns,
    Figure,
    joined,
    label_glyph,
    make_plot,
    shown_cycles,
    source_of,
    span,
)
from cmc.reports.html.palette import BLUE, CRITICAL, IMAGES
from cmc.reports.report import CoreReport, ProgramReport, Report

Row = tuple[CoreReport, ProgramReport]

_ROW, _LEAST, _MOST = 18, 220, 1300
"""Pixels of a row, and of the whole picture."""

_CIRCUIT = (
    " The red-orange line is the critical circuit, once: each piece of it leads from an iteration "
    "back to the one that it waits for."
)

_PATH = (
    " The dashed blue line is what makes the latency of an image by itself: from the last "
    "iteration of the first image back to the first vector that was sent."
)

_DOTTED = 500
"""Points of a line of waits from which on it has no dots."""

_HEIGHT = 0.84
"""Of a bar, in rows."""


def timeline(report: Report, critical: Critical) -> Figure:
    """One row a program, core after core, time to the right."""
    rows = [(core, one) for core in report.cores for one in core.programs if one.shown.length]
    bars, longest = bars_of([program for _, program in rows])
    plot = make_plot(
        "timeline",
        min(max(_ROW * len(rows) + 90, _LEAST), _MOST),
        span(*shown_cycles(report)),
        span(len(rows) - 0.5, -0.5),
        "xpan,xwheel_zoom,box_zoom,wheel_zoom,reset",
    )
    plot.xaxis.axis_label = "cycle"
    plot.yaxis.ticker = FixedTicker(ticks=list(range(len(rows))))
    plot.yaxis.major_label_overrides = dict(enumerate(_labels(rows)))
    plot.yaxis.major_label_policy = NoOverlap()
    plot.ygrid.visible = False
    words = _Words()
    source = source_of(_columns(rows, bars, report.details, words))
    colour = linear_cmap("colour", IMAGES, -0.5, len(IMAGES) - 0.5)

    def quads(top: str, alpha: float) -> GlyphRenderer[Quad]:
        """The bars from below up to a column."""
        return plot.add_glyph(
            source,
            Quad(
                left="begin",
                right="end",
                bottom="below",
                top=top,
                fill_color=colour,
                line_color=colour,
                fill_alpha=alpha,
                line_alpha=alpha,
            ),
        )

    quads("above", 0.3)
    filled = quads("top", 1)
    plot.add_glyph(source_of(_first_of_images(rows, bars)), label_glyph("begin", "row", "image"))
    places = {one.name: (row, one) for row, (_, one) in enumerate(rows)}
    drawn = ""
    for line, caption, colour, dash in (
        (critical.path_line(places), _PATH, BLUE, "dashed"),
        (critical.circuit_line(places), _CIRCUIT, CRITICAL, "solid"),
    ):
        if line is not None:
            chain = source_of(line)
            way = Line(x="x", y="y", line_color=colour, line_width=2, line_dash=dash)
            plot.add_glyph(chain, way)
            if len(line["x"]) < _DOTTED:
                dots = Scatter(x="x", y="y", size=5, fill_color=colour, line_color=None)
                plot.add_glyph(chain, dots)
            drawn += caption
    plot.add_tools(_hover(filled, rows, words))
    return Figure("Timeline", plot, _caption(bars, longest) + drawn)


def _labels(rows: Sequence[Row]) -> list[str]:
    """A core's name stands at its first program."""
    names = [core.name for core, _ in rows]
    return [
        program.name if name == before else f"{name} · {program.name}"
        for name, before, (_, program) in zip(names, ["", *names], rows, strict=False)
    ]


def _caption(bars: Sequence[Bars], longest: int) -> str:
    bar = (
        f"with waits of at most {longest:,} cycles between them; its filled height is the part of "
        "its time in which iterations ran"
        if longest
        else "back to back"
    )
    count, iterations = (
        sum(len(one.first) for one in bars),
        sum(int(one.counts.sum()) for one in bars),
    )
    return (
        f"Time in cycles to the right, a row for each stage of a core. A bar is iterations of one "
        f"image, {bar}. The number at the first bar of an image, and the colour, say which one. "
        f"{count:,} bars hold all {iterations:,} iterations of the first images. Drag to move, "
        "turn the wheel to zoom; a bar under the pointer says what it is, and what it waited for."
    )


class _Words:
    """Texts by numbers: a few different ones that are needed often."""

    def __init__(self):
        self._numbers = {"": 0}

    def number(self, word: str) -> int:
        return self._numbers.setdefault(word, len(self._numbers))

    @property
    def all(self) -> list[str]:
        return list(self._numbers)


def _columns(
    rows: Sequence[Row], bars: Sequence[Bars], details: Details | None, words: _Words
) -> Columns:
    return joined(
        [
            _of_row(row, program, one, details, words)
            for row, ((_, program), one) in enumerate(zip(rows, bars, strict=True))
        ]
    )


def _of_row(
    row: int, program: ProgramReport, bars: Bars, details: Details | None, words: _Words
) -> Columns:
    own, iteration = np.divmod(bars.first, program.iterations)
    images = own * program.turn.of + program.turn.number
    why, waited = np.zeros_like(own), np.zeros_like(own)
    if details is not None:
        waits = details.waits(program.name, bars.first)
        numbers = np.array([words.number(reason) for reason in waits.reasons] + [0])
        why, waited = numbers[waits.reason], waits.cycles
    below = np.full(len(own), row + _HEIGHT / 2)
    share = bars.busy / (bars.end - bars.begin)
    return {
        "begin": bars.begin.astype(float),
        "end": bars.end.astype(float),
        "above": below - _HEIGHT,
        "below": below,
        "top": below - _HEIGHT * share,
        "row": np.full(len(own), row, np.int32),
        "image": images.astype(np.int32),
        "colour": (images % len(IMAGES)).astype(np.int8),
        "first": iteration.astype(np.int32),
        "last": (iteration + bars.counts - 1).astype(np.int32),
        "busy": bars.busy.astype(float),
        "why": why.astype(np.int32),
        "waited": waited.astype(float),
    }


def _first_of_images(rows: Sequence[Row], bars: Sequence[Bars]) -> Columns:
    """Where the number of an image stands in each row."""
    parts: list[Columns] = []
    for row, ((_, program), one) in enumerate(zip(rows, bars, strict=True)):
        new = np.flatnonzero(one.first % program.iterations == 0)
        own = (one.first[new] // program.iterations).tolist()
        parts.append(
            {
                "begin": one.begin[new].astype(float),
                "row": np.full(len(new), row, np.int32),
                "image": np.array([str(program.turn.image(image)) for image in own]),
            }
        )
    return joined(parts)


def _hover(bars: DataRenderer, rows: Sequence[Row], words: _Words) -> HoverTool:
    def named(texts: Sequence[str]) -> CustomJSHover:
        return CustomJSHover(args={"texts": list(texts)}, code="return texts[value]")

    return HoverTool(
        renderers=[bars],
        tooltips=[
            ("core", "@row{custom}"),
            ("image", "@image"),
            ("iterations", "@first{0,0} to @last{0,0}"),
            ("cycles", "@begin{0,0} up to @end{0,0}, busy @busy{0,0}"),
            ("waited", "@waited{0,0} for @why{custom}"),
        ],
        formatters={"@row": named(_titles(rows)), "@why": named(words.all)},
    )


def _titles(rows: Sequence[Row]) -> list[str]:
    return [f"{core.name}, stage @{program.name}" for core, program in rows]
