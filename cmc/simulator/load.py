# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Load a chip: what its loops, machines and accesses come to.

What a chip computes, its dataflow, a pipeline has as well.

Within one image everything is counted from 0 in its own order: iterations of a program as its
loops start them, elements of an object as they are written. Tables of all points are made when they
are asked for: where points are a box, times need none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import islpy as isl
import numpy as np
from xdsl.ir import Block, Operation

from cmc import precedence
from cmc.dialects.cmctrl import (
    ChipOp,
    CoreOp,
    GcuOp,
    MachineKind,
    ProgramOp,
    RingOp,
)
from cmc.dialects.cmpipe import (
    Channel,
    InputOp,
    ObjectOp,
    PipelineOp,
    ReadOp,
    StageOp,
    fed_back,
    find_object,
    states_of,
    target_of,
)
from cmc.errors import CmcError
from cmc.fitting.limits import expect_ways
from cmc.fitting.ways import Ways
from cmc.poly.counting import Iterations, counted
from cmc.poly.evaluate import Ints, coefficients, contains, flat_index, size, tabulate
from cmc.poly.extremes import first_point, lexmax, lexmin
from cmc.poly.order import Box, Order, box_of, ends, in_order, lexicographic
from cmc.poly.relations import nameless
from cmc.simulator.crossbars import Tile, codes_of_activations, tiles_of
from cmc.simulator.expand import read_order, visits
from cmc.simulator.gather import Gather
from cmc.simulator.machines import MachineReader, structure
from cmc.simulator.ports import Port
from cmc.streams import Turn
from cmc.timing.flow import Edge, Flow, Process
from cmc.timing.runs import LEAST, Runs, held


@dataclass(frozen=True, eq=False)
class Object:
    """An object that travels."""

    name: str
    shape: tuple[int, ...]
    vector: int

    @property
    def elements(self) -> int:
        return size(self.shape)

    def element(self, number: int) -> str:
        """An element, by its number in the order in which they lie, for a person."""
        return (
            f"@{self.name}[{_coordinates([int(i) for i in np.unravel_index(number, self.shape)])}]"
        )


@dataclass(frozen=True, eq=False)
class Part:
    """What one program writes of an object: all of it, if no other one writes the object.

    Or what a ring carries of that.

    Its elements are either a `box`, written in the order in which they lie, or those that stand in
    `listed`, by their numbers in the object, as they are written.
    """

    object: Object
    writer: str
    box: Box | None
    listed: Ints | None

    @property
    def identity(self) -> object:
        """What is equal of parts with the same elements in the same order, of objects alike."""
        return id(self.listed) if self.box is None else self.box.identity

    @property
    def count(self) -> int:
        """How many elements are written."""
        if self.box is not None:
            return self.box.count
        assert self.listed is not None
        return len(self.listed)

    @cached_property
    def ends(self) -> tuple[Ints, Ints]:
        """The least and the greatest coordinates of the elements on each axis."""
        if self.box is not None:
            return self.box.lows, self.box.lows + np.array(self.box.extents, np.int64) - 1
        assert self.listed is not None
        points = np.stack(np.unravel_index(self.listed, self.object.shape or (1,)), axis=1)
        points = points[:, : len(self.object.shape)]
        return points.min(0), points.max(0)

    @cached_property
    def elements(self) -> Ints:
        """The number in the object of each element, as they are written."""
        if self.listed is not None:
            return self.listed
        assert self.box is not None
        return flat_index(list(self.box.points.T), self.object.shape, self.count)

    @cached_property
    def order(self) -> Ints:
        """The place of each element of the object among the image's writes; -1 for none of them."""
        places = np.full(self.object.elements, -1)
        places[self.elements] = np.arange(self.count)
        return places

    def number(self, points: Ints) -> Ints:
        """The place of each element among the writes; -1 for what is none of them."""
        if self.box is not None:
            return self.box.number(points)
        element = flat_index(list(points.T), self.object.shape, len(points))
        return np.where(element < 0, -1, self.order[element])

    def reached(self, points: Ints) -> Ints:
        """How many elements there are up to each of the given ones; -1 for what is none."""
        return np.where((number := self.number(points)) < 0, -1, number + 1)

    def element(self, place: int) -> str:
        """The element that is written as the given one of an image, for a person."""
        return self.object.element(int(self.elements[place]))


_TABLED = 1 << 18
"""Places in windows up to which it is faster to look at each of them."""


@dataclass(frozen=True, eq=False)
class View:
    """What reads that are alike read: such a window for each of these iterations."""

    op: ReadOp
    source: ObjectOp
    """One of the objects of this shape that are read so."""
    iterations: Box | Order
    _places: dict[object, Places] = field(default_factory=dict[object, "Places"])
    _known_near: dict[object, Sequence[int]] = field(default_factory=dict[object, Sequence[int]])
    _known_lost: dict[object, int | None] = field(default_factory=dict[object, "int | None"])

    @cached_property
    def gather(self) -> Gather:
        """Where each iteration's window lies."""
        return Gather.of(self.op, self.source, self.iterations.points)

    @cached_property
    def relation(self) -> isl.Map | None:
        """From iterations to elements, where iterations are a box."""
        box = self.iterations.box
        return None if box is None else nameless(self.op.relation(box.set))

    def places(self, part: Part) -> Places:
        """Which places of a part are read."""
        if part.identity not in self._places:
            self._places[part.identity] = Places(self, part)
        return self._places[part.identity]

    def near(self, parts: Sequence[Part]) -> Sequence[int]:
        """The parts but for those that, by their ends on each axis, nothing is read of."""
        if len(parts) < 2 or self.relation is None or self.relation.is_empty():
            return range(len(parts))
        key = tuple(part.identity for part in parts)
        if key not in self._known_near:
            least, greatest = ends(self.relation.range())
            lows, highs = np.array([part.ends for part in parts]).transpose(1, 0, 2)
            near = np.all((lows <= greatest) & (highs >= least), axis=1)
            self._known_near[key] = np.flatnonzero(near).tolist()
        return self._known_near[key]

    def lost(self, part: Part, whole: Part) -> int | None:
        """The first element that is read of a part, and not in what is carried of it; or None."""
        key = part.identity, whole.identity
        if key not in self._known_lost:
            self._known_lost[key] = self._first_lost(part, whole)
        return self._known_lost[key]

    def _first_lost(self, part: Part, whole: Part) -> int | None:
        if self.relation is not None and whole.box is not None and part.box is not None:
            lost = self.relation.range().intersect(whole.box.set).subtract(part.box.set)
            if lost.is_empty():
                return None
            point = [np.array([c], np.int64) for c in first_point(lost)]
            return int(flat_index(point, whole.object.shape, 1)[0])
        element = self.gather.element
        if np.any(self.gather.channel < 0):
            element = np.where(self.gather.channel < 0, -1, element)
        wanted = np.zeros(whole.object.elements, np.bool_)
        wanted[element[element >= 0]] = True
        lost = np.flatnonzero(wanted & (whole.order >= 0) & (part.order < 0))
        return int(lost[0]) if len(lost) else None


@dataclass(frozen=True, eq=False)
class Places:
    """Which places of one part of an object are read, by the order in which it is written."""

    view: View
    part: Part
    """One of those with these elements in this order."""

    @cached_property
    def _relation(self) -> isl.Map | None:
        """From iterations to elements, where both are boxes."""
        relation, elements = self.view.relation, self.part.box
        if relation is None or elements is None:
            return None
        return relation.intersect_range(elements.set)

    @cached_property
    def any(self) -> bool:
        """Whether anything is read at all."""
        relation = self._relation
        return bool(np.any(self.newest >= 0)) if relation is None else not relation.is_empty()

    @cached_property
    def _extremes(self) -> tuple[Ints, Ints]:
        newest, oldest = self.view.gather.extremes(self.part.order)
        count = self.view.iterations.count
        return np.broadcast_to(newest, count), np.broadcast_to(oldest, count)

    @property
    def newest(self) -> Ints:
        """The place, in write order, of the last element in each window; -1 where it has none."""
        return self._extremes[0]

    @property
    def oldest(self) -> Ints:
        """The place of the first element in each window; NEVER where it has none."""
        return self._extremes[1]

    @cached_property
    def wanted(self) -> tuple[Runs, Runs]:
        """For each iteration, the newest place that it or one before reads, and the oldest after.

        Where there is none, it is less or more than any.
        """
        count = self.view.iterations.count
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
        box, elements = self.view.iterations.box, self.part.box
        if box is None or elements is None:
            return None
        if box.count * size(self.view.op.window_shape) // self.part.object.vector < _TABLED:
            return None
        relation = self._relation
        assert relation is not None
        sides = Iterations(box.set), Iterations(elements.set)
        both = [counted(extreme(relation), *sides) for extreme in (lexmax, lexmin)]
        return [(at - 1, place - 1) for at, place in both]


@dataclass(frozen=True, eq=False)
class Read:
    """One read of a body by the iterations of a program."""

    op: ReadOp
    source: ObjectOp
    view: View
    written: tuple[Part, ...]
    """The parts of the object, or what rings carry of them; none of a constant."""

    @property
    def object(self) -> str:
        return self.source.sym_name.data

    @property
    def iterations(self) -> Box | Order:
        return self.view.iterations

    @property
    def gather(self) -> Gather:
        """Where each iteration's window lies."""
        return self.view.gather

    @cached_property
    def shares(self) -> tuple[Share, ...]:
        """What is read, by who writes it."""
        shares = (Share(self, self.written[number]) for number in self.view.near(self.written))
        return tuple(share for share in shares if share.reads_any)


@dataclass(frozen=True, eq=False)
class Share:
    """What a read takes of one part of its object."""

    read: Read
    part: Part

    @cached_property
    def places(self) -> Places:
        """Which places of the part."""
        return self.read.view.places(self.part)

    @property
    def reads_any(self) -> bool:
        """Whether anything is read at all."""
        return self.places.any

    def places_of(self, iteration: int) -> tuple[int, int]:
        """The newest and the oldest place that one iteration reads."""
        point = np.array([self.read.iterations.point(iteration)], np.int64)
        gather = Gather.of(self.read.op, self.read.source, point)
        newest, oldest = gather.extremes(self.part.order)
        return int(newest[0]), int(oldest[0])


@dataclass(frozen=True, eq=False)
class LoadedProgram:
    """A program and its iterations, in order."""

    name: str
    core: str | None
    body: tuple[Operation, ...]
    """What an iteration of a stage computes; nothing for a stream."""
    order: Box | Order
    part: Part
    """What it writes."""
    reads: tuple[Read, ...]
    constants: tuple[Read, ...]
    places: Mapping[Operation, int]
    """Where the constants of the body lie in the core's SRAM: their first floats."""
    tiles: Mapping[Operation, Tile]
    """What computes products of the body that are not just that."""
    turn: Turn
    """Which images it computes, or sends."""
    codes: int
    """To how many on each side of 0 what it writes is rounded; 0 if that stays as it is."""

    @property
    def writes(self) -> str:
        """The object."""
        return self.part.object.name

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
    """A channel's slots in the SRAM of the reader's core, from the float at `place` on.

    What is carried there is a `part` of the object.
    """

    channel: Channel
    slots: int
    place: int
    part: Part


@dataclass(frozen=True, eq=False)
class Dataflow:
    """What is computed. Programs stand in an order in which each comes after its writers."""

    objects: dict[str, Object]
    parts: dict[str, tuple[Part, ...]]
    """What is written of each object, by its programs in turn."""
    programs: dict[str, LoadedProgram]
    inputs: dict[str, Port]
    """By the programs that stream them."""
    outputs: tuple[Port, ...]

    @property
    def states(self) -> dict[str, str]:
        """The outputs of the image before that inputs are, by the names of these."""
        return states_of(port.op for port in self.inputs.values() if isinstance(port.op, InputOp))

    @property
    def circles(self) -> list[dict[str, LoadedProgram]]:
        """The programs that read from each other, or from themselves, in groups."""
        groups = precedence.circles(_read_from(self.programs))
        return [{name: self.programs[name] for name in group} for group in groups]

    def with_tiles(self, tiles: Callable[[LoadedProgram], Mapping[Operation, Tile]]) -> Dataflow:
        """The same with other crossbars in each program."""
        return self._with({name: replace(p, tiles=tiles(p)) for name, p in self.programs.items()})

    def exact(self) -> Dataflow:
        """The same with products that are just that, and nothing rounded on its way."""
        programs = self.programs.items()
        return self._with({name: replace(p, tiles={}, codes=0) for name, p in programs})

    def _with(self, programs: dict[str, LoadedProgram]) -> Dataflow:
        return Dataflow(self.objects, self.parts, programs, self.inputs, self.outputs)

    def apart(self) -> list[Dataflow]:
        """The pipelines that take turns, each by itself."""
        turns = {program.turn for program in self.programs.values()}
        return [self._of(turn) for turn in sorted(turns)] if len(turns) > 1 else [self]

    def _of(self, turn: Turn) -> Dataflow:
        programs = {name: p for name, p in self.programs.items() if p.turn == turn}
        objects = {program.writes: self.objects[program.writes] for program in programs.values()}
        return Dataflow(
            objects,
            {name: self.parts[name] for name in objects},
            programs,
            {name: port for name, port in self.inputs.items() if port.turn == turn},
            tuple(port for port in self.outputs if port.turn == turn),
        )


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


@dataclass(frozen=True, eq=False)
class _Alike:
    """What programs are alike in, as copies and pipelines that take turns are: found once."""

    orders: dict[object, Box | Order] = field(default_factory=dict[object, "Box | Order"])
    """Of the loops of programs."""
    written: dict[object, tuple[Box | None, Ints | None]] = field(
        default_factory=dict[object, "tuple[Box | None, Ints | None]"]
    )
    """What they write, as a part has it."""
    views: dict[object, View] = field(default_factory=dict[object, View])

    def order(self, block: Block) -> Box | Order:
        """What a program's loops start, in order."""
        key = structure(block)
        if key not in self.orders:
            self.orders[key] = read_order(visits(block))
        return self.orders[key]

    def view(self, op: ReadOp, source: ObjectOp, iterations: Box | Order) -> View:
        """What a read reads."""
        key = (
            op.access.data, op.pad, op.window_shape, source.shape, source.vector,
            iterations.identity,
        )  # fmt: skip
        if key not in self.views:
            self.views[key] = View(op, source, iterations)
        return self.views[key]


def load_pipeline(pipeline: PipelineOp) -> Dataflow:
    """What the stages of a pipeline that verifies compute, whatever its cores and channels."""
    streams = [_Loops(port, None, in_order(port.iterations)) for port in pipeline.inputs()]
    stages = [
        _Loops(stage, stage.sym_name.data, in_order(stage.iterations))
        for stage in pipeline.stages()
    ]
    loops, alike = [*streams, *stages], _Alike()
    parts = _parts([_part(one, alike) for one in loops])
    return _dataflow(pipeline, loops, parts, {}, pipeline.turns, alike)


def _dataflow(
    ports: PipelineOp | GcuOp,
    loops: Sequence[_Loops],
    parts: dict[str, tuple[Part, ...]],
    rings: Mapping[Channel, Ring],
    turns: Mapping[str, Turn],
    alike: _Alike,
) -> Dataflow:
    programs = {one.name: _program(one, parts, rings, turns[one.name], alike) for one in loops}
    return Dataflow(
        {name: found[0].object for name, found in parts.items()},
        parts,
        _in_order(programs),
        {op.sym_name.data: Port(op) for op in ports.inputs()},
        tuple(map(Port, ports.outputs())),
    )


def load(chip: ChipOp) -> Chip:
    """Tables of a chip that verifies. CmcError where its loops do not fit its objects."""
    expect_ways(chip)
    width, alike = target_of(chip).element_bytes, _Alike()
    loops = [
        _loops(program, core, alike)
        for core, side in ((None, chip.gcu), *((c.sym_name.data, c) for c in chip.cores()))
        for program in side.programs()
    ]
    parts = _parts([_part(one, alike) for one in loops])
    carriers, rings = _Carriers(), dict[Channel, Ring]()
    sends: dict[Channel, Runs | None] = {}
    for op in (op for core in chip.cores() for op in core.rings()):
        channel = op.channel
        whole = next(p for p in parts[channel.object] if p.writer == channel.writer)
        part, sends[channel] = carriers.of(op, whole)
        rings[channel] = Ring(channel, op.slots.value.data, op.start // width, part)
    dataflow = _dataflow(chip.gcu, loops, parts, rings, chip.turns, alike)
    programs = dataflow.programs
    sides = (chip.gcu, *chip.cores())
    credits = {c.channel: c.count.value.data for side in sides for c in side.credits()}
    edges: list[Edge] = []
    machine_reader, ways = MachineReader(), Ways.of(chip)
    for core in chip.cores():
        machines = {(m.kind.data, m.channel): m for m in core.machines()}
        for channel in [op.channel for op in core.rings()]:
            writer, reader, part = (
                programs[channel.writer], programs[channel.reader], rings[channel].part
            )  # fmt: skip
            ready = machines[MachineKind.READY, channel]
            free = machines[MachineKind.FREE, channel]
            edges.append(
                Edge(
                    str(channel),
                    channel.writer,
                    channel.reader,
                    machine_reader.steps(ready, part, reader.order),
                    machine_reader.steps(free, reader.order, part),
                    credits[channel],
                    ways.between(writer.core, core.sym_name.data, part.object.vector),
                    sends[channel],
                )
            )
    _expect_rings(programs.values(), rings)
    _expect_carried(programs.values(), parts)
    writers = {
        w.sym_name.data: (w, name, place)
        for name, side in (("", chip.gcu), *((c.sym_name.data, c) for c in chip.cores()))
        for place, w in enumerate(side.writers())
    }

    def process(program: LoadedProgram) -> Process:
        writer, side, place = writers[program.name]
        count, title = program.iterations, program.iteration
        time, units = writer.cycles, writer.occupied
        return Process(program.name, count, *time, title, side, place, units, program.turn)

    return Chip(
        dataflow.objects,
        dataflow.parts,
        programs,
        dataflow.inputs,
        dataflow.outputs,
        chip,
        tuple(rings.values()),
        Flow.of(
            map(process, programs.values()),
            edges,
            ways.multicast,
            ways.title,
            fed_back(chip.gcu.inputs(), chip.gcu.outputs(), chip.writers()),
        ),
        {c.sym_name.data: c.sram_bytes // width for c in chip.cores()},
    )


@dataclass(frozen=True, eq=False)
class _Carriers:
    """Finds what rings carry: of those that are alike once."""

    _known: dict[object, tuple[Box | None, Ints | None, Runs]] = field(
        default_factory=dict[object, "tuple[Box | None, Ints | None, Runs]"]
    )

    def of(self, ring: RingOp, whole: Part) -> tuple[Part, Runs | None]:
        """What a ring carries of a part, and which iterations of the writer send it.

        These are None if all do. CmcError if none does.
        """
        if ring.carries is None:
            return whole, None
        carries = ring.carries.data
        key = carries, whole.object.shape, whole.identity
        if key not in self._known:
            self._known[key] = _some_of(whole, carries)
        box, listed, sends = self._known[key]
        if sends.length == 0:
            raise CmcError(f"it carries nothing that @{whole.writer} writes", ring.title)
        if sends.length == whole.count:
            return whole, None
        return Part(whole.object, whole.writer, box, listed), sends


def _some_of(whole: Part, carries: isl.Set) -> tuple[Box | None, Ints | None, Runs]:
    """The elements of a part that are in a set, as a part has them, and their places there."""
    if whole.box is not None:
        inside = carries.intersect(whole.box.set)
        box = None if inside.is_empty() else box_of(inside)
        if box is not None:
            return box, None, Iterations(whole.box.set).numbers(inside)
    shape = whole.object.shape
    points = np.unravel_index(whole.elements, shape) if shape else ()
    kept = np.flatnonzero(np.broadcast_to(contains(carries, points), whole.count))
    return None, whole.elements[kept], Runs.of(kept)


def _expect_carried(programs: Iterable[LoadedProgram], parts: Mapping[str, Sequence[Part]]) -> None:
    """CmcError where the loops of a program read what is written, and its ring does not carry."""
    for program in programs:
        for read in program.reads:
            for part, whole in zip(read.written, parts[read.object], strict=True):
                if part is not whole and (lost := read.view.lost(part, whole)) is not None:
                    channel = Channel(read.object, whole.writer, program.name)
                    raise CmcError(
                        f"it reads {whole.object.element(lost)}, which the ring of {channel} does "
                        "not carry",
                        f"program @{program.name}",
                    )


def _coordinates(point: Sequence[int] | Ints) -> str:
    return ", ".join(str(int(i)) for i in point)


def _loops(program: ProgramOp, core: str | None, alike: _Alike) -> _Loops:
    where = f"program @{program.runs}"
    writer = program.find_writer()
    order = alike.order(program.body.block)
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


def _part(loops: _Loops, alike: _Alike) -> Part:
    """What a program writes, and the order in which it does."""
    access: isl.Map | None = None
    if isinstance(loops.writer, StageOp):
        (write,) = loops.writer.writes()
        access, op = write.access.data, find_object(write, write.object)
    else:
        op = find_object(loops.writer, loops.writer.object)
    object = Object(op.sym_name.data, op.shape, op.vector)
    key = loops.order.identity, access, object.shape
    if key not in alike.written:
        alike.written[key] = _written(loops, access, object)
    return Part(object, loops.name, *alike.written[key])


def _written(
    loops: _Loops, access: isl.Map | None, object: Object
) -> tuple[Box | None, Ints | None]:
    """What a program writes of an object, as a part has it."""
    where = f"program @{loops.name}"
    shape, count = object.shape, loops.order.count
    if loops.order.box is not None:
        box = _written_box(loops.order.box, access, shape)
        if box is not None:
            return box, None
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
        raise CmcError(f"it writes [{place}], which is no element of @{object.name}", where)
    return None, elements


def _written_box(iterations: Box, access: isl.Map | None, shape: tuple[int, ...]) -> Box | None:
    """The elements that are written, if they are a box, written in the order in which they lie."""
    rank = len(iterations.extents)
    linear = (np.eye(rank, dtype=np.int64), np.zeros(rank, np.int64))
    if access is not None:
        linear = coefficients(access)
    if linear is None:
        return None
    slopes, first = linear[0], linear[1] + linear[0] @ iterations.lows
    rise = slopes * (np.array(iterations.extents, np.int64) - 1)
    lows, highs = first + np.minimum(rise, 0).sum(1), first + np.maximum(rise, 0).sum(1)
    box = Box(lows, tuple((highs - lows + 1).tolist()))
    every = Box(np.zeros(len(shape), np.int64), shape)
    if box.count != iterations.count or not np.all(every.contains(np.stack([lows, highs]))):
        return None
    weights = box.weights @ slopes
    alike = (weights == iterations.weights) | (np.array(iterations.extents) == 1)
    return box if np.all(alike) and box.weights @ (first - lows) == 0 else None


def _parts(found: Sequence[Part]) -> dict[str, tuple[Part, ...]]:
    """The parts of each object. CmcError where an element is not written exactly once."""
    parts: dict[str, tuple[Part, ...]] = {}
    for part in found:
        parts[part.object.name] = (*parts.get(part.object.name, ()), part)
    for name, of_one in parts.items():
        object = of_one[0].object
        if len(of_one) == 1 and of_one[0].box is not None and of_one[0].count == object.elements:
            continue
        elements = np.concatenate([part.elements for part in of_one])
        if np.any(np.bincount(elements, minlength=object.elements) != 1):
            writers = " and ".join(f"@{part.writer}" for part in of_one)
            raise CmcError(
                f"it writes {len(np.unique(elements))} of the {object.elements} elements of "
                f"@{name} in {len(elements)} iterations: each is written exactly once",
                f"program {writers}",
            )
    return parts


def _expect_rings(programs: Iterable[LoadedProgram], rings: Mapping[Channel, Ring]) -> None:
    """CmcError where the loops of a program read what no ring is for."""
    for program in programs:
        for read in program.reads:
            for share in read.shares:
                if (read.object, share.part.writer, program.name) not in rings:
                    raise CmcError(
                        f"it reads what @{share.part.writer} writes of @{read.object}, and has no "
                        "ring for it",
                        f"program @{program.name}",
                    )


def _program(
    loops: _Loops,
    parts: Mapping[str, Sequence[Part]],
    rings: Mapping[Channel, Ring],
    turn: Turn,
    alike: _Alike,
) -> LoadedProgram:
    reads: list[Read] = []
    constants: list[Read] = []
    stage = loops.writer if isinstance(loops.writer, StageOp) else None
    for op in () if stage is None else stage.reads():
        source = find_object(op, op.object)
        view = alike.view(op, source, loops.order)
        if source.value is not None:
            constants.append(Read(op, source, view, ()))
        else:
            written: list[Part] = []
            for part in parts[source.sym_name.data]:
                ring = rings.get(Channel(part.object.name, part.writer, loops.name))
                written.append(part if ring is None else ring.part)
            reads.append(Read(op, source, view, tuple(written)))
    return LoadedProgram(
        loops.name,
        loops.core,
        () if stage is None else tuple(stage.computed()),
        loops.order,
        next(p for p in parts[loops.writer.written] if p.writer == loops.name),
        tuple(reads),
        tuple(constants),
        {} if stage is None else _places(stage),
        {} if stage is None else tiles_of(stage, loops.order.count),
        turn,
        codes_of_activations(target_of(loops.writer)),
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
    """The programs, each after those that write what it reads; circles stand together."""
    return {name: programs[name] for name in precedence.in_order(_read_from(programs))}


def _read_from(programs: Mapping[str, LoadedProgram]) -> dict[str, set[str]]:
    """Whose elements each program reads."""
    return {
        p.name: {share.part.writer for read in p.reads for share in read.shares}
        for p in programs.values()
    }
