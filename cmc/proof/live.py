# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""With the rings that there are, every iteration of every image begins in the end.

Once control is sound and tight, an iteration waits for the one before it, for the writes of its own
image that it needs, and for slots that are released in its own image or an earlier one. Nothing
waits for a later image. So a cycle of iterations that wait for each other lies within one image,
and if one image gets through, all do: waiting does not depend on data, and the first image waits
for everything that any image waits for within itself.

A cycle that is as short as can be goes out of a program by another channel than it came in by, or
it stays on one channel: coming back by the same one, it could go on in the program before, or stay
there. So where every ring holds what one iteration needs at once, cycles lie where channels
do: only the programs of these are run through an image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import islpy as isl
import numpy as np

from cmc.dialects.cmpipe import Channel
from cmc.errors import CmcError
from cmc.poly.counting import Iterations
from cmc.poly.extremes import coordinates
from cmc.proof.machines import Driven
from cmc.proof.points import image
from cmc.proof.programs import ProvedProgram
from cmc.timing.flow import Edge, Flow, Process, Steps
from cmc.timing.runs import Runs
from cmc.timing.solver import solve
from cmc.timing.times import Times

MANY = 1 << 16
"""Iterations of an image up to which its equations are solved in less time than it takes to load
the loop that goes through events."""


@dataclass(frozen=True, eq=False)
class ProvedChannel:
    """A channel whose machines were proved, and the slots of its ring.

    The `sender` is the writer as far as the channel carries what it writes.
    """

    channel: Channel
    writer: ProvedProgram
    reader: ProvedProgram
    sender: ProvedProgram
    ready: Driven
    free: Driven
    slots: int


def prove_live(programs: Mapping[str, ProvedProgram], links: list[ProvedChannel]) -> None:
    """CmcError, or `Deadlock`, that names the iterations that would wait for ever."""
    counts = _Counts()
    for link in links:
        _fits(link, counts)
    tangled = _tangled(links)
    if not tangled or counts.gets_through(programs, tangled) is None:
        return
    error = counts.gets_through(programs, links)
    assert error is not None
    raise error


def _tangled(links: Iterable[ProvedChannel]) -> list[ProvedChannel]:
    """The channels but for those, one after the other, that are a program's only ones."""
    left = list(links)
    while True:
        ends = Counter(name for link in left for name in (link.writer.name, link.reader.name))
        kept = [link for link in left if ends[link.writer.name] > 1 < ends[link.reader.name]]
        if len(kept) == len(left):
            return kept
        left = kept


@dataclass
class _Counts:
    """Iterations by their numbers; programs that are alike are counted once."""

    known: dict[isl.Set, Iterations] = field(default_factory=dict[isl.Set, Iterations])
    steps: dict[Runs, Steps] = field(default_factory=dict[Runs, Steps])
    sent: dict[tuple[isl.Set, isl.Set], Runs] = field(
        default_factory=dict[tuple[isl.Set, isl.Set], Runs]
    )

    def of(self, program: ProvedProgram) -> Iterations:
        known = self.known.get(program.iterations)
        if known is None:
            known = self.known[program.iterations] = Iterations(program.iterations)
        return known

    def gets_through(
        self, programs: Mapping[str, ProvedProgram], links: list[ProvedChannel]
    ) -> CmcError | None:
        """Why an image does not get through these links; None if it does."""
        names = {name for link in links for name in (link.writer.name, link.reader.name)}
        processes = {n: self._process(p) for n, p in programs.items() if n in names}
        times = _one_image(Flow(processes, tuple(map(self._edge, links))))
        return None if times.complete else times.deadlock()

    def _process(self, program: ProvedProgram) -> Process:
        """A program whose iterations take a cycle: how long they take decides nothing here."""
        iterations = self.of(program)
        return Process(
            program.name,
            iterations.count,
            title=lambda number: (
                f"@{program.name}{coordinates(tuple(iterations.coordinates(number)))}"
            ),
        )

    def _edge(self, link: ProvedChannel) -> Edge:
        return Edge(
            str(link.channel),
            link.writer.name,
            link.reader.name,
            self._steps(link.ready),
            self._steps(link.free),
            link.slots,
            sends=self._sends(link),
        )

    def _sends(self, link: ProvedChannel) -> Runs | None:
        """The iterations of a writer that send something; None if all do."""
        if link.sender is link.writer:
            return None
        key = link.writer.iterations, link.sender.iterations
        if key not in self.sent:
            self.sent[key] = self.of(link.writer).numbers(link.sender.iterations)
        return self.sent[key]

    def _steps(self, machine: Driven) -> Steps:
        """The steps of a machine: one for each signal that something waits for first."""
        if machine.waits not in self.steps:
            driven = Runs.line(machine.waits.length, 1, 1)
            self.steps[machine.waits] = Steps.of(machine.waits, driven)
        return self.steps[machine.waits]


def _one_image(flow: Flow) -> Times:
    """When the iterations of one image begin."""
    if sum(process.iterations for process in flow.processes.values()) <= MANY:
        return solve(flow, images=1)
    from cmc.timing.events import simulate

    return simulate(flow, images=1)


def _fits(link: ProvedChannel, counts: _Counts) -> None:
    """What one iteration of the reader needs at once is no more than the ring holds.

    Necessary, and the better message than a deadlock.
    """
    needed, released = link.ready.waits, link.free.waits
    # What is held is at its most just before a release, or where needs begin or end to grow.
    ends = np.concatenate([needed.starts, needed.starts + needed.counts - 1])
    next_release = released.below(ends + 1)
    releases = np.concatenate([released.starts, released.starts + released.counts - 1])
    releases = np.concatenate([releases, next_release, next_release - 1])
    before = released.at(np.clip(releases, 0, released.length - 1)) - 1
    places = np.unique(np.concatenate([ends, before]))
    places = places[(places >= 0) & (places < needed.length)]
    kept = released.below(places + 1)
    held = needed.at(places) - kept
    worst = int(np.argmax(held))
    if held[worst] > link.slots:
        readers, senders = counts.of(link.reader), counts.of(link.sender)
        oldest, newest = (
            image(link.sender.writes, tuple(senders.coordinates(number)))
            for number in (int(kept[worst]), int(needed.at(places)[worst]) - 1)
        )
        at = coordinates(tuple(readers.coordinates(int(places[worst]))))
        raise CmcError(
            f"the ring of {link.channel} has {link.slots} slots, and @{link.reader.name}{at} needs "
            f"{held[worst]}: all from @{link.channel.object}{coordinates(oldest)}, which is not "
            f"released before, to @{link.channel.object}{coordinates(newest)}",
            link.reader.where,
        )
