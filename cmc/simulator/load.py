"""Load a chip: what its loops, machines and accesses come to.

What a chip computes, its dataflow, a pipeline has as well.

Within one image everything is counted from 0 in its own order: iterations of a program as its
loops start them, elements of an object as they are written. Tables of all points are made when they
are asked for: where points are a box, times need none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

import islpy as isl
import numpy as np
from xdsl.ir import Operation

from cmc.dialects.cmctrl import (
    ChipOp,
    CoreOp,
    GcuOp,
    MachineKind,
    ProgramOp,
)
from cmc.dialects.cmpipe import (
    Channel,
    InputOp,
    ObjectOp,
    PipelineOp,
    ReadOp,
    StageOp,
    find_object,
    target_of,
)
from cmc.errors import CmcError
from cmc.poly.counting import Iterations, counted
from cmc.poly.evaluate import Ints, coefficients, size, tabulate
from cmc.poly.extremes import lexmax, lexmin
from cmc.poly.order import Box, Order, in_order, lexicographic
from cmc.poly.relations import nameless
from cmc.simulator.expand import read_order, visits
from cmc.simulator.gather import Gather, flat_index
from cmc.simulator.machines import MachineReader
from cmc.simulator.ports import Port
from cmc.timing.flow import Edge, Flow, Process
from cmc.timing.runs import LEAST, Runs, held


@dataclass(frozen=True, eq=False)
class Object:
    """An object that travels. `places[e]` is the place of element e among the image's writes.

    There are no `places` if elements are written in the order in which they lie.
    """

    name: str
    shape: tuple[int, ...]
    vector: int
    places: Ints | None

    @property
    def elements(self) -> int:
        return size(self.shape)

    @cached_property
    def order(self) -> Ints:
        """The place of each element among the image's writes."""
        return np.arange(self.elements) if self.places is None else self.places

    @property
    def box(self) -> Box | None:
        """The elements, if they are written in the order in which they lie."""
        return Box(np.zeros(len(self.shape), np.int64), self.shape) if self.places is None else None

    def number(self, points: Ints) -> Ints:
        """The place of each element among the writes; -1 for what is no element."""
        if (box := self.box) is not None:
            return box.number(points)
        element = flat_index(list(points.T), self.shape, len(points))
        return np.where(element < 0, -1, self.order[element])

    def reached(self, points: Ints) -> Ints:
        """How many elements there are up to each of the given ones; -1 for what is none."""
        return np.where((number := self.number(points)) < 0, -1, number + 1)

    def element(self, number: int) -> str:
        """The element that is written as the given one of an image, for a person."""
        element = int(np.flatnonzero(self.order == number)[0])
        return (
            f"@{self.name}[{_coordinates([int(i) for i in np.unravel_index(element, self.shape)])}]"
        )


_TABLED = 1 << 18
"""Places in windows up to which it is faster to look at each of them."""


@dataclass(frozen=True, eq=False)
class Read:
    """One read of a body by the iterations of a program: of a constant, unless it is `written`."""

    op: ReadOp
    source: ObjectOp
    iterations: Box | Order
    written: Object | None

    @property
    def object(self) -> str:
        return self.source.sym_name.data

    @cached_property
    def gather(self) -> Gather:
        """Where each iteration's window lies."""
        return Gather.of(self.op, self.source, self.iterations.points)

    @cached_property
    def _extremes(self) -> tuple[Ints, Ints]:
        assert self.written is not None
        newest, oldest = self.gather.extremes(self.written.order)
        count = self.iterations.count
        return np.broadcast_to(newest, count), np.broadcast_to(oldest, count)

    def places_of(self, iteration: int) -> tuple[int, int]:
        """The newest and the oldest place that one iteration reads."""
        assert self.written is not None
        point = np.array([self.iterations.point(iteration)], np.int64)
        gather = Gather.of(self.op, self.source, point)
        newest, oldest = gather.extremes(self.written.order)
        return int(newest[0]), int(oldest[0])

    @cached_property
    def wanted(self) -> tuple[Runs, Runs]:
        """For each iteration, the newest place that it or one before reads, and the oldest after.

        Where there is none, it is less or more than any.
        """
        count = self.iterations.count
        found = self._places_by_rows()
        if found is None:
            newest = np.maximum.accumulate(np.where(self.newest < 0, LEAST, self.newest))
            oldest = np.minimum.accumulate(np.minimum(self.oldest, -LEAST)[::-1])[::-1]
            return Runs.array(newest), Runs.array(oldest)
        (at, newest), (since, oldest) = found
        newest = held(at, newest.accumulated(), count, LEAST)
        since = -since.reversed() + (count - 1)
        oldest = held(since, (-oldest).reversed().accumulated(), count, LEAST)
        return newest, -oldest.reversed()

    def _places_by_rows(self) -> list[tuple[Runs, Runs]] | None:
        """The iterations that read something, and the newest and the oldest place that they read.

        None if these are better found by looking at all points.
        """
        box = self.iterations.box
        assert self.written is not None
        if box is None or self.written.box is None:
            return None
        if box.count * size(self.op.window_shape) // self.written.vector < _TABLED:
            return None
        domain = box.set
        relation = nameless(self.op.relation(domain))
        iterations, elements = Iterations(domain), Iterations(self.source.index_space)
        both = [counted(extreme(relation), iterations, elements) for extreme in (lexmax, lexmin)]
        return [(at - 1, place - 1) for at, place in both]

    @property
    def newest(self) -> Ints:
        """The place, in write order, of the last element in each window; -1 where it has none."""
        return self._extremes[0]

    @property
    def oldest(self) -> Ints:
        """The place of the first element in each window; NEVER where it has none."""
        return self._extremes[1]


@dataclass(frozen=True, eq=False)
class LoadedProgram:
    """A program and its iterations, in order."""

    name: str
    core: str | None
    body: tuple[Operation, ...]
    """What an iteration of a stage computes; nothing for a stream."""
    order: Box | Order
    writes: str
    reads: tuple[Read, ...]
    constants: tuple[Read, ...]
    places: Mapping[Operation, int]
    """Where the constants of the body lie in the core's SRAM: their first floats."""

    @property
    def iterations(self) -> int:
        return self.order.count

    @property
    def points(self) -> Ints:
        """The coordinates of each iteration, `[iterations, rank]`."""
        return self.order.points

    @property
    def extents(self) -> tuple[int, ...] | None:
        """The extents of the iterations, if they are a box from 0 on."""
        box = self.order.box
        return None if box is None or np.any(box.lows) else box.extents

    def iteration(self, number: int) -> str:
        """An iteration, for a person."""
        return f"@{self.name}[{_coordinates(self.order.point(number))}]"


@dataclass(frozen=True, eq=False)
class Ring:
    """A channel's slots in the SRAM of the reader's core, from the float at `place` on."""

    channel: Channel
    slots: int
    place: int


@dataclass(frozen=True, eq=False)
class Dataflow:
    """What is computed. Programs stand in an order in which each comes after its writers."""

    objects: dict[str, Object]
    programs: dict[str, LoadedProgram]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(frozen=True, eq=False)
class Chip(Dataflow):
    """A chip's configuration."""

    op: ChipOp
    rings: tuple[Ring, ...]
    flow: Flow
    sram: Mapping[str, int]
    """The floats of each core's SRAM that are used."""


@dataclass(frozen=True, eq=False)
class _Loops:
    """What a program's loops start, and where, in order."""

    writer: StageOp | InputOp
    core: str | None
    order: Box | Order

    @property
    def name(self) -> str:
        return self.writer.sym_name.data


def load_pipeline(pipeline: PipelineOp) -> Dataflow:
    """What the stages of a pipeline that verifies compute, whatever its cores and channels."""
    streams = [_Loops(port, None, in_order(port.iterations)) for port in pipeline.inputs()]
    stages = [
        _Loops(stage, stage.sym_name.data, in_order(stage.iterations))
        for stage in pipeline.stages()
    ]
    return _dataflow(pipeline, [*streams, *stages])


def _dataflow(ports: PipelineOp | GcuOp, loops: Sequence[_Loops]) -> Dataflow:
    objects = {o.name: o for o in map(_written_object, loops)}
    programs = {one.name: _program(one, objects) for one in loops}
    return Dataflow(
        objects,
        _in_order(programs),
        tuple(map(Port, ports.inputs())),
        tuple(map(Port, ports.outputs())),
    )


def load(chip: ChipOp) -> Chip:
    """Tables of a chip that verifies. CmcError where its loops do not fit its objects."""
    width = target_of(chip).element_bytes
    loops = [
        _loops(program, core)
        for core, side in ((None, chip.gcu), *((c.sym_name.data, c) for c in chip.cores()))
        for program in side.programs()
    ]
    dataflow = _dataflow(chip.gcu, loops)
    objects, programs = dataflow.objects, dataflow.programs
    sides = (chip.gcu, *chip.cores())
    credits = {c.channel: c.count.value.data for side in sides for c in side.credits()}
    rings: list[Ring] = []
    edges: list[Edge] = []
    machine_reader = MachineReader()
    for core in chip.cores():
        machines = {(m.kind.data, m.channel): m for m in core.machines()}
        for ring in core.rings():
            channel = ring.channel
            object, reader = objects[channel.object], programs[channel.reader]
            ready = machines[MachineKind.READY, channel]
            free = machines[MachineKind.FREE, channel]
            rings.append(Ring(channel, ring.slots.value.data, ring.start // width))
            edges.append(
                Edge(
                    str(channel),
                    channel.writer,
                    channel.reader,
                    machine_reader.steps(ready, object, reader.order),
                    machine_reader.steps(free, reader.order, object),
                    credits[channel],
                )
            )
    writers = {
        w.sym_name.data: (w, name, place)
        for name, side in (("", chip.gcu), *((c.sym_name.data, c) for c in chip.cores()))
        for place, w in enumerate(side.writers())
    }

    def process(program: LoadedProgram) -> Process:
        writer, side, place = writers[program.name]
        count, title = program.iterations, program.iteration
        return Process(program.name, count, *writer.cycles, title, side, place, writer.occupied)

    return Chip(
        objects,
        programs,
        dataflow.inputs,
        dataflow.outputs,
        chip,
        tuple(rings),
        Flow.of(map(process, programs.values()), edges),
        {c.sym_name.data: c.sram_bytes // width for c in chip.cores()},
    )


def _coordinates(point: Sequence[int] | Ints) -> str:
    return ", ".join(str(int(i)) for i in point)


def _loops(program: ProgramOp, core: str | None) -> _Loops:
    where = f"program @{program.runs}"
    writer = program.find_writer()
    found = visits(program.body.block)
    order = read_order(found)
    if not order.count:
        raise CmcError("its loops start no iteration", where)
    if isinstance(order, Order):
        points = order.points
        backwards = np.flatnonzero(np.diff(lexicographic(points, points)[0]) <= 0)
        if len(backwards):
            before, after = (_coordinates(points[i]) for i in (backwards[0], backwards[0] + 1))
            raise CmcError(
                f"iteration [{after}] comes after [{before}]: loops start each iteration once, in "
                "lexicographic order",
                where,
            )
    return _Loops(writer, core, order)


def _written_object(loops: _Loops) -> Object:
    """The object that a program writes, and the order in which it does."""
    where = f"program @{loops.name}"
    access: isl.Map | None = None
    if isinstance(loops.writer, StageOp):
        (write,) = loops.writer.writes()
        access, object = write.access.data, find_object(write, write.object)
    else:
        object = find_object(loops.writer, loops.writer.object)
    name, shape, count = object.sym_name.data, object.shape, loops.order.count
    if loops.order.box is not None and _lie_in_order(loops.order.box, access, shape):
        return Object(name, shape, object.vector, None)
    places: tuple[Ints, ...] = tuple(loops.order.points.T)
    if access is not None:
        table = tabulate(access, places)
        if not np.all(table.defined):
            raise CmcError("an iteration writes no element", where)
        places = table.coordinates
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


def _lie_in_order(iterations: Box, access: isl.Map | None, shape: tuple[int, ...]) -> bool:
    """Whether the iterations write all elements of an object in the order in which they lie."""
    elements = Box(np.zeros(len(shape), np.int64), shape)
    rank = len(iterations.extents)
    linear = (np.eye(rank, dtype=np.int64), np.zeros(rank, np.int64))
    if access is not None:
        linear = coefficients(access)
    if linear is None or iterations.count != elements.count:
        return False
    slopes, first = linear[0], linear[1] + linear[0] @ iterations.lows
    rise = slopes * (np.array(iterations.extents, np.int64) - 1)
    ends = np.stack([first + np.minimum(rise, 0).sum(1), first + np.maximum(rise, 0).sum(1)])
    weights = elements.weights @ slopes
    alike = (weights == iterations.weights) | (np.array(iterations.extents) == 1)
    return bool(np.all(elements.contains(ends)) and np.all(alike) and elements.weights @ first == 0)


def _program(loops: _Loops, objects: dict[str, Object]) -> LoadedProgram:
    reads: list[Read] = []
    constants: list[Read] = []
    stage = loops.writer if isinstance(loops.writer, StageOp) else None
    for op in () if stage is None else stage.reads():
        source = find_object(op, op.object)
        if source.value is not None:
            constants.append(Read(op, source, loops.order, None))
        else:
            reads.append(Read(op, source, loops.order, objects[source.sym_name.data]))
    return LoadedProgram(
        loops.name,
        loops.core,
        () if stage is None else tuple(stage.computed()),
        loops.order,
        loops.writer.written,
        tuple(reads),
        tuple(constants),
        {} if stage is None else _places(stage),
    )


def _places(stage: StageOp) -> dict[Operation, int]:
    """Where a core holds the constants of a stage; nowhere before stages have addresses."""
    core = stage.parent_op()
    if not isinstance(core, CoreOp):
        return {}
    name = stage.sym_name.data
    start = next((op.start for op in core.constants() if op.stage.root_reference.data == name), 0)
    places: dict[Operation, int] = {}
    place = start // target_of(core).element_bytes
    for op, floats in stage.constants():
        places[op] = place
        place += floats
    return places


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
