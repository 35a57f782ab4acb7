"""What a stream of images computes, stage by stage, over all iterations at once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from xdsl.ir import SSAValue

from cmc.dialects.cmpipe import InputOp, OutputOp, ReadOp, WriteOp, find_object
from cmc.poly.evaluate import Ints, grid, size, tabulate
from cmc.progress import Track, no_progress
from cmc.simulator.body import compute, constant, last_uses
from cmc.simulator.gather import Floats, Gather, flat_index
from cmc.simulator.load import Chip, Program

CHUNK = 1 << 24
"""The largest number of floats in one window array."""


def image_shape(tensor: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of one image's tensor in a stream: without the batch axis."""
    return tensor[1:]


def places(port: InputOp | OutputOp) -> Ints:
    """For each element of a tensor, in row-major order, its place in the object's floats."""
    object = find_object(port, port.object)
    shape = port.tensor.get_shape()
    table = tabulate(port.layout.data, grid(shape))
    flat = flat_index(table.coordinates, (*object.shape, object.vector), 1)
    return np.broadcast_to(flat, shape).reshape(-1)


def enter(port: InputOp, images: Floats) -> Floats:
    """A stream of an input's images as the elements of its object, `[images, elements, vector]`."""
    object = find_object(port, port.object)
    floats = np.zeros((len(images), size(object.shape) * object.vector), np.float32)
    floats[:, places(port)] = images.reshape(len(images), -1)
    return floats.reshape(len(images), -1, object.vector)


def leave(port: OutputOp, elements: Floats) -> Floats:
    """The elements of an object, `[images, elements, vector]`, as a stream of an output."""
    count = len(elements)
    values = elements.reshape(count, -1)[:, places(port)]
    return values.reshape(count, *image_shape(port.tensor.get_shape()))


def evaluate(
    chip: Chip, inputs: Mapping[str, Floats], track: Track = no_progress
) -> dict[str, Floats]:
    """All outputs of a stream. What no later program reads is dropped on the way."""
    elements: dict[str, Floats] = {}
    for port in chip.op.gcu.inputs():
        name = port.object.root_reference.data
        elements[name] = enter(port, inputs[port.tensor_name.data])
    kept = {port.object.root_reference.data for port in chip.op.gcu.outputs()}
    remaining = [{read.object for read in p.reads} for p in chip.programs.values()]
    programs = list(chip.programs.values())
    for position, program in enumerate(track(programs, "simulating")):
        if program.core is not None:
            elements[program.writes] = _run(chip, program, elements)
        needed = kept.union(*remaining[position + 1 :])
        for name in [n for n in elements if n not in needed]:
            if name in {p.writes for p in list(chip.programs.values())[: position + 1]}:
                del elements[name]
    return {
        port.tensor_name.data: leave(port, elements[port.object.root_reference.data])
        for port in chip.op.gcu.outputs()
    }


def _run(chip: Chip, program: Program, elements: Mapping[str, Floats]) -> Floats:
    """The object that a program writes, in pieces that keep its windows small."""
    object = chip.objects[program.writes]
    images = len(next(iter(elements.values())))
    result = np.empty((images, object.elements, object.vector), np.float32)
    # In which iteration each element is written.
    writer = object.order
    largest = max((size(read.gather.window) for read in program.reads), default=1)
    step = max(1, CHUNK // max(1, largest * program.iterations))
    span = max(1, min(program.iterations, CHUNK // largest))
    for first in range(0, images, step):
        chunk = slice(first, min(first + step, images))
        parts = [
            _iterations(program, elements, chunk, slice(begin, begin + span))
            for begin in range(0, program.iterations, span)
        ]
        written = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        result[chunk] = written[:, writer]
    return result


def _iterations(
    program: Program, elements: Mapping[str, Floats], images: slice, iterations: slice
) -> Floats:
    """What some iterations write for some images: `[images, iterations, vector]`."""
    count = images.stop - images.start
    rows = len(range(*iterations.indices(program.iterations)))
    leading = count * rows
    values: dict[SSAValue, Floats] = {}
    gathers = {read.op: read for read in (*program.reads, *program.constants)}
    ops = list(program.body.regions[0].block.ops)
    last = last_uses(ops)
    for op in ops:
        if isinstance(op, WriteOp):
            return values[op.vector].reshape(count, rows, -1)
        if isinstance(op, ReadOp):
            read = gathers[op]
            source = elements.get(read.object)
            if source is None:
                array = find_object(op, op.object).value
                assert array is not None
                source = array.array.reshape(1, -1, array.shape[-1])
                source = np.broadcast_to(source, (count, *source.shape[1:]))
            else:
                source = source[images]
            window = windows(read.gather, source, iterations, rows)
            values[op.window] = window.reshape(leading, *read.gather.window)
        else:
            value = constant(op)
            values[op.results[0]] = (
                compute(op, [values[v] for v in op.operands], leading) if value is None else value
            )
        for value in last[op]:
            values.pop(value, None)
    raise AssertionError("a body writes")


def windows(gather: Gather, source: Floats, iterations: slice, rows: int) -> Floats:
    """The windows of some iterations: `[images, iterations, *window]`."""
    element = gather.element[iterations] if len(gather.element) > 1 else gather.element
    channel = gather.channel[iterations] if len(gather.channel) > 1 else gather.channel
    if np.any(element < 0) or np.any(channel < 0):
        padding = np.full((*source.shape[:1], 1, source.shape[2]), gather.pad, np.float32)
        source = np.concatenate([source, padding], axis=1)
    if gather.whole_vectors:
        window = source[:, element[..., 0]]
    else:
        window = source[:, element, channel]
        if np.any(channel < 0):
            window[:, np.broadcast_to(channel < 0, window.shape[1:])] = gather.pad
    return np.broadcast_to(window, (len(source), rows, *gather.window))
