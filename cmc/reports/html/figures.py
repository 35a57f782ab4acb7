"""What all figures of a page have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from bokeh.models import ColumnDataSource, NumeralTickFormatter, Range, Range1d, Text
from bokeh.plotting import figure
from numpy.typing import NDArray

Columns = dict[str, NDArray[np.generic]]
"""What glyphs are drawn from, an array each."""


@dataclass(frozen=True)
class Figure:
    """A plot with its title, and a caption that says what is seen, in which unit."""

    name: str
    title: str
    plot: figure
    caption: str


def make_plot(height: int, x: Range, y: Range, tools: str) -> figure:
    """An empty plot as wide as the page: its colours are those of the page's style sheet."""
    plot = figure(
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


def joined(parts: list[Columns]) -> Columns:
    """The columns of all parts, one below the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def source_of(columns: Columns) -> ColumnDataSource:
    """The columns as a browser gets them."""
    return ColumnDataSource(data={**columns})


def label_glyph(x: str, y: str, text: str) -> Text:
    """Small texts that can be read on any ground, to the right of their places."""
    return Text(
        x=x,
        y=y,
        text=text,
        text_color="black",
        text_font_size="10px",
        text_baseline="middle",
        background_fill_color="white",
        background_fill_alpha=0.8,
        x_offset=2,
    )
