# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What each iteration of a stream waited for last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from cmc.explain.circuit import Kind
from cmc.poly.evaluate import Ints
from cmc.timing.flow import Edge, Flow, Process
from cmc.timing.layout import Hop, Hops
from cmc.timing.load import unit_title

Log = str | int
"""What happens again and again: iterations of the process of a name, or vectors that begin on a
link that they may have to wait for, at the hop of a number."""


class Node(NamedTuple):
    """An iteration of a process, or a vector at a hop, counted over all images that it has."""

    log: Log
    number: int


class Clock(Protocol):
    """When iterations of a stream begin, and vectors on links."""

    def start(self, node: Node) -> int | None:
        """When something begins; None if the stream has none of this number."""
        ...

    def before(self, users: Sequence[Log], cycle: int) -> Node | None:
        """What began last before a cycle, of some that share a unit or a link; None if nothing."""
        ...


class Last(NamedTuple):
    """What something waited for last, and how many cycles before that had begun."""

    kind: Kind
    what: str
    on: Node
    cycles: int


@dataclass(frozen=True)
class _Signals:
    """What iterations of an image wait for on another process, as a machine says it.

    Iterations of an image, or those of them that are in `places`, at these, await `needs` signals
    of the same image and those before, as that does which is `slots` places earlier. Signals come
    `latency` cycles after iterations of the other process begin, or those of them in `sends`.
    """

    on: Process
    kind: Kind
    what: str
    latency: int
    needs: Ints
    signals: int
    slots: int = 0
    places: Mapping[int, int] | None = None
    sends: Ints | None = None
    late: Edge | None = None
    """The channel whose vectors they are, if these may have to wait for links."""

    def awaited(self, image: int, iteration: int) -> Node | None:
        """The iteration whose signal is the last one of those that one awaits."""
        place = iteration if self.places is None else self.places.get(iteration)
        if place is None:
            return None
        before, place = divmod(place - self.slots, len(self.needs))
        count = int(self.needs[place]) + (image + before) * self.signals
        of, number = divmod(count - 1, self.signals)
        if self.sends is not None:
            number = int(self.sends[number])
        return Node(self.on.name, of * self.on.iterations + number)


class Lasts:
    """Finds what the iterations of a flow wait for last, and vectors on their ways."""

    def __init__(self, flow: Flow):
        self._flow = flow
        self._hops = Hops.of(flow)
        self._number = {hop: number for number, hop in enumerate(self._hops.all)}
        self._sends = [self._hops.sends[hop] for hop in self._hops.all]
        self._vectors = [self._hops.vectors(hop, flow) for hop in self._hops.all]
        befores = (hop.before for hop in self._hops.all)
        self._befores = [None if hop is None else self._number[hop] for hop in befores]
        self._known: dict[str, Sequence[_Signals]] = {}
        users: dict[tuple[str, str] | int, list[Log]] = {}
        for process in flow.processes.values():
            for unit in process.occupies:
                users.setdefault((process.side, unit), []).append(process.name)
        for hop, number in self._number.items():
            users.setdefault(hop.link, []).append(number)
        self._users = {shared: tuple(logs) for shared, logs in users.items()}

    def in_image(self, log: Log) -> int:
        """How many of its kind an image has."""
        if isinstance(log, str):
            return self._flow.processes[log].iterations
        return self._vectors[log]

    def place(self, node: Node) -> tuple[str, int, int]:
        """The process, the iteration and the image of the stream; of a vector, what sends it."""
        while not isinstance(node.log, str):
            node, _ = self._came_from(node.log, node.number)
        process = self._flow.processes[node.log]
        own, iteration = divmod(node.number, process.iterations)
        return process.name, iteration, process.turn.image(own)

    def of(self, clock: Clock, node: Node) -> Last | None:
        """What came last of all that something waits for; None if nothing did.

        A vector waits for the one before it on the link, and is one that has to. Of an iteration,
        where several things came in one cycle, it is the first one of: its own iteration before, a
        unit, data, room.
        """
        if isinstance(node.log, int):
            return self._of_vector(clock, node, self._hops.all[node.log])
        process, cycle = self._flow.processes[node.log], _known(clock, node)
        before = Node(node.log, node.number - 1)
        if clock.start(before) == cycle - process.interval:
            return Last("pace", "", before, process.interval)
        for unit in process.occupies:
            turn = clock.before(self._users[process.side, unit], cycle)
            if turn is not None and isinstance(turn.log, str):
                held = self._flow.processes[turn.log].occupies[unit]
                if clock.start(turn) == cycle - held:
                    return Last("unit", unit_title(unit), turn, held)
        image, iteration = divmod(node.number, process.iterations)
        for one in self._signals(node.log):
            on, after = one.awaited(image, iteration), one.latency
            if on is not None and one.late is not None:
                on, after = self._arrived_from(one.late, on)
            if on is not None and clock.start(on) == cycle - after:
                return self._sent(clock, Last(one.kind, one.what, on, after))
        return None

    def _of_vector(self, clock: Clock, node: Node, hop: Hop) -> Last:
        before = clock.before(self._users[hop.link], _known(clock, node))
        assert before is not None and isinstance(before.log, int)
        held = self._hops.all[before.log].held
        assert _known(clock, before) + held == _known(clock, node)
        return self._sent(clock, Last("link", self._flow.link_title(hop.link), before, held))

    def _sent(self, clock: Clock, last: Last) -> Last:
        """Of a vector that did not wait where it came to a link: what is before that on its way.

        That is where it waited for a link, or the iteration that sent it.
        """
        on, cycles = last.on, last.cycles
        while isinstance(on.log, int):
            before, after = self._came_from(on.log, on.number)
            if _known(clock, before) + after < _known(clock, on):
                break
            on, cycles = before, cycles + after
        return Last(last.kind, last.what, on, cycles)

    def _arrived_from(self, edge: Edge, node: Node) -> tuple[Node, int]:
        """Where what an iteration sends comes to the last link that it may wait for, and when it
        then arrives."""
        hop, after = self._hops.last[edge]
        return self._at(self._number[hop], node.number), after

    def _came_from(self, log: int, number: int) -> tuple[Node, int]:
        """The hop before, or the iteration that sent a vector; and how long it took from there."""
        hop, sends, before = self._hops.all[log], self._sends[log], self._befores[log]
        image, place = divmod(number, self._vectors[log])
        iteration = place if sends is None else int(sends[place])
        number = image * self._flow.processes[hop.writer].iterations + iteration
        if before is None:
            return Node(hop.writer, number), hop.after
        return self._at(before, number), hop.after

    def _at(self, log: int, number: int) -> Node:
        """What an iteration of that number sends, at a hop."""
        hop, sends = self._hops.all[log], self._sends[log]
        image, iteration = divmod(number, self._flow.processes[hop.writer].iterations)
        place = iteration if sends is None else int(np.searchsorted(sends, iteration))
        return Node(log, image * self._vectors[log] + place)

    def _signals(self, name: str) -> Sequence[_Signals]:
        """Data first."""
        if name not in self._known:
            found = [
                signals
                for edge, reads in self._flow.touching[name]
                if (signals := self._ready(edge) if reads else self._free(edge)) is not None
            ]
            found += self._fed(name)
            self._known[name] = sorted(found, key=lambda one: one.kind == "room")
        return self._known[name]

    def _ready(self, edge: Edge) -> _Signals | None:
        """What a channel's reader waits for."""
        writer, reader = (self._flow.processes[name] for name in (edge.writer, edge.reader))
        elements = edge.count(writer.iterations)
        needs = edge.ready.needs(reader.iterations, elements)
        if needs is None:
            return None
        kind: Kind = "data" if writer.side else "input"
        latency = writer.latency + edge.way.there
        sends = None if edge.sends is None else edge.sends.expanded()
        late = edge if edge in self._hops.last else None
        return _Signals(writer, kind, edge.title, latency, needs, elements, sends=sends, late=late)

    def _free(self, edge: Edge) -> _Signals | None:
        """What a channel's writer waits for."""
        writer, reader = (self._flow.processes[name] for name in (edge.writer, edge.reader))
        needs = edge.free.needs(edge.count(writer.iterations), reader.iterations)
        if needs is None:
            return None
        latency = reader.latency + edge.way.back
        places = None
        if edge.sends is not None:
            places = {number: place for place, number in enumerate(edge.sends.expanded().tolist())}
        title, signals = edge.title, reader.iterations
        return _Signals(reader, "room", title, latency, needs, signals, edge.slots, places)

    def _fed(self, stream: str) -> Iterator[_Signals]:
        """What a stream of states waits for: all of the image before."""
        sent = self._flow.processes[stream].iterations
        for name in (writer for writer, fed in self._flow.fed if fed == stream):
            on = self._flow.processes[name]
            title = f"the state that @{name} writes"
            yield _Signals(on, "data", title, on.latency, np.zeros(sent, np.int64), on.iterations)


def _known(clock: Clock, node: Node) -> int:
    """When what the stream has begins."""
    start = clock.start(node)
    assert start is not None
    return start
