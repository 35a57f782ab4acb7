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

from cmc.sizing.counts import Counts, Link
from cmc.timing.runs import Runs, held


def minimal_slots(counts: Counts, live: Sequence[int], widths: Sequence[int]) -> list[int]:
    """The slots of each link's channel: no more than in sizes with which nothing deadlocks.

    Rings of the widest slots are shrunk first. All machines of `counts` go on to their ends.
    """
    rings = Rings(counts, live)
    for number in sorted(range(len(live)), key=lambda n: -widths[n]):
        link = counts.links[number]
        rings.slots[link] = rings.fewest(link)
    return [rings.slots[link] for link in counts.links]


class Rings:
    """The rings of a pipeline that is live with their slots."""

    def __init__(self, counts: Counts, slots: Sequence[int]):
        self._counts = counts
        self.slots = dict(zip(counts.links, slots, strict=True))
        self._needs: dict[Link, Runs] = {}
        self._frees: dict[Link, Runs] = {}

    def fewest(self, link: Link) -> int:
        """The fewest slots for one of the rings, not to deadlock while the others stay as they are.

        It is 1 or more.
        """
        if link.free.awaits.length == 0:
            return 1
        written = self._waits(link).take(link.free.awaits - 1)
        excess = written + -link.free.starts
        return max(1, int(excess.values.max()), int(excess.lasts.max()))

    def _waits(self, link: Link) -> Runs:
        """How many writes each iteration of a channel's reader waits for, but for its room."""
        around = self._around[link]
        ways = [(one.reader, one.writer, self._needed(one)) for one in reversed(around)]
        ways += [(one.writer, one.reader, self._room(one)) for one in around if one is not link]
        asked = {link.reader: Runs.line(self._counts.processes[link.reader].iterations, 1, 1)}
        passed: dict[int, Runs] = {}
        more = True
        while more:
            more = False
            for number, (source, target, way) in enumerate(ways):
                iterations = asked.get(source)
                if iterations is not None and iterations is not passed.get(number):
                    passed[number] = iterations
                    wanted, before = way.take(iterations).merged(), asked.get(target)
                    asked[target] = wanted if before is None else before.maximum(wanted)
                    more |= asked[target] is not before
        return asked[link.writer]

    def _needed(self, link: Link) -> Runs:
        """How many elements the reader needs to run that many iterations, from none on."""
        if link not in self._needs:
            iterations = self._counts.processes[link.reader].iterations
            need = held(link.ready.starts, link.ready.awaits, iterations, before=0)
            self._needs[link] = Runs.joined([Runs.line(1, 0), need])
        return self._needs[link]

    def _room(self, link: Link) -> Runs:
        """How many iterations the reader runs to make room for that many elements, from none on."""
        iterations = self._counts.processes[link.writer].iterations
        if link not in self._frees:
            free = held(link.free.starts, link.free.awaits, iterations, before=0)
            self._frees[link] = free
        empty = Runs.line(min(self.slots[link], iterations) + 1, 0)
        return Runs.joined([empty, self._frees[link]]).head(iterations + 1)

    @cached_property
    def _around(self) -> dict[Link, list[Link]]:
        """All links that lie on a ring of links with each link, and it itself, writers first."""
        place = {name: number for number, name in enumerate(["", *self._counts.processes])}
        # A tree: above each process lies its first link, or one to what all inputs have in common.
        above = {name: links[0] if links else None for name, links in self._counts.into.items()}
        groups: dict[str | Link, set[str | Link]] = {name: {name} for name in above}
        for links in self._counts.into.values():
            for link in links[1:]:
                # This link, and the links above both its ends, up to where these meet.
                group: set[str | Link] = {link}
                one, other = link.writer, link.reader
                while one != other:
                    if place[one] < place[other]:
                        one, other = other, one
                    group |= groups[one]
                    first = above[one]
                    one = "" if first is None else first.writer
                groups.update(dict.fromkeys(group, group))
        found: dict[Link, list[Link]] = {}
        for group in groups.values():
            links = [above[one] if isinstance(one, str) else one for one in group]
            links = [link for link in links if link is not None]
            links.sort(key=lambda link: place[link.writer])
            found.update(dict.fromkeys(links, links))
        return found
