# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Accuracy as a page to look at: one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from bokeh.embed import components
from bokeh.models import ColumnDataSource, HoverTool, NumeralTickFormatter, Span, Whisker
from bokeh.plotting import figure
from markupsafe import Markup

from cmc.accuracy.advice import Advice
from cmc.accuracy.measure import Accuracy
from cmc.accuracy.rows import (
    Rows,
    accuracy_rows,
    advice_rows,
    clipped_rows,
    costs_of,
    format_shares,
    sources_of,
    stage_rows,
    title_of,
)
from cmc.accuracy.times import format_time
from cmc.accuracy.trials import BEST, Shares
from cmc.files.output import replacing_text
from cmc.reports.html.palette import BLUE, ORANGE
from cmc.reports.html.shell import render


def write_page(found: Accuracy, advice: Advice | None, name: str, path: Path) -> None:
    """Write what was found of a network of this name."""
    script, div = components(_plot(found))
    markup = files("cmc.accuracy").joinpath("page.html").read_text("utf-8")
    text = render(
        markup,
        script,
        title=f"{name} on {found.target.name}",
        about=title_of(found),
        costs=costs_of(found),
        div=Markup(div),
        tables=_tables(found, advice),
    )
    with replacing_text(path) as file:
        file.write(text)


def _tables(found: Accuracy, advice: Advice | None) -> list[tuple[str, str, Rows]]:
    """Headings, what they are about, and rows, of which the first one has the titles."""
    tables: list[tuple[str, str, Rows]] = [("Accuracy", "", accuracy_rows(found))]
    if stages := stage_rows(found):
        about = (
            "The signal-to-noise ratio of what each stage writes, in dB: against exact products of "
            "the inputs that it has, so that it is of its own crossbars alone."
        )
        tables.append(("Which stage hurts", about, stages))
        clipped = clipped_rows(found)
        about = "" if clipped else "No converter clips anything."
        tables.append(("What is clipped", about, clipped))
    if advice is not None:
        about = (
            f"At {format_time(advice.time)}, one step at a time, each run: of one stage, or of all "
            f"of them, compiled anew. The {sources_of(advice, found)}."
        )
        tables.append(("What would help", about, advice_rows(advice, found)))
    return tables


def _plot(found: Accuracy) -> figure:
    """Shares against time, each chip as a point, with mean and deviation."""
    times = [moment.time for moment in found.moments]
    positive = min(times) > 0
    plot = figure(
        height=420,
        sizing_mode="stretch_width",
        x_axis_type="log" if positive else "linear",
        tools="pan,wheel_zoom,box_zoom,reset,save",
        toolbar_location="above",
    )
    plot.toolbar.logo = None
    plot.xaxis.axis_label = "s after programming"
    plot.yaxis.axis_label = "images that get their class"
    plot.yaxis.formatter = NumeralTickFormatter(format="0.[0]%")
    for title, colour, exact, shares in (
        ("top-1", BLUE, found.top1, [moment.top1 for moment in found.moments]),
        (f"top-{BEST}", ORANGE, found.top5, [moment.top5 for moment in found.moments]),
    ):
        _draw(plot, title, colour, exact, times, shares)
    plot.legend.location = "bottom_left"
    return plot


def _draw(
    plot: figure,
    title: str,
    colour: str,
    exact: float,
    times: Sequence[float],
    shares: Sequence[Shares],
) -> None:
    source = ColumnDataSource(
        {
            "time": [*times],
            "at": [format_time(time) for time in times],
            "mean": [one.mean for one in shares],
            "low": [one.mean - one.deviation for one in shares],
            "high": [one.mean + one.deviation for one in shares],
            "shown": [format_shares(one) for one in shares],
        }
    )
    chips = ColumnDataSource(
        {
            "time": [time for time, one in zip(times, shares, strict=True) for _ in one.trials],
            "share": [share for one in shares for share in one.trials],
        }
    )
    plot.scatter("time", "share", source=chips, size=5, color=colour, fill_alpha=0.3, line_alpha=0)
    plot.line("time", "mean", source=source, color=colour, line_width=2, legend_label=title)
    means = plot.scatter("time", "mean", source=source, size=8, color=colour)
    plot.add_layout(
        Whisker(base="time", upper="high", lower="low", source=source, line_color=colour)
    )
    plot.add_layout(Span(location=exact, dimension="width", line_color=colour, line_dash="dashed"))
    plot.add_tools(HoverTool(renderers=[means], tooltips=[("time", "@at"), (title, "@shown")]))
