# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What the iterations of a stream's first images did, as a trace in the trace-event format.

Its format is that of Chrome's tracing, which Perfetto opens: objects of JSON, one a line. Each core
is a process, and so are the GCU and all links together. A thread is a stage, with as many more as
it has iterations under way at once, or a unit of the core. There are

- complete events ("X"), of each iteration from its start until its result can be used, and of each
  unit for as long as the iteration takes it;
- flows ("s" and "f"), to each iteration that is the first one to await a write, from the write that
  it awaited last;
- counters ("C"): vectors in each ring, from when they have arrived until their slots are freed; and
  bytes on their way over each link, from when they leave until they have arrived.

Times are in microseconds; on `ideal`, a cycle is one. Perfetto takes nanoseconds of them, without
what is less, and leaves out slices of a thread that overlap then. It knows the names of threads by
their numbers alone: these differ from each other, and from those of processes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from cmc.dialects.cmpipe import StageOp, Writer, target_of
from cmc.poly.evaluate import Ints
from cmc.simulator.load import Chip, LoadedProgram
from cmc.targets import IDEAL
from cmc.timing.flow import Edge, Process, ready_wait
from cmc.timing.runs import held
from cmc.timing.waiting import Waiting

_LINKS = "links"


def trace(chip: Chip, waiting: Waiting, images: int) -> Iterator[str]:
    """The lines of the trace of the first images."""
    return _Trace(chip, waiting, images).lines()


@dataclass(frozen=True, eq=False)
class _Track:
    """A program with its threads, and when its iterations begin: of so many of its own images."""

    program: LoadedProgram
    writer: Writer
    process: Process
    pid: int
    first: int
    """The first of its threads, of which there are so many `lanes`."""
    lanes: int
    images: int
    starts: Ints

    @property
    def ends(self) -> Ints:
        return self.starts + self.process.latency

    def threads(self, iterations: Ints) -> list[int]:
        """The thread of each iteration."""
        return (self.first + iterations % self.lanes).tolist()


class _Trace:
    """The first images of a stream."""

    def __init__(self, chip: Chip, waiting: Waiting, images: int):
        self._chip, self._waiting, self._times = chip, waiting, waiting.times
        self._target = target_of(chip.op)
        self._images = images
        sides = ("", *(core.sym_name.data for core in chip.op.cores()))
        self._writers = {writer.sym_name.data: writer for writer in chip.op.writers()}
        self._ids = count()
        self._units: dict[tuple[int, str], int] = {}
        self._links = len(sides) + 1
        self._pids = {side: pid for pid, side in enumerate(sides, 1)}
        self._tid = self._links + 1
        """The next thread's."""
        self._tracks: dict[str, _Track] = {}
        for program in chip.programs.values():
            self._tracks[program.name] = self._track(program)

    def _track(self, program: LoadedProgram) -> _Track:
        process = self._chip.flow.processes[program.name]
        pid = self._pids[program.core or ""]
        lanes = -(-process.latency // process.pace)
        first = self._new_threads(lanes)
        images = program.turn.images(self._images)
        starts = self._times.of_images(program.name, images).expanded()
        writer = self._writers[program.name]
        return _Track(program, writer, process, pid, first, lanes, images, starts)

    def _new_threads(self, count: int) -> int:
        """The first of so many."""
        self._tid += count
        return self._tid - count

    def lines(self) -> Iterator[str]:
        """The events, and what stands around them."""
        unit = "cycles" if self._in_cycles else "microseconds"
        yield f'{{"displayTimeUnit":"ns","otherData":{{"times":"{unit}"}},"traceEvents":['
        events = self._events()
        yield next(events)
        yield from (f",{event}" for event in events)
        yield "]}"

    def _events(self) -> Iterator[str]:
        for name, pid in self._pids.items():
            yield from self._named("process", pid, 0, name or "GCU")
        if self._chip.flow.carried:
            yield from self._named("process", self._links, 0, _LINKS)
        for track in self._tracks.values():
            for lane in range(track.lanes):
                name = track.program.name if not lane else f"{track.program.name} ({lane + 1})"
                yield from self._named("thread", track.pid, track.first + lane, name)
        for track in self._tracks.values():
            yield from self._iterations(track)
            yield from self._taken(track)
            yield from self._flows(track)
        for edge in self._chip.flow.edges:
            yield from self._ring(edge)
        for link in self._chip.flow.carried:
            yield from self._link(link)

    def _named(self, what: str, pid: int, tid: int, name: str) -> Iterator[str]:
        """What a process or a thread is called, and where it stands."""
        place = pid if what == "process" else tid
        for key, value in (("name", json.dumps(name)), ("sort_index", str(place))):
            yield (
                f'{{"ph":"M","pid":{pid},"tid":{tid},"name":"{what}_{key}",'
                f'"args":{{"{key}":{value}}}}}'
            )

    @property
    def _in_cycles(self) -> bool:
        return self._target == IDEAL

    def _at(self, cycles: Ints) -> list[float]:
        """Cycles in microseconds, to a picosecond."""
        if self._in_cycles:
            return cycles.tolist()
        return _microseconds(np.rint(cycles * (1000 / self._target.clock_ghz)))

    def _for(self, starts: Ints, cycles: int) -> list[float]:
        """How long so many cycles are, from each start."""
        if self._in_cycles:
            return [cycles] * len(starts)
        picoseconds = 1000 / self._target.clock_ghz
        ends, begins = np.rint((starts + cycles) * picoseconds), np.rint(starts * picoseconds)
        return _microseconds(ends - begins)

    def _iterations(self, track: _Track) -> Iterator[str]:
        """Each iteration of a program, image after image."""
        program, process = track.program, track.process
        points = ["[" + ",".join(map(str, point)) + "]" for point in program.points.tolist()]
        name, each = json.dumps(program.name), len(points)
        for own in range(track.images):
            numbers = np.arange(own * each, (own + 1) * each)
            starts = track.starts[numbers]
            last = self._waiting.last(program.name, numbers)
            reasons = [f',"waited_for":{json.dumps(why)},"cycles":' for why in last.reasons]
            waited = [
                f"{reasons[reason]}{cycles}" if reason >= 0 else ""
                for reason, cycles in zip(last.reason.tolist(), last.cycles.tolist(), strict=True)
            ]
            head = f'{{"ph":"X","cat":"iteration","name":{name},"pid":{track.pid},"tid":'
            image = program.turn.image(own)
            for tid, ts, dur, point, why in zip(
                track.threads(numbers),
                self._at(starts),
                self._for(starts, process.latency),
                points,
                waited,
                strict=True,
            ):
                yield (
                    f'{head}{tid},"ts":{ts},"dur":{dur},'
                    f'"args":{{"iteration":{point},"image":{image}{why}}}}}'
                )

    def _taken(self, track: _Track) -> Iterator[str]:
        """For how long each iteration takes units of its core."""
        name = track.program.name
        units = {unit: (unit, cycles) for unit, cycles in track.writer.occupied.items()}
        if isinstance(track.writer, StageOp) and any(track.writer.crossbars()):
            units[f"crossbars of {name}"] = "crossbars", track.writer.cycles[1]
        for title, (_, cycles) in units.items():
            if (track.pid, title) not in self._units:
                tid = self._units[track.pid, title] = self._new_threads(1)
                yield from self._named("thread", track.pid, tid, title)
            tid = self._units[track.pid, title]
            head = (
                f'{{"ph":"X","cat":"unit","name":{json.dumps(name)},"pid":{track.pid},"tid":{tid},'
                '"ts":'
            )
            for ts, dur in zip(
                self._at(track.starts), self._for(track.starts, cycles), strict=True
            ):
                yield f'{head}{ts},"dur":{dur}}}'

    def _flows(self, track: _Track) -> Iterator[str]:
        """From the writes that iterations are the first to await, those that came last."""
        total = len(track.starts)
        latest = np.full(total, -1)
        source, number = np.full(total, -1), np.zeros(total, np.int64)
        edges = self._chip.flow.into[track.program.name] if total else ()
        for index, edge in enumerate(edges):
            wait = ready_wait(self._chip.flow, edge, track.images)
            since, need = wait.until(total)
            awaited = held(since, need, total, 0).expanded()
            first = awaited > np.append(0, awaited[:-1])
            came = np.append(-1, self._arrived(edge))[awaited]
            better = first & (came > latest)
            latest[better], source[better] = came[better], index
            number[better] = awaited[better] - 1
        for index, edge in enumerate(edges):
            readers = np.flatnonzero(source == index)
            writer = self._tracks[edge.writer]
            writes = number[readers]
            name = json.dumps(edge.title)
            ends = (
                (writer.pid, writer.threads(writes), self._at(writer.ends[writes] - 1)),
                (track.pid, track.threads(readers), self._at(track.starts[readers])),
            )
            heads = [
                f'{{"ph":"{ph}","cat":"write","name":{name},"pid":{pid},"tid":'
                for ph, (pid, _, _) in zip(("s", 'f","bp":"e'), ends, strict=True)
            ]
            for tids, ts, id in zip(
                zip(ends[0][1], ends[1][1], strict=True),
                zip(ends[0][2], ends[1][2], strict=True),
                self._ids_for(len(readers)),
                strict=True,
            ):
                for head, tid, at in zip(heads, tids, ts, strict=True):
                    yield f'{head}{tid},"ts":{at},"id":{id}}}'

    def _ids_for(self, events: int) -> list[int]:
        return [next(self._ids) for _ in range(events)]

    def _arrived(self, edge: Edge) -> Ints:
        """When what each iteration of a writer sends has arrived, for those that send something."""
        writer = self._tracks[edge.writer]
        plain = writer.ends + edge.way.there
        if edge not in self._chip.flow.delayed:
            return plain
        solved = self._times.solved[edge.writer]
        sends = edge.in_stream(writer.program.iterations, solved).expanded()
        late = np.zeros(solved * writer.program.iterations, np.int64)
        arrivals = self._times.arrivals(edge).expanded()
        sends = sends[: len(arrivals)]
        left = self._times.starts[edge.writer].expanded()[sends] + writer.process.latency
        late[sends] = arrivals - left - edge.way.there
        place, _ = self._times.solved_as(edge.writer, np.arange(len(writer.starts)))
        return plain + late[place]

    def _ring(self, edge: Edge) -> Iterator[str]:
        """How many vectors are in the ring of a channel."""
        writer, reader = self._tracks[edge.writer], self._tracks[edge.reader]
        sends = edge.in_stream(writer.program.iterations, writer.images).expanded()
        came = self._arrived(edge)[sends]
        elements, total = edge.count(writer.program.iterations), len(sends)
        since, need, end = edge.free.across(elements, reader.program.iterations, writer.images)
        kept = int(since.below(np.array([total]))[0])
        needed = held(since.head(kept), need.head(kept), total, 0).expanded()
        freed = (np.arange(total) < end) & (needed <= len(reader.starts))
        gone = np.append(0, reader.ends)[needed[freed]]
        gone = np.maximum(gone, came[freed])
        changes = [(came, 1), (gone, -1)]
        yield from self._counter(reader.pid, f"ring of {edge.title}", "vectors", changes)

    def _link(self, link: int) -> Iterator[str]:
        """How many bytes are on their way over a link."""
        changes: list[tuple[Ints, int]] = []
        for together in self._chip.flow.carried[link]:
            writer = self._tracks[together[0].writer]
            arrived = np.full(len(writer.starts), -1)
            for edge in together:
                sends = edge.in_stream(writer.program.iterations, writer.images).expanded()
                arrived[sends] = np.maximum(arrived[sends], self._arrived(edge)[sends])
            sent = arrived >= 0
            bytes = together[0].way.bytes
            changes += [(writer.ends[sent], bytes), (arrived[sent], -bytes)]
        name = self._chip.flow.link_title(link)
        yield from self._counter(self._links, name, "bytes", changes)

    def _counter(
        self, pid: int, name: str, what: str, changes: Sequence[tuple[Ints, int]]
    ) -> Iterator[str]:
        """A number as it changes, each time by so much."""
        at, place = np.unique(np.concatenate([when for when, _ in changes]), return_inverse=True)
        by = np.concatenate([np.full(len(when), change) for when, change in changes])
        values = np.cumsum(np.bincount(place, by, len(at)).astype(np.int64))
        changed = np.append(True, values[1:] != values[:-1])[: len(values)]
        head = f'{{"ph":"C","name":{json.dumps(name)},"pid":{pid},"tid":0,"ts":'
        for ts, value in zip(self._at(at[changed]), values[changed].tolist(), strict=True):
            yield f'{head}{ts},"args":{{"{what}":{value}}}}}'


def _microseconds(picoseconds: NDArray[np.float64]) -> list[float]:
    """Such that a thousand times as much, whole, are as many nanoseconds."""
    found = picoseconds / 1e6
    less = np.floor(found * 1000) < np.floor(picoseconds / 1000)
    return np.where(less, np.nextafter(found, np.inf), found).tolist()
