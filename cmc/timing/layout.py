"""A flow as the flat arrays that its events are found in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from cmc.poly.evaluate import Ints
from cmc.timing.flow import NEVER, Flow, Process, Steps
from cmc.timing.kernel import Plan, State
from cmc.timing.runs import held

_KEPT = 1 << 20
"""Iterations whose starts are kept at a time, but for larger images."""


@dataclass(frozen=True, eq=False)
class Layout:
    """A flow, and the state before anything begins."""

    plan: Plan
    state: State
    room: Ints
    """How many starts of each process are kept."""
    limits: list[int]
    """How many iterations of each process there are in the stream."""
    late: Ints
    """The waits of an image for more signals than there are of its time."""

    @staticmethod
    def of(flow: Flow, images: int) -> Layout:
        """Processes are numbered in the order in which they stand in the flow."""
        waits = _Waits.of(flow, images)
        plan = _plan(flow, waits)
        # An image of each process at the least, and all that is in flight.
        rows = max(1, _KEPT // int(plan.iterations.sum())) * plan.iterations
        room = rows - -plan.latency // plan.interval
        state = _state(plan, np.array(waits.slots, np.int64), room)
        return Layout(plan, state, room, waits.limits, np.flatnonzero(waits.late))


def _array(numbers: Iterable[int]) -> Ints:
    return np.array(list(numbers), np.int64)


def _rows(lengths: Iterable[int]) -> Ints:
    """Where rows of such lengths begin, one after the other, and where the last one ends."""
    return _array(accumulate(lengths, initial=0))


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

    @staticmethod
    def of(flow: Flow, images: int) -> _Waits:
        waits = _Waits()
        number = {name: i for i, name in enumerate(flow.processes)}
        tables: dict[tuple[int, int, int], tuple[int, bool] | None] = {}
        length = 0
        for owner, process in enumerate(flow.processes.values()):
            own = process.turn.images(images)
            limit = own * process.iterations
            for edge in flow.touching[process.name]:
                if edge.reader == process.name:
                    other, steps, slots = flow.processes[edge.writer], edge.ready, 0
                else:
                    other, steps, slots = flow.processes[edge.reader], edge.free, edge.slots
                sides = process.iterations, other.iterations
                limit = min(limit, steps.driven_in(process.iterations, own) + slots)
                key = (id(steps), *sides)
                if key not in tables:
                    tables[key] = None
                    if (needs := _needs(steps, *sides)) is not None:
                        tables[key] = length, bool(needs.max() > other.iterations)
                        waits.needs.append(needs)
                        length += len(needs)
                if (known := tables[key]) is None:
                    continue
                table, late = known
                waits.owner.append(owner)
                waits.on.append(number[other.name])
                waits.table.append(table)
                waits.signals.append(other.iterations)
                waits.slots.append(slots)
                waits.late.append(late)
            waits.limits.append(limit)
        return waits


def _needs(steps: Steps, driven: int, signals: int) -> Ints | None:
    """How many signals each iteration of an image waits for, from the image's start; if it does."""
    since, need = steps.in_image(driven, signals)
    return held(since, need, driven, 0).expanded() if need.length else None


def _plan(flow: Flow, waits: _Waits) -> Plan:
    processes = list(flow.processes.values())
    number = {process.name: i for i, process in enumerate(processes)}
    cores: list[Sequence[Process]] = []
    for side in flow.sides.values():
        # Where nothing is shared none waits for its turn.
        shared = any(process.occupies for process in side)
        cores += [side] if shared else [[process] for process in side]
    core = {process.name: i for i, side in enumerate(cores) for process in side}
    occupied = [(p.side, unit, cycles) for p in processes for unit, cycles in p.occupies.items()]
    units = {key: i for i, key in enumerate(dict.fromkeys((s, unit) for s, unit, _ in occupied))}
    owner, on = _array(waits.owner), _array(waits.on)
    waited = np.argsort(on, kind="stable")
    every = np.arange(len(processes) + 1)
    return Plan(
        iterations=_array(process.iterations for process in processes),
        latency=_array(process.latency for process in processes),
        interval=_array(process.interval for process in processes),
        core=_array(core[process.name] for process in processes),
        wait_of=np.searchsorted(owner, every),
        waited_of=np.searchsorted(on[waited], every),
        unit_of=_rows(len(process.occupies) for process in processes),
        owner=owner,
        on=on,
        table=_array(waits.table),
        signals=_array(waits.signals),
        needs=np.concatenate([_array([]), *waits.needs]),
        waited=waited,
        unit=_array(units[side, unit] for side, unit, _ in occupied),
        occupied=_array(cycles for _, _, cycles in occupied),
        member_of=_rows(map(len, cores)),
        member=_array(number[process.name] for side in cores for process in side),
    )


def _state(plan: Plan, slots: Ints, room: Ints) -> State:
    processes, cores = len(plan.core), len(plan.member_of) - 1
    place = _rows(room.tolist())
    need = np.where(slots == 0, plan.needs[plan.table], 0)
    tree = np.full(2 << (processes + cores - 1).bit_length(), NEVER)
    tree[len(tree) // 2 + processes :][:cores] = 0
    for node in reversed(range(1, len(tree) // 2)):
        tree[node] = min(tree[2 * node], tree[2 * node + 1])
    begun, ended, limit, stop, later, first = np.zeros((6, processes), np.int64)
    return State(
        begun=begun,
        ended=ended,
        limit=limit,
        stop=stop,
        next=later,
        missing=np.bincount(plan.owner[need > 0], minlength=processes),
        first=first,
        place=place[:-1],
        number=np.where(slots == 0, 0, -1),
        base=np.zeros_like(slots),
        skip=slots,
        need=need,
        free=np.zeros(int(plan.unit.max(initial=-1)) + 1, np.int64),
        served=np.zeros(cores, np.int64),
        starts=np.zeros(place[-1], np.int64),
        tree=tree,
    )
