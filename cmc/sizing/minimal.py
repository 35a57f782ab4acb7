# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The fewest slots: rings of which none can lose a slot without a deadlock.

An iteration waits for the one before it, for the writes that it needs, and for slots that are freed
by iterations of its own image or of an earlier one. So a pipeline is live if no iteration of an
image waits for itself, and a ring may be as small as it likes, as long as what frees a slot never
waits for a write into that slot.

How many writes does the reader's iteration j wait for, if it is not for this ring's room? For those
that it needs itself; for all that the ways on through other channels, to more data and to more room
with the slots that their rings have, ask of the writer in the end. Before a step of the free
machine the writer may have written what was freed before and as many elements as there are slots,
and these must be all that the iterations awaited by the step wait for: this is how many slots a
ring needs, no more and no less, while the other rings are as they are. It is enough to look at ways
that go through no process twice, for a wait of a process for itself is one for an earlier
iteration: that leaves the channels that lie on a ring of channels with this one.

Smaller rings elsewhere never let a ring be smaller. So rings that are shrunk one after the other,
each as far as it goes, are rings of which none can be shrunk any more. There may be other such
sizes with fewer slots in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from cmc.timing.flow import Edge, Flow
from cmc.timing.runs import Runs, held

ARRAYS = 1 << 22
"""So many iterations at the ends of all edges take 100 MB as arrays, which are faster than runs."""


def minimal_slots(flow: Flow, live: Sequence[int], widths: Sequence[int]) -> list[int]:
    """The slots of each edge's channel: no more than in sizes with which nothing deadlocks.

    Rings of the widest slots are shrunk first. All machines of `flow` go on to their ends.
    """
    rings = Rings(flow, live)
    for number in sorted(range(len(live)), key=lambda n: -widths[n]):
        edge = flow.edges[number]
        rings.slots[edge] = rings.fewest(edge)
    return [rings.slots[edge] for edge in flow.edges]


class Rings:
    """The rings of a pipeline that is live with their slots."""

    def __init__(self, flow: Flow, slots: Sequence[int]):
        self._flow = flow
        self.slots = dict(zip(flow.edges, slots, strict=True))
        self._rooms: dict[Edge, tuple[int, Runs]] = {}
        counts = {name: process.iterations for name, process in flow.processes.items()}
        ends = (counts[edge.writer] + counts[edge.reader] for edge in flow.edges)
        self._arrays = sum(ends) <= ARRAYS

    def fewest(self, edge: Edge) -> int:
        """The fewest slots for one of the rings, not to deadlock while the others stay as they are.

        It is 1 or more.
        """
        if edge.free.awaits.length == 0:
            return 1
        written = self._waits(edge).take(edge.free.awaits - 1)
        excess = edge.sent_by(written) + -edge.free.starts
        return max(1, int(excess.values.max()), int(excess.lasts.max()))

    def _waits(self, edge: Edge) -> Runs:
        """How many writes each iteration of a channel's reader waits for, but for its room."""
        around = self._around[edge]
        ways = [(one.reader, one.writer, self._needed[one]) for one in reversed(around)]
        ways += [(one.writer, one.reader, self._room(one)) for one in around if one is not edge]
        iterations = self._flow.processes[edge.reader].iterations
        asked = {edge.reader: self._shaped(Runs.line(iterations, 1, 1))}
        passed: dict[int, Runs] = {}
        more = True
        while more:
            more = False
            for number, (source, target, way) in enumerate(ways):
                iterations = asked.get(source)
                if iterations is not None and iterations is not passed.get(number):
                    passed[number] = iterations
                    wanted, before = self._shaped(way.take(iterations)), asked.get(target)
                    asked[target] = wanted if before is None else before.maximum(wanted)
                    more |= asked[target] is not before
        return asked[edge.writer]

    def _shaped(self, runs: Runs) -> Runs:
        """The same sequence as an array, or in few runs."""
        if self._arrays:
            return runs if runs.is_array else Runs.array(runs.expanded())
        return runs.merged()

    @cached_property
    def _needed(self) -> dict[Edge, Runs]:
        """How many elements each edge's reader needs to run that many iterations, from none on."""
        found: dict[Edge, Runs] = {}
        for edge in self._flow.edges:
            iterations = self._flow.processes[edge.reader].iterations
            written = edge.iteration(edge.ready.awaits - 1) + 1
            need = held(edge.ready.starts, written, iterations, before=0)
            found[edge] = self._shaped(Runs.joined([Runs.line(1, 0), need]))
        return found

    def _room(self, edge: Edge) -> Runs:
        """How many iterations the reader runs to make room for so many of the writer, from none."""
        slots, room = self._rooms.get(edge, (None, None))
        if room is None or slots != self.slots[edge]:
            slots = self.slots[edge]
            room = self._shaped(self._freed(edge, slots))
            self._rooms[edge] = slots, room
        return room

    def _freed(self, edge: Edge, slots: int) -> Runs:
        iterations = self._flow.processes[edge.writer].iterations
        elements = edge.count(iterations)
        free = held(edge.free.starts, edge.free.awaits, elements, before=0)
        empty = Runs.line(min(slots, elements) + 1, 0)
        room = Runs.joined([empty, free]).head(elements + 1)
        return room.take(edge.sent_by(Runs.line(iterations + 1, 0, 1)))

    @cached_property
    def _around(self) -> dict[Edge, list[Edge]]:
        """All edges that lie on a ring of edges with each edge, and it itself, writers first."""
        place = {name: number for number, name in enumerate(["", *self._flow.processes])}
        # A tree: above each process lies its first edge from one that stands before it, or one to
        # what all inputs have in common.
        above = {
            name: next((e for e in edges if place[e.writer] < place[name]), None)
            for name, edges in self._flow.into.items()
        }
        groups: dict[str | Edge, set[str | Edge]] = {name: {name} for name in above}
        for name, edges in self._flow.into.items():
            for edge in (edge for edge in edges if edge is not above[name]):
                # This edge, and the edges above both its ends, up to where these meet.
                group: set[str | Edge] = {edge}
                one, other = edge.writer, edge.reader
                while one != other:
                    if place[one] < place[other]:
                        one, other = other, one
                    group |= groups[one]
                    first = above[one]
                    one = "" if first is None else first.writer
                groups.update(dict.fromkeys(group, group))
        found: dict[Edge, list[Edge]] = {}
        for group in groups.values():
            edges = [above[one] if isinstance(one, str) else one for one in group]
            edges = [edge for edge in edges if edge is not None]
            edges.sort(key=lambda edge: place[edge.writer])
            found.update(dict.fromkeys(edges, edges))
        return found
