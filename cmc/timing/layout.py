# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A flow as the flat arrays that its events are found in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cmc.poly.evaluate import Ints, as_ints, row_starts
from cmc.timing.flow import NEVER, Edge, Flow, Process, sent_over
from cmc.timing.kernel import Plan, State

_KEPT = 1 << 20
"""Entries of logs that are kept at a time, but for larger images."""

_QUEUE = 1 << 7
"""Entries of each hop that are kept at first."""


@dataclass(frozen=True, eq=False)
class Layout:
    """A flow, and the state before anything begins."""

    plan: Plan
    state: State
    room: Ints
    """How many entries of each log are kept."""
    limits: list[int]
    """How many iterations of each process there are in the stream."""
    late: Ints
    """The waits of an image for more signals than there are of its time."""
    channels: Sequence[tuple[Edge, bool] | None]
    """Of each wait, the channel whose data it is for, or, if not that, whose room; None for a state
    that is fed back."""
    hops: Hops
    """Their logs are those after those of processes."""

    @staticmethod
    def of(flow: Flow, images: int, crossings: bool) -> Layout:
        """Processes are numbered in the order in which they stand in the flow.

        When vectors begin on links that they wait for is kept if that is asked.
        """
        hops, some = Hops.of(flow), _Some()
        waits = _Waits.of(flow, images, hops, some)
        plan = _plan(flow, waits, hops, some, crossings)
        # An image of each log at the least, and all that is in flight.
        sent = [hops.vectors(hop, flow) for hop in hops.all] if crossings else []
        logs = np.append(plan.iterations, as_ints(sent))
        rows = max(1, _KEPT // int(logs.sum())) * logs
        flying = np.zeros_like(plan.iterations)
        near = plan.follows < len(flying)
        np.maximum.at(flying, plan.follows[near], plan.after[near])
        processes = rows[: len(flying)] - -flying // plan.interval
        queues = np.full(len(plan.link), _QUEUE)
        if crossings:
            np.maximum(queues, rows[len(flying) :], out=queues)
        room = np.concatenate([processes, queues])
        state = _state(plan, np.array(waits.slots, np.int64), room)
        late = np.flatnonzero(waits.late)
        return Layout(plan, state, room, waits.limits, late, waits.channels, hops)


@dataclass
class _Some:
    """Rows of 1 and 0, one after the other, each of which tells some iterations from others."""

    rows: list[Ints] = field(default_factory=list[Ints])
    _length: int = 0
    _known: dict[bytes, int] = field(default_factory=dict[bytes, int])

    def of(self, numbers: Ints | None, among: int) -> int:
        """Where the row of some numbers from 0 on lies; -1 for all of them."""
        if numbers is None or len(numbers) == among:
            return -1
        row = np.zeros(among, np.int64)
        row[numbers] = 1
        if (key := row.tobytes()) not in self._known:
            self._known[key] = self._length
            self._length += among
            self.rows.append(row)
        return self._known[key]


@dataclass(frozen=True)
class Hop:
    """Where vectors of an edge come to a link that they may have to wait for.

    That is `after` cycles after they began an iteration, or on the link of the hop before; of those
    that come in one cycle, in the `order` of channels, and of one channel in that of its way.
    """

    link: int
    held: int
    before: Hop | None
    after: int
    order: tuple[int, int]
    writer: str


@dataclass(frozen=True)
class Hops:
    """All hops, in the order in which those are served that come in one cycle."""

    number: Mapping[str, int]
    """Of each process."""
    all: Sequence[Hop]
    last: Mapping[Edge, tuple[Hop, int]]
    """The last hop of each edge whose vectors may wait, and after how long they then arrive."""
    sends: Mapping[Hop, Ints | None]
    """The iterations whose vectors come to each hop; None for all."""

    @staticmethod
    def of(flow: Flow) -> Hops:
        known: dict[tuple[object, int], Hop] = {}
        crossing: dict[Hop, list[Edge]] = {}
        last: dict[Edge, tuple[Hop, int]] = {}
        for place, edge in enumerate(flow.edges):
            if edge not in flow.delayed:
                continue
            together = edge.writer if flow.multicast else edge
            hop: Hop | None = None
            after, way = flow.processes[edge.writer].latency, edge.way
            for depth, link in enumerate(way.links):
                if link in flow.contended:
                    before, order = hop, (place, depth)
                    hop = known.get((together, link))
                    if hop is None:
                        hop = Hop(link, way.held, before, after, order, edge.writer)
                        known[together, link] = hop
                    crossing.setdefault(hop, []).append(edge)
                    after = 0
                after += way.hop
            assert hop is not None
            last[edge] = hop, after + way.held
        number = {name: i for i, name in enumerate(flow.processes)}
        sends = {hop: sent_over(edges) for hop, edges in crossing.items()}
        return Hops(number, sorted(known.values(), key=lambda hop: hop.order), last, sends)

    def vectors(self, hop: Hop, flow: Flow) -> int:
        """How many vectors of an image come to a hop."""
        sends = self.sends[hop]
        return flow.processes[hop.writer].iterations if sends is None else len(sends)

    def places(self, edge: Edge, iterations: int) -> tuple[int, Ints | None]:
        """How many entries an image has in the log whose vectors an edge's reader gets.

        That is one for each iteration, of which there are so many, or for those whose vectors come
        to the last hop. Then which of them are the edge's own; None for all.
        """
        sends = self.sends[self.last[edge][0]] if edge in self.last else None
        count = iterations if sends is None else len(sends)
        if edge.sends is None or edge.sends.length == count:
            return count, None
        own = edge.sends.expanded()
        return count, own if sends is None else np.searchsorted(sends, own)


@dataclass
class _Waits:
    """All that processes wait for, process by process, in the terms of `Plan`."""

    owner: list[int] = field(default_factory=list[int])
    on: list[int] = field(default_factory=list[int])
    table: list[int] = field(default_factory=list[int])
    signals: list[int] = field(default_factory=list[int])
    driven: list[int] = field(default_factory=list[int])
    some: list[int] = field(default_factory=list[int])
    slots: list[int] = field(default_factory=list[int])
    """Iterations at the start of the stream that do not wait, of those that would."""
    late: list[bool] = field(default_factory=list[bool])
    channels: list[tuple[Edge, bool] | None] = field(
        default_factory=list["tuple[Edge, bool] | None"]
    )
    limits: list[int] = field(default_factory=list[int])
    needs: list[Ints] = field(default_factory=list[Ints])
    """The tables, of which machines that are alike have one."""
    sources: dict[tuple[int, int] | Edge, int] = field(
        default_factory=dict["tuple[int, int] | Edge", int]
    )
    """The signals: of a process, so long after the end of an iteration, or of an edge's vectors."""

    @staticmethod
    def of(flow: Flow, images: int, hops: Hops, some: _Some) -> _Waits:
        waits = _Waits()
        tables: dict[tuple[object, ...], tuple[int, bool] | None] = {}
        length = 0
        for owner, process in enumerate(flow.processes.values()):
            own, count = process.turn.images(images), process.iterations
            limit = own * count
            for edge, reads in flow.touching[process.name]:
                source: tuple[int, int] | Edge
                places: Ints | None = None
                if reads:
                    other, steps, slots, driven, row = (
                        flow.processes[edge.writer], edge.ready, 0, count, -1
                    )  # fmt: skip
                    number, elements = hops.number[other.name], edge.count(other.iterations)
                    source = edge if edge in hops.last else (number, edge.way.there)
                    signals, places = hops.places(edge, other.iterations)
                    limit = min(limit, steps.driven_in(count, own))
                else:
                    other, steps, slots = flow.processes[edge.reader], edge.free, edge.slots
                    source = hops.number[other.name], edge.way.back
                    signals = elements = other.iterations
                    driven = edge.count(count)
                    row = -1 if edge.sends is None else some.of(edge.sends.expanded(), count)
                    room = steps.driven_in(driven, own) + slots
                    if room < own * driven:
                        limit = min(limit, int(edge.in_stream(count, own).at(as_ints([room]))[0]))
                which = None if places is None else places.tobytes()
                key = (id(steps), driven, elements, signals, which)
                if key not in tables:
                    tables[key] = None
                    if (needs := steps.needs(driven, elements)) is not None:
                        if places is not None:
                            image, element = np.divmod(needs - 1, elements)
                            needs = places[element] + image * signals + 1
                        tables[key] = length, bool(needs.max() > signals)
                        waits.needs.append(needs)
                        length += len(needs)
                if (known := tables[key]) is None:
                    continue
                table, late = known
                # What is sent first may wait in a later iteration than the first one.
                later = row >= 0 and edge.sends is not None and edge.sends.first > 0
                waits.owner.append(owner)
                waits.on.append(waits.sources.setdefault(source, len(waits.sources)))
                waits.table.append(table)
                waits.signals.append(signals)
                waits.driven.append(driven)
                waits.some.append(row)
                waits.slots.append(slots + later)
                waits.late.append(late)
                waits.channels.append((edge, reads))
            for writer in (one for one, stream in flow.fed if stream == process.name):
                # All of the images before, from the first iteration of an image on.
                waits.owner.append(owner)
                source = hops.number[writer], 0
                waits.on.append(waits.sources.setdefault(source, len(waits.sources)))
                waits.table.append(length)
                waits.needs.append(np.zeros(process.iterations, np.int64))
                length += process.iterations
                waits.signals.append(flow.processes[writer].iterations)
                waits.driven.append(process.iterations)
                waits.some.append(-1)
                waits.slots.append(0)
                waits.late.append(False)
                waits.channels.append(None)
            waits.limits.append(limit)
        return waits


def _plan(flow: Flow, waits: _Waits, hops: Hops, some: _Some, crossings: bool) -> Plan:
    processes = list(flow.processes.values())
    cores: list[Sequence[Process]] = []
    for side in flow.sides.values():
        # Where nothing is shared none waits for its turn.
        shared = any(process.occupies for process in side)
        cores += [side] if shared else [[process] for process in side]
    core = {process.name: i for i, side in enumerate(cores) for process in side}
    occupied = [(p.side, unit, cycles) for p in processes for unit, cycles in p.occupies.items()]
    units = {key: i for i, key in enumerate(dict.fromkeys((s, unit) for s, unit, _ in occupied))}
    links = {link: len(units) + i for i, link in enumerate(sorted(flow.contended))}
    owner, on = as_ints(waits.owner), as_ints(waits.on)
    waited = np.argsort(on, kind="stable")
    log = {hop: len(processes) + i for i, hop in enumerate(hops.all)}
    # Of each signal and each hop: the log it follows, after how long, entries of an image, and
    # which of them.
    follows: list[tuple[int, int, int, int]] = []
    for source in waits.sources:
        if isinstance(source, Edge):
            hop, after = hops.last[source]
            count, places = hops.places(source, flow.processes[source.writer].iterations)
            follows.append((log[hop], after, count, some.of(places, count)))
        else:
            number, delay = source
            process = processes[number]
            follows.append((number, process.latency + delay, process.iterations, -1))
    for hop in hops.all:
        number = hops.number[hop.writer]
        count, sends, before = processes[number].iterations, hops.sends[hop], hop.before
        if before is not None:
            number, among = log[before], hops.sends[before]
            if among is not None:
                assert sends is not None
                count, sends = len(among), np.searchsorted(among, sends)
        follows.append((number, hop.after, count, some.of(sends, count)))
    followed = as_ints(number for number, _, _, _ in follows)
    follower = np.argsort(followed, kind="stable")
    every, logs = np.arange(len(processes) + 1), np.arange(len(processes) + len(hops.all) + 1)
    return Plan(
        iterations=as_ints(process.iterations for process in processes),
        interval=as_ints(process.interval for process in processes),
        core=as_ints(core[process.name] for process in processes),
        wait_of=np.searchsorted(owner, every),
        unit_of=row_starts(len(process.occupies) for process in processes),
        owner=owner,
        on=on,
        table=as_ints(waits.table),
        signals=as_ints(waits.signals),
        driven=as_ints(waits.driven),
        waits=as_ints(waits.some),
        needs=np.concatenate([as_ints([]), *waits.needs]),
        some=np.concatenate([as_ints([]), *some.rows]),
        waited_of=np.searchsorted(on[waited], np.arange(len(waits.sources) + 1)),
        waited=waited,
        link=as_ints(links[hop.link] for hop in hops.all),
        held=as_ints(hop.held for hop in hops.all),
        kept=np.full(len(hops.all), int(crossings)),
        follows=followed,
        after=as_ints(after for _, after, _, _ in follows),
        entries=as_ints(count for _, _, count, _ in follows),
        passes=as_ints(row for _, _, _, row in follows),
        follower_of=np.searchsorted(followed[follower], logs),
        follower=follower,
        unit=as_ints(units[side, unit] for side, unit, _ in occupied),
        occupied=as_ints(cycles for _, _, cycles in occupied),
        member_of=row_starts(map(len, cores)),
        member=as_ints(hops.number[process.name] for side in cores for process in side),
    )


def _state(plan: Plan, slots: Ints, room: Ints) -> State:
    processes, cores = len(plan.core), len(plan.member_of) - 1
    followers = len(plan.follows)
    place = row_starts(room.tolist())
    need = np.where(slots == 0, plan.needs[plan.table], 0)
    tree = np.full(2 << (followers + cores - 1).bit_length(), NEVER)
    tree[len(tree) // 2 + followers :][:cores] = 0
    for node in reversed(range(1, len(tree) // 2)):
        tree[node] = min(tree[2 * node], tree[2 * node + 1])
    units = max(int(plan.unit.max(initial=-1)), int(plan.link.max(initial=-1))) + 1
    begun, stop, first = np.zeros((3, len(room)), np.int64)
    limit, later = np.zeros((2, processes), np.int64)
    return State(
        begun=begun,
        stop=stop,
        first=first,
        place=place[:-1],
        seen=np.zeros(followers, np.int64),
        limit=limit,
        next=later,
        missing=np.bincount(plan.owner[need > 0], minlength=processes),
        number=np.where(slots == 0, 0, -1),
        base=np.zeros_like(slots),
        skip=slots,
        need=need,
        free=np.zeros(units, np.int64),
        served=np.zeros(cores, np.int64),
        starts=np.zeros(place[-1], np.int64),
        tree=tree,
    )
