# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The chip from above: what an image takes of cores and links."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from bokeh.models import HoverTool, Quad, Segment, Text
from bokeh.palettes import Cividis256
from bokeh.plotting import figure
from bokeh.transform import linear_cmap
from numpy.typing import NDArray

from cmc.reports.details import LinkDetails
from cmc.reports.html.critical import Critical
from cmc.reports.html.figures import BOX, Columns, Figure, make_plot, rims, source_of, span
from cmc.reports.html.palette import CRITICAL, GREY
from cmc.reports.html.plan import Plan, boxes
from cmc.reports.report import Report
from cmc.targets.topology import topology_of

_ROW, _SIZE, _ALONE = 64, 0.6, 0.94
"""Pixels of a row of cores; the part of its place that a core is drawn in, and without links."""

_MANY = 12
"""Cores in a row from which on their names are small."""

_BUS = 0.5
"""Half of the height that a bus is drawn with below the cores, in rows."""

_ASIDE = 0.06
"""How far the two directions of a link are from the line between two cores."""

_RIM = 3
"""Pixels on each side of a link that is in the critical circuit."""

_OF_LINKS = [("link", "@title"), ("bytes an image", "@bytes{0,0}"), ("busy", "@share{0.0%}")]


def floor(report: Report, critical: Critical) -> Figure:
    """Cores at their places, with links between them."""
    plan = Plan.of(report)
    links = [] if report.details is None else list(report.details.links)
    bus = [link for link in links if link.ends.source is None]
    height = plan.rows + 2 * _BUS * len(bus)
    plot = make_plot(
        "floor",
        int(_ROW * height) + 70,
        span(0, plan.columns),
        span(height, 0),
        "pan,wheel_zoom,box_zoom,reset",
    )
    plot.axis.visible = False
    plot.grid.visible = False
    between = [link for link in links if link.ends.source is not None]
    _draw_links(plot, report, plan, between, critical)
    free, size = Quad(**BOX, fill_color=None, line_color=GREY), _SIZE if between else _ALONE
    plot.add_glyph(source_of(plan.boxes(size)), free)
    taken = source_of(_cores(report, plan, critical, size))
    box = Quad(**BOX, fill_color=_shade("share"), line_color="rim", line_width="thick")
    cores = plot.add_glyph(taken, box)
    pixels = 11 if plan.columns < _MANY else 9
    plot.add_glyph(taken, _text("name", 0, pixels))
    plot.add_glyph(taken, _text("percent", 12, pixels))
    tooltips = [("core", "@name"), ("stages", "@stages"), ("busy", "@share{0.0%}")]
    plot.add_tools(HoverTool(renderers=[cores], tooltips=tooltips))
    for link in bus:
        _draw_bus(plot, report, plan, link, critical)
    return Figure("Floor plan", plot, _caption(report, len(links)) + critical.marked)


def _caption(report: Report, links: int) -> str:
    topology = topology_of(report.target)
    places = (
        f"Cores at their places, linked as {report.target.topology}."
        if topology.placed
        else f"Cores row by row: with links {report.target.topology}, all places are alike."
        f"{_more(report)}"
    )
    busy = (
        f" Links that something crosses, {links:,}, are shaded in the same way, by the part of the "
        "interval for which they are held."
        if links
        else " What is sent takes nothing of a link on this target, or goes over none."
    )
    return (
        f"{places} The number in a core, and its shade from dark to bright, is the part of the "
        "interval for which an image has what it takes most of there, a stage or a unit. Empty "
        f"boxes are cores that are not used.{busy}"
    )


def _more(report: Report) -> str:
    """How many cores of the target there are."""
    cores = report.target.cores
    return "" if cores is None else f" {len(report.cores) - 1:,} of {cores:,} are used."


def _shade(column: str):
    """Colours for parts of a whole that everybody can put in order: Cividis."""
    return linear_cmap(column, Cividis256, 0, 1)


def _text(column: str, below: int, pixels: int) -> Text:
    """In the middle of a core, moved down by some pixels."""
    return Text(
        x="x",
        y="y",
        text=column,
        text_color="ink",
        text_font_size=f"{pixels}px",
        text_align="center",
        text_baseline="middle",
        y_offset=below - 6,
    )


def _cores(report: Report, plan: Plan, critical: Critical, size: float) -> Columns:
    """Those that have programs."""
    cores = report.cores[1:]
    corners = np.array([plan.left_top(plan.places[core.name]) for core in cores]).reshape(-1, 2)
    shares = np.array([report.share(core.load) or 0 for core in cores])
    return {
        **boxes(corners + (1 - size) / 2, np.full((len(cores), 2), size)),
        "x": corners[:, 0] + 0.5,
        "y": corners[:, 1] + 0.5,
        "name": np.array([core.name for core in cores]),
        "stages": np.array([", ".join(p.name for p in core.programs) for core in cores]),
        **rims([core.name in critical.cores for core in cores]),
        **_shares(shares),
    }


def _shares(shares: NDArray[np.float64]) -> Columns:
    return {
        "share": shares,
        "percent": np.array([f"{share:.1%}" for share in shares]),
        "ink": np.where(shares < 0.5, "white", "black"),
    }


def _draw_links(
    plot: figure, report: Report, plan: Plan, links: Sequence[LinkDetails], critical: Critical
):
    """Lines between the middles of cores, a bit to the right of each direction."""
    if not links:
        return
    ends = np.array(
        [
            [
                plan.left_top(place)
                for place in (link.ends.source, link.ends.to)
                if place is not None
            ]
            for link in links
        ]
    )
    way = ends[:, 1] - ends[:, 0]
    aside = np.stack([-way[:, 1], way[:, 0]], 1) / np.linalg.norm(way, axis=1)[:, np.newaxis]
    begin, end = (ends[:, side] + 0.5 + _ASIDE * aside for side in (0, 1))
    shares = np.array([report.share(link.cycles) or 0 for link in links])
    columns: Columns = {
        "x0": begin[:, 0],
        "y0": begin[:, 1],
        "x1": end[:, 0],
        "y1": end[:, 1],
        "width": 2 + 8 * shares,
        "title": np.array([link.ends.title for link in links]),
        "bytes": np.array([float(link.bytes) for link in links]),
        **_shares(shares),
    }
    rim = np.array([link.ends.title in critical.crossed for link in links])
    marked = {name: column[rim] for name, column in columns.items()}
    marked["width"] = (2 + 8 * shares + 2 * _RIM)[rim]
    around = Segment(x0="x0", y0="y0", x1="x1", y1="y1", line_color=CRITICAL, line_width="width")
    plot.add_glyph(source_of(marked), around)
    line = Segment(
        x0="x0", y0="y0", x1="x1", y1="y1", line_color=_shade("share"), line_width="width"
    )
    lines = plot.add_glyph(source_of(columns), line)
    plot.add_tools(HoverTool(renderers=[lines], tooltips=_OF_LINKS))


def _draw_bus(plot: figure, report: Report, plan: Plan, bus: LinkDetails, critical: Critical):
    """One link that all share, below them."""
    shares = np.array([report.share(bus.cycles) or 0])
    columns: Columns = {
        **boxes(np.array([[0.2, plan.rows + _BUS / 2]]), np.array([[plan.columns - 0.4, _BUS]])),
        "x": np.array([plan.columns / 2]),
        "y": np.array([plan.rows + _BUS]),
        "title": np.array([bus.ends.title]),
        "bytes": np.array([float(bus.bytes)]),
        **_shares(shares),
        **rims([bus.ends.title in critical.crossed]),
    }
    columns["label"] = np.array([f"{bus.ends.title} {shares[0]:.1%}"])
    source = source_of(columns)
    shape = Quad(**BOX, fill_color=_shade("share"), line_color="rim", line_width="thick")
    box = plot.add_glyph(source, shape)
    plot.add_glyph(source, _text("label", 6, 11))
    plot.add_tools(HoverTool(renderers=[box], tooltips=_OF_LINKS))
