# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Designs as a page to look at: one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Literal

from bokeh.embed import components
from bokeh.models import (
    ColorBar,
    ColumnDataSource,
    CustomJS,
    HoverTool,
    LinearColorMapper,
    NumeralTickFormatter,
    TapTool,
)
from bokeh.palettes import Cividis256
from bokeh.plotting import figure
from markupsafe import Markup

from cmc.explore.objectives import Objective
from cmc.explore.table import Table, heading, shown_cell
from cmc.files.output import replacing_text
from cmc.reports.html.palette import BLUE, SKY, VERMILLION
from cmc.reports.html.shell import render

_WIDE = 30
"""From how many times as large an axis is logarithmic."""

_SHOW = """
const index = source.selected.indices[0];
document.getElementById("command").textContent =
  index === undefined ? "" : source.data.command[index];
"""


def write_page(table: Table, title: str, path: Path) -> None:
    """Write all designs that have their objectives, those with none better marked, and why not."""
    plot = _plot(table) if table.compared else None
    script, div = ("", "") if plot is None else components(plot)
    markup = files("cmc.explore").joinpath("page.html").read_text("utf-8")
    text = render(
        markup,
        script,
        title=title,
        counts=table.counts,
        div=Markup(div),
        caption=_caption(table.objectives),
        tables=[*_tables(table)],
    )
    with replacing_text(path) as file:
        file.write(text)


def _caption(objectives: Sequence[Objective]) -> str:
    text = "Each point is a design; for diamonds there is none better in all objectives."
    return f"{text} Colours are {objectives[2]}." if len(objectives) == 3 else text


def _tables(table: Table) -> Sequence[tuple[str, Sequence[str], Sequence[Sequence[object]]]]:
    names = table.shown_names
    head = ["", *map(heading, names), "command"]
    best = [
        [number, *(shown_cell(row.get(name)) for name in names), result.command]
        for number, (result, row) in enumerate(
            ((one, table.figures(one)) for one in table.front), 1
        )
    ]
    found: list[tuple[str, Sequence[str], Sequence[Sequence[object]]]] = []
    if best:
        found.append(("None better", head, best))
    if table.reasons:
        rows = [(f"{count:,}", "", reason) for reason, count in table.reasons]
        found.append(("Not compiled", ("designs", "", "reason"), rows))
    return found


def _plot(table: Table) -> figure:
    """The first two objectives, or one design after the other, and the third one as colours."""
    compared = table.compared
    ids = {result.id for result in table.front}
    rows = [table.figures(result) for result, _ in compared]
    objectives = table.objectives
    values = [[row[one.name] for row in rows] for one in objectives]
    if len(objectives) == 1:
        values.insert(0, list(range(1, len(rows) + 1)))
        labels = ["design", str(objectives[0])]
    else:
        labels = [str(one) for one in objectives]
    names = [name for name in table.shown_names if name not in labels]
    columns: dict[str, list[object]] = {
        "x": [*values[0]],
        "y": [*values[1]],
        "colour": [*_colours(table)],
        "command": [result.command for result, _ in compared],
        **{f"of {name}": [shown_cell(row.get(name)) for row in rows] for name in names},
    }
    plot = figure(
        height=560,
        sizing_mode="stretch_width",
        x_axis_type=_axis(values[0]),
        y_axis_type=_axis(values[1]),
        tools="pan,wheel_zoom,box_zoom,reset,save",
        toolbar_location="above",
    )
    plot.toolbar.logo = None
    plot.xaxis.axis_label, plot.yaxis.axis_label = labels[0], labels[1]
    plot.xaxis.formatter = NumeralTickFormatter(format="0,0.[00]")
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0.[00]")
    if len(objectives) == 3:
        low, high = _span(values[2])
        mapper = LinearColorMapper(palette=Cividis256, low=low, high=high)
        plot.add_layout(ColorBar(color_mapper=mapper, title=labels[2]), "right")
    for best in (False, True):
        kept = [i for i, (result, _) in enumerate(compared) if (result.id in ids) == best]
        source = ColumnDataSource({name: [all[i] for i in kept] for name, all in columns.items()})
        source.name = "front" if best else "others"
        plot.scatter(
            "x",
            "y",
            source=source,
            size=13 if best else 8,
            marker="diamond" if best else "circle",
            fill_color="colour",
            line_color=BLUE if best else "colour",
            fill_alpha=0.9 if best else 0.6,
        )
        source.selected.js_on_change("indices", CustomJS(args={"source": source}, code=_SHOW))
    plot.add_tools(
        HoverTool(
            tooltips=[
                (labels[0], "@x{0,0.[000]}"),
                (labels[1], "@y{0,0.[000]}"),
                *((heading(name), f"@{{of {name}}}") for name in names),
            ]
        ),
        TapTool(),
    )
    return plot


def _colours(table: Table) -> Sequence[str]:
    """By the third objective; without one, those have one colour than which none is better."""
    compared, best = table.compared, {result.id for result in table.front}
    if len(table.objectives) < 3:
        return [VERMILLION if result.id in best else SKY for result, _ in compared]
    values = [table.figures(result)[table.objectives[2].name] for result, _ in compared]
    low, high = _span(values)
    scale = (len(Cividis256) - 1) / ((high - low) or 1)
    return [
        Cividis256[int((value - low) * scale)] for value in values if isinstance(value, int | float)
    ]


def _span(column: Sequence[object]) -> tuple[float, float]:
    numbers = [float(one) for one in column if isinstance(one, int | float)]
    return min(numbers), max(numbers)


def _axis(column: Sequence[object]) -> Literal["log", "linear"]:
    low, high = _span(column)
    return "log" if 0 < low < high / _WIDE else "linear"
