"""The fewest slots: the rings that a demand-driven schedule needs.

Run a pipeline from its end: to run an iteration, first run what it needs, just far enough. How full
each ring gets in this schedule is a size with which nothing deadlocks, for the schedule itself is
the witness.

On a channel to a reader that nothing else overtakes, the reader's iteration i finds all elements
from the oldest that it or a later one wants to the newest that it needs: the ring holds these, and
no fewer would do. Where a writer has several readers, and the ways from it meet again in a stage j,
iteration k of j makes the writer emit whatever any way to j needs for k, while a reader may have
come no further than j's iteration k - 1 asked for: its ring holds all that lies between.

Where the ways never meet, they have several ends, and the schedule runs these in turn, first the
one that asks least of the writers they share. All such writers see the same turns: each following
its own, they could wait for each other. What no way asks for, such as a last row that no window
covers, is emitted all the same: there, too, a way ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cmc.flow import Edge, Flow
from cmc.poly.evaluate import Ints


def minimal_slots(flow: Flow) -> list[int]:
    """The slots of each channel."""
    forks = _Forks(flow)
    return [max(1, _alone(flow, edge), forks.slots(edge)) for edge in flow.edges]


def _needed(flow: Flow, edge: Edge, iterations: Ints) -> Ints:
    """How many elements the reader needs to run that many iterations."""
    need = edge.ready.needs(flow.processes[edge.reader].iterations)
    return np.where(iterations > 0, need[iterations - 1], 0)


def _freed(flow: Flow, edge: Edge, iterations: Ints) -> Ints:
    """How many elements the reader no longer wants, nor any before, after that many iterations."""
    need = edge.free.needs(flow.processes[edge.writer].iterations)
    return np.searchsorted(need, iterations, "right")


def _alone(flow: Flow, edge: Edge) -> int:
    """The slots of a channel whose reader nothing overtakes."""
    done = np.arange(flow.processes[edge.reader].iterations)
    return int((_needed(flow, edge, done + 1) - _freed(flow, edge, done)).max())


@dataclass(frozen=True, eq=False)
class _Forks:
    """The rings of writers with several readers."""

    flow: Flow

    @cached_property
    def _readers(self) -> Mapping[str, list[Edge]]:
        """The channels from each process."""
        readers: dict[str, list[Edge]] = {name: [] for name in self.flow.processes}
        for edge in self.flow.edges:
            readers[edge.writer].append(edge)
        return readers

    @cached_property
    def _below(self) -> Mapping[str, frozenset[str]]:
        """For each process, itself and all that its data reaches."""
        below: dict[str, frozenset[str]] = {}
        for name in reversed(list(self.flow.processes)):
            below[name] = frozenset({name}).union(*(below[e.reader] for e in self._readers[name]))
        return below

    @cached_property
    def _ends(self) -> dict[str, int]:
        """The processes whose last iterations nothing asks for: how many precede these."""
        asked = {name: 0 for name in self.flow.processes}
        for edge in self.flow.edges:
            iterations = np.array(self.flow.processes[edge.reader].iterations)
            needed = int(_needed(self.flow, edge, iterations))
            asked[edge.writer] = max(asked[edge.writer], needed)
        return {n: asked[n] for n, p in self.flow.processes.items() if asked[n] < p.iterations}

    @cached_property
    def _unavoidable(self) -> Mapping[str, frozenset[str]]:
        """For each process, itself and all that every way from it to an end goes through."""
        through: dict[str, frozenset[str]] = {}
        for name in reversed(list(self.flow.processes)):
            ways = [through[edge.reader] for edge in self._readers[name]]
            common = frozenset[str]() if name in self._ends else ways[0].intersection(*ways)
            through[name] = frozenset({name}) | common
        return through

    @cached_property
    def _astray(self) -> frozenset[str]:
        """The writers with several readers from which the ways never meet again."""
        forks = [name for name, readers in self._readers.items() if len(readers) > 1]
        return frozenset(name for name in forks if self._meeting(name) is None)

    @cached_property
    def _scattered(self) -> frozenset[str]:
        """All that is reached from there."""
        return frozenset[str]().union(*(self._below[fork] for fork in self._astray))

    def slots(self, edge: Edge) -> int:
        """The slots of one channel, as far as the writer runs for others than the reader."""
        writer = edge.writer
        if writer in self._astray or (writer in self._ends and writer in self._scattered):
            asked = self._in_turns
        elif len(self._readers[writer]) > 1:
            meeting = self._meeting(writer)
            assert meeting is not None
            asked = self._asked(meeting, self._below[writer])
        else:
            return 1
        # Before each step the reader has run at least what the step before asked for.
        done = np.concatenate([[0], asked[edge.reader][:-1]])
        return int((asked[writer] - _freed(self.flow, edge, done)).max())

    def _meeting(self, fork: str) -> str | None:
        """Where all ways from a writer first meet again, if they do."""
        meet = self._unavoidable[fork] - {fork}
        return next((name for name in self.flow.processes if name in meet), None)

    def _asked(self, end: str, among: frozenset[str]) -> Mapping[str, Ints]:
        """How many iterations of each of some processes each step of `end` asks for in all."""
        asked = {end: np.arange(self.flow.processes[end].iterations) + 1}
        for name in reversed(list(self.flow.processes)):
            if name != end and name in among and end in self._below[name]:
                ways = [
                    _needed(self.flow, edge, asked[edge.reader])
                    for edge in self._readers[name]
                    if edge.reader in asked
                ]
                asked[name] = np.max(ways, axis=0)
        return asked

    @cached_property
    def _in_turns(self) -> Mapping[str, Ints]:
        """As `_asked`, of all ends of ways that never meet: a step of one of them a turn."""
        processes = self.flow.processes
        by_end = [
            {name: counts[before:] for name, counts in self._asked(end, self._scattered).items()}
            for end, before in reversed(self._ends.items())
            if end in self._scattered
        ]
        shares = [
            np.max([asked[f] / processes[f].iterations for f in self._astray & asked.keys()], 0)
            for asked in by_end
        ]
        order = np.argsort(np.concatenate(shares), kind="stable")
        owner = np.repeat(np.arange(len(shares)), [len(share) for share in shares])[order]
        together = {name: np.zeros(len(order), np.int64) for name in self._scattered}
        for number, asked in enumerate(by_end):
            turns = np.cumsum(owner == number)
            for name, counts in asked.items():
                counts = np.concatenate([[0], counts])
                np.maximum(together[name], counts[turns], out=together[name])
        return together
