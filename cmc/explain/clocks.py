# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""When the iterations of a stream begin: in steady state, and at its beginning."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from cmc.explain.last import Node
from cmc.poly.evaluate import Ints
from cmc.timing.flow import Flow, Process
from cmc.timing.times import Leap, Times

_Unit = tuple[str, str]

_Turns = tuple[list[int], list[Node]]


@dataclass(frozen=True)
class Steady:
    """A stream that was in steady state forever, as it is from an own image of processes on.

    Every `span` own images come `rise` cycles after those before. It is that of the processes of
    the largest period.
    """

    times: Times
    first: int
    span: int
    rise: int
    members: frozenset[str]
    _starts: dict[str, Ints] = field(default_factory=dict[str, Ints])
    _turns: dict[_Unit, _Turns] = field(default_factory=dict["_Unit", "_Turns"])

    @staticmethod
    def of(times: Times) -> Steady | None:
        """None if none was found, or not for all processes that share a unit."""
        period, processes = times.period, times.flow.processes
        if period is None:
            return None
        members = frozenset(name for name in processes if times.periods[name] == period)
        for sharing in times.flow.sharing:
            if len(members.intersection(sharing)) not in (0, len(sharing)):
                return None
        leaps = {name: _leap(times, name) for name in members}
        first, span, rise = 0, 1, 0
        for name, leap in leaps.items():
            if leap is None:
                return None
            count = processes[name].iterations
            first = max(first, -(-(leap.end - leap.count) // count))
            span, rise = leap.count // count, leap.rise
        return Steady(times, first, span, rise, members)

    def start(self, node: Node) -> int | None:
        """When an iteration begins, also of images before the first one."""
        starts = self._of(node.process)
        round, number = divmod(node.number - self._begin(node.process), len(starts))
        return int(starts[number]) + round * self.rise

    def turn_before(self, side: str, unit: str, cycle: int) -> Node | None:
        key = side, unit
        if key not in self._turns:
            self._turns[key] = self._found_turns(side, unit)
        cycles, nodes = self._turns[key]
        round, within = divmod(cycle, self.rise)
        place = bisect_left(cycles, within) - 1
        if place < 0:
            place, round = len(cycles) - 1, round - 1
        name, number = nodes[place]
        return Node(name, number + round * len(self._of(name)))

    def _begin(self, name: str) -> int:
        return self.first * self.times.flow.processes[name].iterations

    def _of(self, name: str) -> Ints:
        """When the iterations of `span` images from the first one on begin."""
        if name not in self._starts:
            begin, count = self._begin(name), self.times.flow.processes[name].iterations
            iterations = np.arange(begin, begin + self.span * count)
            self._starts[name] = self.times.at(name, iterations)
        return self._starts[name]

    def _found_turns(self, side: str, unit: str) -> _Turns:
        """Who takes a unit in the cycles from 0 up to the rise, in order."""

        def taken(process: Process) -> Iterator[tuple[int, Node]]:
            starts = self._of(process.name)
            rounds, within = np.divmod(starts, self.rise)
            numbers = np.arange(len(starts)) - rounds * len(starts) + self._begin(process.name)
            nodes = (Node(process.name, number) for number in numbers.tolist())
            return zip(within.tolist(), nodes, strict=True)

        return _in_order(self.times.flow, side, unit, taken)


def _leap(times: Times, name: str) -> Leap | None:
    return next((leap for leap in times.leaps.get(name, ()) if leap.count), None)


@dataclass(frozen=True)
class Beginning:
    """The first images of a stream."""

    times: Times
    _turns: dict[_Unit, _Turns] = field(default_factory=dict["_Unit", "_Turns"])

    def start(self, node: Node) -> int | None:
        if node.number < 0:
            return None
        return int(self.times.at(node.process, np.array([node.number]))[0])

    def turn_before(self, side: str, unit: str, cycle: int) -> Node | None:
        key = side, unit
        if key not in self._turns:
            self._turns[key] = self._found_turns(side, unit)
        cycles, nodes = self._turns[key]
        place = bisect_left(cycles, cycle) - 1
        return nodes[place] if place >= 0 else None

    def _found_turns(self, side: str, unit: str) -> _Turns:
        """Who takes a unit, in order, before anything comes again."""

        def taken(process: Process) -> Iterator[tuple[int, Node]]:
            starts = self.times.starts[process.name]
            leaps = self.times.leaps.get(process.name, ())
            known = starts.head(min([starts.length, *(leap.end for leap in leaps[:1])]))
            nodes = (Node(process.name, number) for number in range(known.length))
            return zip(known.expanded().tolist(), nodes, strict=True)

        return _in_order(self.times.flow, side, unit, taken)


def _in_order(
    flow: Flow, side: str, unit: str, taken: Callable[[Process], Iterator[tuple[int, Node]]]
) -> _Turns:
    """The cycles in which the processes of a side take a unit, and the iterations that do."""
    users = (process for process in flow.sides[side] if unit in process.occupies)
    turns = sorted(turn for process in users for turn in taken(process))
    return [cycle for cycle, _ in turns], [node for _, node in turns]
