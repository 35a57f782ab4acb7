# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Where cores are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from cmc.reports.html.figures import Columns
from cmc.reports.report import Report

_WIDE = 2
"""How many columns there are to a row, where that does not matter."""


@dataclass(frozen=True)
class Plan:
    """Cores in rows and columns: at their places in a grid, or row by row where there is none."""

    rows: int
    columns: int
    cores: int
    """Those that are drawn: where there is no grid, no rows of which none is used."""
    places: Mapping[str, int]
    """Of cores that have programs, by their names."""

    @staticmethod
    def of(report: Report) -> Plan:
        """As the target has them."""
        names = [core.name for core in report.cores[1:]]
        places = {name: number for number, name in enumerate(names)}
        if report.details is not None:
            places |= report.details.places
        used = 1 + max(places.values(), default=0)
        cores, grid = report.target.cores or used, report.target.grid
        columns = ceil(sqrt(_WIDE * cores)) if grid is None else grid[1]
        rows = ceil(used / columns) if grid is None else grid[0]
        return Plan(rows, columns, min(cores, rows * columns), places)

    def left_top(self, place: int) -> tuple[float, float]:
        """The left upper corner of a core, which is 1 wide and high with its margin."""
        row, column = divmod(place, self.columns)
        return float(column), float(row)

    def boxes(self, size: float) -> Columns:
        """All cores as boxes of a size in the middle of their places."""
        corners = np.array([self.left_top(place) for place in range(self.cores)])
        return boxes(corners + (1 - size) / 2, np.full((self.cores, 2), size))


def boxes(corners: NDArray[np.float64], sizes: NDArray[np.float64]) -> Columns:
    """Boxes from their left upper corners and their widths and heights, `[boxes, 2]` each."""
    ends = corners + sizes
    return {
        "left": corners[:, 0],
        "top": corners[:, 1],
        "right": ends[:, 0],
        "bottom": ends[:, 1],
    }
