# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Parts of the vectors of a body: the operations that compute them, and no others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from math import prod

import islpy as isl
import numpy as np
from xdsl.dialects import arith, math, vector
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, VectorType, f32
from xdsl.ir import Operation, SSAValue
from xdsl.utils.symbol_table import get_name_if_symbol

from cmc.dialects.cmpipe import (
    ConstantOp,
    CrossbarOp,
    ElementwiseOp,
    JoinOp,
    MxvOp,
    ObjectOp,
    PipelineOp,
    ReadOp,
    ReduceOp,
    SliceOp,
    StageOp,
    WriteOp,
    find_object,
    object_type,
    vector_shape,
)
from cmc.dialects.nn.weights import WeightsAttr
from cmc.dialects.poly import MapAttr
from cmc.files.weights import Float32Array
from cmc.poly.relations import box
from cmc.tiling.cuts import Box


class NoPart(Exception):
    """A part of a vector cannot be computed by itself: says what stands in the way."""


Product = Callable[[Box], SSAValue]
"""Adds what computes a part of a product to a body."""


class Names:
    """The names of a pipeline: what a stage holds has that of nothing outside of it."""

    def __init__(self, pipeline: PipelineOp):
        self._outside = {
            name for op in pipeline.body.ops if (name := get_name_if_symbol(op)) is not None
        }
        self._held = {held.sym_name.data for s in pipeline.stages() for held in s.held()}

    def make(self, wanted: str) -> str:
        """A new name for a stage, an object or a core."""
        name = _free(wanted, self._outside, self._held)
        self._outside.add(name)
        return name

    def hold(self, wanted: str, beside: Collection[str]) -> str:
        """A new name for what a stage holds beside other things."""
        name = _free(wanted, self._outside, beside)
        self._held.add(name)
        return name


def _free(wanted: str, *taken: Collection[str]) -> str:
    name, count = wanted, 0
    while any(name in names for names in taken):
        count += 1
        name = f"{wanted}_{count}"
    return name


class Body:
    """The body of a new stage, made of parts of an old stage's."""

    def __init__(self, old: StageOp, names: Names):
        self.old = old
        self.held: list[ObjectOp | CrossbarOp] = []
        self.ops: list[Operation] = []
        self._outer = names
        self._rank = old.iteration_rank()
        self._old_held = {held.sym_name.data: held for held in old.held()}
        self._known: dict[tuple[SSAValue, Box], SSAValue] = {}
        self._kept: dict[tuple[str, Box], str] = {}
        self._products: Mapping[SSAValue, Product] = {}

    def replacing(self, products: Mapping[SSAValue, Product]) -> None:
        """From here on, have products computed in another way."""
        self._products = products

    def add(self, op: Operation) -> SSAValue:
        """Append an operation with one result."""
        self.ops.append(op)
        return op.results[0]

    def hold(self, matrix: Float32Array, hint: str | None) -> str:
        """The name of a new crossbar with this matrix."""
        count = sum(isinstance(held, CrossbarOp) for held in self.held)
        name = self._name(f"weights{count}")
        self.held.append(CrossbarOp(name, WeightsAttr.from_array(matrix, hint)))
        return name

    def add_write(self, value: SSAValue, object: str, access: isl.Map) -> None:
        self.ops.append(WriteOp(value, object, MapAttr(access)))

    def zeros(self, shape: tuple[int, ...]) -> SSAValue:
        return self.add(_splat(0.0, shape))

    def _name(self, wanted: str) -> str:
        """A new name for what the stage holds."""
        return self._outer.hold(wanted, [held.sym_name.data for held in self.held])

    def part(self, value: SSAValue, part: Box) -> SSAValue:
        """Some places of a vector. What lies beyond its end along an axis has any value.

        NoPart if they cannot be computed without what is not wanted.
        """
        key = (value, part)
        if key not in self._known:
            product = self._products.get(value)
            self._known[key] = self._part(value, part) if product is None else product(part)
        return self._known[key]

    def whole(self, value: SSAValue) -> SSAValue:
        return self.part(value, Box.whole(vector_shape(value.type)))

    def _part(self, value: SSAValue, part: Box) -> SSAValue:
        op = value.owner
        assert isinstance(op, Operation), "a body has no arguments"
        shape = vector_shape(value.type)
        whole = part == Box.whole(shape)
        if isinstance(op, ReadOp):
            return self._read(op, part)
        if whole:
            return self._same(op)
        if len(part.extents) != len(shape):
            raise NoPart(f"{op.name} has another shape")
        array = _constant(op)
        if array is not None:
            return self._constant(array, part)
        match op:
            case JoinOp():
                return self._join(op, part)
            case SliceOp():
                *outer, low = part.lows
                return self.part(op.vector, Box((*outer, low + op.places.start), part.extents))
            case ReduceOp():
                return self._reduce(op, part)
            case vector.BroadcastOp() if prod(vector_shape(op.source.type)) == 1:
                source = self.whole(op.source)
                return self.add(vector.BroadcastOp(source, VectorType(f32, part.extents)))
            case _ if _is_elementwise(op):
                operands = [self.part(operand, part) for operand in op.operands]
                return self.add(
                    type(op).create(
                        operands=operands,
                        result_types=[VectorType(f32, part.extents)],
                        properties=dict(op.properties),
                        attributes=dict(op.attributes),
                    )
                )
            case _:
                raise NoPart(f"{op.name} needs all of it")

    def _same(self, op: Operation) -> SSAValue:
        """The operation as it is, with what it is given."""
        operands = {operand: self.whole(operand) for operand in op.operands}
        new = op.clone(value_mapper=operands)
        if isinstance(op, MxvOp):
            self._keep(op.crossbar.root_reference.data)
        return self.add(new)

    def _keep(self, name: str) -> None:
        """Hold what the old stage holds by this name."""
        if all(held.sym_name.data != name for held in self.held):
            self.held.append(self._old_held[name].clone())

    def _read(self, op: ReadOp, part: Box) -> SSAValue:
        if len(part.extents) != len(op.window_shape):
            raise NoPart("it is read in another shape")
        access = shifted(op.access.data, self._rank, part, op.window_shape)
        under = None
        if op.under is not None:
            points = self._points(part)
            seen = self._seen(op, access).intersect_domain(points)
            if seen.is_empty():
                return self.part(op.under, part)
            if not points.is_subset(seen.domain()):
                under = self.part(op.under, part)
        object = op.object.root_reference.data
        if object in self._old_held:
            object, access = self._cropped(object, access, part)
        pad = None if op.pad is None else op.pad.value.data
        return self.add(ReadOp(object, MapAttr(access), part.extents, pad, under))

    def _points(self, part: Box) -> isl.Set:
        """The places of a window of this shape in all iterations."""
        return self.old.domain.data.product(box(part.extents)).flatten()

    def _seen(self, op: ReadOp, access: isl.Map) -> isl.Map:
        """An access to an object, where there is something of it."""
        object = find_object(op, op.object)
        return access.intersect_range(box((*object.shape, object.vector)))

    def _cropped(self, name: str, access: isl.Map, part: Box) -> tuple[str, isl.Map]:
        """As much of a constant as is read, and the access to that."""
        object = self._old_held[name]
        assert isinstance(object, ObjectOp) and object.value is not None
        extents = (*object.shape, object.vector)
        places = access.intersect_domain(self._points(part)).intersect_range(box(extents)).range()
        if places.is_empty():
            lows, sizes = (0,) * len(extents), (1,) * len(extents)
        else:
            dims = range(len(extents))
            lows = tuple(places.dim_min_val(d).to_python() for d in dims)
            sizes = tuple(places.dim_max_val(d).to_python() - lows[d] + 1 for d in dims)
        wanted = Box(lows, sizes)
        if (name, wanted) not in self._kept:
            new = self._kept[name, wanted] = self._name(name)
            index = tuple(slice(low, low + size) for low, size in zip(lows, sizes, strict=True))
            value = WeightsAttr.from_array(np.ascontiguousarray(object.value.array[index]))
            self.held.append(ObjectOp(new, object_type(sizes[:-1], sizes[-1]), value))
        if any(lows):
            names = [f"i{d}" for d in range(len(extents))]
            moved = [f"{n} - {low}" for n, low in zip(names, lows, strict=True)]
            access = named_as(
                access.apply_range(isl.Map(f"{{ [{', '.join(names)}] -> [{', '.join(moved)}] }}")),
                access,
            )
        return self._kept[name, wanted], access

    def _constant(self, array: Float32Array, part: Box) -> SSAValue:
        limits = zip(part.lows, part.extents, array.shape, strict=True)
        index = tuple(slice(low, min(low + size, full)) for low, size, full in limits)
        value = array[index]
        missing = [(0, n - have) for n, have in zip(part.extents, value.shape, strict=True)]
        if value.size and np.all(value == value.flat[0]) and np.isfinite(value.flat[0]):
            return self.add(_splat(float(value.flat[0]), part.extents))
        # What nobody wants is like its neighbours: nothing can be wrong with computing it.
        value = np.ascontiguousarray(np.pad(value, missing, "edge"))
        return self.add(ConstantOp(WeightsAttr.from_array(value)))

    def _join(self, op: JoinOp, part: Box) -> SSAValue:
        *outer, low = part.lows
        *sizes, extent = part.extents
        parts: list[SSAValue] = []
        end = 0
        for operand in op.vectors:
            start, end = end, end + vector_shape(operand.type)[-1]
            is_last = operand is op.vectors[-1]
            first, stop = max(low, start), low + extent if is_last else min(low + extent, end)
            if first < stop:
                box = Box((*outer, first - start), (*sizes, stop - first))
                parts.append(self.part(operand, box))
        return parts[0] if len(parts) == 1 else self.add(JoinOp(parts))

    def _reduce(self, op: ReduceOp, part: Box) -> SSAValue:
        *outer, length = vector_shape(op.result.type)
        shape = vector_shape(op.vector.type)
        if any(extent != 1 for extent in outer) or shape[-1:] != (length,):
            raise NoPart(f"{op.name} takes rows of another length")
        low, extent = part.lows[-1], part.extents[-1]
        lows, extents = (*(0 for _ in shape[:-1]), low), (*shape[:-1], extent)
        source = self.part(op.vector, Box(lows, extents))
        return self.add(
            ReduceOp.create(
                operands=[source],
                result_types=[VectorType(f32, part.extents)],
                properties=dict(op.properties),
            )
        )


def shifted(access: isl.Map, rank: int, part: Box, shape: tuple[int, ...]) -> isl.Map:
    """The access to a part of a window, from iterations of so many coordinates."""
    if part == Box.whole(shape):
        return access
    iteration = [f"i{d}" for d in range(rank)]
    window = [f"w{d}" for d in range(len(shape))]
    places = [f"{name} + {low}" for name, low in zip(window, part.lows, strict=True)]
    beyond = [
        f"{name} < {full - low}"
        for name, low, extent, full in zip(window, part.lows, part.extents, shape, strict=True)
        if low + extent > full
    ]
    condition = f" : {' and '.join(beyond)}" if beyond else ""
    sources, targets = ", ".join([*iteration, *window]), ", ".join([*iteration, *places])
    moved = isl.Map(f"{{ [{sources}] -> [{targets}]{condition} }}")
    return named_as(moved.apply_range(access), access)


def named_as(access: isl.Map, old: isl.Map) -> isl.Map:
    """The access with the names that the dimensions of another one have."""
    kind = isl.dim_type.in_
    for d in range(min(access.dim(kind), old.dim(kind))):
        if (name := old.get_dim_name(kind, d)) is not None:
            access = access.set_dim_name(kind, d, name)
    return access


def _is_elementwise(op: Operation) -> bool:
    """Whether each place of the result follows from the same place of the operands."""
    stock = op.name.partition(".")[0] in (arith.Arith.name, math.Math.name)
    known = stock or isinstance(op, ElementwiseOp)
    types = {value.type for value in (*op.operands, *op.results)}
    return known and len(op.results) == 1 and len(op.operands) > 0 and len(types) == 1


def _constant(op: Operation) -> Float32Array | None:
    """The vector that an operation is, if it is a constant."""
    match op:
        case ConstantOp():
            return op.value.array
        case arith.ConstantOp(value=DenseIntOrFPElementsAttr() as value):
            shape = vector_shape(op.result.type)
            values = np.array(value.get_values(), np.float32)
            return np.broadcast_to(values if len(values) == 1 else values.reshape(shape), shape)
        case _:
            return None


def _splat(value: float, shape: tuple[int, ...]) -> arith.ConstantOp:
    type = VectorType(f32, list(shape))
    return arith.ConstantOp(DenseIntOrFPElementsAttr.from_list(type, [value]))
