# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What all figures of a page have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from bokeh.models import ColumnDataSource, CustomJS, NumeralTickFormatter, Range, Range1d, Text
from bokeh.plotting import figure
from numpy.typing import NDArray

from cmc.reports.html.palette import CRITICAL, GREY
from cmc.reports.report import Report

Columns = dict[str, NDArray[np.generic]]
"""What glyphs are drawn from, an array each."""


class _Box(TypedDict):
    left: str
    right: str
    top: str
    bottom: str


BOX: _Box = {"left": "left", "right": "right", "top": "top", "bottom": "bottom"}
"""The columns of boxes."""


@dataclass(frozen=True)
class Choices:
    """What a plot can show one of, by names, and which one is shown at first."""

    names: Sequence[str]
    first: int

    def choose(
        self,
        plot: figure,
        sources: Sequence[ColumnDataSource],
        columns: Sequence[Sequence[Columns]],
        ends: Sequence[float],
    ):
        """Let a plot show any of them: there are columns of each for each source.

        `ends` has the upper end of the y axis for each.
        """
        stocks = [source_of(joined(parts)) for parts in columns]
        bounds = [
            np.cumsum([0, *(len(next(iter(part.values()))) for part in parts)]).tolist()
            for parts in columns
        ]
        chooser = CustomJS(
            args={
                "sources": list(sources),
                "stocks": stocks,
                "bounds": bounds,
                "ends": list(ends),
                "plot": plot,
            },
            code=_CHOOSE,
        )
        chooser.name = f"choose-{plot.name}"
        plot.tags = [chooser]


_CHOOSE = """
sources.forEach((source, number) => {
  const [begin, end] = bounds[number].slice(cb_data.index, cb_data.index + 2);
  const columns = Object.entries(stocks[number].data);
  source.data = Object.fromEntries(columns.map(([name, all]) => [name, all.slice(begin, end)]));
});
plot.y_range.end = ends[cb_data.index];
"""


@dataclass(frozen=True)
class Figure:
    """A plot with its title, and a caption that says what is seen, in which unit."""

    title: str
    plot: figure
    caption: str
    choices: Choices | None = None

    @property
    def name(self) -> str:
        return str(self.plot.name)


def make_plot(name: str, height: int, x: Range, y: Range, tools: str) -> figure:
    """An empty plot as wide as the page: its colours are those of the page's style sheet."""
    plot = figure(
        name=name,
        height=height,
        sizing_mode="stretch_width",
        x_range=x,
        y_range=y,
        tools=tools,
        toolbar_location="above",
    )
    plot.toolbar.logo = None
    plot.xaxis.formatter = NumeralTickFormatter(format="0,0")
    return plot


def span(start: float, end: float) -> Range1d:
    """A range from one end to the other."""
    return Range1d(start=start, end=end)


def shown_cycles(report: Report) -> tuple[int, int]:
    """The time in which the shown iterations begin, with all of the last one's."""
    shown = [program for program in report.programs if program.shown.length]
    begin = min(program.shown.first for program in shown)
    return begin, max(program.shown.last + program.pace for program in shown)


def joined(parts: Sequence[Columns]) -> Columns:
    """The columns of all parts, one below the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def rims(critical: Sequence[bool]) -> Columns:
    """How things are rimmed that are in the critical circuit, and others."""
    return {
        "rim": np.where(critical, CRITICAL, GREY),
        "thick": np.where(critical, 4.0, 1.0),
    }


def source_of(columns: Columns) -> ColumnDataSource:
    """The columns as a browser gets them."""
    return ColumnDataSource(data={**columns})


def label_glyph(x: str, y: str, text: str, offset: int = 2) -> Text:
    """Small texts that can be read on any ground, so many pixels to the right of their places."""
    return Text(
        x=x,
        y=y,
        text=text,
        text_color="black",
        text_font_size="10px",
        text_baseline="middle",
        background_fill_color="white",
        background_fill_alpha=0.8,
        x_offset=offset,
    )
