# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How many crossbars a matrix takes, whatever stage it belongs to."""

from __future__ import annotations

from cmc.targets import Target
from cmc.tiling.cuts import Rows, cuts
from cmc.tiling.plan import Limits, plan
from cmc.tiling.structure import Matrix, units


def crossbars_of(matrix: Matrix, target: Target) -> int:
    """The crossbars of a target that a matrix takes, where its stage may issue as often as it
    wants."""
    rows, columns = target.rows or matrix.rows, target.columns or matrix.columns
    if matrix.rows <= rows and matrix.columns <= columns:
        return 1
    limits = Limits(rows, columns, target.crossbars, matrix.rows * matrix.columns)
    places = Rows.of([(matrix.rows,)])
    parts = units(matrix, target.columns)
    occupied = matrix.occupied()
    return min(
        plan(parts, places, cut, limits, occupied).crossbars
        for cut in cuts(places, parts.rows[0], limits.rows)
    )
