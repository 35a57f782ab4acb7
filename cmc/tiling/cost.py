# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a way to cut rows costs: rings in the readers, and what is sent to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import islpy as isl
import numpy as np
from xdsl.ir import Operation, SSAValue

from cmc.dialects.cmpipe import MxvOp, ReadOp, StageOp, find_object, vector_shape
from cmc.poly.evaluate import Ints, flat_index, grid, size, tabulate
from cmc.tiling.plan import Group, Plan


@dataclass(frozen=True)
class Cost:
    """Bytes: of rings, and sent to the stages and between them for an image."""

    rings: int
    sent: int

    @property
    def bytes(self) -> int:
        return self.rings + self.sent


@dataclass(frozen=True, eq=False)
class Sources:
    """Where the rows of a matrix come from in one iteration in the middle: an estimate.

    `channel` numbers the writers of objects, -1 for what is no object's. `element` is the place of
    what is read among what that writer writes.
    """

    channel: Ints
    element: Ints
    vector_bytes: tuple[int, ...]
    elements: tuple[int, ...]
    iterations: int

    @staticmethod
    def of(stage: StageOp, mxv: MxvOp, blocks: Mapping[str, int], element_bytes: int) -> Sources:
        """`blocks` says of which objects the last index is that of the writer."""
        channels: list[Ints] = []
        elements: list[Ints] = []
        bytes: list[int] = []
        counts: list[int] = []
        numbers: dict[str, int] = {}
        for value in mxv.vectors:
            shape = vector_shape(value.type)
            channel, place = np.full(size(shape), -1), np.zeros(size(shape), np.int64)
            # What is read over something is seen first.
            read = _read_of(value)
            while read is not None:
                object = find_object(read, read.object)
                if object.value is None:
                    writers = blocks.get(object.sym_name.data, 1)
                    first = numbers.setdefault(object.sym_name.data, len(counts))
                    if first == len(counts):
                        bytes += [object.vector * element_bytes] * writers
                        counts += [size(object.shape) // writers] * writers
                    element = _elements(stage, read, object.shape)
                    shows = (channel < 0) & (element >= 0)
                    channel = np.where(shows, first + element % writers, channel)
                    place = np.where(shows, element // writers, place)
                read = None if read.under is None else _read_of(read.under)
            channels.append(channel)
            elements.append(place)
        return Sources(
            np.concatenate(channels),
            np.concatenate(elements),
            tuple(bytes),
            tuple(counts),
            stage.domain.data.count_val().to_python(),
        )

    def cost(self, plan: Plan, element_bytes: int) -> Cost:
        """The bytes of all stages, if those of other columns cost as much as the first of each."""
        rings = sent = 0
        before: tuple[Group, Mapping[int, int]] | None = None
        for group in plan.groups:
            stages = plan.blocks(group)
            newest: dict[int, int] = {}
            rows = _rows(plan, group)
            channel, element = self.channel[rows], self.element[rows]
            for number in map(int, np.unique(channel[channel >= 0])):
                own = element[channel == number]
                newest[number] = int(own.max())
                span = newest[number] - int(own.min()) + 1
                rings += stages * span * self.vector_bytes[number]
                sent += stages * self.elements[number] * self.vector_bytes[number]
            if before is not None:
                earlier, reached = before
                partial = earlier.units * plan.units.width * element_bytes
                sums = plan.blocks(earlier)
                sent += sums * self.iterations * partial
                # Until the newest element is there, either sums wait or what they are made of.
                rings += sums * max(
                    (
                        max(0, at - reached[number]) * min(partial, self.vector_bytes[number])
                        for number, at in newest.items()
                        if number in reached
                    ),
                    default=0,
                )
            before = group, newest
        return Cost(rings, sent)


def _rows(plan: Plan, group: Group) -> Ints:
    """The rows that the first stage of a group reads."""
    units = range(0, min(group.units, plan.units.count), plan.units.alike)
    return np.concatenate([layer.rows[unit] for layer in group.layers for unit in units])


def _elements(stage: StageOp, read: ReadOp, shape: tuple[int, ...]) -> Ints:
    """For each place of a window the number of the element that it is; -1 if it is none."""
    domain = stage.domain.data
    dims = range(domain.dim(isl.dim_type.set))
    middle = [
        (domain.dim_min_val(d).to_python() + domain.dim_max_val(d).to_python()) // 2 for d in dims
    ]
    window = read.window_shape
    point = [np.full((1,) * len(window), at, np.int64) for at in middle]
    table = tabulate(read.access.data, [*point, *grid(window)])
    element = flat_index(table.coordinates[:-1], shape, 1)
    element = np.where(table.defined, element, -1)
    return np.broadcast_to(element, window).reshape(-1)


def _read_of(value: SSAValue) -> ReadOp | None:
    """The read that a vector comes from, place by place."""
    op = value.owner
    while isinstance(op, Operation) and not isinstance(op, ReadOp):
        same = [operand for operand in op.operands if operand.type == value.type]
        if not same:
            return None
        op = same[0].owner
    return op if isinstance(op, ReadOp) else None
