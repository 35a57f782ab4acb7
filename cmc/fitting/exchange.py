# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What copies of stages would send each other, found without making them.

Which iteration of which stage reads what which other one wrote is looked at once. Then an iteration
belongs to one copy or another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import islpy as isl
import numpy as np

from cmc.dialects.cmpipe import PipelineOp, StageOp, find_object, read_from, target_of, writers_of
from cmc.fitting.parts import Part
from cmc.fitting.traffic import link_cycles
from cmc.poly.counting import Iterations
from cmc.poly.evaluate import Ints
from cmc.poly.order import Order
from cmc.poly.relations import nameless
from cmc.precedence import in_order


def copy_name(stage: str, number: int) -> str:
    """What one of the copies of a stage is called as long as it is not made."""
    return f"{stage} {number}"


@dataclass(frozen=True)
class _Pair:
    """A stage that reads what another one writes: the iterations of both, place by place."""

    writer: str
    reader: str
    written: Ints
    read: Ints
    cycles: int
    """For which a vector holds a link."""


@dataclass(frozen=True, eq=False)
class Exchange:
    """The stages of a pipeline, and what they send each other."""

    pipeline: PipelineOp

    @cached_property
    def _iterations(self) -> Mapping[str, Iterations]:
        return {one.sym_name.data: Iterations(one.domain.data) for one in self.pipeline.stages()}

    @cached_property
    def _pairs(self) -> list[_Pair]:
        stages = {stage.sym_name.data: stage for stage in self.pipeline.stages()}
        writers = writers_of(stages.values())
        return [
            self._pair(stages[channel.writer], reader, reads)
            for reader in stages.values()
            for channel, reads in read_from(reader, writers).items()
        ]

    def _pair(self, writer: StageOp, reader: StageOp, reads: isl.Map) -> _Pair:
        names = writer.sym_name.data, reader.sym_name.data
        needs = nameless(reads).apply_range(nameless(writer.places).reverse())
        points, rank = Order.of(needs.wrap()).points, reader.iteration_rank()
        target = target_of(self.pipeline)
        vector = find_object(writer, next(writer.writes()).object).vector
        return _Pair(
            *names,
            self._iterations[names[0]].reached(points[:, rank:]) - 1,
            self._iterations[names[1]].reached(points[:, :rank]) - 1,
            link_cycles(vector * target.element_bytes, target),
        )

    @property
    def follows(self) -> Mapping[str, Sequence[str]]:
        """The stages that each stage reads from; each stage stands after those."""
        follows: dict[str, list[str]] = {name: [] for name in self._iterations}
        for pair in self._pairs:
            follows[pair.reader].append(pair.writer)
        return {name: follows[name] for name in in_order(follows)}

    @property
    def total(self) -> int:
        """The cycles of a link for all that stages send each other, without copies."""
        return sum(self.sent({}).values())

    def sent(self, parts: Mapping[str, Sequence[Part]]) -> Counter[tuple[str, str]]:
        """The cycles of a link for what each copy sends each other one, by their names.

        `parts` has what the copies run of those stages that have several.
        """
        of = {name: self._copies(name, parts.get(name)) for name in self._iterations}
        found: Counter[tuple[str, str]] = Counter()
        for pair in self._pairs:
            to = of[pair.reader][pair.read]
            width = int(to.max(initial=0)) + 1
            # Each copy is sent once what it reads, however often it does.
            written, others = np.divmod(np.unique(pair.written * width + to), width)
            keys = of[pair.writer][written] * width + others
            every, counts = np.unique(keys, return_counts=True)
            for key, count in zip(every.tolist(), counts.tolist(), strict=True):
                one, other = divmod(key, width)
                ends = copy_name(pair.writer, one), copy_name(pair.reader, other)
                found[ends] += count * pair.cycles
        return found

    def _copies(self, name: str, parts: Sequence[Part] | None) -> Ints:
        """The number of the copy that runs each iteration of a stage, in their order."""
        iterations = self._iterations[name]
        if parts is None:
            return np.zeros(iterations.count, np.int64)
        copies = np.zeros(iterations.extents, np.int64)
        for number, part in enumerate(parts):
            loops = zip(part, iterations.lows.tolist(), strict=True)
            copies[np.ix_(*([at - low for at in loop] for loop, low in loops))] = number
        return copies.reshape(-1)
