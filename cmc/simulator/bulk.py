# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a stream of images computes, stage by stage, over all iterations of some images at once.

Everything is laid out before the first image: where each object lies, how each window is gathered,
which numpy call follows which on which arrays. A stage is cut into blocks of iterations small
enough for a processor's cache, and the blocks are shared among the processors.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from threading import Lock

import numpy as np
from numpy.lib.stride_tricks import as_strided
from xdsl.ir import Operation, SSAValue

from cmc.analog.activations import round_vectors
from cmc.dialects.cmpipe import (
    JoinOp,
    MxvOp,
    ReadOp,
    WriteOp,
    find_crossbar,
    find_object,
    vector_shape,
)
from cmc.poly.evaluate import Ints, coefficients
from cmc.simulator.bands import Task, even_bands, schedule
from cmc.simulator.body import Call, call, constant, joins, parts
from cmc.simulator.circles import Circle, runs_of
from cmc.simulator.crossbars import NEW, Conditions, Moment, Rows, Tile, prepare
from cmc.simulator.gather import Floats
from cmc.simulator.load import Dataflow, LoadedProgram, Object, Read
from cmc.simulator.memory import Pool, Scratch
from cmc.simulator.ports import Port
from cmc.simulator.watch import Watch
from cmc.simulator.windows import BLOCK, Linear, Slices, Source, Stored, indexed, strided
from cmc.streams import count_images
from cmc.track import Track, no_track

CHUNK = 1 << 17
"""Floats in the largest object of the images that are computed together."""


BAND = 1 << 20
"""Floats in a band of rows of an object: larger objects are computed band by band."""

SHARED = 1 << 22
"""Multiplications from which on it pays to wake another processor for a stage."""


Step = Callable[[Mapping[str, Floats], Mapping[str, Floats], Executor | None], None]
"""A band of rows of one task: from inputs, into outputs, with the help of other processors."""


@dataclass
class _Stage:
    """A band of a program's iterations: what comes first, and each processor's calls."""

    prepare: list[Call]
    shares: list[list[Call]]
    finish: list[Call] = field(default_factory=list[Call])

    def __call__(
        self, inputs: Mapping[str, Floats], outputs: Mapping[str, Floats], pool: Executor | None
    ) -> None:
        _run(self.prepare)
        others = [pool.submit(_run, share) for share in self.shares[1:] if share] if pool else []
        _run(self.shares[0])
        for other in others:
            other.result()
        _run(self.finish)


def _run(calls: list[Call]) -> None:
    with np.errstate(all="ignore"):
        for function, arguments in calls:
            function(*arguments)


def _entering(port: Port, elements: Floats, rows: range | None, codes: int) -> Step:
    """An input, or some rows of it, goes where its object lies, rounded to codes if there are."""

    def step(
        inputs: Mapping[str, Floats], outputs: Mapping[str, Floats], pool: Executor | None
    ) -> None:
        port.enter(inputs[port.tensor], elements, rows)
        if codes:
            round_vectors(elements, codes)

    return step


def _leaving(port: Port, elements: Floats, rows: range | None) -> Step:
    """An object, or some rows of it, goes into an output."""

    def step(
        inputs: Mapping[str, Floats], outputs: Mapping[str, Floats], pool: Executor | None
    ) -> None:
        port.leave(elements, outputs[port.tensor], rows)

    return step


def _work(program: LoadedProgram) -> int:
    """How long a program takes for an image, in multiplications within products of matrices."""
    matrices = [
        find_crossbar(op, op.crossbar).value.shape for op in program.body if isinstance(op, MxvOp)
    ]
    # Moving a number takes about as long as eight multiplications.
    moved = sum(prod(read.op.window_shape) for read in program.reads)
    return program.iterations * (sum(map(prod, matrices)) + 8 * moved)


def _rows(object: Object) -> int:
    """The extent of the first axis of an object, or 1."""
    return object.shape[0] if object.shape else 1


def _placed(program: LoadedProgram) -> tuple[Ints, Ints] | None:
    """The element that each iteration of a box writes, as a matrix and constants, if it is linear.

    `[object rank, iteration rank]` and `[object rank]`; an object without axes has one row.
    """
    (write,) = (op for op in program.body if isinstance(op, WriteOp))
    found = coefficients(write.access.data)
    if program.extents is None or found is None:
        return None
    matrix, first = found
    if not len(first):
        matrix, first = np.zeros((1, matrix.shape[1]), np.int64), np.zeros(1, np.int64)
    return matrix, first


def _writes_rows(program: LoadedProgram) -> bool:
    """Whether each place of a program's first loop writes in one row of the object, in order."""
    placed = _placed(program)
    if placed is None or not program.extents:
        return False
    matrix, first = placed
    steps = matrix[0].tolist() == [1] + [0] * (matrix.shape[1] - 1)
    return steps and first[0] == 0 and program.extents[0] == _rows(program.part.object)


def _written(program: LoadedProgram, array: Floats, rows: range) -> Floats | None:
    """What some rows of a program write, `[images, *iterations, vector]`, as a view of an array.

    The array holds the same rows of the object, or all. None if elements are not evenly spaced.
    """
    placed = _placed(program)
    if placed is None:
        return None
    matrix, first = placed
    assert program.extents is not None
    extents = (len(rows), *program.extents[1:]) if program.extents else ()
    strides = np.array(array.strides[1:-1])
    origin = array[(slice(None), *first.tolist())]
    return as_strided(
        origin,
        (len(array), *extents, array.shape[-1]),
        (array.strides[0], *(strides @ matrix).tolist(), array.strides[-1]),
    )


def _scatter(target: Floats, places: Ints, values: Floats) -> None:
    """Put elements where they belong: all arrays are `[images, elements, vector]`."""
    target[:, places] = values


class Plan:
    """The values of a dataflow, laid out for a number of images that are computed together."""

    def __init__(
        self, dataflow: Dataflow, images: int, processors: int, watch: Watch | None = None
    ):
        self._dataflow = dataflow
        self._watch = watch
        self.images = images
        self._moment = Moment()
        self._scratch = [Scratch() for _ in range(processors)]
        self._pool = Pool()
        self._objects: dict[str, Stored] = {}
        self._tasks: list[Task] = []
        self._touched: list[Set[str]] = []
        self._makers: list[Callable[[range], Step]] = []
        circles = {name: circle for circle in dataflow.circles for name in circle}
        for program in dataflow.programs.values():
            if program.core is None:
                self._add_input(program.name)
            elif program.name in circles:
                self._add_of_circle(program, circles[program.name])
            else:
                self._add_program(program)
        for number, port in enumerate(dataflow.outputs):
            self._add_output(f"output {number}", port)
        self._steps = list(self._laid_out())

    def run(
        self,
        inputs: Mapping[str, Floats],
        outputs: Mapping[str, Floats],
        first: int,
        pool: Executor | None,
        again: int = 0,
    ) -> None:
        """Compute `images` images, each input `[images, ...]`; fill the outputs.

        The `first` of them is one of those of the pipeline's stream; so many of them were computed
        before and are so `again`.
        """
        self._moment.image, self._moment.again = first, again
        for step in self._steps:
            step(inputs, outputs, pool)

    def _laid_out(self) -> Iterator[Step]:
        """All steps in their order; arrays of objects that are read to the end are used again."""
        plan = schedule(self._tasks)
        left = Counter(object for touched in self._touched for object in touched)
        for number, band in plan.order:
            task, touched = self._tasks[number], self._touched[number]
            for object in [self._dataflow.objects[name] for name in touched]:
                if object.name not in self._objects:
                    shape = (self.images, plan.kept[object.name], *object.shape[1:], object.vector)
                    self._objects[object.name] = Stored(self._pool.take(shape), _rows(object))
            yield self._makers[number](task.rows[band])
            if band == len(task.rows) - 1:
                left.subtract(touched)
                for name in touched:
                    if left[name] == 0:
                        self._pool.give(self._objects[name].array)

    def _bands(self, rows: int, *objects: Object) -> list[range]:
        """Some rows in bands so low that the objects' shares of each are small."""
        floats = self.images * max(object.elements * object.vector for object in objects)
        return even_bands(rows, max(1, rows * BAND // max(1, floats)))

    def _add(self, task: Task, touched: Set[str], maker: Callable[[range], Step]) -> None:
        """A task, the objects in which it reads and writes, and what makes a band of it."""
        self._tasks.append(task)
        self._touched.append(touched)
        self._makers.append(maker)

    def _part(self, object: str, rows: range) -> Floats:
        """Rows of an object that lie side by side."""
        (part,) = self._objects[object].parts(rows)
        return part

    def _add_input(self, name: str) -> None:
        """What the GCU sends, in its object."""
        codes = self._dataflow.programs[name].codes
        port = self._dataflow.inputs[name]
        object = self._dataflow.objects[port.object]
        by_rows = port.row_axis is not None
        rows = self._bands(_rows(object), object) if by_rows else [range(_rows(object))]

        def entering(band: range) -> Step:
            part = self._part(object.name, band)
            return _entering(port, part, band if by_rows else None, codes)

        self._add(Task(name, object.name, rows, {}), {object.name}, entering)

    def _add_output(self, name: str, port: Port) -> None:
        """What the GCU collects."""
        object = self._dataflow.objects[port.object]
        makers = [task for task in self._tasks if task.makes == port.object]
        alike = all(task.rows == makers[0].rows for task in makers)
        by_rows = port.row_axis is not None and alike
        rows = makers[0].rows if by_rows else [range(_rows(object))]

        def leaving(band: range) -> Step:
            return _leaving(port, self._part(port.object, band), band if by_rows else None)

        reads = {task.name: rows for task in makers}
        self._add(Task(name, None, rows, reads), {port.object}, leaving)

    def _add_program(self, program: LoadedProgram) -> None:
        """A program in bands of its first loop where it writes row after row, or as a whole."""
        target = self._dataflow.objects[program.writes]
        sources = {read.object: self._dataflow.objects[read.object] for read in program.reads}
        reads = [*program.reads, *program.constants]
        found = {read.op: Linear.of(read, program.extents) for read in reads}
        linear = {op: access for op, access in found.items() if access is not None}
        extent = program.extents[0] if program.extents else 1
        by_rows = _writes_rows(program) and len(linear) == len(reads)
        rows = [range(_rows(target))]
        if by_rows:
            rows = self._bands(extent, target, *sources.values())
        needed: dict[str, list[range]] = {}
        for read in program.reads:
            every = range(_rows(sources[read.object]))
            wanted = [
                linear[read.op].of_rows(band).rows_of(len(every)) if len(rows) > 1 else every
                for band in rows
            ]
            for writer in [share.part.writer for share in read.shares]:
                before = needed.get(writer, wanted)
                needed[writer] = [
                    range(min(a.start, b.start), max(a.stop, b.stop))
                    for a, b in zip(wanted, before, strict=True)
                ]

        def stage(band: range) -> Step:
            return self._stage(program, band if by_rows else range(extent), linear)

        task = Task(program.name, target.name, rows, needed)
        self._add(task, {target.name, *sources}, stage)

    def _add_of_circle(self, program: LoadedProgram, circle: Circle) -> None:
        """All programs of a circle, with the first of them; the others are through with it."""
        (first, *_) = circle
        every = {name: self._dataflow.objects[p.writes] for name, p in circle.items()}
        object = every[program.name]
        if program.name != first:
            task = Task(
                program.name,
                object.name,
                [range(_rows(object))],
                {first: [range(_rows(every[first]))]},
            )
            self._add(task, {object.name}, lambda _: _Stage([], [[]]))
            return
        needed: dict[str, list[range]] = {}
        touched = {one.name for one in every.values()}
        for read in (read for one in circle.values() for read in one.reads):
            touched.add(read.object)
            for share in read.shares:
                if share.part.writer not in circle:
                    needed[share.part.writer] = [range(_rows(share.part.object))]
        task = Task(first, object.name, [range(_rows(object))], needed)
        self._add(task, touched, lambda _: self._circle(circle))

    def _circle(self, circle: Circle) -> _Stage:
        """All iterations of programs that read from each other, as far as what they read is
        there."""
        stage = _Stage([], [[]])
        for name, iterations in runs_of(circle):
            program = circle[name]
            part, count = program.part, len(iterations)
            target = self._pool.take((self.images, count, part.object.vector))
            lent = [target]
            sources: dict[ReadOp, Source] = {}
            for read in (*program.reads, *program.constants):
                stored = self._objects.get(read.object) or self._constant(read)
                elements = stored.array.reshape(self.images, -1, stored.array.shape[-1])
                sources[read.op] = source = indexed(read, iterations, elements, self._pool)
                stage.shares[0] += source.prepare
                lent += [] if source.lent is None else [source.lent]
            every = Slices(slice(0, self.images), slice(0, count))
            rows = self._rows(every, iterations.start)
            shadow = self._shadow(program, target, lent)
            stage.shares[0] += self._watched(
                program, every, rows, sources, self._scratch[0], target, shadow
            )
            written = self._part(part.object.name, range(_rows(part.object)))
            elements = written.reshape(self.images, -1, part.object.vector)
            places = part.elements[iterations.start : iterations.stop]
            stage.shares[0].append((_scatter, (elements, places, target)))
            for array in lent:
                self._pool.give(array)
        return stage

    def _stage(
        self, program: LoadedProgram, rows: range, linear: Mapping[ReadOp, Linear]
    ) -> _Stage:
        """Some rows of a program, that is, places of its first loop."""
        object = self._dataflow.objects[program.writes]
        extent = program.extents[0] if program.extents else 1
        iterations = program.iterations // extent * len(rows)
        work = self.images * _work(program) * len(rows) // extent
        workers = len(self._scratch) if work >= SHARED else 1
        stage = _Stage([], [[] for _ in range(workers)])
        lent: list[Floats] = []
        array = self._part(object.name, rows if len(rows) < extent else range(_rows(object)))
        target, finish = self._target(program, array, rows)
        if finish is not None:
            stage.finish.append(finish)
            lent.append(target)
        sources: dict[ReadOp, Source] = {}
        for read in (*program.reads, *program.constants):
            source = self._source(read, program, linear.get(read.op), rows)
            sources[read.op] = source
            stage.prepare += source.prepare
            lent += [] if source.lent is None else [source.lent]
        shadow = self._shadow(program, target, lent)
        for number, block in enumerate(self._blocks(program, workers, len(rows), iterations)):
            worker = number % workers
            stage.shares[worker] += self._watched(
                program,
                block,
                self._rows(block, iterations // len(rows) * rows.start),
                sources,
                self._scratch[worker],
                target,
                shadow,
            )
        for array in lent:
            self._pool.give(array)
        return stage

    def _target(
        self, program: LoadedProgram, array: Floats, rows: range
    ) -> tuple[Floats, Call | None]:
        """Where some rows of a program are computed, `[images, iterations, vector]`.

        It is a view of `array`, where the program's object lies, or of those rows of it, if its
        elements lie there evenly spaced; otherwise they are put there by a call in the end.
        """
        part = program.part
        images, vector = self.images, part.object.vector
        if part.box is not None and part.box.count == part.object.elements:
            return array.reshape(images, -1, vector), None
        view = _written(program, array, rows)
        if view is None:
            target = self._pool.take((images, program.iterations, vector))
            elements = array.reshape(images, -1, vector)
            return target, (_scatter, (elements, part.elements, target))
        target = view.reshape(images, -1, vector)
        if np.may_share_memory(target, array):
            return target, None
        target = self._pool.take(target.shape)
        return target, (np.copyto, (view, target.reshape(view.shape)))

    def _source(
        self, read: Read, program: LoadedProgram, access: Linear | None, rows: range
    ) -> Source:
        stored = self._objects.get(read.object) or self._constant(read)
        if access is not None:
            pad = 0.0 if read.op.pad is None else read.op.pad.value.data
            source = strided(access.of_rows(rows), pad, stored, self._pool)
            if source is not None:
                return source
        elements = stored.array.reshape(self.images, -1, stored.array.shape[-1])
        return indexed(read, range(program.iterations), elements, self._pool)

    def _constant(self, read: Read) -> Stored:
        """An object that the core holds, the same for all images."""
        object = find_object(read.op, read.op.object)
        assert object.value is not None
        rows = object.shape[:1] or (1,)
        array = object.value.array.reshape(*rows, *object.shape[1:], object.vector)
        return Stored(np.broadcast_to(array, (self.images, *array.shape)), *rows)

    def _blocks(
        self, program: LoadedProgram, workers: int, lines: int, iterations: int
    ) -> Iterator[Slices]:
        """Some lines of iterations of all images; blocks cut an image only between lines."""
        windows = (prod(read.op.window_shape) for read in program.reads)
        floats = iterations * max(windows, default=1)
        together = max(1, min(BLOCK // max(1, floats), -(-self.images // workers)))
        parts = max(1, -(-together * floats // BLOCK))
        if self.images < workers:
            parts = -(-parts // workers) * workers
        lines = lines if program.extents else iterations
        whole = -(-lines // parts) * (iterations // lines)
        for first in range(0, self.images, together):
            images = slice(first, min(first + together, self.images))
            for start in range(0, iterations, whole):
                yield Slices(images, slice(start, min(start + whole, iterations)))

    def _rows(self, block: Slices, first: int) -> Rows:
        """A block of which iteration 0 is the `first`."""
        start, stop = block.iterations.start, block.iterations.stop
        return Rows(block.images, slice(first + start, first + stop), self._moment)

    def _shadow(self, program: LoadedProgram, target: Floats, lent: list[Floats]) -> Floats | None:
        """Where what a program should write is computed beside `target`, if that is watched."""
        if self._watch is None or not program.tiles:
            return None
        lent.append(self._pool.take(target.shape))
        return lent[-1]

    def _watched(
        self,
        program: LoadedProgram,
        block: Slices,
        rows: Rows,
        sources: Mapping[ReadOp, Source],
        scratch: Scratch,
        target: Floats,
        shadow: Floats | None,
    ) -> list[Call]:
        """The calls of a block, and those that compare it with what is exact of the same inputs."""
        calls = self._block(program, block, rows, sources, scratch, target, program.tiles)
        if program.codes:
            written = target[block.images, block.iterations]
            calls.append((round_vectors, (written, program.codes)))
        if shadow is None or self._watch is None:
            return calls
        calls += self._block(program, block, rows, sources, scratch, shadow, {})
        found, exact = (array[block.images, block.iterations] for array in (target, shadow))
        return [*calls, (self._watch.compare, (program.name, found, exact, rows))]

    def _block(
        self,
        program: LoadedProgram,
        block: Slices,
        rows: Rows,
        sources: Mapping[ReadOp, Source],
        scratch: Scratch,
        target: Floats,
        tiles: Mapping[Operation, Tile],
    ) -> list[Call]:
        """The calls that compute one block into `target`, `[images, iterations, vector]`.

        Products that have a tile are computed by that.
        """
        calls: list[Call] = []
        arrays: dict[SSAValue, Floats] = {}
        ops = program.body
        (write,) = (op for op in ops if isinstance(op, WriteOp))
        written = target[block.images, block.iterations]
        places: dict[SSAValue, Floats] = {}
        if written.flags.c_contiguous:
            places[write.vector] = written.reshape(block.rows, *vector_shape(write.vector.type))
        joined = _joined(ops, places, block.rows, scratch)
        for position, op in enumerate(ops):
            if isinstance(op, WriteOp):
                continue
            (value,) = op.results
            shape = (block.rows, *vector_shape(value.type))
            if (fixed := constant(op)) is not None:
                arrays[value] = np.broadcast_to(fixed, shape)
                continue
            if isinstance(op, ReadOp) and value not in places:
                window = sources[op].view(block)
                if window is not None:
                    arrays[value] = window
                    continue
            operands = [arrays[v] for v in op.operands]
            if op in joined:
                pairs = zip(joined[op].parts, operands, strict=True)
                calls += [(np.copyto, (part, x)) for part, x in pairs if part is not x]
                operands = [joined[op].whole]
            if isinstance(op, JoinOp):
                arrays[value] = joined[op].whole
                continue
            out = places[value] if value in places else scratch.array(position, shape)
            if isinstance(op, ReadOp):
                calls += [(np.copyto, (out, under)) for under in operands if under is not out]
                calls.append(sources[op].fill(block, out))
            else:
                calls.append(call(op, operands, out, rows, tiles))
            arrays[value] = out
        result = arrays[write.vector]
        if not np.may_share_memory(result, written):
            calls.append((np.copyto, (written, result.reshape(written.shape))))
        return calls


@dataclass(frozen=True)
class _Joined:
    """The operands of an operation side by side, and where each of them lies there."""

    whole: Floats
    parts: Sequence[Floats]


def _joined(
    ops: Sequence[Operation], places: dict[SSAValue, Floats], rows: int, scratch: Scratch
) -> dict[Operation, _Joined]:
    """Where operands lie that an operation joins.

    To `places`, which says where values go, are added those that nothing else uses: they need not
    be copied there. Nor need what is read over.
    """
    found: dict[Operation, _Joined] = {}
    for position, op in reversed(list(enumerate(ops))):
        if isinstance(op, ReadOp) and op.under is not None:
            shape = (rows, *op.window_shape)
            place = places.setdefault(op.window, scratch.array(position, shape))
            if op.under.has_one_use():
                places[op.under] = place
            continue
        length = joins(op)
        if length is None:
            continue
        whole = scratch.array(position + len(ops), (rows, length))
        if isinstance(op, JoinOp):
            whole = whole.reshape(rows, *vector_shape(op.result.type))
            whole = places.setdefault(op.result, whole)
        found[op] = _Joined(whole, parts(op, whole))
        for value, part in zip(op.operands, found[op].parts, strict=True):
            if value.has_one_use():
                places[value] = part
    return found


class Values:
    """The values of a dataflow's objects, for streams of any length.

    Processors share the images of a stream, or the iterations of each stage of a single image. The
    plans for the last stream are kept for the next ones. How images are put together decides the
    order of sums within a product: values of one image in different streams differ by rounding.
    """

    def __init__(self, dataflow: Dataflow, watch: Watch | None = None):
        """Each stage is measured where there is a `watch`."""
        self._outputs = dataflow.outputs
        self._pipelines = [_Pipeline(part, watch) for part in dataflow.apart()]
        self._busy = Lock()

    def __call__(
        self,
        inputs: Mapping[str, Floats],
        track: Track = no_track,
        conditions: Conditions = NEW,
    ) -> dict[str, Floats]:
        """All outputs of a stream, each input `[images, ...]`."""
        images = count_images(inputs)
        outputs = {
            port.tensor: np.empty((images, *port.shape), np.float32) for port in self._outputs
        }
        with self._busy:
            if len(self._pipelines) == 1:
                self._pipelines[0].fill(inputs, outputs, images, conditions, track)
                return outputs
            for pipeline in track(self._pipelines, "simulating"):
                pipeline.fill(inputs, outputs, images, conditions, no_track)
                pipeline.forget()
        return outputs


class _Pipeline:
    """The values of a pipeline, of all images or of some by turns."""

    def __init__(self, dataflow: Dataflow, watch: Watch | None):
        self._dataflow = dataflow
        self._watch = watch
        self._turn = next(iter(dataflow.programs.values())).turn
        largest = max(o.elements * o.vector for o in dataflow.objects.values())
        self._together = max(1, CHUNK // largest)
        self._processors = len(os.sched_getaffinity(0))
        self._plans: list[Plan] = []

    def forget(self) -> None:
        """Free what is kept for the next stream."""
        self._plans = []

    def fill(
        self,
        inputs: Mapping[str, Floats],
        outputs: Mapping[str, Floats],
        images: int,
        conditions: Conditions,
        track: Track,
    ) -> None:
        """Compute its images of a stream of so many, `[images, ...]` each."""
        images = self._turn.images(images)
        if not images:
            return
        first = 0
        if any(program.tiles for program in self._dataflow.programs.values()):
            first = conditions.first_of(self._turn.of)
            prepare((p.tiles for p in self._dataflow.programs.values()), conditions)
        if self._dataflow.states:
            self._fill_one_by_one(inputs, outputs, images, first, track)
            return
        inputs, outputs = (
            {name: self._turn.share(array) for name, array in arrays.items()}
            for arrays in (inputs, outputs)
        )
        plans = self._plans_for(images)
        ends = [images * number // len(plans) for number in range(len(plans) + 1)]
        rounds = -(-max(b - a for a, b in pairwise(ends)) // plans[0].images)

        def run(number: int, round: int, pool: Executor | None = None) -> None:
            plan = plans[number]
            # A share's last images go with some that are computed already.
            next = ends[number] + round * plan.images
            start = min(next, ends[number + 1] - plan.images)
            chunk = slice(start, start + plan.images)
            plan.run(
                {name: array[chunk] for name, array in inputs.items()},
                {name: array[chunk] for name, array in outputs.items()},
                first + start,
                pool,
                next - start,
            )

        with ThreadPoolExecutor(max(1, self._processors - 1)) as pool:
            for round in track(range(rounds), "simulating"):
                others = [pool.submit(run, number, round) for number in range(1, len(plans))]
                run(0, round, None if others else pool)
                for other in others:
                    other.result()

    def _fill_one_by_one(
        self,
        inputs: Mapping[str, Floats],
        outputs: Mapping[str, Floats],
        images: int,
        first: int,
        track: Track,
    ) -> None:
        """The same, of images each of which needs what the one before gives."""
        if not self._plans:
            self._plans = [Plan(self._dataflow, 1, self._processors, self._watch)]
        (plan,) = self._plans
        states = self._dataflow.states
        with ThreadPoolExecutor(max(1, self._processors - 1)) as pool:
            for image in track(range(images), "simulating"):
                given = {name: array[image : image + 1] for name, array in inputs.items()}
                if image:
                    given |= {
                        name: outputs[state][image - 1 : image] for name, state in states.items()
                    }
                found = {name: array[image : image + 1] for name, array in outputs.items()}
                plan.run(given, found, first + image, pool)

    def _plans_for(self, images: int) -> list[Plan]:
        """A plan for each processor that has images to itself, or one for all of them."""
        count = self._processors if images >= self._processors else 1
        together = max(1, min(images, self._together) // count)
        if [plan.images for plan in self._plans] != [together] * count:
            self._plans = []  # frees the arrays of those before
            each = self._processors if count == 1 else 1
            self._plans = [Plan(self._dataflow, together, each, self._watch) for _ in range(count)]
        return self._plans
