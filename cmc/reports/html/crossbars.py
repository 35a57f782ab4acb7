# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Crossbars: which of their cells hold a weight."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt

import numpy as np
from bokeh.models import HoverTool, Quad, Text
from numpy.typing import NDArray

from cmc.poly.evaluate import spans
from cmc.reports.details import Matrix
from cmc.reports.html.critical import Critical
from cmc.reports.html.figures import BOX, Columns, Figure, make_plot, rims, source_of, span
from cmc.reports.html.palette import BLUE, GREY
from cmc.reports.html.plan import Plan, boxes
from cmc.reports.report import Report

_ROW = 84
"""Pixels of a row of cores."""

_CORE, _HEAD, _CROSSBAR = 0.86, 0.16, 0.88
"""The part of its place that a core is drawn in, of that its name, and of the rest a crossbar."""


def crossbars(report: Report, critical: Critical) -> Figure | None:
    """Each crossbar of the cores in use, with its matrix in it."""
    if report.details is None or not report.details.matrices:
        return None
    plan, matrices = Plan.of(report), report.details.matrices
    by_core: dict[str, list[Matrix]] = {name: [] for name in plan.places}
    for one in matrices:
        by_core[one.core].append(one)
    number = max([report.target.crossbars, *map(len, by_core.values())])
    side = ceil(sqrt(number))
    plot = make_plot(
        "crossbars",
        _ROW * plan.rows + 60,
        span(0, plan.columns),
        span(plan.rows, 0),
        "pan,wheel_zoom,box_zoom,reset",
    )
    plot.axis.visible = False
    plot.grid.visible = False
    cores = {place: name in critical.cores for name, place in plan.places.items()}
    rimmed = rims([cores.get(place, False) for place in range(plan.cores)])
    rim = Quad(**BOX, fill_color=None, line_color="rim", line_width="thick")
    plot.add_glyph(source_of({**plan.boxes(_CORE), **rimmed}), rim)
    corners = {name: _corners(plan, place, number, side) for name, place in plan.places.items()}
    size = _size(side)
    all = np.concatenate(list(corners.values()))
    empty = Quad(
        **BOX,
        fill_color=None,
        line_color=GREY,
        line_alpha=0.7,
        hatch_pattern="/",
        hatch_color=GREY,
        hatch_alpha=0.35,
        hatch_scale=6,
    )
    plot.add_glyph(source_of(boxes(all, np.full_like(all, size))), empty)
    held = [one for some in by_core.values() for one in some]
    used = np.concatenate([corners[name][: len(some)] for name, some in by_core.items()])
    columns = _blocks(report, held, used, size)
    filled = plot.add_glyph(source_of(columns), Quad(**BOX, fill_color=BLUE, line_color=BLUE))
    plot.add_glyph(source_of(_names(plan)), _name())
    tooltips = [("stage", "@stage"), ("cells", "@cells")]
    plot.add_tools(HoverTool(renderers=[filled], tooltips=tooltips))
    return Figure("Crossbars", plot, _caption(report) + critical.marked)


def _name() -> Text:
    """The name of a core, in its left upper corner."""
    return Text(
        x="x",
        y="y",
        text="name",
        text_font_size="10px",
        text_color=GREY,
        text_baseline="top",
        x_offset=2,
        y_offset=1,
    )


def _caption(report: Report) -> str:
    rows, columns = report.target.rows, report.target.columns
    size = "as large as its matrix" if rows is None else f"{rows:,} rows of {columns:,} cells"
    return (
        f"Cores as in the floor plan, with their crossbars, {size}. Cells that hold a weight of a "
        "matrix are filled, rows downwards; hatched cells are wasted, or free. In all, "
        f"{report.cells_used:,} of {report.cells:,} cells of the crossbars in use are filled."
    )


def _size(side: int) -> float:
    """Of a crossbar, of which there are so many in a row of a core."""
    return _CORE * (1 - _HEAD) / side * _CROSSBAR


def _corners(plan: Plan, place: int, number: int, side: int) -> NDArray[np.float64]:
    """Where the crossbars of a core are."""
    step = _CORE * (1 - _HEAD) / side
    left, top = plan.left_top(place)
    first = np.array([left + (1 - _CORE * (1 - _HEAD)) / 2, top + (1 - _CORE) / 2 + _CORE * _HEAD])
    row, column = np.divmod(np.arange(number), side)
    return first + step * (np.stack([column, row], 1) + (1 - _CROSSBAR) / 2)


def _blocks(
    report: Report, matrices: Sequence[Matrix], corners: NDArray[np.float64], size: float
) -> Columns:
    """The blocks of matrices on the diagonals of their crossbars."""
    target = report.target
    sides = np.array([[one.columns, one.rows] for one in matrices])
    count = np.array([one.blocks for one in matrices])
    whole = np.array([target.columns or 0, target.rows or 0])
    all = np.where(whole, whole, sides * count[:, np.newaxis])
    of, number = spans(count)
    block = (sides / all * size)[of]
    words = [
        f"{used:,} of {cells:,}: {one.rows:,} rows x {one.columns:,}"
        for one, used, cells in zip(
            matrices, (count * sides.prod(1)).tolist(), all.prod(1).tolist(), strict=True
        )
    ]
    return {
        **boxes(corners[of] + number[:, np.newaxis] * block, block),
        "stage": np.array([f"@{one.stage}" for one in matrices])[of],
        "cells": np.array(words)[of],
    }


def _names(plan: Plan) -> Columns:
    corners = np.array([plan.left_top(place) for place in plan.places.values()]) + (1 - _CORE) / 2
    return {"x": corners[:, 0], "y": corners[:, 1], "name": np.array(list(plan.places))}
