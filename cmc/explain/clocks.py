# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""When iterations of a stream begin, and vectors on links: in steady state, and at first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from cmc.explain.last import Log, Node
from cmc.poly.evaluate import Ints
from cmc.timing.events import simulate
from cmc.timing.flow import Flow
from cmc.timing.runs import Runs
from cmc.timing.times import Leap, Times


@dataclass(frozen=True)
class Logs:
    """When all of a part of a flow begins, that nothing else has to do with."""

    flow: Flow
    times: Times

    @staticmethod
    def of(times: Times, name: str) -> Logs:
        """Of the part that a process is in."""
        flow = next(part for part in times.flow.apart() if name in part.processes)
        if flow.contended and times.crossings is None:
            return Logs(flow, simulate(flow, times.images))
        return Logs(flow, times)

    def begins(self, log: Log) -> Runs:
        if isinstance(log, str):
            return self.times.starts[log]
        assert self.times.crossings is not None
        return self.times.crossings.begins[log]

    def leaps(self, log: Log) -> Sequence[Leap]:
        if isinstance(log, str):
            return self.times.leaps.get(log, ())
        assert self.times.crossings is not None
        return self.times.crossings.leaps[log]


class _Turns(NamedTuple):
    """In which cycles anything begins, in order: of which log, by its place among these, what."""

    cycles: Ints
    user: Ints
    number: Ints

    @staticmethod
    def of(begun: Sequence[tuple[Ints, Ints]]) -> _Turns:
        """From the cycles in which the members of each log begin, and their numbers."""
        cycles = np.concatenate([cycles for cycles, _ in begun])
        user = np.repeat(np.arange(len(begun)), [len(cycles) for cycles, _ in begun])
        order = np.argsort(cycles, kind="stable")
        number = np.concatenate([numbers for _, numbers in begun])
        return _Turns(cycles[order], user[order], number[order])

    def before(self, cycle: int) -> int:
        """The last place before a cycle; -1 if there is none."""
        return int(np.searchsorted(self.cycles, cycle)) - 1

    def node(self, users: Sequence[Log], place: int) -> Node:
        return Node(users[int(self.user[place])], int(self.number[place]))


@dataclass(frozen=True)
class Steady:
    """A stream in which the same came again forever: all that a leap leaves out, each time."""

    logs: Logs
    leap: int
    """Which of them; others may have been before."""
    rise: int
    """Cycles until the same comes again."""
    _rounds: dict[Log, tuple[int, Ints]] = field(default_factory=dict["Log", tuple[int, Ints]])
    _turns: dict[Sequence[Log], _Turns] = field(default_factory=dict[Sequence["Log"], "_Turns"])

    @staticmethod
    def of(logs: Logs, name: str) -> Steady | None:
        """That in which a process comes to its pace; None if there is none."""
        count = logs.flow.processes[name].iterations
        for number, leap in enumerate(logs.leaps(name)):
            if leap.count and leap.rise * count == logs.times.periods[name] * leap.count:
                return Steady(logs, number, leap.rise)
        return None

    def again(self, log: Log) -> int:
        """How much of a log comes again; that is of as many images as there are in it."""
        leaps = self.logs.leaps(log)
        return leaps[self.leap].count if leaps else 0

    def first(self, log: Log) -> int:
        """From which on it does."""
        return self._round(log)[0]

    def start(self, node: Node) -> int | None:
        """When something begins, also long before the first one; None if it does not come again."""
        begin, starts = self._round(node.log)
        if not len(starts):
            return None
        round, number = divmod(node.number - begin, len(starts))
        return int(starts[number]) + round * self.rise

    def before(self, users: Sequence[Log], cycle: int) -> Node | None:
        if users not in self._turns:
            self._turns[users] = _Turns.of([self._within(log) for log in users])
        turns = self._turns[users]
        round, within = divmod(cycle, self.rise)
        # Before all of them is the last one of the round before.
        place = turns.before(within)
        log, number = turns.node(users, place)
        return Node(log, number + (round - (place < 0)) * self.again(log))

    def _round(self, log: Log) -> tuple[int, Ints]:
        """From where on in a stream a log comes again, and when that begins."""
        if log not in self._rounds:
            leaps, count = self.logs.leaps(log), self.again(log)
            earlier = leaps[: self.leap]
            end = leaps[self.leap].end if leaps else 0
            starts = self.logs.begins(log).at(np.arange(end - count, end))
            skipped = sum(leap.times * leap.count for leap in earlier)
            later = sum(leap.later for leap in earlier)
            self._rounds[log] = end - count + skipped, starts + later
        return self._rounds[log]

    def _within(self, log: Log) -> tuple[Ints, Ints]:
        """What begins in the cycles from 0 up to the rise: when, and its numbers."""
        begin, starts = self._round(log)
        rounds, within = np.divmod(starts, self.rise)
        return within, np.arange(len(starts)) - rounds * len(starts) + begin


@dataclass(frozen=True)
class Beginning:
    """The first images of a stream, before anything is left out."""

    logs: Logs
    _starts: dict[Log, Ints] = field(default_factory=dict["Log", Ints])
    _turns: dict[Sequence[Log], _Turns] = field(default_factory=dict[Sequence["Log"], "_Turns"])

    def start(self, node: Node) -> int | None:
        return None if node.number < 0 else int(self._of(node.log)[node.number])

    def before(self, users: Sequence[Log], cycle: int) -> Node | None:
        if users not in self._turns:
            self._turns[users] = _Turns.of([self._known(log) for log in users])
        turns = self._turns[users]
        place = turns.before(cycle)
        return turns.node(users, place) if place >= 0 else None

    def _known(self, log: Log) -> tuple[Ints, Ints]:
        starts = self._of(log)
        return starts, np.arange(len(starts))

    def _of(self, log: Log) -> Ints:
        """When what is known of a log begins."""
        if log not in self._starts:
            begins = self.logs.begins(log)
            ends = (leap.end for leap in self.logs.leaps(log)[:1])
            self._starts[log] = begins.head(min([begins.length, *ends])).expanded()
        return self._starts[log]
