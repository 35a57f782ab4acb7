# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How the matrix of a stage is cut: the way that costs least."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cmc.dialects.cmpipe import MxvOp, StageOp, find_crossbar, vector_shape
from cmc.files.weights import Weights
from cmc.targets import Target
from cmc.tiling.blocks import Blocks
from cmc.tiling.cost import Cost, Sources
from cmc.tiling.cuts import Cut, Rows, cuts
from cmc.tiling.plan import Group, Limits, Plan, plan
from cmc.tiling.structure import Matrix, Units, units


@dataclass(frozen=True, eq=False)
class Task:
    """A matrix that is to be cut: the product that it is for, and how it will be cut."""

    stage: StageOp
    mxv: MxvOp
    target: Target
    weights: Weights
    matrix: Matrix
    units: Units
    rows: Rows
    cut: Cut
    plan: Plan
    cost: Cost
    ways: int

    @property
    def crossbar(self) -> str:
        """The size of a crossbar, for a person."""
        sizes = (self.target.rows, self.target.columns)
        return "x".join("any" if size is None else str(size) for size in sizes)

    def blocks(self, group: Group) -> Blocks:
        """How the columns are cut onto the stages of a group."""
        count = self.plan.blocks(group)
        width = group.units * self.units.width if count > 1 else self.matrix.columns
        return Blocks(self.matrix.columns, count, width)


def choose(
    stage: StageOp, mxv: MxvOp, target: Target, most_load: int, blocked: Mapping[str, Blocks]
) -> Task:
    """Cut the matrix of a product to a target's crossbars, at the least cost.

    `most_load` is the largest load of any stage of the pipeline, `blocked` the objects that were
    cut into blocks.
    """
    weights = find_crossbar(mxv, mxv.crossbar).value.data
    matrix = Matrix(weights.array)
    limits = _limits(stage, matrix, target, most_load)
    rows = Rows.of([vector_shape(value.type) for value in mxv.vectors])
    parts = units(matrix, target.columns)
    blocks = {name: blocks.count for name, blocks in blocked.items()}
    bytes = target.element_bytes
    occupied = matrix.occupied()
    sources = Sources.of(stage, mxv, blocks, bytes)
    best: tuple[tuple[int, int, int], Cut, Plan, Cost] | None = None
    ways = 0
    for cut in cuts(rows, parts.rows[0], limits.rows):
        ways += 1
        planned = plan(parts, rows, cut, limits, occupied)
        cost = sources.cost(planned, bytes)
        so_far = planned.crossbars, cost.bytes
        if best is None or so_far <= best[0][:2]:
            rank = *so_far, planned.reads(rows, cut)
            if best is None or rank < best[0]:
                best = rank, cut, planned, cost
    assert best is not None, "rows can be cut one by one"
    return Task(stage, mxv, target, weights, matrix, parts, rows, *best[1:], ways)


def _limits(stage: StageOp, matrix: Matrix, target: Target, most_load: int) -> Limits:
    iterations = stage.domain.data.count_val().to_python()
    issue = iterations * target.product_issue
    return Limits(
        target.rows or matrix.rows,
        target.columns or matrix.columns,
        target.crossbars,
        max(1, most_load // issue) if issue else matrix.rows * matrix.columns,
    )


def load(stage: StageOp, target: Target) -> int:
    """The cycles of an image for which a stage holds its issue port or crossbar, with one issue."""
    driven = any(isinstance(op, MxvOp) for op in stage.body.ops)
    each = max(target.product_issue, target.product_interval) if driven else 1
    return stage.domain.data.count_val().to_python() * each


def described(task: Task) -> str:
    """How a matrix was cut, for a person."""
    sizes = "+".join(map(str, task.cut.sizes))
    return (
        f"{where(task.stage)}: {task.matrix.rows}x{task.matrix.columns} in {task.plan.crossbars} "
        f"crossbars of {task.crossbar}, rows {sizes}; rings take "
        f"{task.cost.rings} bytes, {task.cost.sent} are sent an image: the best of {task.ways} ways"
    )


def where(stage: StageOp) -> str:
    return f"stage @{stage.sym_name.data}"
