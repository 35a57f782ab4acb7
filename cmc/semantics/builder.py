# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Build the body of one stage."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import islpy as isl
import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import DenseIntOrFPElementsAttr, VectorType, f32
from xdsl.ir import Operation, SSAValue

from cmc.dialects.cmpipe import (
    ConstantOp,
    CrossbarOp,
    JoinOp,
    MxvOp,
    ObjectOp,
    ReadOp,
    ReduceOp,
    ReductionKind,
    object_type,
)
from cmc.dialects.nn.weights import WeightsAttr
from cmc.dialects.poly import MapAttr
from cmc.poly.relations import box
from cmc.semantics.tensors import Floats, Layout, Part, View, span

HELD_NAMES = re.compile(r"weights|constant\d+")
"""What the crossbar and the constants of a stage are called: nothing outside of it is."""


class Tensors(Protocol):
    """What a stage may ask about the tensors that it reads."""

    def constant(self, value: SSAValue) -> Floats | None:
        """The array, if the tensor is a constant."""
        ...

    def view(self, value: SSAValue) -> View:
        """Where a tensor lives; computes and stores it if need be."""
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

    def mxv(self, matrix: Floats, vector: Pieces) -> SSAValue:
        """Multiply with a matrix (K x M, or G x K x M on the diagonal) in the core's crossbar.

        Its rows are in the order of the window. A window for G blocks is cut along the first axis.
        """
        if matrix.ndim == 2 and len(vector.values) > 1:
            places = np.arange(len(matrix)).reshape(vector.window)
            cut = [places.take(span, vector.axis).reshape(-1) for span in vector.spans]
            matrix = matrix[np.concatenate(cut)]
        name = "weights"
        weights = WeightsAttr.from_array(np.ascontiguousarray(matrix), self.name)
        self.held.append(CrossbarOp(name, weights))
        *blocks, _, outputs = matrix.shape
        return self.add(MxvOp(name, vector.values, int(np.prod([*blocks, outputs]))))

    def reduce(self, kind: ReductionKind, vector: Pieces) -> SSAValue:
        """Reduce a window, cut along its last axis, to a vector along that axis."""
        reduced = [
            self.add(ReduceOp(kind, value, len(span)))
            for value, span in zip(vector.values, vector.spans, strict=True)
        ]
        return self._join(reduced)

    def _join(self, vectors: Sequence[SSAValue]) -> SSAValue:
        return vectors[0] if len(vectors) == 1 else self.add(JoinOp(vectors))

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
        return self._join(self.pieces(value, coordinates, window, [len(window) - 1], pad).values)

    def pieces(
        self,
        value: SSAValue,
        coordinates: Sequence[str],
        window: Mapping[str, int],
        axes: Sequence[int],
        pad: float | None = None,
    ) -> Pieces:
        """As `read`, of a tensor whose parts may be read apart: cut along one of the `axes`."""
        inputs = [*self.layout.names, *window]
        shape = tuple(window.values())
        reach = _Reach(
            isl.Map(f"{{ [{', '.join(inputs)}] -> [{', '.join(coordinates)}] }}"),
            self.layout.index_shape,
            shape,
        )
        view = self.tensors.view(value)
        leaves = not reach.exact.range().is_subset(box(view.shape))
        filling = pad if leaves else None
        if view.pad is not None:
            if leaves and not same_filling(view.pad, pad or 0.0):
                view = self.tensors.stored(value)
            else:
                filling = view.pad
        if filling is not None and same_filling(filling, 0.0):
            filling = None
        axis, groups = reach.cut(view.parts, axes)
        values = [
            self._read(parts, reach.part(axis, span), filling) for span, parts in groups.items()
        ]
        return Pieces(shape, axis, tuple(groups), tuple(values))

    def _read(self, parts: Sequence[Part], reach: _Reach, pad: float | None) -> SSAValue:
        """Read a window that reaches into some parts of a tensor: the one over the other."""
        under: SSAValue | None = None
        for part in parts:
            object = part.source if isinstance(part.source, str) else self._hold(part.source)
            access = MapAttr(reach.through(part))
            filling = pad if under is None else None
            under = self.add(ReadOp(object, access, reach.window, filling, under))
        assert under is not None
        return under

    def _hold(self, array: Floats) -> str:
        """Keep a constant tensor in the core, its last axis as vectors."""
        name = f"constant{len(self.held)}"
        type = object_type(array.shape[:-1], array.shape[-1])
        weights = WeightsAttr.from_array(array, f"{self.name}.{name}")
        self.held.append(ObjectOp(name, type, weights))
        return name


@dataclass(frozen=True)
class Pieces:
    """A window that is read in pieces, one after the other along one of its axes."""

    window: tuple[int, ...]
    axis: int
    spans: Sequence[range]
    values: Sequence[SSAValue]


@dataclass(frozen=True)
class _Reach:
    """The coordinates of a tensor that each place of a window reads, by iteration."""

    places: isl.Map
    iterations: tuple[int, ...]
    window: tuple[int, ...]

    @property
    def points(self) -> isl.Set:
        return box((*self.iterations, *self.window))

    @cached_property
    def exact(self) -> isl.Map:
        """The same, of the iterations and the window alone."""
        return self.places.intersect_domain(self.points)

    def part(self, axis: int, span: range) -> _Reach:
        """The same of a part of the window."""
        places, window = self.places, list(self.window)
        window[axis] = len(span)
        if span.start:
            space = places.get_space().domain()
            shift = isl.MultiAff.identity_on_domain_space(space)
            at = len(self.iterations) + axis
            shift = shift.set_aff(at, shift.get_aff(at).add_constant_val(span.start))
            places = isl.Map.from_multi_aff(shift).apply_range(places)
        return _Reach(places, self.iterations, tuple(window))

    def through(self, part: Part) -> isl.Map:
        """The access to a part of the tensor, without constraints that hold anyway."""
        wanted = self.exact.apply_range(part.exact)
        simple = self.places.apply_range(part.simple)
        # What leaves the object is not read, whether or not the map is defined there.
        reached = simple.intersect_domain(self.points).intersect_range(box(part.extents))
        if reached.is_equal(wanted):
            return simple
        short = wanted.gist_domain(self.points).coalesce()
        # Beyond the points, its pieces may meet.
        return short if short.is_single_valued() else wanted.coalesce()

    def cut(
        self, parts: Sequence[Part], axes: Sequence[int]
    ) -> tuple[int, Mapping[range, Sequence[Part]]]:
        """The axis, of some, that cuts the window into the most pieces, and what each reaches.

        All of the window is in one piece if no axis has each part beside the others.
        """
        places = [self.exact.intersect_range(part.exact.domain()).domain() for part in parts]
        reached = [(p, at) for p, at in zip(parts, places, strict=True) if not at.is_empty()]
        if len(reached) <= 1:
            return axes[0], {range(self.window[axes[0]]): [p for p, _ in reached] or parts[:1]}
        cuts = [self._cut_along(axis, reached) for axis in axes]
        return max(zip(axes, cuts, strict=True), key=lambda found: len(found[1]))

    def _cut_along(
        self, axis: int, reached: Sequence[tuple[Part, isl.Set]]
    ) -> Mapping[range, Sequence[Part]]:
        spans = [span(places, len(self.iterations) + axis) for _, places in reached]
        starts: list[int] = []
        groups: list[list[Part]] = []
        stop = 0
        for number in sorted(range(len(spans)), key=lambda number: spans[number].start):
            if not groups or spans[number].start >= stop:
                starts.append(spans[number].start if groups else 0)
                groups.append([])
            groups[-1].append(reached[number][0])
            stop = max(stop, spans[number].stop)
        pieces = map(range, starts, [*starts[1:], self.window[axis]])
        return dict(zip(pieces, groups, strict=True))


def same_filling(a: float, b: float) -> bool:
    """Whether two fillings are the same: zeros of different sign are not."""
    return a == b and math.copysign(1.0, a) == math.copysign(1.0, b)
