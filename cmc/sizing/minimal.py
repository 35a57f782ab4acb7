"""The fewest slots: the rings that a demand-driven schedule needs.

Run a pipeline from its end: to run an iteration, first run what it needs, just far enough. How full
each ring gets in this schedule is a size with which nothing deadlocks, for the schedule itself is
the witness.

On a channel to a reader that nothing else overtakes, the reader's iteration i finds all elements
from the oldest that it or a later one wants to the newest that it needs: the ring holds these, and
no fewer would do. Where a writer has several readers, and the ways from it meet again in a stage j,
iteration k of j makes the writer emit whatever any way to j needs for k, while a reader may have
come no further than j's iteration k - 1 asked for: its ring holds all that lies between.
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
    def _unavoidable(self) -> Mapping[str, frozenset[str]]:
        """For each process, itself and all that every way from it to an end goes through."""
        through: dict[str, frozenset[str]] = {}
        for name in reversed(list(self.flow.processes)):
            ways = [through[edge.reader] for edge in self._readers[name]]
            through[name] = frozenset({name}) | (ways[0].intersection(*ways) if ways else set())
        return through

    def slots(self, edge: Edge) -> int:
        """The slots of one channel, as far as the writer's other readers make them necessary."""
        if len(self._readers[edge.writer]) == 1:
            return 1
        return max(
            self._between(edge, meeting)
            for meeting in self._meetings(edge.writer)
            if meeting in self._below[edge.reader]
        )

    def _meetings(self, fork: str) -> list[str]:
        """Where all ways from a writer first meet again; if they never do, all their ends."""
        meet = self._unavoidable[fork] - {fork}
        below = [name for name in self.flow.processes if name in self._below[fork]]
        first = [name for name in below if name in meet][:1]
        return first or [name for name in below if not self._readers[name]]

    def _between(self, edge: Edge, meeting: str) -> int:
        """The slots for what lies between the writer and the reader while `meeting` runs."""
        asked = self._asked(edge.writer, meeting)
        # Before each step the reader has run at least what the step before asked for.
        done = np.concatenate([[0], asked[edge.reader][:-1]])
        return int((asked[edge.writer] - _freed(self.flow, edge, done)).max())

    def _asked(self, fork: str, meeting: str) -> Mapping[str, Ints]:
        """How many iterations of each process between each step of `meeting` asks for in all."""
        asked = {meeting: np.arange(self.flow.processes[meeting].iterations) + 1}
        for name in reversed(list(self.flow.processes)):
            if name != meeting and name in self._below[fork] and meeting in self._below[name]:
                ways = [
                    _needed(self.flow, edge, asked[edge.reader])
                    for edge in self._readers[name]
                    if edge.reader in asked
                ]
                asked[name] = np.max(ways, axis=0)
        return asked
