# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What images take of the units of a pipeline's cores."""

from __future__ import annotations

from collections import Counter

from cmc.dialects.cmpipe import PipelineOp, StageOp, Writer
from cmc.fitting.bound import Work
from cmc.poly.counting import Iterations


def work_of(writer: Writer) -> Work:
    """What a stage or a stream does for an image, be it a copy or not."""
    count = Iterations(writer.iterations.reset_tuple_id()).count
    crossbars = len(list(writer.crossbars())) if isinstance(writer, StageOp) else 0
    pace = max([writer.cycles[1], *writer.occupied.values()])
    return Work(writer.sym_name.data, count, pace, writer.occupied, crossbars)


def turns_of_images(pipeline: PipelineOp) -> int:
    """How many pipelines take turns: in a round, in which each has an image, so many images."""
    turns = max((stream.turn.of for stream in pipeline.inputs()), default=1)
    return turns * pipeline.copies


def largest_load(pipeline: PipelineOp) -> int:
    """The cycles that a round of images takes of the busiest unit, stage or stream."""
    works = {writer.sym_name.data: work_of(writer) for writer in pipeline.writers()}
    sides = [[stream.sym_name.data for stream in pipeline.inputs()]]
    sides += [[name.root_reference.data for name in core.stages] for core in pipeline.cores()]
    units: list[int] = []
    for side in sides:
        total: Counter[str] = Counter()
        for name in side:
            total.update(works[name].cycles)
        units += total.values()
    return max([1, *(work.iterations * work.pace for work in works.values()), *units])
