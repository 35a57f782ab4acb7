# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Who waits for whom: a pipeline as counts of iterations, without data, places or loops.

Iterations of a process are counted from 0 in the order in which they run, elements of a channel in
the order in which they are written: one for each iteration of the writer that sends what it writes
there, as all do, or some. A stream is a number of images that follow each other without a gap. Of
these a process has all, or some by turns: its own.

An iteration begins as soon as its process has begun the one before, every ready machine has seen
the writes that it awaits for it, and every ring that it writes has a free slot. Each of these is a
signal of another process's iteration, and can be used from the cycle on in which that one ends.

What an iteration writes may have a way to another core, over links. A vector leaves when the
iteration ends, and holds each link of its way, one after the other, for some cycles from when it
begins on it. Some cycles after it has begun there its head comes to the next one. It has arrived
when it is through with the last one, and that so many cycles later. Links serve vectors in the
order in which they come; of those that come in one cycle, first the one of the channel that stands
first. Signals that free slots take the same way back, and hold up none. With multicast, what a
vector for several readers has of its way in common it goes once; it comes as that one of its
writer's channels does that stands first, of those whose ways go on there.

Processes of one side, a core or the GCU, share its units. An iteration takes what it occupies from
its start on, and begins when it is free, too. Where several could begin in one cycle they are
served round robin: in the order of their places, beginning after the one that was served last, each
that still finds its units free. Every iteration that begins was served last then, whatever it
occupies; at first it is as if the one in the last place had been.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from cmc.errors import CmcError
from cmc.poly.evaluate import Ints
from cmc.streams import Turn
from cmc.timing.runs import Runs, held

NEVER = np.iinfo(np.int64).max
"""A count, or a time, that is never reached."""


class Deadlock(CmcError):
    """Nothing can move, and work remains."""


@dataclass(frozen=True, eq=False)
class Process:
    """What runs through its iterations once an image: a program, or the GCU's stream of an input.

    Its images are those of its `turn`; where there are channels, that is the same on both ends.

    An iteration's result can be used `latency` cycles after its start; the next iteration may
    begin after `interval` cycles. `title` names an iteration for a person. `side` is the name of
    the core, or "" for the GCU; among its processes this one has a `place`. `occupies` has the
    cycles, from an iteration's start on, for which it has units of the side to itself.
    """

    name: str
    iterations: int
    latency: int = 1
    interval: int = 1
    title: Callable[[int], str] = str
    side: str = ""
    place: int = 0
    occupies: Mapping[str, int] = field(default_factory=dict[str, int])
    turn: Turn = field(default=Turn())

    @property
    def pace(self) -> int:
        """Cycles from one iteration to the next at the least, with all units to itself."""
        return max([self.interval, *self.occupies.values()])


@dataclass(frozen=True, eq=False)
class Steps:
    """A machine's steps, each of which awaits more signals and reaches further than the one before.

    Step i happens when `awaits[i]` signals of the image were seen; then `reaches[i]` of what the
    machine drives may happen. `initial` may happen before the first one. After `last` signals the
    machine begins the next image; NEVER if it awaits what does not come.
    """

    awaits: Runs
    reaches: Runs
    initial: int
    last: int
    _tables: dict[tuple[int, int], Ints | None] = field(
        init=False, default_factory=dict[tuple[int, int], Ints | None], repr=False
    )

    @staticmethod
    def of(awaits: Runs, reaches: Runs, initial: int = 0, last: int = 0) -> Steps:
        """The steps of a machine that reaches so far when it has awaited so many signals.

        What it awaits never descends. What it may reach at the start, and what it awaits in all, is
        at least as given. Steps that reach no further than those before do not count; of those that
        await the same the last one does.
        """
        last = max(last, awaits.last if awaits.length else 0)
        idle = int(awaits.below(np.array([1]))[0])
        if idle:
            initial = max(initial, reaches.head(idle).accumulated().last)
            awaits, reaches = awaits.tail(idle), reaches.tail(idle)
        further = reaches.accumulated(initial)
        if awaits.increasing and further.increasing and np.all(further.values[:1] > initial):
            return Steps(awaits, further, initial, last)
        awaits, further = awaits.split(further.starts), further.split(awaits.starts)
        return Steps(*_growing(awaits, further, initial), initial, last)

    @cached_property
    def starts(self) -> Runs:
        """How much may happen before each step: the first thing that it allows, counted from 0."""
        return Runs.joined([Runs.line(1, self.initial), self.reaches]).head(self.reaches.length)

    @property
    def end(self) -> int:
        """How much may happen after the last step."""
        return self.reaches.last if self.reaches.length else self.initial

    def in_image(self, driven: int, signals: int) -> tuple[Runs, Runs]:
        """What waits for how many signals, counted from those of the image's start: from which on,
        and for how many.

        A machine begins an image when it is through with the one before. What it never drives in an
        image goes with what it drives first in the next.
        """
        since, need = self.starts, self.awaits
        if self.last in (0, NEVER) or not (self.initial or need.length):
            return since, need
        if self.initial:
            restart = self.last - signals
            since = Runs.joined([Runs.line(1, 0), since])
            need = Runs.joined([Runs.line(1, restart), need])
        if self.end < driven:
            following = self.last if self.initial else signals + need.first
            since = Runs.joined([since, Runs.line(1, self.end)])
            need = Runs.joined([need, Runs.line(1, following)])
        return since, need

    def needs(self, driven: int, signals: int) -> Ints | None:
        """How many signals each thing driven in an image waits for, if it waits for any.

        They count from those of the image's start.
        """
        sides = driven, signals
        if sides not in self._tables:
            since, need = self.in_image(driven, signals)
            some = need.length > 0
            self._tables[sides] = held(since, need, driven, 0).expanded() if some else None
        return self._tables[sides]

    def driven_in(self, driven: int, images: int) -> int:
        """How many of all that it drives in a stream may ever happen."""
        if self.last == NEVER or not (self.initial or self.awaits.length):
            return self.end
        if self.last and not self.initial:
            # There is no next image after the last one.
            return images * driven - max(driven - self.end, 0)
        return images * driven

    def across(self, driven: int, signals: int, images: int) -> tuple[Runs, Runs, int]:
        """`in_image`, counted over a stream; and how many of all that it drives may ever happen."""
        since, need = self.in_image(driven, signals)
        end = self.driven_in(driven, images)
        if self.last == NEVER:
            return since, need, end
        since, need = since.repeated(images, driven), need.repeated(images, signals)
        since = since.head(int(since.below(np.array([end]))[0]))
        # None of the first image waits for one before: that is a run of one member.
        need = need.head(since.length)
        need = Runs(need.starts, np.maximum(need.values, 0), need.slopes, need.length)
        return since, need, end


def _growing(awaits: Runs, reaches: Runs, initial: int) -> tuple[Runs, Runs]:
    """Of steps in runs that begin at the same places, those that `Steps` has.

    Neither awaits nor reaches descend.
    """
    first, count = np.zeros_like(awaits.starts), awaits.counts.copy()
    # Steps of one run that await the same, or reach the same.
    waiting, standing = awaits.slopes == 0, reaches.slopes == 0
    first[waiting] = count[waiting] - 1
    count[waiting | standing] = 1
    # The first step of a run that reaches no further than the run before.
    before = np.append(initial, reaches.lasts)[:-1]
    late = reaches.values + first * reaches.slopes <= before
    first[late] += 1
    count[late] -= 1
    kept = count > 0
    first, count = first[kept], count[kept]
    begin, steps = awaits.values[kept] + first * awaits.slopes[kept], awaits.slopes[kept]
    reach, rises = reaches.values[kept] + first * reaches.slopes[kept], reaches.slopes[kept]
    # The last step of a run that awaits the same as the next run.
    ends = begin + (count - 1) * steps
    count[:-1] -= ends[:-1] == begin[1:]
    kept = count > 0
    starts, length = (np.cumsum(count) - count)[kept], int(count.sum())
    columns = (begin, steps), (reach, rises)
    made = (Runs(starts, one[kept], slope[kept], length) for one, slope in columns)
    awaited, reached = made
    return awaited.merged(), reached.merged()


@dataclass(frozen=True)
class Way:
    """The links from a core to another one, by their numbers, and what a vector takes of each.

    It holds a link for `held` cycles, for its `bytes`, and its head comes to the next one `hop`
    cycles after it began on this one.
    """

    links: tuple[int, ...] = ()
    hop: int = 0
    held: int = 0
    bytes: int = 0

    @property
    def back(self) -> int:
        """How long a signal takes."""
        return len(self.links) * self.hop

    @property
    def there(self) -> int:
        """How long a vector takes that waits for no link."""
        return self.back + self.held if self.links else 0


HERE = Way()
"""From a core to itself, and wherever links cost nothing."""


@dataclass(frozen=True, eq=False)
class Edge:
    """A channel: in `ready` elements drive the reader's iterations, in `free` these drive slots.

    The writer may fill `slots` slots before any is freed. What it writes goes its `way`, if the
    number of the iteration is one that `sends`, in ascending order; without these all do.
    """

    title: str
    writer: str
    reader: str
    ready: Steps
    free: Steps
    slots: int = 0
    way: Way = HERE
    sends: Runs | None = None

    def count(self, iterations: int) -> int:
        """How many elements so many iterations, a whole image of the writer, send."""
        return iterations if self.sends is None else self.sends.length

    def iteration(self, elements: Runs) -> Runs:
        """The iterations of an image that send some of its elements; neither descend."""
        return elements if self.sends is None else self.sends.take(elements)

    def sent_by(self, iterations: Runs) -> Runs:
        """How many elements of an image so many first iterations of it send; these may stay."""
        return iterations if self.sends is None else self.sends.counted(iterations)

    def in_stream(self, iterations: int, images: int) -> Runs:
        """The iterations, counted over some images of so many, that send something."""
        if self.sends is None:
            return Runs.line(images * iterations, 0, 1)
        return self.sends.repeated(images, iterations)


def sent_over(edges: Sequence[Edge]) -> Ints | None:
    """The iterations of a writer that send something over some of its edges; None if all do."""
    sends = [edge.sends for edge in edges if edge.sends is not None]
    if len(sends) < len(edges):
        return None
    first, *others = {id(one): one.expanded() for one in sends}.values()
    return np.unique(np.concatenate([first, *others])) if others else first


@dataclass(frozen=True, eq=False)
class Flow:
    """Processes, each after those that write what it reads, and the channels between them.

    With `multicast` a vector for several readers crosses a link once. `link_title` names a link
    for a person.
    """

    processes: Mapping[str, Process]
    edges: tuple[Edge, ...]
    multicast: bool = False
    link_title: Callable[[int], str] = str
    fed: tuple[tuple[str, str], ...] = ()
    """Writers and streams: a stream sends for an image what the writer wrote for the one before."""

    @staticmethod
    def of(
        processes: Iterable[Process],
        edges: Iterable[Edge],
        multicast: bool = False,
        link_title: Callable[[int], str] = str,
        fed: Iterable[tuple[str, str]] = (),
    ) -> Flow:
        """A flow in which only units that are shared are occupied.

        A unit that one process has to itself is no more than an interval of that process.
        """
        processes = tuple(processes)
        users = Counter((process.side, unit) for process in processes for unit in process.occupies)

        def folded(process: Process) -> Process:
            shared = {u: n for u, n in process.occupies.items() if users[process.side, u] > 1}
            own = (n for u, n in process.occupies.items() if u not in shared)
            return replace(process, interval=max([process.interval, *own]), occupies=shared)

        folds = {process.name: folded(process) for process in processes}
        return Flow(folds, tuple(edges), multicast, link_title, tuple(fed))

    @cached_property
    def shared(self) -> bool:
        """Whether anything waits for units that others occupy, or for links."""
        occupied = any(process.occupies for process in self.processes.values())
        return occupied or bool(self.contended)

    @cached_property
    def carried(self) -> Mapping[int, Sequence[Sequence[Edge]]]:
        """The edges whose vectors cross each link, those together whose vectors do so once."""
        links: dict[int, dict[object, list[Edge]]] = {}
        for edge in self.edges:
            for link in edge.way.links:
                together = edge.writer if self.multicast else edge
                links.setdefault(link, {}).setdefault(together, []).append(edge)
        return {link: list(groups.values()) for link, groups in links.items()}

    @cached_property
    def contended(self) -> Set[int]:
        """The links that vectors may have to wait for.

        That is none that vectors of one kind hold for no longer than until the next one may come.
        """

        def waits(groups: Sequence[Sequence[Edge]]) -> bool:
            ((edge, *_), *others) = groups
            pace = self.processes[edge.writer].pace
            return edge.way.held > 0 and (bool(others) or edge.way.held > pace)

        return {link for link, groups in self.carried.items() if waits(groups)}

    @cached_property
    def delayed(self) -> Set[Edge]:
        """The edges whose vectors may have to wait for a link."""
        links = self.contended
        return {edge for edge in self.edges if not links.isdisjoint(edge.way.links)}

    @property
    def turns(self) -> int:
        """In how many turns images are taken: after so many each process had one of them."""
        return max((process.turn.of for process in self.processes.values()), default=1)

    @cached_property
    def sides(self) -> Mapping[str, Sequence[Process]]:
        """The processes of each core, and of the GCU, in the order of their places."""
        sides: dict[str, list[Process]] = {}
        for process in sorted(self.processes.values(), key=lambda process: process.place):
            sides.setdefault(process.side, []).append(process)
        return sides

    def apart(self) -> list[Flow]:
        """The parts that have no channel between them, and share no unit and no link."""
        turns = [(one, other) for one, *others in self.sharing for other in others]
        parts: list[Flow] = []
        for names in connected(self.processes, [*self.pairs, *turns]):
            processes = {name: process for name, process in self.processes.items() if name in names}
            edges = (edge for edge in self.edges if edge.writer in names)
            fed = tuple(pair for pair in self.fed if pair[0] in names)
            parts.append(replace(self, processes=processes, edges=tuple(edges), fed=fed))
        return parts

    @cached_property
    def likeness(self) -> Hashable:
        """What is equal of flows that are the same but for names, and for whose turn it is."""
        number = {name: i for i, name in enumerate(self.processes)}
        places = {
            process.name: (side, place)
            for side, members in enumerate(self.sides.values())
            for place, process in enumerate(members)
        }
        processes = (
            (p.iterations, p.latency, p.interval, places[name], tuple(p.occupies.items()))
            for name, p in self.processes.items()
        )
        ends = (
            (
                *(number[name] for name in (edge.writer, edge.reader)),
                *map(id, (edge.ready, edge.free, edge.sends)),
                edge.slots,
            )
            for edge in self.edges
        )
        links = {link: i for i, link in enumerate(self.carried)}
        ways = (
            (tuple(links[link] for link in edge.way.links), edge.way.hop, edge.way.held)
            for edge in self.edges
        )
        fed = ((number[writer], number[stream]) for writer, stream in self.fed)
        return tuple(processes), tuple(ends), tuple(ways), tuple(fed)

    @property
    def sharing(self) -> Iterable[Sequence[str]]:
        """The processes that have units of one side in common, or a link that they wait for."""
        for side in self.sides.values():
            if any(process.occupies for process in side):
                yield [process.name for process in side]
        for link in self.contended:
            yield [edge.writer for edge, *_ in self.carried[link]]

    @property
    def pairs(self) -> Iterable[tuple[str, str]]:
        """The writer and the reader of each edge, and those that are fed back."""
        return (*((edge.writer, edge.reader) for edge in self.edges), *self.fed)

    def with_slots(self, slots: Iterable[int]) -> Flow:
        """The same processes and channels, each of these with so many slots."""
        edges = zip(self.edges, slots, strict=True)
        return replace(self, edges=tuple(replace(edge, slots=n) for edge, n in edges))

    def elements(self, edge: Edge) -> int:
        """How many elements of an image a channel carries."""
        return edge.count(self.processes[edge.writer].iterations)

    @cached_property
    def complete(self) -> bool:
        """Whether all machines let everything happen that they drive, in the end."""
        return all(
            edge.ready.end == self.processes[edge.reader].iterations
            and edge.free.end == self.elements(edge)
            for edge in self.edges
        )

    @cached_property
    def touching(self) -> Mapping[str, Sequence[tuple[Edge, bool]]]:
        """The edges to and from each process, and whether it reads there: one to itself is both."""
        groups: dict[str, list[tuple[Edge, bool]]] = {name: [] for name in self.processes}
        for edge in self.edges:
            groups[edge.reader].append((edge, True))
            groups[edge.writer].append((edge, False))
        return groups

    @cached_property
    def into(self) -> Mapping[str, Sequence[Edge]]:
        """The edges to each process."""
        return _grouped(self.processes, [(edge.reader, edge) for edge in self.edges])

    @cached_property
    def out_of(self) -> Mapping[str, Sequence[Edge]]:
        """The edges from each process."""
        return _grouped(self.processes, [(edge.writer, edge) for edge in self.edges])


def _grouped(names: Iterable[str], edges: Iterable[tuple[str, Edge]]) -> dict[str, list[Edge]]:
    groups: dict[str, list[Edge]] = {name: [] for name in names}
    for name, edge in edges:
        groups[name].append(edge)
    return groups


def connected(names: Iterable[str], links: Iterable[tuple[str, str]]) -> list[set[str]]:
    """The parts that links leave apart."""
    part = {name: {name} for name in names}
    for one, other in links:
        if part[one] is not part[other]:
            both = part[one] | part[other]
            part.update(dict.fromkeys(both, both))
    return list({id(names): names for names in part.values()}.values())


@dataclass(frozen=True, eq=False)
class Wait:
    """What the iterations of one process wait for, on another one, counted over a stream.

    From iteration `since[k]` on, `need[k]` iterations of `on` must have ended, and their signals
    have come, which takes so much of `delay`. No more than `end` iterations ever begin. The signals
    may be vectors of an `edge` that wait for links on their way.
    """

    on: Process
    why: str
    since: Runs
    need: Runs
    end: int
    delay: int = 0
    edge: Edge | None = None

    @property
    def latency(self) -> int:
        """From when an iteration of `on` begins until its signal comes, if it waits for no link."""
        return self.on.latency + self.delay

    @property
    def waits(self) -> bool:
        """Whether any iteration waits for another one at all."""
        return self.need.length > 0 and self.need.last > 0

    def until(self, iterations: int) -> tuple[Runs, Runs]:
        """`since` and `need` as far as they concern so many iterations."""
        count = int(self.since.below(np.array([iterations]))[0])
        return self.since.head(count), self.need.head(count)

    def signals(self, came: Runs, iterations: int) -> Runs:
        """When what each of the first iterations waits for is there: 0 where that is nothing.

        `came` has, after 0, when the signals of `on` come, as far as they are needed.
        """
        since, need = self.until(iterations)
        return held(since, came.take(need), iterations, 0)

    def need_of(self, iteration: int) -> int:
        """How many iterations must have ended before this one begins; NEVER if it cannot."""
        if iteration >= self.end:
            return NEVER
        before = int(self.since.below(np.array([iteration + 1]))[0])
        return int(self.need.at(np.array([before - 1]))[0]) if before else 0


_SHORT = 1 << 14
"""Members up to which a sequence is worked with faster as an array than as runs."""

_IN_A_RUN = 64
"""Members that a run has on average up to which the same holds."""


def _wait(on: Process, why: str, since: Runs, need: Runs, end: int) -> Wait:
    count = int(since.below(np.array([end]))[0])
    since, need = since.head(count), need.head(count)
    if end <= max(_SHORT, _IN_A_RUN * max(len(since.starts), len(need.starts))):
        number = np.zeros(end, np.int64)
        number[since.expanded()] = 1
        each = np.append(0, need.expanded())[np.cumsum(number)]
        since, need = Runs.array(np.arange(end)), Runs.array(each)
    return Wait(on, why, since, need, end)


def ready_wait(flow: Flow, edge: Edge, images: int) -> Wait:
    """What the reader of a channel waits for: writes."""
    writer, reader = flow.processes[edge.writer], flow.processes[edge.reader]
    elements = edge.count(writer.iterations)
    since, need, end = edge.ready.across(reader.iterations, elements, images)
    if edge.sends is not None:
        through = edge.in_stream(writer.iterations, images) + 1
        need = Runs.joined([Runs.line(1, 0), through]).take(need)
    wait = _wait(writer, f"data in {edge.title}", since, need, end)
    late = edge if edge in flow.delayed else None
    return replace(wait, delay=edge.way.there, edge=late)


def room_wait(flow: Flow, edge: Edge, images: int) -> Wait:
    """What the writer of a channel waits for: slots that the reader frees."""
    writer, reader = flow.processes[edge.writer], flow.processes[edge.reader]
    elements = edge.count(writer.iterations)
    since, need, end = edge.free.across(elements, reader.iterations, images)
    total = images * elements
    slots = min(edge.slots, total)
    since, end = since + slots, min(end + slots, total)
    if edge.sends is not None:
        sends = edge.in_stream(writer.iterations, images)
        known = int(since.below(np.array([total]))[0])
        since, need = sends.take(since.head(known)), need.head(known)
        end = images * writer.iterations if end == total else int(sends.at(np.array([end]))[0])
    wait = _wait(reader, f"room in {edge.title}", since, need, end)
    return replace(wait, delay=edge.way.back)


def waits_of(flow: Flow, name: str, images: int) -> list[Wait]:
    """Everything that the iterations of one process wait for."""
    found = [
        ready_wait(flow, edge, images) if reads else room_wait(flow, edge, images)
        for edge, reads in flow.touching[name]
    ]
    return found + [_fed_wait(flow, *pair, images) for pair in flow.fed if pair[1] == name]


def _fed_wait(flow: Flow, writer: str, stream: str, images: int) -> Wait:
    """What a stream waits for: all of what is its image was for the one before."""
    on, sent = flow.processes[writer], flow.processes[stream].iterations
    since, need = (Runs.line(images, 0, count) for count in (sent, on.iterations))
    return _wait(on, f"the state that @{writer} writes", since, need, images * sent)


def waits(flow: Flow, images: int) -> dict[str, list[Wait]]:
    """For each process, everything that its iterations wait for."""
    return {name: waits_of(flow, name, images) for name in flow.processes}


def deadlock(
    flow: Flow, images: Mapping[str, int], begun: Mapping[str, int], skipped: Mapping[str, int]
) -> Deadlock:
    """Why nothing moves once `begun` iterations of each process have run, in words.

    That is in a stream of so many own images of each process, which lacks those iterations that
    are `skipped`.
    """
    stuck = [n for n, p in flow.processes.items() if begun[n] < images[n] * p.iterations]
    words: dict[str, str] = {}
    name = stuck[0]
    while name not in words:
        process = flow.processes[name]
        needs = [(w, w.need_of(begun[name])) for w in waits_of(flow, name, images[name])]
        wait, need = next((w, n) for w, n in needs if n > begun[w.on.name])
        own, iteration = divmod(begun[name] + skipped[name], process.iterations)
        image = process.turn.image(own)
        words[name] = f"{process.title(iteration)} of image {image} waits for {wait.why}"
        if wait.on.name not in stuck or need == NEVER:
            words[name] += ", which no step of its machine ever gives"
            return Deadlock(f"deadlock: {words[name]}")
        name = wait.on.name
    cycle = list(words.values())[list(words).index(name) :]
    return Deadlock(f"deadlock: {'; '.join(cycle)}")
