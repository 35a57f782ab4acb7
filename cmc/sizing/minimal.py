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
from functools import cached_property, reduce

import numpy as np

from cmc.runs import Runs, held
from cmc.sizing.counts import Counts, Link
from cmc.sizing.staircase import Staircase


def minimal_slots(counts: Counts) -> list[int]:
    """The slots of each link's channel."""
    forks = _Forks(counts)
    return [max(1, _alone(link), forks.slots(link)) for link in counts.links]


def _alone(link: Link) -> int:
    """The slots of a channel whose reader nothing overtakes.

    Before each step of the ready machine the reader is through with all that it might.
    """
    return _most_kept(link.ready.awaits, link.ready.starts, link.free)


def _most_kept(written: Runs, done: Runs, free: Staircase) -> int:
    """The most elements in a ring, when so many are written and the reader has done so much."""
    if written.length == 0:
        return 0
    # From one of these places to the next, what is written and what was done grow evenly, and the
    # machine takes even steps. So what is kept grows or shrinks evenly from step to step, and is
    # at its most at the ends, or less than a step away from them.
    steps = free.awaits.split(free.reaches.starts)
    places = done.below(np.concatenate([steps.values, steps.lasts]))
    places = np.concatenate([written.starts, done.starts, places, [written.length - 1]])
    around = _remainders(done, steps)
    places = (places[:, None] + np.arange(-around, around + 1)).reshape(-1)
    places = np.clip(places, 0, written.length - 1)
    taken = free.awaits.below(done.at(places) + 1)
    freed = Runs.joined([Runs.line(1, free.initial), free.reaches]).at(taken)
    return int((written.at(places) - freed).max())


def _remainders(done: Runs, steps: Runs) -> int:
    """After how many members of `done` the way from a step to the next begins anew."""
    paces = done.slopes[done.counts > 1]
    gaps = steps.slopes[steps.counts > 1]
    return int((gaps // np.gcd(gaps, np.gcd.reduce(paces))).max(initial=1))


@dataclass(frozen=True, eq=False)
class _Forks:
    """The rings of writers with several readers."""

    counts: Counts

    @cached_property
    def _below(self) -> Mapping[str, frozenset[str]]:
        """For each process, itself and all that its data reaches."""
        below: dict[str, frozenset[str]] = {}
        for name in reversed(list(self.counts.processes)):
            ways = (below[link.reader] for link in self.counts.out_of[name])
            below[name] = frozenset({name}).union(*ways)
        return below

    @cached_property
    def _needed(self) -> Mapping[Link, Runs]:
        """How many elements each reader needs to run that many iterations, from none on."""
        needed: dict[Link, Runs] = {}
        for link in self.counts.links:
            iterations = self.counts.processes[link.reader].iterations
            need = held(link.ready.starts, link.ready.awaits, iterations, before=0)
            needed[link] = Runs.joined([Runs.line(1, 0), need])
        return needed

    @cached_property
    def _ends(self) -> dict[str, int]:
        """The processes whose last iterations nothing asks for: how many precede these."""
        asked = {name: 0 for name in self.counts.processes}
        for link in self.counts.links:
            if link.ready.awaits.length:
                asked[link.writer] = max(asked[link.writer], link.ready.awaits.last)
        return {n: asked[n] for n, p in self.counts.processes.items() if asked[n] < p.iterations}

    @cached_property
    def _unavoidable(self) -> Mapping[str, frozenset[str]]:
        """For each process, itself and all that every way from it to an end goes through."""
        through: dict[str, frozenset[str]] = {}
        for name in reversed(list(self.counts.processes)):
            ways = [through[link.reader] for link in self.counts.out_of[name]]
            common = frozenset[str]() if name in self._ends else ways[0].intersection(*ways)
            through[name] = frozenset({name}) | common
        return through

    @cached_property
    def _astray(self) -> frozenset[str]:
        """The writers with several readers from which the ways never meet again."""
        forks = [name for name, readers in self.counts.out_of.items() if len(readers) > 1]
        return frozenset(name for name in forks if self._meeting(name) is None)

    @cached_property
    def _scattered(self) -> frozenset[str]:
        """All that is reached from there."""
        return frozenset[str]().union(*(self._below[fork] for fork in self._astray))

    def slots(self, link: Link) -> int:
        """The slots of one channel, as far as the writer runs for others than the reader."""
        writer = link.writer
        if writer in self._astray or (writer in self._ends and writer in self._scattered):
            asked = self._in_turns
        elif len(self.counts.out_of[writer]) > 1:
            meeting = self._meeting(writer)
            assert meeting is not None
            asked = self._asked(meeting, self._below[writer])
        else:
            return 1
        # Before each step the reader has run at least what the step before asked for.
        done = asked[link.reader]
        done = Runs.joined([Runs.line(1, 0), done]).head(done.length)
        return _most_kept(asked[writer], done, link.free)

    def _meeting(self, fork: str) -> str | None:
        """Where all ways from a writer first meet again, if they do."""
        meet = self._unavoidable[fork] - {fork}
        return next((name for name in self.counts.processes if name in meet), None)

    def _asked(self, end: str, among: frozenset[str]) -> Mapping[str, Runs]:
        """How many iterations of each of some processes each step of `end` asks for in all."""
        asked = {end: Runs.line(self.counts.processes[end].iterations, 1, 1)}
        for name in reversed(list(self.counts.processes)):
            if name != end and name in among and end in self._below[name]:
                ways = [
                    self._needed[link].take(asked[link.reader])
                    for link in self.counts.out_of[name]
                    if link.reader in asked
                ]
                asked[name] = reduce(Runs.maximum, ways)
        return asked

    @cached_property
    def _in_turns(self) -> Mapping[str, Runs]:
        """As `_asked`, of all ends of ways that never meet: a step of one of them a turn."""
        processes = self.counts.processes
        by_end = [
            {n: asked.expanded()[before:] for n, asked in self._asked(end, self._scattered).items()}
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
            for name, iterations in asked.items():
                so_far = np.append(0, iterations)[turns]
                np.maximum(together[name], so_far, out=together[name])
        return {name: Runs.of(iterations) for name, iterations in together.items()}
