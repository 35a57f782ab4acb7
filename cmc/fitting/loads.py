"""What an image takes of the units of a pipeline's cores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from cmc.dialects.cmpipe import PipelineOp, Writer
from cmc.poly.counting import Iterations


@dataclass(frozen=True)
class Work:
    """What a stage or a stream does for an image."""

    cycles: Mapping[str, int]
    """By unit, for how long it takes it."""
    pace: int
    """The cycles that it takes with all units to itself."""


def work_of(writer: Writer) -> Work:
    """What an image asks of a stage or a stream."""
    count = Iterations(writer.iterations.reset_tuple_id()).count
    cycles = {unit: number * count for unit, number in writer.occupied.items()}
    pace = max([writer.cycles[1], *writer.occupied.values()])
    return Work(cycles, count * pace)


def largest_load(pipeline: PipelineOp) -> int:
    """The cycles that an image takes of the busiest unit, stage or stream."""
    works = {writer.sym_name.data: work_of(writer) for writer in pipeline.writers()}
    sides = [[stream.sym_name.data for stream in pipeline.inputs()]]
    sides += [[name.root_reference.data for name in core.stages] for core in pipeline.cores()]
    units: list[int] = []
    for side in sides:
        total: Counter[str] = Counter()
        for name in side:
            total.update(works[name].cycles)
        units += total.values()
    return max([1, *(work.pace for work in works.values()), *units])
