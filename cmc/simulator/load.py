"""Load a chip: its loops, machines and accesses as tables, one row an iteration or step.

Within one image everything is counted from 0 in its own order: iterations of a program as its
loops start them, elements of an object as they are written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import islpy as isl
import numpy as np
from xdsl.ir import Operation

from cmc.dialects.cmctrl import (
    AwaitOp,
    ChipOp,
    CoreOp,
    MachineKind,
    MachineOp,
    ProgramOp,
)
from cmc.dialects.cmpipe import ELEMENT_BYTES, Channel, InputOp, ReadOp, StageOp, find_object
from cmc.errors import CmcError
from cmc.flow import NEVER, Edge, Flow, Process, Steps
from cmc.poly.evaluate import Ints, size, tabulate
from cmc.poly.order import Order, lexicographic
from cmc.runs import Runs
from cmc.simulator.expand import visits
from cmc.simulator.gather import Gather, flat_index
from cmc.simulator.ports import Port


@dataclass(frozen=True, eq=False)
class Object:
    """An object that travels: `order[e]` is the place of element e among the image's writes."""

    name: str
    shape: tuple[int, ...]
    vector: int
    order: Ints

    @property
    def elements(self) -> int:
        return len(self.order)

    def element(self, number: int) -> str:
        """The element that is written as the given one of an image, for a person."""
        element = int(np.flatnonzero(self.order == number)[0])
        return (
            f"@{self.name}[{_coordinates([int(i) for i in np.unravel_index(element, self.shape)])}]"
        )


@dataclass(frozen=True, eq=False)
class Read:
    """One read of a body: where each iteration's window lies.

    `newest` and `oldest` are the places, in write order, of the last and first written element in
    an iteration's window; -1 and NEVER where it has none.
    """

    op: ReadOp
    object: str
    gather: Gather
    newest: Ints
    oldest: Ints


@dataclass(frozen=True, eq=False)
class LoadedProgram:
    """A program's iterations, `points[i]` being the coordinates of iteration i."""

    name: str
    core: str | None
    body: tuple[Operation, ...]
    """What an iteration of a stage computes; nothing for a stream."""
    points: Ints
    writes: str
    latency: int
    interval: int
    reads: tuple[Read, ...]
    constants: tuple[Read, ...]
    places: Mapping[Operation, int]
    """Where the constants of the body lie in the core's SRAM: their first floats."""

    @property
    def iterations(self) -> int:
        return len(self.points)

    def iteration(self, number: int) -> str:
        """An iteration, for a person."""
        return f"@{self.name}[{_coordinates(self.points[number])}]"


@dataclass(frozen=True, eq=False)
class Ring:
    """A channel's slots in the SRAM of the reader's core, from the float at `place` on."""

    channel: Channel
    slots: int
    place: int


@dataclass(frozen=True, eq=False)
class Chip:
    """A chip's configuration. Programs stand in an order in which each comes after its writers."""

    op: ChipOp
    objects: dict[str, Object]
    programs: dict[str, LoadedProgram]
    rings: tuple[Ring, ...]
    flow: Flow
    sram: Mapping[str, int]
    """The floats of each core's SRAM that are used."""
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(frozen=True, eq=False)
class _Loops:
    """What a program's loops start, and where, in order."""

    writer: StageOp | InputOp
    core: str | None
    points: Ints

    @property
    def name(self) -> str:
        return self.writer.sym_name.data


def load(chip: ChipOp) -> Chip:
    """Tables of a chip that verifies. CmcError where its loops do not fit its objects."""
    loops = [
        _loops(program, core)
        for core, side in ((None, chip.gcu), *((c.sym_name.data, c) for c in chip.cores()))
        for program in side.programs()
    ]
    objects = {o.name: o for o in map(_written_object, loops)}
    programs = {one.name: _program(one, objects) for one in loops}
    sides = (chip.gcu, *chip.cores())
    credits = {c.channel: c.count.value.data for side in sides for c in side.credits()}
    programs = _in_order(programs)
    rings: list[Ring] = []
    edges: list[Edge] = []
    for core in chip.cores():
        machines = {(m.kind.data, m.channel): m for m in core.machines()}
        for ring in core.rings():
            channel = ring.channel
            object, reader = objects[channel.object], programs[channel.reader]
            ready = machines[MachineKind.READY, channel]
            free = machines[MachineKind.FREE, channel]
            rings.append(Ring(channel, ring.slots.value.data, ring.start // ELEMENT_BYTES))
            edges.append(
                Edge(
                    str(channel),
                    channel.writer,
                    channel.reader,
                    _steps(ready, _Element(object), Order(reader.points)),
                    _steps(free, Order(reader.points), _Element(object)),
                    credits[channel],
                )
            )
    processes = {
        name: Process(name, p.iterations, p.latency, p.interval, p.iteration)
        for name, p in programs.items()
    }
    return Chip(
        chip,
        objects,
        programs,
        tuple(rings),
        Flow(processes, tuple(edges)),
        {c.sym_name.data: c.sram_bytes // ELEMENT_BYTES for c in chip.cores()},
        tuple(map(Port.of, chip.gcu.inputs())),
        tuple(map(Port.of, chip.gcu.outputs())),
    )


def _coordinates(point: Sequence[int] | Ints) -> str:
    return ", ".join(str(int(i)) for i in point)


def _loops(program: ProgramOp, core: str | None) -> _Loops:
    where = f"program @{program.runs}"
    writer = program.find_writer()
    found = visits(program.body.block)
    rank = writer.iterations.dim(isl.dim_type.set)
    points = np.empty((sum(len(v.points) for v in found), rank), np.int64)
    for v in found:
        points[v.time] = v.points
    if not len(points):
        raise CmcError("its loops start no iteration", where)
    backwards = np.flatnonzero(np.diff(lexicographic(points, points)[0]) <= 0)
    if len(backwards):
        before, after = (_coordinates(points[i]) for i in (backwards[0], backwards[0] + 1))
        raise CmcError(
            f"iteration [{after}] comes after [{before}]: loops start each iteration once, in "
            "lexicographic order",
            where,
        )
    return _Loops(writer, core, points)


def _written_object(loops: _Loops) -> Object:
    """The object that a program writes, and the order in which it does."""
    where = f"program @{loops.name}"
    places: tuple[Ints, ...] = tuple(loops.points.T)
    if isinstance(loops.writer, StageOp):
        (write,) = loops.writer.writes()
        table = tabulate(write.access.data, places)
        if not np.all(table.defined):
            raise CmcError("an iteration writes no element", where)
        places = table.coordinates
        object = find_object(write, write.object)
    else:
        object = find_object(loops.writer, loops.writer.object)
    name, shape, count = object.sym_name.data, object.shape, len(loops.points)
    elements = flat_index([np.broadcast_to(c, (count,)) for c in places], shape, count)
    if np.any(elements < 0):
        first = int(np.flatnonzero(elements < 0)[0])
        place = _coordinates([int(c.reshape(-1)[min(first, c.size - 1)]) for c in places])
        raise CmcError(f"it writes [{place}], which is no element of @{name}", where)
    order = np.full(size(shape), -1)
    order[elements] = np.arange(count)
    if count != len(order) or np.any(order < 0):
        raise CmcError(
            f"it writes {len(np.unique(elements))} of the {len(order)} elements of @{name} in "
            f"{count} iterations: each is written exactly once",
            where,
        )
    return Object(name, shape, object.vector, order)


def _program(loops: _Loops, objects: dict[str, Object]) -> LoadedProgram:
    reads: list[Read] = []
    constants: list[Read] = []
    none = np.zeros(0, np.int64)
    stage = loops.writer if isinstance(loops.writer, StageOp) else None
    for op in () if stage is None else stage.reads():
        source = find_object(op, op.object)
        gather = Gather.of(op, source, loops.points)
        name = source.sym_name.data
        if source.value is not None:
            constants.append(Read(op, name, gather, none, none))
            continue
        newest, oldest = (
            np.broadcast_to(extreme, (len(loops.points),))
            for extreme in gather.extremes(objects[name].order)
        )
        reads.append(Read(op, name, gather, newest, oldest))
    return LoadedProgram(
        loops.name,
        loops.core,
        () if stage is None else tuple(stage.computed()),
        loops.points,
        loops.writer.written,
        *loops.writer.cycles,
        tuple(reads),
        tuple(constants),
        {} if stage is None else _places(stage),
    )


def _places(stage: StageOp) -> dict[Operation, int]:
    core = stage.parent_op()
    assert isinstance(core, CoreOp)
    name = stage.sym_name.data
    start = next((op.start for op in core.constants() if op.stage.root_reference.data == name), 0)
    places: dict[Operation, int] = {}
    place = start // ELEMENT_BYTES
    for op, floats in stage.constants():
        places[op] = place
        place += floats
    return places


@dataclass(frozen=True)
class _Element:
    """One side of a machine: the elements of an object, in the order in which they are written."""

    object: Object

    def number(self, points: Ints) -> Ints:
        """The place of each element in the order; -1 for what is no element."""
        element = flat_index(list(points.T), self.object.shape, len(points))
        return np.where(element < 0, -1, self.object.order[element])

    def reached(self, points: Ints) -> Ints:
        """How many elements there are up to each of the given ones; -1 for what is none."""
        return np.where((number := self.number(points)) < 0, -1, number + 1)


def _steps(machine: MachineOp, awaited: _Element | Order, driven: _Element | Order) -> Steps:
    """A machine's loops as a sequence of steps."""
    found = visits(machine.body.block)
    total = sum(len(v.points) for v in found)
    awaits = np.zeros(total, np.int64)
    reaches = np.zeros(total, np.int64)
    advances = np.zeros(total, np.bool_)
    for v in found:
        if isinstance(v.op, AwaitOp):
            number = awaited.number(v.points)
            awaits[v.time] = np.where(number < 0, NEVER, number + 1)
        else:
            reached = driven.reached(v.points)
            if np.any(reached < 0):
                point = _coordinates(v.points[int(np.flatnonzero(reached < 0)[0])])
                raise CmcError(f"[{point}] is no element of the object", machine.title)
            reaches[v.time] = reached
            advances[v.time] = True
    awaits = np.maximum.accumulate(awaits)
    last = int(awaits.max(initial=0))
    advances &= awaits < NEVER
    awaits, reaches = Runs.of(awaits[advances]), Runs.of(reaches[advances])
    return Steps.of(awaits, reaches, last=last)


def _in_order(programs: dict[str, LoadedProgram]) -> dict[str, LoadedProgram]:
    """The programs, each after those that write what it reads."""
    writer = {p.writes: p.name for p in programs.values()}
    sorter = TopologicalSorter(
        {p.name: {writer[read.object] for read in p.reads} for p in programs.values()}
    )
    try:
        return {name: programs[name] for name in sorter.static_order()}
    except CycleError as error:
        cycle = " reads from ".join(f"@{name}" for name in reversed(error.args[1]))
        raise CmcError(f"no program of a cycle could ever start: {cycle}") from error
