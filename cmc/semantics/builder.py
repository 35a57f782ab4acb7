"""Build the body of one stage."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import islpy as isl
import numpy as np
from numpy.typing import NDArray
from xdsl.dialects import arith
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, VectorType, f32
from xdsl.ir import Operation, SSAValue

from cmc.dialects.cmpipe import ConstantOp, CrossbarOp, MxvOp, ObjectOp, ReadOp, object_type
from cmc.dialects.nn.weights import WeightsAttr
from cmc.dialects.poly import MapAttr
from cmc.poly.relations import box
from cmc.semantics.tensors import Layout, View

Floats = NDArray[np.float32]

HELD_NAMES = re.compile(r"weights|constant\d+")
"""What the crossbar and the constants of a stage are called: nothing outside of it is."""


class Tensors(Protocol):
    """What a stage may ask about the tensors that it reads."""

    def constant(self, value: SSAValue) -> Floats | None:
        """The array, if the tensor is a constant."""
        ...

    def view(self, value: SSAValue) -> View:
        """Where a tensor that is not a constant lives; computes and stores it if need be."""
        ...

    def stored(self, value: SSAValue) -> View:
        """As `view`, of a tensor that is an object of its own, without padding."""
        ...


@dataclass
class StageBuilder:
    """One stage in the making: its layout of the result, its operations, what it holds."""

    name: str
    layout: Layout
    tensors: Tensors
    ops: list[Operation] = field(default_factory=list[Operation])
    held: list[Operation] = field(default_factory=list[Operation])

    @property
    def domain(self) -> isl.Set:
        """One iteration for each vector of the result."""
        named = box(self.layout.index_shape)
        for position, name in enumerate(self.layout.names):
            named = named.set_dim_name(isl.dim_type.set, position, name)
        return named

    def add(self, op: Operation) -> SSAValue:
        """Append an operation with one result to the body."""
        self.ops.append(op)
        return op.results[0]

    def splat(self, value: float, shape: Sequence[int]) -> SSAValue:
        """A vector that holds one value everywhere."""
        type = VectorType(f32, list(shape))
        return self.add(arith.ConstantOp(DenseIntOrFPElementsAttr.from_list(type, [value])))

    def constant(self, array: Floats) -> SSAValue:
        """A constant vector."""
        if array.size and np.all(array == array.flat[0]) and np.isfinite(array.flat[0]):
            return self.splat(float(array.flat[0]), array.shape)
        return self.add(ConstantOp(WeightsAttr.from_array(np.ascontiguousarray(array))))

    def mxv(self, matrix: Floats, vector: SSAValue) -> SSAValue:
        """Multiply with a matrix (K x M, or G x K x M on the diagonal) in the core's crossbar."""
        name = "weights"
        weights = WeightsAttr.from_array(np.ascontiguousarray(matrix), self.name)
        self.held.append(CrossbarOp(name, weights))
        *blocks, _, outputs = matrix.shape
        return self.add(MxvOp(name, [vector], int(np.prod([*blocks, outputs]))))

    def read(
        self,
        value: SSAValue,
        coordinates: Sequence[str],
        window: Mapping[str, int],
        pad: float | None = None,
    ) -> SSAValue:
        """Read a window of a tensor.

        `coordinates` gives, for each axis of the tensor, an affine expression of the stage's
        coordinates (`layout.names`) and the window's; `window` names the window's axes and their
        extents, outermost first. Places outside of the tensor read as `pad`.
        """
        array = self.tensors.constant(value)
        inputs = [*self.layout.names, *window]
        places = isl.Map(f"{{ [{', '.join(inputs)}] -> [{', '.join(coordinates)}] }}")
        points = box((*self.layout.index_shape, *window.values()))
        if array is not None:
            return self._read_constant(array, places, tuple(window.values()), pad)
        view = self.tensors.view(value)
        leaves = not places.intersect_domain(points).range().is_subset(box(view.shape))
        filling = pad if leaves else None
        if view.pad is not None:
            if leaves and not _same(view.pad, pad or 0.0):
                view = self.tensors.stored(value)
            else:
                filling = view.pad
        if filling is not None and _same(filling, 0.0):
            filling = None
        access = _simplest(places, points, view)
        shape = tuple(window.values())
        return self.add(ReadOp(view.object, MapAttr(access), shape, filling))

    def _read_constant(
        self, array: Floats, places: isl.Map, window: tuple[int, ...], pad: float | None
    ) -> SSAValue:
        """Read a constant tensor that the core keeps, its last axis as vectors."""
        name = f"constant{len(self.held)}"
        stored = np.ascontiguousarray(array)
        if not array.ndim:
            stored = stored.reshape(1)
            places = places.insert_dims(isl.dim_type.out, 0, 1).fix_val(isl.dim_type.out, 0, 0)
        self.held.append(
            ObjectOp(
                name,
                object_type(stored.shape[:-1], stored.shape[-1]),
                WeightsAttr.from_array(stored, f"{self.name}.{name}"),
            )
        )
        return self.add(ReadOp(name, MapAttr(places), window, pad))


def _same(a: float, b: float) -> bool:
    """Whether two fillings are the same: zeros of different sign are not."""
    return a == b and math.copysign(1.0, a) == math.copysign(1.0, b)


def _simplest(places: isl.Map, points: isl.Set, view: View) -> isl.Map:
    """The access from `points` through `view`, without constraints that hold anyway."""
    wanted = places.intersect_domain(points).apply_range(view.exact)
    simple = places.apply_range(view.simple)
    # What leaves the object is not read, whether or not the map is defined there.
    if simple.intersect_domain(points).intersect_range(box(view.extents)).is_equal(wanted):
        return simple
    short = wanted.gist_domain(points).coalesce()
    # Beyond the points, its pieces may meet.
    return short if short.is_single_valued() else wanted.coalesce()
