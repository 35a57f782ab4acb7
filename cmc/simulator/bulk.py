"""What a stream of images computes, stage by stage, over all iterations of some images at once.

Everything is laid out before the first image: where each object lies, how each window is gathered,
which numpy call follows which on which arrays. A stage is cut into blocks of iterations small
enough for a processor's cache, and the blocks are shared among the processors.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from threading import Lock

import numpy as np
from numpy.lib.stride_tricks import as_strided
from xdsl.ir import SSAValue

from cmc.dialects.cmpipe import (
    MxvOp,
    ReadOp,
    WriteOp,
    find_crossbar,
    find_object,
    vector_shape,
)
from cmc.poly.evaluate import coefficients
from cmc.simulator.body import Call, call, constant
from cmc.simulator.gather import Floats
from cmc.simulator.load import Dataflow, LoadedProgram, Read
from cmc.track import Track, no_track

BLOCK = 1 << 18
"""Floats in the windows of one block: they stay in a second-level cache."""

CHUNK = 1 << 17
"""Floats in the largest object of the images that are computed together."""


SHARED = 1 << 22
"""Multiplications from which on it pays to wake another processor for a stage."""


@dataclass(frozen=True)
class _Slices:
    """Some iterations of some of the images that are computed together."""

    images: slice
    iterations: slice

    @property
    def rows(self) -> int:
        return (self.images.stop - self.images.start) * (
            self.iterations.stop - self.iterations.start
        )


class _Scratch:
    """One processor's arrays for what lives within a block, by their order of use."""

    def __init__(self) -> None:
        self._arrays: list[Floats] = []

    def array(self, position: int, shape: tuple[int, ...]) -> Floats:
        while len(self._arrays) <= position:
            self._arrays.append(np.empty(0, np.float32))
        size = prod(shape)
        if self._arrays[position].size < size:
            # Earlier blocks keep views of the smaller array, which do no harm.
            self._arrays[position] = np.empty(size, np.float32)
        return self._arrays[position][:size].reshape(shape)


class _Pool:
    """Arrays that are lent for as long as an object is still read."""

    def __init__(self) -> None:
        self._free: list[Floats] = []

    def take(self, shape: tuple[int, ...]) -> Floats:
        """The smallest free array that is large enough, or a new one, as one of this shape."""
        size = prod(shape)
        large = [at for at, array in enumerate(self._free) if array.size >= size]
        if large:
            array = self._free.pop(min(large, key=lambda at: self._free[at].size))
        else:
            array = np.empty(size, np.float32)
        return array[:size].reshape(shape)

    def give(self, array: Floats) -> None:
        """Take an array back that was lent."""
        assert array.base is not None
        self._free.append(array.base)


@dataclass(frozen=True)
class _Source:
    """How the windows of one read are gathered from an object, for all images together.

    `prepare` is called once per chunk, and may fill an array that is `lent` for the stage; the
    windows of some rows are a `view`, or gathered by a call that will `fill` an array.
    """

    prepare: list[Call]
    lent: Floats | None
    fill: Callable[[_Slices, Floats], Call]
    view: Callable[[_Slices], Floats | None]


def _strided(
    read: Read, program: LoadedProgram, shape: tuple[int, ...], stored: Floats, pool: _Pool
) -> _Source | None:
    """Windows as a view of the object, in a larger array where windows reach beyond it.

    `stored` is `[images, elements, vector]`, with elements of the given shape.
    """
    function, extents = coefficients(read.op.access.data), program.extents
    if function is None or extents is None:
        return None
    matrix, constants = function
    rank = len(extents)
    spans = np.array([*extents, *read.gather.window]) - 1
    full = (*shape, stored.shape[2])
    low = constants + np.minimum(matrix, 0) @ spans
    high = constants + np.maximum(matrix, 0) @ spans
    before = np.maximum(0, -low)
    after = np.maximum(0, high - np.array(full) + 1)
    source = stored.reshape(len(stored), *full)
    prepare: list[Call] = []
    lent: Floats | None = None
    if np.any(before) or np.any(after):
        padded_shape = [int(b + e + a) for b, e, a in zip(before, full, after, strict=True)]
        if prod(padded_shape) > 4 * prod(full) + BLOCK:
            return None
        lent = pool.take((len(stored), *padded_shape))
        prepare = _surround(source, [int(b) for b in before], read.gather.pad, lent)
        source = lent
    steps = np.array(source.strides[1:])
    strides = [int(s) for s in matrix.T @ steps]
    origin = source[(slice(None), *(int(c) for c in constants + before), None)]
    windows = as_strided(
        origin,
        (len(source), *extents, *read.gather.window),
        (source.strides[0], *strides),
    )
    inner_rows = prod(extents[1:])

    def cut(block: _Slices) -> Floats:
        if not rank:
            return windows[block.images]
        rows = slice(block.iterations.start // inner_rows, block.iterations.stop // inner_rows)
        return windows[block.images, rows]

    def fill(block: _Slices, out: Floats) -> Call:
        part = cut(block)
        return np.copyto, (out.reshape(part.shape), part)

    def view(block: _Slices) -> Floats | None:
        part = cut(block)
        shape = (block.rows, *read.gather.window)
        return part.reshape(shape) if part.flags.c_contiguous else None

    return _Source(prepare, lent, fill, view)


def _surround(source: Floats, before: Sequence[int], filling: float, larger: Floats) -> list[Call]:
    """Copy an array into a larger one, `before` places from its start, and fill what is around."""
    calls: list[Call] = []
    inner = larger
    for axis, (start, extent) in enumerate(zip(before, source.shape[1:], strict=True), 1):
        low, inner, high = np.split(inner, (start, start + extent), axis)
        calls += [(np.copyto, (side, filling)) for side in (low, high) if side.size]
    return [*calls, (np.copyto, (inner, source))]


def _indexed(read: Read, stored: Floats, pool: _Pool) -> _Source:
    """Windows gathered by index, from a copy of the object with one more place for padding."""
    gather = read.gather
    images, _, vector = stored.shape
    padded = np.any(gather.element < 0) or np.any(gather.channel < 0)
    prepare: list[Call] = []
    lent: Floats | None = None
    source, width, places = stored, vector, gather.element
    if not gather.whole_vectors:
        source, width = stored.reshape(images, -1, 1), 1
        places = gather.element * vector + gather.channel
        places = np.where(gather.channel < 0, -1, places)
    places = np.where(gather.element < 0, -1, places)
    places = np.where(places < 0, source.shape[1], places)
    if padded:
        lent = pool.take((images, source.shape[1] + 1, width))
        prepare = _surround(source, [0, 0], gather.pad, lent)
        source = lent
    window = (*gather.window[:-1], 1) if gather.whole_vectors else gather.window
    places = np.broadcast_to(places, (len(places), *window)).reshape(len(places), -1)
    places = np.broadcast_to(places, (read.iterations.count, places.shape[1]))

    def fill(block: _Slices, out: Floats) -> Call:
        chosen = np.ascontiguousarray(places[block.iterations])
        part = source[block.images]
        target = out.reshape(len(part), *chosen.shape, width)
        return np.take, (part, chosen, 1, target, "clip")

    return _Source(prepare, lent, fill, lambda block: None)


def _held(read: Read, iterations: int) -> _Source:
    """Windows of a constant that the core holds: the same ones for all images."""
    value = find_object(read.op, read.op.object).value
    assert value is not None
    windows = read.gather.of_constant(value.array)
    table = np.broadcast_to(windows, (iterations, *read.gather.window))

    def fill(block: _Slices, out: Floats) -> Call:
        count = block.images.stop - block.images.start
        part = table[block.iterations]
        return np.copyto, (out.reshape(count, *part.shape), part)

    return _Source([], None, fill, lambda block: None)


@dataclass
class _Stage:
    """A program's share of the plan: what comes first, and each processor's calls."""

    prepare: list[Call]
    shares: list[list[Call]]
    finish: list[Call] = field(default_factory=list[Call])

    def run(self, pool: Executor | None) -> None:
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


def _work(program: LoadedProgram) -> int:
    """How long a program takes for an image, in multiplications within products of matrices."""
    matrices = [
        find_crossbar(op, op.crossbar).value.shape for op in program.body if isinstance(op, MxvOp)
    ]
    # Moving a number takes about as long as eight multiplications.
    moved = sum(prod(read.gather.window) for read in program.reads)
    return program.iterations * (sum(map(prod, matrices)) + 8 * moved)


class Plan:
    """The values of a dataflow, laid out for a number of images that are computed together."""

    def __init__(self, dataflow: Dataflow, images: int, processors: int):
        self._dataflow = dataflow
        self.images = images
        self._scratch = [_Scratch() for _ in range(processors)]
        self._objects: dict[str, Floats] = {}
        self._stages: list[_Stage] = []
        programs = dataflow.programs.values()
        last = {read.object: program for program in programs for read in program.reads}
        kept = {port.object for port in dataflow.outputs}
        self._pool = _Pool()
        for program in programs:
            object = dataflow.objects[program.writes]
            shape = (images, object.elements, object.vector)
            if program.core is None:
                self._objects[object.name] = np.zeros(shape, np.float32)
                kept.add(object.name)
                continue
            self._objects[object.name] = self._pool.take(shape)
            self._stages.append(self._stage(program))
            for name in {read.object for read in program.reads} - kept:
                if last[name] is program:
                    self._pool.give(self._objects[name])

    def run(
        self, inputs: Mapping[str, Floats], outputs: Mapping[str, Floats], pool: Executor | None
    ) -> None:
        """Compute `images` images, each input `[images, ...]`; fill the outputs."""
        for port in self._dataflow.inputs:
            port.enter(inputs[port.tensor], self._objects[port.object])
        for stage in self._stages:
            stage.run(pool)
        for port in self._dataflow.outputs:
            port.leave(self._objects[port.object], outputs[port.tensor])

    def _stage(self, program: LoadedProgram) -> _Stage:
        object = self._dataflow.objects[program.writes]
        target = self._objects[program.writes]
        workers = len(self._scratch) if self.images * _work(program) >= SHARED else 1
        stage = _Stage([], [[] for _ in range(workers)])
        lent: list[Floats] = []
        if object.box is None:
            # Iterations write the elements in another order than the one in which they lie.
            written = self._pool.take(target.shape)
            stage.finish.append((np.take, (written, object.order, 1, target, "clip")))
            lent.append(written)
            target = written
        sources = {read.op: self._source(read, program) for read in program.reads}
        for read in program.constants:
            sources[read.op] = _held(read, program.iterations)
        for source in sources.values():
            stage.prepare += source.prepare
            lent += [] if source.lent is None else [source.lent]
        for number, block in enumerate(self._blocks(program, workers)):
            worker = number % workers
            stage.shares[worker] += self._block(
                program, block, sources, self._scratch[worker], target
            )
        for array in lent:
            self._pool.give(array)
        return stage

    def _source(self, read: Read, program: LoadedProgram) -> _Source:
        stored = self._objects[read.object]
        shape = self._dataflow.objects[read.object].shape
        strided = _strided(read, program, shape, stored, self._pool)
        return strided or _indexed(read, stored, self._pool)

    def _blocks(self, program: LoadedProgram, workers: int) -> Iterator[_Slices]:
        """All iterations of all images; blocks cut an image only along its first loop."""
        floats = program.iterations * max((prod(r.gather.window) for r in program.reads), default=1)
        together = max(1, min(BLOCK // max(1, floats), -(-self.images // workers)))
        parts = max(1, -(-together * floats // BLOCK))
        if self.images < workers:
            parts = -(-parts // workers) * workers
        extents = program.extents
        lines = extents[0] if extents else program.iterations
        whole = -(-lines // parts) * (program.iterations // lines)
        for first in range(0, self.images, together):
            images = slice(first, min(first + together, self.images))
            for start in range(0, program.iterations, whole):
                yield _Slices(images, slice(start, min(start + whole, program.iterations)))

    def _block(
        self,
        program: LoadedProgram,
        block: _Slices,
        sources: Mapping[ReadOp, _Source],
        scratch: _Scratch,
        target: Floats,
    ) -> list[Call]:
        """The calls that compute one block into `target`, `[images, iterations, vector]`."""
        calls: list[Call] = []
        arrays: dict[SSAValue, Floats] = {}
        ops = program.body
        (write,) = (op for op in ops if isinstance(op, WriteOp))
        written = target[block.images, block.iterations]
        for position, op in enumerate(ops):
            value = None if isinstance(op, WriteOp) else constant(op)
            if value is not None:
                arrays[op.results[0]] = value
            elif isinstance(op, ReadOp):
                shape = (block.rows, *op.window_shape)
                window = sources[op].view(block)
                if window is None:
                    window = scratch.array(position, shape)
                    calls.append(sources[op].fill(block, window))
                arrays[op.window] = window
            elif not isinstance(op, WriteOp):
                shape = (block.rows, *vector_shape(op.results[0].type))
                last = op.results[0] is write.vector and written.flags.c_contiguous
                out = written.reshape(shape) if last else scratch.array(position, shape)
                calls.append(call(op, [arrays[v] for v in op.operands], out, block.rows))
                arrays[op.results[0]] = out
        result = arrays[write.vector]
        if not np.may_share_memory(result, written):
            shape = written.shape if len(result) == block.rows else (1, 1, written.shape[2])
            calls.append((np.copyto, (written, result.reshape(shape))))
        return calls


class Values:
    """The values of a dataflow's objects, for streams of any length.

    Processors share the images of a stream, or the iterations of each stage of a single image. The
    plans for the last stream are kept for the next ones. How images are put together decides the
    order of sums within a product: values of one image in different streams differ by rounding.
    """

    def __init__(self, dataflow: Dataflow):
        self._dataflow = dataflow
        largest = max(o.elements * o.vector for o in dataflow.objects.values())
        self._together = max(1, CHUNK // largest)
        self._processors = len(os.sched_getaffinity(0))
        self._plans: list[Plan] = []
        self._busy = Lock()

    def __call__(self, inputs: Mapping[str, Floats], track: Track = no_track) -> dict[str, Floats]:
        """All outputs of a stream, each input `[images, ...]`."""
        images = len(next(iter(inputs.values())))
        outputs = {
            port.tensor: np.empty((images, *port.shape), np.float32)
            for port in self._dataflow.outputs
        }
        with self._busy:
            self._fill(inputs, outputs, images, track)
        return outputs

    def _fill(
        self,
        inputs: Mapping[str, Floats],
        outputs: Mapping[str, Floats],
        images: int,
        track: Track,
    ) -> None:
        plans = self._plans_for(images)
        ends = [images * number // len(plans) for number in range(len(plans) + 1)]
        rounds = -(-max(b - a for a, b in pairwise(ends)) // plans[0].images)

        def run(number: int, round: int, pool: Executor | None = None) -> None:
            plan = plans[number]
            # A share's last images go with some that are computed already.
            start = min(ends[number] + round * plan.images, ends[number + 1] - plan.images)
            chunk = slice(start, start + plan.images)
            plan.run(
                {name: array[chunk] for name, array in inputs.items()},
                {name: array[chunk] for name, array in outputs.items()},
                pool,
            )

        with ThreadPoolExecutor(max(1, self._processors - 1)) as pool:
            for round in track(range(rounds), "simulating"):
                others = [pool.submit(run, number, round) for number in range(1, len(plans))]
                run(0, round, None if others else pool)
                for other in others:
                    other.result()

    def _plans_for(self, images: int) -> list[Plan]:
        """A plan for each processor that has images to itself, or one for all of them."""
        count = self._processors if images >= self._processors else 1
        together = max(1, min(images, self._together) // count)
        if [plan.images for plan in self._plans] != [together] * count:
            self._plans = []  # frees the arrays of those before
            each = self._processors if count == 1 else 1
            self._plans = [Plan(self._dataflow, together, each) for _ in range(count)]
        return self._plans
