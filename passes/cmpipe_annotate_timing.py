# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmpipe-annotate-timing`: what an iteration of each stage and input takes on the target.

All of it follows from the target and the body, in cycles of the target's clock, rounded up:

- `port`: the issue interval, times the issues. One issue drives all crossbars that are given the
  same vectors; others need an issue of their own.
- `digital`: for each operation of `arith` and `math`, and for each reduction, the cycles of a lane
  times its elements over the lanes. An operation computes as many elements as its result has, a
  reduction as many as it is given. Constants are computed nowhere, and what only moves numbers
  (joins, broadcasts) is no arithmetic.
- `memory`: the bytes that are read and written over the bytes per cycle. Read are the places of
  each window that ever hold a number of its object, padding not among them, and constants that lie
  in SRAM; written is one vector, however many get it.
- `interval`: that of a crossbar, times the products of the crossbar that has most of them. The
  crossbars of a stage work side by side.
- `latency`: memory, products and digital work one after the other. Products take their own latency
  once for each one in the longest chain in which one needs another's result, and as many issue
  intervals as there are issues beside these; or as long as the busiest crossbar is busy.

An input occupies the GCU's port for the bytes of a vector over those that the GCU sends a cycle.

Where the target has no port, or no limit of lanes or rates, that takes no time; less than a cycle
is one for latency and interval. So a pipeline without a target stays as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import islpy as isl
from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass

from cmc.dialects.cmpipe import (
    InputOp,
    MxvOp,
    PipelineOp,
    ReadOp,
    StageOp,
    Unit,
    UnitsAttr,
    Writer,
    computed_elements,
    find_object,
    stored_floats,
)
from cmc.passes.on_target import put_target
from cmc.poly.counting import Iterations
from cmc.poly.relations import box
from cmc.targets import Target


@dataclass(frozen=True)
class _Times:
    """What an iteration takes."""

    latency: int
    interval: int
    occupies: Mapping[Unit, int]


def _annotate(writer: Writer, times: _Times) -> None:
    cycles = (("latency", times.latency), ("interval", times.interval))
    for name, count in cycles:
        writer.properties.pop(name, None)
        if count > 1:
            writer.properties[name] = IntegerAttr(count, i64)
    occupied = {unit: count for unit, count in times.occupies.items() if count}
    writer.occupies = UnitsAttr.of(occupied) if occupied else None


def _of_input(stream: InputOp, target: Target) -> _Times:
    floats = find_object(stream, stream.object).vector
    port = _transfer(floats * target.element_bytes, target.gcu_bytes_per_cycle)
    return _Times(port, 1, {Unit.PORT: port})


def _of_stage(stage: StageOp, target: Target) -> _Times:
    products = [op for op in stage.computed() if isinstance(op, MxvOp)]
    issues = len({tuple(op.vectors) for op in products})
    repeats = max(Counter(op.crossbar for op in products).values(), default=0)
    port = issues * target.product_issue
    digital = sum(_digital(op, target) for op in stage.computed())
    memory = 0
    if target.sram_bytes_per_cycle is not None:
        memory = _transfer(_floats(stage) * target.element_bytes, target.sram_bytes_per_cycle)
    computed = 0
    if products:
        chain = _chain(stage)
        computed = max(
            chain * target.product + (issues - chain) * target.product_issue,
            target.product + (repeats - 1) * target.product_interval,
        )
    return _Times(
        memory + computed + digital,
        repeats * target.product_interval,
        {Unit.DIGITAL: digital, Unit.PORT: port, Unit.MEMORY: memory},
    )


def _transfer(bytes: int, rate: Fraction | None) -> int:
    """The cycles in which so many bytes pass; none where any number does at once."""
    return 0 if rate is None else ceil(bytes / rate)


def _chain(stage: StageOp) -> int:
    """How many products there are at most each of which needs the one before."""
    depth: dict[SSAValue, int] = {}
    for op in stage.computed():
        before = max((depth.get(operand, 0) for operand in op.operands), default=0)
        for result in op.results:
            depth[result] = before + isinstance(op, MxvOp)
    return max(depth.values(), default=0)


def _digital(op: Operation, target: Target) -> int:
    """The cycles of the digital unit for an operation of a body."""
    if target.lanes is None:
        return 0
    return -(-computed_elements(op) // target.lanes) * target.lane_cycles


def _floats(stage: StageOp) -> int:
    """How many numbers an iteration reads and writes in SRAM."""
    moved = sum(find_object(write, write.object).vector for write in stage.writes())
    for op in stage.computed():
        moved += _window(op, stage) if isinstance(op, ReadOp) else stored_floats(op)
    return moved


def _window(read: ReadOp, stage: StageOp) -> int:
    """How many places of a window hold a number of the object, in one iteration or another."""
    object = find_object(read, read.object)
    iterations, window = stage.domain.data.reset_tuple_id(), box(read.window_shape)
    access = read.access.data.intersect_domain(iterations.product(window).flatten())
    access = access.intersect_range(box((*object.shape, object.vector)))
    places = access.domain().project_out(isl.dim_type.set, 0, stage.iteration_rank())
    return Iterations(places).count


@dataclass(frozen=True)
class CmpipeAnnotateTimingPass(ModulePass):
    """Give each stage and input its latency, its interval and the units that it occupies.

    `target` is a preset, or a file that describes a target, for pipelines that have another one or
    none. What they say of times already gives way to what follows from the target; for `ideal` it
    stays, as nothing follows from that.
    """

    name = "cmpipe-annotate-timing"

    target: str | None = None

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        put_target(op, self.target)
        for pipeline in [p for p in op.walk() if isinstance(p, PipelineOp)]:
            if pipeline.target is None:
                continue
            target = pipeline.target.data
            for writer in pipeline.writers():
                if isinstance(writer, InputOp):
                    _annotate(writer, _of_input(writer, target))
                elif isinstance(writer, StageOp):
                    _annotate(writer, _of_stage(writer, target))
