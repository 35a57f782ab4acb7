# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What an image takes of energy in each core, by what takes it."""

from __future__ import annotations

import numpy as np
from bokeh.models import (
    CategoricalTickFormatter,
    FactorRange,
    HoverTool,
    Legend,
    LegendItem,
    NumeralTickFormatter,
    Quad,
)
from bokeh.models.glyph import Glyph

from cmc.reports.energy import Energy, Kind
from cmc.reports.html.figures import BOX, Columns, Figure, make_plot, source_of, span
from cmc.reports.html.palette import BLUE, ORANGE, PURPLE, SKY
from cmc.reports.report import Report

_STYLES = {
    Kind.MXV: ("products of crossbars", BLUE, " "),
    Kind.DIGITAL: ("digital units", ORANGE, "/"),
    Kind.SRAM: ("SRAM", SKY, "x"),
    Kind.LINKS: ("links", PURPLE, "."),
}

_NANO = 1e9


def energy(report: Report) -> Figure | None:
    """A bar a core; None if nothing is known of any."""
    found = report.energy
    if found is None or not any(found.core_total(core) for core in found.cores):
        return None
    kinds = [kind for kind in _STYLES if kind not in found.unknown]
    tops = np.array([_heights(found, core, kinds) for core in found.cores]).cumsum(axis=1)
    plot = make_plot(
        "energy",
        300,
        FactorRange(factors=list(found.cores)),
        span(0, 1.05 * float(tops.max())),
        "xpan,xwheel_zoom,box_zoom,reset",
    )
    plot.yaxis.axis_label = "nJ an image"
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0.[000]")
    plot.xgrid.visible = False
    plot.xaxis.formatter = CategoricalTickFormatter()
    plot.xaxis.major_label_orientation = "vertical"
    items: list[LegendItem] = []
    for number, kind in enumerate(kinds):
        title, colour, hatch = _STYLES[kind]
        bottoms = tops[:, number - 1] if number else np.zeros(len(tops))
        place = np.arange(len(tops)) + 0.5
        columns: Columns = {
            "left": place - 0.4,
            "right": place + 0.4,
            "bottom": bottoms,
            "top": tops[:, number],
            "core": np.array(list(found.cores)),
            "energy": tops[:, number] - bottoms,
        }
        bars = plot.add_glyph(source_of(columns), _bar(colour, hatch))
        tooltips = [("core", "@core"), (title, "@energy{0,0.[000]} nJ an image")]
        plot.add_tools(HoverTool(renderers=[bars], tooltips=tooltips))
        items.append(LegendItem(label=title, renderers=[bars]))
    plot.add_layout(Legend(items=items, orientation="horizontal"), "above")
    return Figure("Energy", plot, _caption(found))


def _bar(colour: str, hatch: str) -> Glyph:
    return Quad(**BOX, fill_color=colour, line_color=None, hatch_pattern=hatch, hatch_alpha=0.6)


def _heights(energy: Energy, core: str, kinds: list[Kind]) -> list[float]:
    joules = energy.joules(core)
    return [(joules[kind] or 0) * _NANO for kind in kinds]


def _caption(energy: Energy) -> str:
    unknown = [_STYLES[kind][0] for kind in energy.unknown if kind in _STYLES]
    missing = f" The target has no figure for {', '.join(unknown)}." if unknown else ""
    return (
        "Energy in nJ that an image takes in each core, by what takes it. Cores have no share of "
        f"what the chip takes when it is idle.{missing}"
    )
