"""A flow as the flat arrays that its events are found in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from cmc.poly.evaluate import Ints
from cmc.timing.flow import NEVER, Edge, Flow, Process
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
    recorded: Sequence[Edge]
    """The edges of whose vectors the arrivals are kept: after processes and hops the next logs."""

    @staticmethod
    def of(flow: Flow, images: int, recorded: bool) -> Layout:
        """Processes are numbered in the order in which they stand in the flow.

        The arrivals of vectors that wait for links are kept if they are to be `recorded`.
        """
        hops = _Hops.of(flow)
        waits = _Waits.of(flow, images, hops)
        kept = [edge for edge in flow.edges if edge in hops.last] if recorded else []
        plan = _plan(flow, waits, hops, kept)
        writers = np.array([hops.number[edge.writer] for edge in kept], np.int64)
        # An image of each process at the least, and all that is in flight.
        logs = np.append(plan.iterations, plan.iterations[writers])
        rows = max(1, _KEPT // int(logs.sum())) * logs
        flying = np.zeros_like(plan.iterations)
        near = plan.follows < len(flying)
        np.maximum.at(flying, plan.follows[near], plan.after[near])
        processes = rows[: len(flying)] - -flying // plan.interval
        queues = np.full(len(plan.link), _QUEUE)
        room = np.concatenate([processes, queues, rows[len(flying) :]])
        state = _state(plan, np.array(waits.slots, np.int64), room)
        return Layout(plan, state, room, waits.limits, np.flatnonzero(waits.late), kept)


def _array(numbers: Iterable[int]) -> Ints:
    return np.array(list(numbers), np.int64)


def _rows(lengths: Iterable[int]) -> Ints:
    """Where rows of such lengths begin, one after the other, and where the last one ends."""
    return _array(accumulate(lengths, initial=0))


@dataclass(frozen=True)
class _Hop:
    """Where vectors of an edge come to a link that they may have to wait for.

    That is `after` cycles after they began an iteration, or on the link of the hop before; of those
    that come in one cycle, in the `order` of channels, and of one channel in that of its way.
    """

    link: int
    held: int
    before: _Hop | None
    after: int
    order: tuple[int, int]
    writer: str


@dataclass(frozen=True)
class _Hops:
    """All hops, in the order in which those are served that come in one cycle."""

    number: Mapping[str, int]
    """Of each process."""
    all: Sequence[_Hop]
    last: Mapping[Edge, tuple[_Hop, int]]
    """The last hop of each edge whose vectors may wait, and after how long they then arrive."""

    @staticmethod
    def of(flow: Flow) -> _Hops:
        known: dict[tuple[object, int], _Hop] = {}
        last: dict[Edge, tuple[_Hop, int]] = {}
        for place, edge in enumerate(flow.edges):
            if edge not in flow.delayed:
                continue
            together = edge.writer if flow.multicast else edge
            hop: _Hop | None = None
            after, way = flow.processes[edge.writer].latency, edge.way
            for depth, link in enumerate(way.links):
                if link in flow.contended:
                    before, order = hop, (place, depth)
                    hop = known.get((together, link))
                    if hop is None:
                        hop = _Hop(link, way.held, before, after, order, edge.writer)
                        known[together, link] = hop
                    after = 0
                after += way.hop
            assert hop is not None
            last[edge] = hop, after + way.held
        number = {name: i for i, name in enumerate(flow.processes)}
        return _Hops(number, sorted(known.values(), key=lambda hop: hop.order), last)


@dataclass
class _Waits:
    """All that processes wait for, process by process, in the terms of `Plan`."""

    owner: list[int] = field(default_factory=list[int])
    on: list[int] = field(default_factory=list[int])
    table: list[int] = field(default_factory=list[int])
    signals: list[int] = field(default_factory=list[int])
    slots: list[int] = field(default_factory=list[int])
    """Iterations at the start of the stream that do not wait."""
    late: list[bool] = field(default_factory=list[bool])
    limits: list[int] = field(default_factory=list[int])
    needs: list[Ints] = field(default_factory=list[Ints])
    """The tables, of which machines that are alike have one."""
    sources: dict[tuple[int, int] | Edge, int] = field(
        default_factory=dict["tuple[int, int] | Edge", int]
    )
    """The signals: of a process, so long after the end of an iteration, or of an edge's vectors."""

    @staticmethod
    def of(flow: Flow, images: int, hops: _Hops) -> _Waits:
        waits = _Waits()
        tables: dict[tuple[int, int, int], tuple[int, bool] | None] = {}
        length = 0
        for owner, process in enumerate(flow.processes.values()):
            own = process.turn.images(images)
            limit = own * process.iterations
            for edge, reads in flow.touching[process.name]:
                source: tuple[int, int] | Edge
                if reads:
                    other, steps, slots = flow.processes[edge.writer], edge.ready, 0
                    number = hops.number[other.name]
                    source = edge if edge in hops.last else (number, edge.way.there)
                else:
                    other, steps, slots = flow.processes[edge.reader], edge.free, edge.slots
                    source = hops.number[other.name], edge.way.back
                sides = process.iterations, other.iterations
                limit = min(limit, steps.driven_in(process.iterations, own) + slots)
                key = (id(steps), *sides)
                if key not in tables:
                    tables[key] = None
                    if (needs := steps.needs(*sides)) is not None:
                        tables[key] = length, bool(needs.max() > other.iterations)
                        waits.needs.append(needs)
                        length += len(needs)
                if (known := tables[key]) is None:
                    continue
                table, late = known
                waits.owner.append(owner)
                waits.on.append(waits.sources.setdefault(source, len(waits.sources)))
                waits.table.append(table)
                waits.signals.append(other.iterations)
                waits.slots.append(slots)
                waits.late.append(late)
            waits.limits.append(limit)
        for edge in hops.last:
            # What waits for no vector records them all the same.
            waits.sources.setdefault(edge, len(waits.sources))
        return waits


def _plan(flow: Flow, waits: _Waits, hops: _Hops, kept: Sequence[Edge]) -> Plan:
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
    owner, on = _array(waits.owner), _array(waits.on)
    waited = np.argsort(on, kind="stable")
    log = {hop: len(processes) + i for i, hop in enumerate(hops.all)}
    follows: list[tuple[int, int]] = []
    for source in waits.sources:
        if isinstance(source, Edge):
            hop, after = hops.last[source]
            follows.append((log[hop], after))
        else:
            number, delay = source
            follows.append((number, processes[number].latency + delay))
    for hop in hops.all:
        before = hops.number[hop.writer] if hop.before is None else log[hop.before]
        follows.append((before, hop.after))
    followed = _array(number for number, _ in follows)
    follower = np.argsort(followed, kind="stable")
    records = {edge: len(processes) + len(hops.all) + i for i, edge in enumerate(kept)}
    every, logs = np.arange(len(processes) + 1), np.arange(len(processes) + len(hops.all) + 1)
    return Plan(
        iterations=_array(process.iterations for process in processes),
        interval=_array(process.interval for process in processes),
        core=_array(core[process.name] for process in processes),
        wait_of=np.searchsorted(owner, every),
        unit_of=_rows(len(process.occupies) for process in processes),
        owner=owner,
        on=on,
        table=_array(waits.table),
        signals=_array(waits.signals),
        needs=np.concatenate([_array([]), *waits.needs]),
        waited_of=np.searchsorted(on[waited], np.arange(len(waits.sources) + 1)),
        waited=waited,
        record=_array(
            records.get(source, -1) if isinstance(source, Edge) else -1 for source in waits.sources
        ),
        link=_array(links[hop.link] for hop in hops.all),
        held=_array(hop.held for hop in hops.all),
        follows=followed,
        after=_array(after for _, after in follows),
        follower_of=np.searchsorted(followed[follower], logs),
        follower=follower,
        unit=_array(units[side, unit] for side, unit, _ in occupied),
        occupied=_array(cycles for _, _, cycles in occupied),
        member_of=_rows(map(len, cores)),
        member=_array(hops.number[process.name] for side in cores for process in side),
    )


def _state(plan: Plan, slots: Ints, room: Ints) -> State:
    processes, cores = len(plan.core), len(plan.member_of) - 1
    followers = len(plan.follows)
    place = _rows(room.tolist())
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
