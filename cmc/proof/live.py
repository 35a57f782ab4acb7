"""With the rings that there are, every iteration of every image begins in the end.

Once control is sound and tight, an iteration waits for the one before it, for the writes of its own
image that it needs, and for slots that are released in its own image or an earlier one. Nothing
waits for a later image. So a cycle of iterations that wait for each other lies within one image,
and if one image gets through, all do: waiting does not depend on data, and the first image waits
for everything that any image waits for within itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import islpy as isl
import numpy as np

from cmc.dialects.cmctrl import Channel
from cmc.errors import CmcError
from cmc.flow import Edge, Flow, Process, Steps, deadlock, solve
from cmc.poly.evaluate import Ints, tabulate
from cmc.poly.order import Order
from cmc.proof.machines import Driven
from cmc.proof.points import coordinates, image
from cmc.proof.programs import Program


@dataclass(frozen=True, eq=False)
class Link:
    """A channel whose machines were proved, and the slots of its ring."""

    channel: Channel
    writer: Program
    reader: Program
    ready: Driven
    free: Driven
    slots: int


def prove_live(programs: Mapping[str, Program], links: list[Link]) -> None:
    """CmcError, or `Deadlock`, that names the iterations that would wait for ever."""
    counts = _Counts()
    edges = [counts.edge(link) for link in links]
    for link, edge in zip(links, edges, strict=True):
        _fits(link, edge, counts)
    processes = {name: counts.process(program) for name, program in programs.items()}
    flow = Flow(processes, tuple(edges))
    times = solve(flow, images=1)
    if not times.complete:
        raise deadlock(flow, 1, times.begun)


_Machine = tuple[isl.Map, isl.Set, isl.Set]
"""What drives what by which signals, and the iterations on both sides."""


@dataclass
class _Counts:
    """Iterations by their numbers; programs and machines that are alike are counted once."""

    orders: dict[isl.Set, Order] = field(default_factory=dict[isl.Set, Order])
    steps: dict[_Machine, Steps] = field(default_factory=dict[_Machine, Steps])

    def order(self, program: Program) -> Order:
        known = self.orders.get(program.iterations)
        if known is None:
            known = self.orders[program.iterations] = Order.of(program.iterations)
        return known

    def process(self, program: Program) -> Process:
        points = self.order(program).points
        op = program.op
        return Process(
            program.name,
            len(points),
            1 if op.latency is None else op.latency.value.data,
            1 if op.interval is None else op.interval.value.data,
            lambda number: f"@{program.name}{coordinates(tuple(points[number].tolist()))}",
        )

    def edge(self, link: Link) -> Edge:
        return Edge(
            str(link.channel),
            link.writer.name,
            link.reader.name,
            self._steps(link.ready, link.writer, link.reader),
            self._steps(link.free, link.reader, link.writer),
            link.slots,
        )

    def _steps(self, machine: Driven, signals: Program, driven: Program) -> Steps:
        key = (machine.got, signals.iterations, driven.iterations)
        if key not in self.steps:
            self.steps[key] = _table(machine.got, self.order(signals), self.order(driven))
        return self.steps[key]


def _table(got: isl.Map, signals: Order, driven: Order) -> Steps:
    """The steps of a machine: one for each signal that something waits for first."""
    count = len(driven.points)
    table = tabulate(got, tuple(driven.points.T))
    places = np.empty((count, signals.points.shape[1]), np.int64)
    for axis, column in enumerate(table.coordinates):
        places[:, axis] = column
    awaited: Ints = np.where(table.defined, signals.reached(places), 0)
    last = np.append(np.flatnonzero(np.diff(awaited)), count - 1)
    started = awaited[last] == 0
    steps = last[~started]
    return Steps(awaited[steps], steps + 1, int(np.count_nonzero(awaited == 0)))


def _fits(link: Link, edge: Edge, counts: _Counts) -> None:
    """What one iteration of the reader needs at once is no more than the ring holds.

    Necessary, and the better message than a deadlock.
    """
    readers, writers = counts.order(link.reader), counts.order(link.writer)
    needed = edge.ready.needs(len(readers.points))
    released = edge.free.needs(len(writers.points))
    kept = np.searchsorted(released, np.arange(len(readers.points)), "right")
    held = needed - kept
    worst = int(np.argmax(held > link.slots))
    if held[worst] > link.slots:
        oldest, newest = (
            image(link.writer.writes, tuple(writers.points[number].tolist()))
            for number in (int(kept[worst]), int(needed[worst]) - 1)
        )
        at = coordinates(tuple(readers.points[worst].tolist()))
        raise CmcError(
            f"the ring of {link.channel} has {link.slots} slots, and @{link.reader.name}{at} needs "
            f"{held[worst]}: all from @{link.channel.object}{coordinates(oldest)}, which is not "
            f"released before, to @{link.channel.object}{coordinates(newest)}",
            link.reader.where,
        )
