# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Execute a chip one cycle after the other, every iteration and every snooped write by itself.

Everything static is laid out when the chip is loaded: an LCU's machine is a list of counts and a
place in it, a window is a row of slots, a body is a list of numpy calls on fixed arrays. What is
left for a cycle is what the hardware does in it: deliver, step the machines, start iterations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from xdsl.ir import Operation, SSAValue

from cmc.analog.activations import round_vectors
from cmc.dialects.cmpipe import (
    JoinOp,
    ReadOp,
    WriteOp,
    find_object,
    vector_shape,
)
from cmc.poly.evaluate import Ints
from cmc.simulator.body import Call, call, constant, joins, parts
from cmc.simulator.crossbars import NEW, Conditions, Moment, Rows, prepare
from cmc.simulator.faults import Fault
from cmc.simulator.gather import Floats
from cmc.simulator.hazards import missing, overwritten
from cmc.simulator.load import Chip, LoadedProgram, Object, Read, Ring, Share
from cmc.simulator.ports import Port
from cmc.streams import count_images
from cmc.timing.flow import Edge, Flow, Process, Steps, waits_of
from cmc.timing.runs import Runs
from cmc.timing.times import Times
from cmc.track import Track, no_track

_UNLIMITED = 1 << 62


class _Lcu:
    """A machine at work: counts signals, and says how far what it drives may go in the stream."""

    __slots__ = (
        "_awaits",
        "_base",
        "_driven",
        "_initial",
        "_next",
        "_reaches",
        "_seen",
        "_signals",
        "limit",
    )

    def __init__(self, steps: Steps, driven: int, signals: int):
        self._awaits: list[int] = steps.awaits.expanded().tolist()
        self._reaches: list[int] = steps.reaches.expanded().tolist()
        if max(self._awaits, default=0) < steps.last:
            # What it awaits at last reaches nothing, and holds up the next image.
            self._awaits.append(steps.last)
            self._reaches.append(0)
        self._initial = steps.initial
        self._driven = driven
        self._signals = signals
        self._next = self._seen = 0
        self._base: int = 0
        idle = not self._awaits and steps.initial > 0
        self.limit: int = _UNLIMITED if idle else steps.initial

    def signal(self) -> bool:
        """One more signal has come: take all steps that it allows. Whether `limit` grew."""
        self._seen += 1
        awaits, before = self._awaits, self.limit
        while awaits and awaits[self._next] <= self._seen:
            self._advance(self._reaches[self._next])
            self._next += 1
            if self._next == len(awaits):
                self._next = 0
                self._seen -= self._signals
                self._base += self._driven
                self._advance(self._initial)
        return self.limit > before

    def _advance(self, reach: int) -> None:
        if reach and self._base + reach > self.limit:
            self.limit = self._base + reach


class _Channel:
    """A ring with its two machines: what arrives, what may be read, what may be written."""

    __slots__ = (
        "arrivals",
        "arrived",
        "credits",
        "elements",
        "free",
        "place",
        "reader",
        "ready",
        "ring",
        "sends",
        "slots",
        "store",
        "way",
        "writer",
    )

    def __init__(
        self, place: int, ring: Ring, edge: Edge, store: Floats, writer: _Worker, reader: _Worker
    ):
        """`store` is the SRAM from the ring on, `[rows, vector]`, the last row beyond its end.

        Among all channels this one has a `place`.
        """
        self.place, self.ring = place, ring
        self.way, self.arrivals = edge.way, list[int]()
        self.writer, self.reader = writer, reader
        self.slots = ring.slots
        self.credits = edge.slots
        self.elements = ring.part.count
        # The iterations that write what is carried.
        self.sends: list[int] = writer.program.part.order[ring.part.elements].tolist()
        self.ready = _Lcu(edge.ready, reader.iterations, self.elements)
        self.free = _Lcu(edge.free, self.elements, reader.iterations)
        self.arrived = 0
        self.store = store

    @property
    def room(self) -> int:
        """How many iterations of the stream the writer may begin, as far as there are slots."""
        image, element = divmod(self.free.limit + self.credits, self.elements)
        return image * self.writer.iterations + self.sends[element]

    def deliver(self, written: Floats, cycle: int) -> None:
        """A write arrives in the reader's SRAM, and its LCU snoops it."""
        self.arrivals.append(cycle)
        self.store[self.arrived % self.slots] = written
        self.arrived += 1
        if self.ready.signal():
            self.reader.allow()

    def release(self) -> None:
        """The writer hears that the reader has ended an iteration, and what slots that frees."""
        if self.free.signal():
            self.writer.allow()


class _Taken:
    """What a window takes from one ring, and its newest and oldest place in each iteration."""

    __slots__ = ("channel", "newest", "oldest", "share")

    def __init__(self, share: Share, channel: _Channel):
        self.share, self.channel = share, channel
        self.newest: list[int] = share.places.newest.tolist()
        self.oldest: list[int] = share.places.oldest.tolist()


class _Window:
    """One read of a body: gathers a window from the slots of a ring, or of several.

    An element lies in the ring of its writer, in the slot of its place among what that one writes.
    """

    __slots__ = (
        "_channels",
        "_firsts",
        "_gaps",
        "_numbers",
        "_offsets",
        "_pad",
        "_padded",
        "_places",
        "_rows",
        "_shape",
        "_store",
        "_whole",
        "gaps",
        "out",
        "taken",
    )

    def __init__(self, read: Read, taken: Sequence[_Taken]):
        gather = read.gather
        self.taken = taken
        self._pad = gather.pad
        self._padded = bool(np.any(gather.element < 0) or np.any(gather.channel < 0))
        vector = gather.vector
        stores = {one.channel.ring.place: one.channel.store for one in taken}
        start = min(stores, default=0)
        # All rings, and then a vector of padding.
        self._store = stores.get(start, np.empty((1, vector), np.float32))
        self._offsets = [one.channel.ring.place - start for one in taken]
        self._whole = gather.whole_vectors and not any(o % vector for o in self._offsets)
        self._rows = read.iterations.count
        element = gather.element
        self._channels = gather.channel
        if self._whole:
            element = np.broadcast_to(element, (len(element), *gather.window[:-1], 1))
            element = element.reshape(len(element), -1)
        else:
            rows = max(len(element), len(self._channels))
            element = np.broadcast_to(element, (rows, *gather.window))
            element = np.where(self._channels < 0, -1, element)
        orders = [one.share.part.order for one in taken]
        # For each ring, the place in its stream of what is read, -1 for what does not come there.
        self._numbers = [np.where(element >= 0, order[element], -1) for order in orders]
        self._shape = element.shape
        self._gaps = _gaps(element, self._rows) if read.op.under is not None else None
        self.gaps: Ints | None = None
        self._places: list[Ints] = []
        self._firsts: list[int] | None = None
        width = vector if self._whole else 1
        self.out = np.empty((element[0].size, width), np.float32)

    def begin_image(self, image: int) -> None:
        """Lay the windows out for an image, whose elements begin in some slot of each ring."""
        channels = [one.channel for one in self.taken]
        firsts = [image * channel.elements % channel.slots for channel in channels]
        if firsts == self._firsts:
            return
        self._firsts = firsts
        rows, vector = self._store.shape
        places = np.full(self._shape, (rows - 1) * vector)
        for numbers, channel, offset, first in zip(
            self._numbers, channels, self._offsets, firsts, strict=True
        ):
            slots = (numbers + first) % channel.slots
            places = np.where(numbers < 0, places, offset + slots * vector)
        places = places // vector if self._whole else places + np.maximum(self._channels, 0)
        lines = list(places.reshape(len(places), -1))
        self._places = lines if len(lines) == self._rows else lines * self._rows

    def gather(self, iteration: int) -> None:
        """Fill `out` with the window of an iteration of the image."""
        if self._gaps is not None:
            self.gaps = self._gaps[iteration]
        store = self._store
        if self._padded:
            store[-1] = self._pad
        if self._whole:
            store.take(self._places[iteration], 0, self.out, "clip")
        else:
            store.reshape(-1).take(self._places[iteration], 0, self.out[:, 0], "clip")


def _gaps(numbers: Ints, iterations: int) -> list[Ints | None]:
    """For each iteration, the places in its window at which it reads padding, if there are any."""
    missing = (numbers < 0).reshape(len(numbers), -1)
    rows = [np.flatnonzero(row) if row.any() else None for row in missing]
    return rows if len(rows) == iterations else rows * iterations


class _ConstantWindow:
    """One read of a constant that lies in the core's SRAM."""

    __slots__ = ("_gaps", "_pad", "_places", "_value", "gaps", "out")

    def __init__(self, read: Read, value: Floats, iterations: int):
        """`value` is the constant's part of the SRAM."""
        gather = read.gather
        missing = (gather.element < 0) | (gather.channel < 0)
        places = np.where(missing, -1, gather.element * gather.vector + gather.channel)
        places = np.broadcast_to(places, (len(places), *gather.window)).reshape(len(places), -1)
        rows = list(np.maximum(places, 0))
        self._places = rows if len(rows) == iterations else rows * iterations
        self._gaps = _gaps(places, iterations)
        self.gaps: Ints | None = None
        self._pad = gather.pad
        self._value = value
        self.out = np.empty(places.shape[1], np.float32)

    def gather(self, iteration: int) -> None:
        """Fill `out` with the window of an iteration of the image."""
        self._value.take(self._places[iteration], 0, self.out, "clip")
        self.gaps = self._gaps[iteration]
        if self.gaps is not None:
            self.out[self.gaps] = self._pad


def _lay_over(window: _Window | _ConstantWindow, under: Floats, out: Floats) -> None:
    """What a window has gathered, and in its gaps what lies under it."""
    np.copyto(out, window.out)
    if window.gaps is not None:
        out[window.gaps] = under[window.gaps]


class _Worker:
    """A program at work: its windows, its body on fixed arrays, and how far it is."""

    __slots__ = (
        "_calls",
        "_carrying",
        "_collected",
        "_feed",
        "_first",
        "_moment",
        "_result",
        "_sent",
        "begun",
        "done",
        "earliest",
        "fed_by",
        "feeds",
        "iterations",
        "limit",
        "process",
        "program",
        "reads",
        "starts",
        "tables",
        "taken",
        "total",
        "windows",
        "writes",
    )

    def __init__(self, program: LoadedProgram, process: Process, images: int, first: int):
        """The `first` image is one of those of the pipeline's stream."""
        self.program, self.process = program, process
        self._first, self._moment = first, Moment()
        self.iterations = program.iterations
        self.total = program.turn.images(images) * program.iterations
        self.begun = self.done = self.earliest = self.limit = 0
        self.starts: list[int] = []
        self.reads: list[_Channel] = []
        self.writes: list[_Channel] = []
        self._carrying: list[list[_Channel]] = [[] for _ in range(self.iterations)]
        self.windows: list[_Window] = []
        self.taken: list[_Taken] = []
        self.tables: list[_ConstantWindow] = []
        self._calls: list[Call] = []
        self._result = np.zeros(0, np.float32)
        self._sent: Floats | None = None
        self._collected: Floats | None = None
        self._feed: Callable[[int], None] | None = None
        self.fed_by: list[_Worker] = []
        self.feeds: list[_Worker] = []

    def feed(self, writers: Sequence[_Worker], fill: Callable[[int], None]) -> None:
        """Let a stream wait for all that writers wrote for the image before, and `fill` it in."""
        self.fed_by, self._feed = [*writers], fill
        for writer in writers:
            writer.feeds.append(self)
        self.allow()

    def allow(self) -> None:
        """Find out how many iterations of the stream may begin, by all machines and credits."""
        limit = self.total
        for channel in self.reads:
            if channel.ready.limit < limit:
                limit = channel.ready.limit
        for channel in self.writes:
            limit = min(limit, channel.room)
        for writer in self.fed_by:
            images = 1 + writer.done // writer.iterations
            limit = min(limit, images * self.iterations)
        self.limit = limit

    def _compile(self, sram: Floats) -> None:
        """Write constants to the SRAM; lay the body out as calls on arrays that stay in place."""
        arrays: dict[SSAValue, Floats] = {}
        channels = {c.writer.program.name: c for c in self.reads}
        reads = {read.op: read for read in self.program.reads}
        constants = {read.op: read for read in self.program.constants}
        for op in self.program.body:
            if isinstance(op, WriteOp):
                self._result = arrays[op.vector].reshape(-1)
                continue
            out: Floats
            window: _Window | _ConstantWindow | None = None
            if isinstance(op, ReadOp) and op in reads:
                shares = reads[op].shares
                taken = [_Taken(share, channels[share.part.writer]) for share in shares]
                window = _Window(reads[op], taken)
                self.windows.append(window)
                self.taken += taken
                out = window.out
            elif isinstance(op, ReadOp):
                object = find_object(op, op.object)
                assert object.value is not None
                value = self._store(sram, object, object.value.array)
                window = _ConstantWindow(constants[op], value.reshape(-1), self.iterations)
                self.tables.append(window)
                out = window.out
            else:
                value = constant(op)
                if value is not None:
                    stored = op in self.program.places
                    value = self._store(sram, op, value) if stored else value
                    arrays[op.results[0]] = value[None]
                    continue
                out = np.empty((1, *vector_shape(op.results[0].type)), np.float32)
                operands = [arrays[v] for v in op.operands]
                if (length := joins(op)) is not None:
                    joined = out if isinstance(op, JoinOp) else np.empty((1, length), np.float32)
                    copies = zip(parts(op, joined), operands, strict=True)
                    self._calls += [(np.copyto, copy) for copy in copies]
                    operands = [joined]
                if not isinstance(op, JoinOp):
                    rows = Rows(slice(0, 1), slice(0, 1), self._moment)
                    self._calls.append(call(op, operands, out, rows, self.program.tiles))
            if isinstance(op, ReadOp) and op.under is not None:
                assert window is not None
                under, out = arrays[op.under].reshape(window.out.shape), np.empty_like(window.out)
                self._calls.append((_lay_over, (window, under, out)))
            arrays[op.results[0]] = out.reshape(1, *vector_shape(op.results[0].type))

    def _store(self, sram: Floats, op: Operation, value: Floats) -> Floats:
        """Write a constant to its place in the SRAM: that part of the SRAM."""
        place = self.program.places[op]
        part = sram[place : place + value.size].reshape(value.shape)
        part[...] = value
        return part

    def attach(self, sram: Floats | None, sent: Floats | None, collected: Floats | None) -> None:
        """Connect the program to the GCU, or lay its body out."""
        self._sent, self._collected = sent, collected
        if sram is not None:
            self._compile(sram)
        for channel in self.writes:
            for iteration in channel.sends:
                self._carrying[iteration].append(channel)
        self.allow()

    def find_faults(self, chip: Chip, cycle: int) -> list[tuple[int, Fault]]:
        """What the next iteration would read that is not there, by the place of its ring."""
        image, iteration = divmod(self.begun, self.iterations)
        faults: list[tuple[int, Fault]] = []
        for one in self.taken:
            channel = one.channel
            first = image * channel.elements
            if first + one.newest[iteration] >= channel.arrived and one.newest[iteration] >= 0:
                fault = missing(self.program, one.share, self.begun, cycle)
                faults.append((chip.rings.index(channel.ring), fault))
            elif first + one.oldest[iteration] + channel.slots < channel.arrived:
                fault = overwritten(self.program, one.share, self.begun, cycle, channel.ring)
                faults.append((chip.rings.index(channel.ring), fault))
        return faults

    def begin(self, cycle: int) -> Floats:
        """Begin the next iteration; what it writes arrives when it ends."""
        self.starts.append(cycle)
        self.earliest = cycle + self.process.interval
        number = self.begun
        self.begun += 1
        if self._sent is not None:
            if self._feed is not None and number and number % self.iterations == 0:
                self._feed(number // self.iterations)
            return self._sent[number]
        image, iteration = divmod(number, self.iterations)
        if not iteration:
            for window in self.windows:
                window.begin_image(image)
        self._moment.image = self._first + image
        self._moment.iteration = iteration
        return self._run(iteration)

    def end(self, written: Floats, cycle: int, links: _Links) -> None:
        """An iteration has ended: what it wrote leaves, slots that it read may be freed."""
        if self._collected is not None:
            self._collected[self.done] = written
        carrying = self._carrying[self.done % self.iterations]
        self.done += 1
        for stream in self.feeds if self.done % self.iterations == 0 else ():
            stream.allow()
        for channel in carrying:
            if not channel.way.links:
                channel.deliver(written, cycle)
        links.send([channel for channel in carrying if channel.way.links], written, cycle)
        for channel in self.reads:
            if channel.way.back:
                links.credits[cycle + channel.way.back].append(channel)
            else:
                channel.release()

    def _run(self, iteration: int) -> Floats:
        """Compute one iteration of the image; the result is the caller's."""
        for window in self.windows:
            window.gather(iteration)
        for table in self.tables:
            table.gather(iteration)
        for function, arguments in self._calls:
            function(*arguments)
        result = self._result.copy()
        if self.program.codes:
            round_vectors(result, self.program.codes)
        return result


class _Links:
    """What is on its way between cores, and until when each link is held."""

    def __init__(self, multicast: bool, channels: Sequence[_Channel]):
        """Channels stand in their order."""
        self._multicast = multicast
        # The first channel of a writer over each link.
        self._first: dict[tuple[_Worker, int], int] = {}
        for channel in channels:
            for link in channel.way.links:
                self._first.setdefault((channel.writer, link), channel.place)
        self._free: defaultdict[int, int] = defaultdict(int)
        # When vectors come to a link; the first of their channels; how many links they have behind
        # them; the link, and for which channels they are.
        self._coming: list[tuple[int, int, int, int, list[_Channel], Floats]] = []
        self._arriving: defaultdict[int, list[tuple[_Channel, Floats]]] = defaultdict(list)
        self.credits: defaultdict[int, list[_Channel]] = defaultdict(list)
        """The channels whose readers have ended an iteration, by when the writers hear of it."""

    def send(self, channels: list[_Channel], written: Floats, cycle: int) -> None:
        """A vector leaves for the readers of some channels: once for all of them, or for each."""
        for together in [channels] if self._multicast else [[channel] for channel in channels]:
            self._go_on(together, 0, cycle, cycle, written)

    def _go_on(
        self, channels: list[_Channel], behind: int, head: int, tail: int, written: Floats
    ) -> None:
        """The head of a vector comes to a core in a cycle, and its end in another one."""
        ahead: dict[int, list[_Channel]] = {}
        for channel in channels:
            if behind == len(channel.way.links):
                self._arriving[tail].append((channel, written))
            else:
                ahead.setdefault(channel.way.links[behind], []).append(channel)
        for link, together in ahead.items():
            first = together[0].place
            if self._multicast:
                first = self._first[together[0].writer, link]
            heappush(self._coming, (head, first, behind, link, together, written))

    def deliver(self, cycle: int) -> None:
        """What comes in this cycle: vectors in SRAM, credits, vectors at the links they take."""
        for channel, written in self._arriving.pop(cycle, ()):
            channel.deliver(written, cycle)
        for channel in self.credits.pop(cycle, ()):
            channel.release()
        while self._coming and self._coming[0][0] == cycle:
            _, _, behind, link, channels, written = heappop(self._coming)
            way, begin = channels[0].way, max(cycle, self._free[link])
            self._free[link] = begin + way.held
            head = begin + way.hop
            self._go_on(channels, behind + 1, head, head + way.held, written)

    def waking(self) -> Iterator[int]:
        """When something comes."""
        yield from (*self._arriving, *self.credits)
        if self._coming:
            yield self._coming[0][0]


class _Turns:
    """Programs that share units: who is served in a cycle, and until when their units are taken."""

    def __init__(self, workers: Sequence[_Worker]):
        """The workers stand in the order of their places."""
        self.workers = workers
        self._last = len(workers) - 1
        units = {unit for worker in workers for unit in worker.process.occupies}
        self._free = dict.fromkeys(units, 0)

    def serve(self, cycle: int) -> Iterator[_Worker]:
        """Those who begin an iteration in this cycle, in the order in which they are served."""
        after = self._last + 1
        for place in (*range(after, len(self.workers)), *range(after)):
            worker = self.workers[place]
            if worker.begun < worker.limit and cycle >= worker.earliest:
                occupies = worker.process.occupies
                if occupies:
                    if self._freed(worker) > cycle:
                        continue
                    self._free |= {unit: cycle + cycles for unit, cycles in occupies.items()}
                self._last = place
                yield worker

    def waking(self) -> Iterator[int]:
        """When those who have data and room may begin, as things stand."""
        for worker in self.workers:
            if worker.begun < worker.limit:
                yield max(worker.earliest, self._freed(worker))

    def _freed(self, worker: _Worker) -> int:
        """From which cycle on the units that it occupies are free."""
        return max((self._free[unit] for unit in worker.process.occupies), default=0)


def _turns(flow: Flow, workers: Mapping[str, _Worker]) -> list[_Turns]:
    """The programs of each side that share units, and those of all others, in any order."""
    sharing: list[_Turns] = []
    others: list[_Worker] = []
    for members in flow.sides.values():
        side = [workers[process.name] for process in members]
        if any(process.occupies for process in members):
            sharing.append(_Turns(side))
        else:
            others += side
    return [_Turns(others), *sharing]


def interpret(
    chip: Chip,
    inputs: Mapping[str, Floats],
    track: Track = no_track,
    conditions: Conditions = NEW,
) -> tuple[dict[str, Floats], Times]:
    """Run a stream of images: all outputs, and when every iteration began.

    Raises the first fault, or a deadlock.
    """
    images = count_images(inputs)
    prepare((program.tiles for program in chip.programs.values()), conditions)
    workers = {
        name: _Worker(
            program,
            chip.flow.processes[name],
            images,
            conditions.first_of(program.turn.of) if program.tiles else 0,
        )
        for name, program in chip.programs.items()
    }
    # What lies beyond the end of an SRAM is a vector of padding.
    beyond = 2 * max(object.vector for object in chip.objects.values())
    srams = {core: np.zeros(floats + beyond, np.float32) for core, floats in chip.sram.items()}
    channels: list[_Channel] = []
    for place, (ring, edge) in enumerate(zip(chip.rings, chip.flow.edges, strict=True)):
        writer, reader = workers[edge.writer], workers[edge.reader]
        vector = chip.objects[ring.channel.object].vector
        core = reader.program.core
        assert core is not None
        rows = -(-(chip.sram[core] - ring.place) // vector) + 1
        store = srams[core][ring.place :][: rows * vector]
        channel = _Channel(place, ring, edge, store.reshape(rows, vector), writer, reader)
        channels.append(channel)
        writer.writes.append(channel)
        reader.reads.append(channel)
    sent: dict[str, Floats] = {}
    for name, port in chip.inputs.items():
        object, images_in = chip.objects[port.object], port.turn.share(inputs[port.tensor])
        stream = np.zeros((len(images_in), object.elements, object.vector), np.float32)
        port.enter(images_in, stream)
        if chip.programs[name].codes:
            round_vectors(stream, chip.programs[name].codes)
        elements = chip.programs[name].part.elements
        sent[name] = stream[:, elements].reshape(-1, object.vector)
    collected: dict[str, Floats] = {}
    for part in [part for port in chip.outputs for part in chip.parts[port.object]]:
        shape = (workers[part.writer].total, part.object.vector)
        collected[part.writer] = np.empty(shape, np.float32)
    for name, worker in workers.items():
        core = worker.program.core
        sram = None if core is None else srams[core]
        worker.attach(sram, sent.get(name), collected.get(name))
    _feed_back(chip, workers, sent, collected)
    _cycles(chip, _turns(chip.flow, workers), channels, images, track)
    outputs = {port.tensor: np.empty((images, *port.shape), np.float32) for port in chip.outputs}
    for port in chip.outputs:
        object, images_out = chip.objects[port.object], port.turn.share(outputs[port.tensor])
        own = len(images_out)
        elements = np.empty((own, object.elements, object.vector), np.float32)
        for part in chip.parts[port.object]:
            written = collected[part.writer].reshape(own, part.count, object.vector)
            elements[:, part.elements] = written
        port.leave(elements, images_out)
    return outputs, _times(chip, list(workers.values()), channels, images)


def _feed_back(
    chip: Chip,
    workers: Mapping[str, _Worker],
    sent: Mapping[str, Floats],
    collected: Mapping[str, Floats],
) -> None:
    """Let streams of states send what was collected of the image before."""
    ports = {port.tensor: port for port in chip.outputs}
    for name, port in chip.inputs.items():
        if port.tensor not in chip.states:
            continue
        source = ports[chip.states[port.tensor]]
        fill = _Feed(chip, name, source, sent[name], collected).fill
        workers[name].feed([workers[p.writer] for p in chip.parts[source.object]], fill)


@dataclass(frozen=True)
class _Feed:
    """A state on its way back to its stream."""

    chip: Chip
    stream: str
    source: Port
    sent: Floats
    collected: Mapping[str, Floats]

    def fill(self, image: int) -> None:
        """Put what was collected of the image before among what is sent for this one."""
        chip, port = self.chip, self.chip.inputs[self.stream]
        tensor = np.empty((1, *port.shape), np.float32)
        elements = _empty(chip.objects[self.source.object])
        for part in chip.parts[self.source.object]:
            rows = slice((image - 1) * part.count, image * part.count)
            elements[0, part.elements] = self.collected[part.writer][rows]
        self.source.leave(elements, tensor)
        into = _empty(chip.objects[port.object])
        port.enter(tensor, into)
        if chip.programs[self.stream].codes:
            round_vectors(into, chip.programs[self.stream].codes)
        own = chip.programs[self.stream].part.elements
        self.sent[image * len(own) : (image + 1) * len(own)] = into[0, own]


def _empty(object: Object) -> Floats:
    """Room for the elements of an object, of one image."""
    return np.zeros((1, object.elements, object.vector), np.float32)


def _times(
    chip: Chip, workers: Sequence[_Worker], channels: Sequence[_Channel], images: int
) -> Times:
    flow = chip.flow
    starts = {w.program.name: Runs.of(np.array(w.starts, np.int64)) for w in workers}
    carried = {
        edge: Runs.of(np.array(channel.arrivals, np.int64))
        for edge, channel in zip(flow.edges, channels, strict=True)
        if edge in flow.delayed
    }
    own = {name: p.turn.images(images) for name, p in flow.processes.items()}
    waiting = {name: waits_of(flow, name, count) for name, count in own.items()}
    return Times(flow, images, own, starts, waiting.__getitem__, carried=carried)


def _cycles(
    chip: Chip,
    turns: Sequence[_Turns],
    channels: Sequence[_Channel],
    images: int,
    track: Track,
) -> None:
    """Run until all images are through, or nothing can move."""
    workers = [worker for turn in turns for worker in turn.workers]
    links = _Links(chip.flow.multicast, channels)
    cycle = 0
    arriving: defaultdict[int, list[tuple[_Worker, Floats]]] = defaultdict(list)
    for image in track(range(images), "simulating"):
        last = [(worker, worker.program.turn.images(image + 1)) for worker in workers]
        last = [(worker, own * worker.iterations) for worker, own in last]
        while any(worker.done < end for worker, end in last):
            for worker, written in arriving.pop(cycle, ()):
                worker.end(written, cycle, links)
            links.deliver(cycle)
            begun = False
            faults: list[tuple[int, Fault]] = []
            for turn in turns:
                for worker in turn.serve(cycle):
                    found = worker.find_faults(chip, cycle)
                    if found:
                        faults += found
                        continue
                    arriving[cycle + worker.process.latency].append((worker, worker.begin(cycle)))
                    begun = True
            if faults:
                raise min(faults, key=lambda fault: fault[0])[1]
            if begun:
                cycle += 1
            elif any(worker.done < end for worker, end in last):
                turning = (wake for turn in turns for wake in turn.waking())
                waking = [*arriving, *links.waking(), *turning]
                if not waking:
                    raise _times(chip, workers, channels, images).deadlock()
                cycle = max(cycle + 1, min(waking))
