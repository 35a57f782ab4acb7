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
from cmc.timing.load import unit_title


class Node(NamedTuple):
    """An iteration of a process, counted over all images that this has."""

    process: str
    number: int


class Clock(Protocol):
    """When iterations of a stream begin."""

    def start(self, node: Node) -> int | None:
        """When an iteration begins; None if the stream has none of this number."""
        ...

    def turn_before(self, side: str, unit: str, cycle: int) -> Node | None:
        """The iteration that was the last one to take a unit before a cycle, if any did."""
        ...


class Last(NamedTuple):
    """What an iteration waited for last, and how many cycles before that had begun."""

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
    """Finds what the iterations of a flow wait for last."""

    def __init__(self, flow: Flow):
        self._flow = flow
        self._known: dict[str, Sequence[_Signals]] = {}

    def of(self, clock: Clock, node: Node) -> Last | None:
        """What came last of all that an iteration waits for; None if nothing did.

        Where several things came in one cycle, it is the first one of: its own iteration before, a
        unit, data, room.
        """
        process, cycle = self._flow.processes[node.process], clock.start(node)
        assert cycle is not None
        before = Node(node.process, node.number - 1)
        if clock.start(before) == cycle - process.interval:
            return Last("pace", "", before, process.interval)
        for unit in process.occupies:
            turn = clock.turn_before(process.side, unit, cycle)
            if turn is not None:
                held = self._flow.processes[turn.process].occupies[unit]
                if clock.start(turn) == cycle - held:
                    return Last("unit", unit_title(unit), turn, held)
        image, iteration = divmod(node.number, process.iterations)
        for one in self._signals(node.process):
            on = one.awaited(image, iteration)
            if on is not None and clock.start(on) == cycle - one.latency:
                return Last(one.kind, one.what, on, one.latency)
        return None

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
        return _Signals(writer, kind, edge.title, latency, needs, elements, sends=sends)

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
