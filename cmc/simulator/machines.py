# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Read a machine's loops as steps: what each advance has awaited, and how far it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from xdsl.ir import Block, SSAValue

from cmc.dialects.cmctrl import AwaitOp, MachineOp
from cmc.errors import CmcError
from cmc.poly.evaluate import Ints
from cmc.poly.order import Box
from cmc.simulator.expand import Visits, visits
from cmc.timing.flow import NEVER, Steps
from cmc.timing.runs import Runs


class Side(Protocol):
    """One side of a machine: iterations, or the elements of an object, in the order they come."""

    @property
    def box(self) -> Box | None:
        """All points of the side, if they come in the order of a box."""
        ...

    @property
    def identity(self) -> object:
        """What is equal of sides with the same points in the same order."""
        ...

    def number(self, points: Ints) -> Ints:
        """The place of each point in the order, from 0; -1 for what is no point of the side."""
        ...

    def reached(self, points: Ints) -> Ints:
        """How much there is up to each point; -1 for a point up to which nothing can be."""
        ...


@dataclass
class MachineReader:
    """Reads machines: those that are alike once."""

    _known: dict[object, Steps] = field(default_factory=dict[object, Steps])

    def steps(self, machine: MachineOp, awaited: Side, driven: Side) -> Steps:
        """A machine's loops as steps. CmcError for an advance to what is not there."""
        key = (structure(machine.body.block), awaited.identity, driven.identity)
        if key not in self._known:
            self._known[key] = _read_steps(machine, awaited, driven)
        return self._known[key]


def structure(block: Block) -> object:
    """What is equal for blocks that do the same."""
    return _structure(block, {})


def _structure(block: Block, numbers: dict[SSAValue, int]) -> object:
    """The same for blocks within others, given numbers of the values around them."""
    numbers.update((argument, len(numbers) + i) for i, argument in enumerate(block.args))
    found: list[object] = []
    for op in block.ops:
        operands = tuple(numbers[operand] for operand in op.operands)
        inner = tuple(_structure(region.block, numbers) for region in op.regions if region.blocks)
        numbers.update((result, len(numbers) + i) for i, result in enumerate(op.results))
        found.append((op.name, *op.properties.values(), operands, inner))
    return tuple(found)


def _read_steps(machine: MachineOp, awaited: Side, driven: Side) -> Steps:

    def awaits(points: Ints) -> Ints:
        number = awaited.number(points)
        return np.where(number < 0, NEVER, number + 1)

    def reaches(points: Ints) -> Ints:
        reached = driven.reached(points)
        if np.any(reached < 0):
            point = points[int(np.flatnonzero(reached < 0)[0])].tolist()
            raise CmcError(f"{point} is no element that is carried", machine.title)
        return reached

    found = visits(machine.body.block)
    waiting = _Sequence.of([v for v in found if isinstance(v.op, AwaitOp)], awaited, awaits)
    going = _Sequence.of([v for v in found if not isinstance(v.op, AwaitOp)], driven, reaches)
    seen = waiting.counts.accumulated(0)
    before = waiting.times.counted(going.times)
    last = seen.last if seen.length else 0
    if last == NEVER:
        # What comes after an await of nothing never happens.
        count = int(before.below(np.array([seen.below(np.array([NEVER]))[0] + 1]))[0])
        before = before.head(count)
    steps = Runs.joined([Runs.line(1, 0), seen]).take(before)
    return Steps.of(steps, going.counts.head(steps.length), last=last)


@dataclass(frozen=True)
class _Sequence:
    """Visits of one kind in order: when they come, and counts that their points stand for."""

    times: Runs
    counts: Runs

    @staticmethod
    def of(found: Sequence[Visits], side: Side, count: Callable[[Ints], Ints]) -> _Sequence:
        rows = [_counted(one, side, count) for one in found]
        if not rows:
            return _Sequence(Runs.line(0, 0), Runs.line(0, 0))
        rows = np.concatenate(rows, axis=1)
        times, steps, counts = rows[:, np.argsort(rows[0])][:3]
        if np.any((times + steps * (counts - 1))[:-1] >= times[1:]):
            # Rows of one loop, by turns.
            rows = np.concatenate([_counted(one.expanded(), side, count) for one in found], axis=1)
        times, steps, counts, values, slopes = rows[:, np.argsort(rows[0])]
        starts, length = np.cumsum(counts) - counts, int(counts.sum())
        return _Sequence(
            Runs(starts, times, steps, length), Runs(starts, values, slopes, length).merged()
        )


def _counted(found: Visits, side: Side, count: Callable[[Ints], Ints]) -> Ints:
    """Rows of visits as progressions: `[5, rows]`.

    When the first comes, by how much later each next one does, how many there are, the count that
    the first stands for, and by how much each next one's is larger.
    """
    box = side.box
    if box is None or not np.all(box.contains(found.points) & box.contains(found.lasts)):
        found = found.expanded()
        slopes = np.zeros_like(found.counts)
    else:
        slopes = found.slopes @ box.weights
    return np.stack([found.times, found.steps, found.counts, count(found.points), slopes])
