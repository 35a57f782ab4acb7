# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Operators that only say where an element comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from math import prod
from typing import Concatenate

import islpy as isl
import numpy as np
from numpy.typing import NDArray
from xdsl.ir import Operation

from cmc.dialects import nn
from cmc.poly.relations import box, union
from cmc.semantics.builder import Floats
from cmc.semantics.operator import OpT, Places, ViewOperator, of

VIEWS: dict[type[Operation], ViewOperator] = {}


def _register(
    op_type: type[OpT],
    compute: Callable[Concatenate[OpT, ...], Floats],
    places: Callable[[OpT], Places],
) -> None:
    VIEWS[op_type] = ViewOperator(of(op_type, compute), of(op_type, places))


def _map(rank: int, coordinates: list[str], condition: str = "") -> isl.Map:
    source = ", ".join(f"t{a}" for a in range(rank))
    return isl.Map(f"{{ [{source}] -> [{', '.join(coordinates)}] {condition} }}")


def _transpose(op: nn.TransposeOp, x: Floats) -> Floats:
    return x.transpose(op.perm.get_values())


def _transpose_places(op: nn.TransposeOp) -> Places:
    perm = op.perm.get_values()
    return [_map(len(perm), [f"t{perm.index(a)}" for a in range(len(perm))])], None


def _slice(op: nn.SliceOp, x: Floats) -> Floats:
    indices = [
        start + step * np.arange(size)
        for start, step, size in zip(
            op.starts.get_values(), op.step_values, nn.shape_of(op.result), strict=True
        )
    ]
    return x[np.ix_(*indices)]


def _slice_places(op: nn.SliceOp) -> Places:
    steps = zip(op.starts.get_values(), op.step_values, strict=True)
    coordinates = [f"{start} + {step}*t{a}" for a, (start, step) in enumerate(steps)]
    return [_map(len(coordinates), coordinates)], None


def _reshape(op: nn.ReshapeOp, x: Floats) -> Floats:
    return x.reshape(nn.shape_of(op.result))


def _reshape_places(op: nn.ReshapeOp) -> Places:
    """Both sides count their elements in row-major order.

    Axes that both sides share, from the left, map to each other; only the rest is renumbered.
    """
    source, target = nn.shape_of(op.input), nn.shape_of(op.result)
    groups = _matching_groups(target, source)
    coordinates: list[str] = []
    for results, operands in groups:
        position = " + ".join(f"{prod(target[a + 1 : results.stop])}*t{a}" for a in results) or "0"
        for a in operands:
            inner = prod(source[a + 1 : operands.stop])
            if source[a] == 1:
                coordinates.append("0")
            elif a == operands.start:
                coordinates.append(f"floor(({position})/{inner})" if inner > 1 else position)
            else:
                coordinates.append(
                    f"(floor(({position})/{inner}) mod {source[a]})"
                    if inner > 1
                    else f"(({position}) mod {source[a]})"
                )
    return [_map(len(target), coordinates)], None


def _matching_groups(a: tuple[int, ...], b: tuple[int, ...]) -> list[tuple[range, range]]:
    """Cut two shapes of one size into the shortest runs of axes with equal numbers of elements."""
    groups: list[tuple[range, range]] = []
    start_a = start_b = end_a = end_b = 0
    while end_a < len(a) or end_b < len(b):
        size_a, size_b = prod(a[start_a:end_a]), prod(b[start_b:end_b])
        if end_a == start_a and end_a < len(a):
            end_a += 1
        elif end_b == start_b and end_b < len(b):
            end_b += 1
        elif size_a < size_b and end_a < len(a):
            end_a += 1
        elif size_b < size_a and end_b < len(b):
            end_b += 1
        else:
            groups.append((range(start_a, end_a), range(start_b, end_b)))
            start_a, start_b = end_a, end_b
    groups.append((range(start_a, end_a), range(start_b, end_b)))
    return groups


def _pad(op: nn.PadOp, x: Floats) -> Floats:
    low, high = op.low.get_values(), op.high.get_values()
    match op.mode.data:
        case nn.PadMode.CONSTANT:
            return pad_array(x, low, high, op.value.value.data)
        case nn.PadMode.EDGE:
            mode = "edge"
        case nn.PadMode.REFLECT:
            mode = "reflect"
    widths = [(max(0, a), max(0, b)) for a, b in zip(low, high, strict=True)]
    return _crop(np.pad(x, widths, mode), low, high)


def pad_array(x: Floats, low: Sequence[int], high: Sequence[int], fill: float) -> Floats:
    """`x` with `fill` around it; negative pads take elements away."""
    widths = [(max(0, a), max(0, b)) for a, b in zip(low, high, strict=True)]
    return _crop(np.pad(x, widths, constant_values=np.float32(fill)), low, high)


def _crop(x: Floats, low: Sequence[int], high: Sequence[int]) -> Floats:
    """`x` without as many elements as the pads are negative."""
    return x[
        tuple(
            slice(max(0, -a), size - max(0, -b))
            for size, a, b in zip(x.shape, low, high, strict=True)
        )
    ]


def _pad_places(op: nn.PadOp) -> Places:
    low, high, shape = op.low.get_values(), op.high.get_values(), nn.shape_of(op.input)
    rank = len(shape)
    shifted = [f"t{a} - {low[a]}" if low[a] else f"t{a}" for a in range(rank)]
    if op.mode.data is nn.PadMode.CONSTANT:
        places = _map(rank, shifted).intersect_range(box(shape))
        return [places], op.value.value.data
    axes: list[isl.Map] = []
    for axis, (at, extent) in enumerate(zip(shifted, shape, strict=True)):
        if op.mode.data is nn.PadMode.EDGE:
            before, after = "0", f"{extent - 1}"
        else:
            before, after = f"-({at})", f"{2 * (extent - 1)} - ({at})"
        # Where nothing is added, there is nothing to tell apart.
        sides: dict[str, str] = {}
        if low[axis] > 0:
            sides[f"{at} < 0"] = before
        if high[axis] > 0:
            sides[f"{at} >= {extent}"] = after
        axes.append(_axis(rank, at, sides))
    return [reduce(isl.Map.flat_range_product, axes)], None


def _axis(rank: int, at: str, sides: Mapping[str, str]) -> isl.Map:
    """One coordinate: `at`, but by which of the `sides` it lies on where it is on any."""
    places = [_map(rank, [place], f": {side}") for side, place in sides.items()]
    inside = " and ".join(f"not ({side})" for side in sides)
    return union([_map(rank, [at], f": {inside}" if sides else ""), *places])


def _concat(op: nn.ConcatOp, *inputs: Floats) -> Floats:
    return np.concatenate(inputs, op.axis.value.data)


def _concat_places(op: nn.ConcatOp) -> Places:
    """Each operand begins where the one before it ends."""
    axis, offset = op.axis.value.data, 0
    places: list[isl.Map] = []
    for value in op.inputs:
        shape = nn.shape_of(value)
        coordinates = [f"t{a}" for a in range(len(shape))]
        coordinates[axis] = f"t{axis} - {offset}"
        places.append(_map(len(shape), coordinates))
        offset += shape[axis]
    return places, None


def _gather(op: nn.GatherOp, x: Floats) -> Floats:
    return x.take(np.array(op.indices.get_values(), np.intp), op.axis.value.data)


def _gather_places(op: nn.GatherOp) -> Places:
    axis, rank = op.axis.value.data, len(nn.shape_of(op.input))
    chosen = _table(rank, f"t{axis}", np.array(op.indices.get_values(), np.int64))
    axes = [chosen if a == axis else _map(rank, [f"t{a}"]) for a in range(rank)]
    return [reduce(isl.Map.flat_range_product, axes)], None


def _table(rank: int, at: str, indices: NDArray[np.int64]) -> isl.Map:
    """One coordinate: the index at place `at`, by the shortest form there is.

    Either one formula holds for all places, or one for each run of equal steps.
    """
    formula = _periodic(at, indices)
    if formula is not None:
        return _map(rank, [formula])
    steps = np.diff(indices)
    pieces: list[isl.Map] = []
    start = 0
    while start < len(indices):
        step = int(steps[start]) if start < len(steps) else 0
        other = np.flatnonzero(steps[start:] != step)
        stop = start + 1 + (int(other[0]) if len(other) else len(indices) - 1 - start)
        place = f"{int(indices[start]) - step * start} + {step}*{at}"
        pieces.append(_map(rank, [place], f": {start} <= {at} < {stop}"))
        start = stop
    return union(pieces)


def _periodic(at: str, indices: NDArray[np.int64]) -> str | None:
    """The indices as a rounded fraction or a remainder, if they grow by as much every period."""
    for period in range(1, len(indices) // 2 + 1):
        growth = indices[period:] - indices[:-period]
        if len(growth) and np.any(growth != growth[0]):
            continue
        first, rise = int(indices[0]), int(growth[0])
        if period == 1:
            return f"{first} + {rise}*{at}"
        places = np.arange(len(indices))
        for offset in range(first * period, (first + 1) * period):
            if np.array_equal(indices, (rise * places + offset) // period):
                return f"floor(({rise}*{at} + {offset})/{period})"
        if rise == 0 and np.array_equal(indices, first + places % period):
            return f"{first} + ({at} mod {period})"
        return None
    return None


def _dilate(op: nn.DilateOp, x: Floats) -> Floats:
    result = np.zeros(nn.shape_of(op.result), np.float32)
    result[tuple(slice(None, None, step) for step in op.steps.get_values())] = x
    return result


def _dilate_places(op: nn.DilateOp) -> Places:
    steps, shape = op.steps.get_values(), nn.shape_of(op.input)
    between = " and ".join(f"t{a} mod {step} = 0" for a, step in enumerate(steps) if step > 1)
    places = [f"floor(t{a}/{step})" if step > 1 else f"t{a}" for a, step in enumerate(steps)]
    function = _map(len(steps), places, f": {between}" if between else "")
    return [function.intersect_range(box(shape))], 0.0


_register(nn.DilateOp, _dilate, _dilate_places)
_register(nn.TransposeOp, _transpose, _transpose_places)
_register(nn.SliceOp, _slice, _slice_places)
_register(nn.ReshapeOp, _reshape, _reshape_places)
_register(nn.PadOp, _pad, _pad_places)
_register(nn.ConcatOp, _concat, _concat_places)
_register(nn.GatherOp, _gather, _gather_places)
