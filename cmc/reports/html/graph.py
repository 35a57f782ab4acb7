# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The network as stages, in the order in which data goes, with the cores of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from bokeh.models import Bezier, FixedTicker, HoverTool, NoOverlap, Scatter
from bokeh.palettes import Cividis256
from bokeh.plotting import figure
from bokeh.transform import linear_cmap

from cmc.reports.details import Details
from cmc.reports.html.critical import Critical
from cmc.reports.html.figures import Columns, Figure, make_plot, rims, source_of, span
from cmc.reports.html.palette import BLUE, CRITICAL
from cmc.reports.report import CoreReport, ProgramReport, Report

_ROW, _LEAST, _MOST = 20, 200, 1500
"""Pixels of a stage, and of the whole picture."""

_LISTED = 4
"""Of the cores of a stage, how many are named."""

_CAPTION = (
    "Stages from top to bottom, each after all whose results it reads, with their cores and the "
    "number of copies. The shade of a stage, from dark to bright, is the part of the interval for "
    "which an image takes it: of copies, the one that takes longest. A line goes down from the "
    "stage that writes to the one that reads, its triangle is in the middle."
)


_LEFT = 0.25
"""How far the waits of the critical circuit are drawn to the left, where the lines go to 1."""

_WAITS = (
    " Dashed lines on the left are waits of the critical circuit: from the stage that is waited "
    "for to the one that waits, with the triangle in the middle pointing there."
)


@dataclass(frozen=True)
class _Node:
    """A stage with all of its copies."""

    name: str
    copies: Sequence[tuple[CoreReport, ProgramReport]]

    @property
    def label(self) -> str:
        cores = list(dict.fromkeys(core.name for core, _ in self.copies))
        more = f" and {len(cores) - _LISTED} more" if len(cores) > _LISTED else ""
        copies = f", {len(self.copies)} copies" if len(self.copies) > 1 else ""
        return f"{self.name}{copies} · {', '.join(cores[:_LISTED])}{more}"


def graph(report: Report, critical: Critical) -> Figure | None:
    """One row a stage, lines for what is sent."""
    details = report.details
    if details is None or not details.origins:
        return None
    nodes = _nodes(report.cores, details)
    edges = _edges(details, [node.name for node in nodes])
    plot = make_plot(
        "graph",
        min(max(_ROW * len(nodes) + 50, _LEAST), _MOST),
        span(-_LEFT - 0.05 if critical.waits else -0.05, 1.05),
        span(len(nodes) - 0.5, -0.5),
        "ypan,ywheel_zoom,box_zoom,reset",
    )
    plot.xaxis.visible = False
    plot.grid.visible = False
    plot.yaxis.ticker = FixedTicker(ticks=list(range(len(nodes))))
    plot.yaxis.major_label_overrides = {n: node.label for n, node in enumerate(nodes)}
    plot.yaxis.major_label_policy = NoOverlap()
    lines = source_of(_lines(edges))
    plot.add_glyph(
        lines,
        Bezier(
            x0="x",
            y0="y0",
            x1="x",
            y1="y1",
            cx0="bulge",
            cy0="y0",
            cx1="bulge",
            cy1="y1",
            line_color=BLUE,
            line_width=1.5,
        ),
    )
    middles = plot.add_glyph(
        lines,
        Scatter(x="middle", y="half", marker="inverted_triangle", size=7, fill_color=BLUE,
                line_color=BLUE),
    )  # fmt: skip
    _draw_waits(plot, details, critical, [node.name for node in nodes])
    circles = plot.add_glyph(
        source_of(_columns(report, nodes, critical)),
        Scatter(
            x="x",
            y="y",
            size=14,
            fill_color=linear_cmap("share", Cividis256, 0, 1),
            line_color="rim",
            line_width="thick",
        ),
    )
    plot.add_tools(
        HoverTool(
            renderers=[circles],
            tooltips=[
                ("stage", "@label"),
                ("iterations", "@iterations{0,0}"),
                ("busy", "@share{0.0%}"),
            ],
        ),
        HoverTool(
            renderers=[middles],
            tooltips=[("sends", "@what"), ("rings", "@rings{0,0}, with @slots{0,0} slots")],
        ),
    )
    return Figure("Network", plot, _CAPTION + (_WAITS + critical.marked if critical.waits else ""))


def _nodes(cores: Iterable[CoreReport], details: Details) -> list[_Node]:
    placed = {one.name: (core, one) for core in cores for one in core.programs}
    copies: dict[str, list[tuple[CoreReport, ProgramReport]]] = {}
    for name, origin in details.origins.items():
        copies.setdefault(origin, []).append(placed[name])
    return [_Node(name, some) for name, some in copies.items()]


@dataclass
class _Edge:
    """All that is sent of an object from a stage to another one, by their rows."""

    writer: int
    reader: int
    what: str
    rings: int = 0
    slots: int = 0


def _edges(details: Details, names: Sequence[str]) -> list[_Edge]:
    rows: Mapping[str, int] = {name: row for row, name in enumerate(names)}
    found: dict[tuple[str, str, str], _Edge] = {}
    for ring in details.rings:
        writer, reader = details.origins[ring.writer], details.origins[ring.reader]
        what = f"@{ring.object} from @{writer} to @{reader}"
        edge = found.setdefault(
            (ring.object, writer, reader), _Edge(rows[writer], rows[reader], what)
        )
        edge.rings += 1
        edge.slots += ring.slots
    return list(found.values())


def _lines(edges: Sequence[_Edge]) -> Columns:
    """From row to row, further to the right the more rows lie between them."""
    ends = np.array([(edge.writer, edge.reader) for edge in edges], float).reshape(-1, 2)
    far = np.abs(ends[:, 1] - ends[:, 0])
    # A Bézier curve gets three quarters of the way to its control points.
    bulge = np.where(far == 1, 0, np.sqrt(far / max(far.max(initial=1), 1))) / 0.75
    return {
        "x": np.zeros(len(edges)),
        "y0": ends[:, 0],
        "y1": ends[:, 1],
        "bulge": bulge,
        "middle": 0.75 * bulge,
        "half": ends.mean(axis=1),
        "what": np.array([edge.what for edge in edges]),
        "rings": np.array([edge.rings for edge in edges], np.int32),
        "slots": np.array([edge.slots for edge in edges], np.int32),
    }


def _draw_waits(plot: figure, details: Details, critical: Critical, names: Sequence[str]):
    """The critical circuit, as far as it goes from stage to stage."""
    rows = {name: row for row, name in enumerate(names)}
    ends = ((*one.on, *one.stages) for one in critical.waits if one.kind != "link")
    pairs = {(details.origins[on], details.origins[stage]) for on, stage in ends}
    edges = [
        _Edge(rows[one], rows[other], f"@{other} waits for @{one}")
        for one, other in sorted(pairs)
        if one != other
    ]
    lines = _lines(edges)
    for name in ("bulge", "middle"):
        lines[name] = -_LEFT * np.maximum(lines[name], 0.3)
    lines["turned"] = np.array([0 if one.reader > one.writer else np.pi for one in edges])
    source = source_of(lines)
    curve = Bezier(x0="x", y0="y0", x1="x", y1="y1", cx0="bulge", cy0="y0", cx1="bulge", cy1="y1")
    curve.line_color, curve.line_width, curve.line_dash = CRITICAL, 2.5, "dashed"
    plot.add_glyph(source, curve)
    mark = Scatter(x="middle", y="half", marker="inverted_triangle", size=9, angle="turned")
    mark.fill_color = mark.line_color = CRITICAL
    marks = plot.add_glyph(source, mark)
    plot.add_tools(HoverTool(renderers=[marks], tooltips="@what"))


def _columns(report: Report, nodes: Sequence[_Node], critical: Critical) -> Columns:
    loads = [max(program.load for _, program in node.copies) for node in nodes]
    iterations = [sum(program.iterations for _, program in node.copies) for node in nodes]
    return {
        "x": np.zeros(len(nodes)),
        "y": np.arange(len(nodes), dtype=float),
        "label": np.array([node.label for node in nodes]),
        "iterations": np.array(iterations, float),
        "share": np.array([report.share(load) or 0 for load in loads]),
        **rims([any(one.name in critical.stages for _, one in node.copies) for node in nodes]),
    }
