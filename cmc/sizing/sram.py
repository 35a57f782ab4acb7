# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Rings that fit the SRAM of their cores: as long as asked for, or as long as there is room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cmc.dialects.cmpipe import target_of
from cmc.poly.evaluate import Ints
from cmc.sizing.model import CountedPipeline

_PARTS = 1 << 10
"""The way from the least slots to those asked for is cut into so many parts."""


@dataclass(frozen=True)
class Sram:
    """The SRAM of a pipeline's cores, for rings that need `least` slots each to work at all."""

    model: CountedPipeline
    least: Callable[[], Sequence[int]]

    def fitted(self, slots: Sequence[int], enough: Sequence[int]) -> list[int]:
        """Slots of each channel: those asked for, on cores that have room for them.

        On the others, all rings lose the same part of what they have beyond what is `enough`; where
        there is no room for that, the same part of what that is beyond the least slots, or all of
        it where even the least are too much. Slots that a channel has stay as they are.
        """
        fitted = np.array(self.model.with_given(slots), np.int64)
        enough_of = np.minimum(self.model.with_given(enough), fitted)
        for channels, room in self._cores:
            width, most = self._width[channels], fitted[channels]
            if width @ most <= room:
                continue
            least = enough_of[channels]
            if width @ least > room:
                most = least
                least = np.minimum(self._least[channels], most)
            # So many parts of the way fit, and so many do not.
            fit, part = 0, _PARTS
            while part - fit > 1:
                half = (fit + part) // 2
                if width @ (least + (most - least) * half // _PARTS) <= room:
                    fit = half
                else:
                    part = half
            fitted[channels] = least + (most - least) * fit // _PARTS
        return fitted.tolist()

    @cached_property
    def _least(self) -> Ints:
        return np.array(self.model.with_given(self.least()), np.int64)

    @cached_property
    def _width(self) -> Ints:
        """The bytes of a slot of each channel."""
        return np.array(self.model.slot_bytes, np.int64)

    @cached_property
    def _cores(self) -> list[tuple[Ints, int]]:
        """For each core the channels that lead to it, and the bytes that their rings may take."""
        target, cores = target_of(self.model.pipeline), list[tuple[Ints, int]]()
        readers = [op.channel.reader for op in self.model.channels]
        for core in self.model.pipeline.cores():
            stages = list(core.runs())
            floats = sum(stage.constant_floats for stage in stages)
            names = {stage.sym_name.data for stage in stages}
            channels = np.array([n for n, name in enumerate(readers) if name in names], np.int64)
            room = target.sram_capacity - floats * target.element_bytes
            cores.append((channels, room))
        return cores
