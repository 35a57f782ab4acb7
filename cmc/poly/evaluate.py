# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Evaluate isl functions: on numpy arrays, or on expressions such as xDSL's `AffineExpr`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from operator import mul
from typing import Protocol, Self, TypeVar

import islpy as isl
import numpy as np
from numpy.typing import NDArray

from cmc.errors import CmcError

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def as_ints(numbers: Iterable[int]) -> Ints:
    """An array of numbers that come one by one."""
    return np.array(list(numbers), np.int64)


def row_starts(lengths: Iterable[int]) -> Ints:
    """Where rows of such lengths begin, one after the other, and where the last one ends."""
    return as_ints(accumulate(lengths, initial=0))


class Term(Protocol):
    """What an affine expression can be evaluated on."""

    def __add__(self, other: Self | int, /) -> Self: ...
    def __mul__(self, other: int, /) -> Self: ...
    def __floordiv__(self, other: int, /) -> Self: ...


T = TypeVar("T", bound=Term)


def evaluate_aff(aff: isl.Aff, values: Sequence[T], zero: T) -> T:
    """The quasi-affine expression `aff` where its input dimension `i` is `values[i]`.

    `zero` is T's zero. A division is rounded down, as isl's `floor`.
    """
    denominator = aff.get_denominator_val()
    result = zero + (aff.get_constant_val() * denominator).to_python()
    for position, value in enumerate(values):
        coefficient = (
            aff.get_coefficient_val(isl.dim_type.in_, position) * denominator
        ).to_python()
        if coefficient:
            result = result + (value if coefficient == 1 else value * coefficient)
    for position in range(aff.dim(isl.dim_type.div)):
        coefficient = (
            aff.get_coefficient_val(isl.dim_type.div, position) * denominator
        ).to_python()
        if coefficient:
            result = result + evaluate_aff(aff.get_div(position), values, zero) * coefficient
    divisor = denominator.to_python()
    return result if divisor == 1 else result // divisor


def _constraints_hold(piece: isl.BasicSet, values: Sequence[Ints], shape: tuple[int, ...]) -> Bools:
    zero = np.zeros((1,) * len(shape), np.int64)
    held: list[Bools] = []
    for constraint in piece.get_constraints():
        left = evaluate_aff(constraint.get_aff(), values, zero)
        held.append(left == 0 if constraint.is_equality() else left >= 0)
    return reduce(np.logical_and, held, np.ones((1,) * len(shape), np.bool_))


def contains(domain: isl.Set, values: Sequence[Ints]) -> Bools:
    """For broadcastable coordinate arrays, one per dimension: which points lie in `domain`.

    The result is broadcastable with the arrays: it has no larger extent than the constraints need.
    """
    shape = np.broadcast_shapes(*(v.shape for v in values)) if values else ()
    result = np.zeros((1,) * len(shape), np.bool_)
    for piece in domain.compute_divs().get_basic_sets():
        result = result | _constraints_hold(piece, values, shape)
    return result


@dataclass(frozen=True)
class _Magnitude:
    """What numbers on the way through an expression are at most, either side of 0."""

    most: int

    def __add__(self, other: _Magnitude | int) -> _Magnitude:
        return _Magnitude(self.most + _most(other)).kept()

    def __mul__(self, other: int) -> _Magnitude:
        return _Magnitude(self.most * abs(other)).kept()

    def __floordiv__(self, other: int) -> _Magnitude:
        _Magnitude(other).kept()
        return _Magnitude(self.most // other + 1)

    def kept(self) -> _Magnitude:
        """The same, if arrays can hold it."""
        if self.most > np.iinfo(np.int64).max:
            raise CmcError(f"its points need numbers up to {self.most}: 64 bits do not hold them")
        return self


def _most(value: _Magnitude | int) -> int:
    return value.most if isinstance(value, _Magnitude) else abs(value)


def _expect_words(parts: Sequence[tuple[isl.Set, isl.MultiAff]], values: Sequence[Ints]) -> None:
    """CmcError if numbers on the way to a function's values, or to its pieces, are too large."""
    most = [_Magnitude(max(int(v.max(initial=0)), -int(v.min(initial=0)))) for v in values]
    for domain, expression in parts:
        affs = [expression.get_aff(i) for i in range(expression.dim(isl.dim_type.out))]
        for piece in domain.compute_divs().get_basic_sets():
            affs += [constraint.get_aff() for constraint in piece.get_constraints()]
        for aff in affs:
            evaluate_aff(aff, most, _Magnitude(0))


def pieces(function: isl.Map) -> list[tuple[isl.Set, isl.MultiAff]]:
    """The pieces of a single-valued relation: disjoint domains, each with one affine expression."""
    found: list[tuple[isl.Set, isl.MultiAff]] = []
    isl.PwMultiAff.from_map(function).foreach_piece(lambda s, m: found.append((s, m)))
    return found


def coefficients(function: isl.Map) -> tuple[Ints, Ints] | None:
    """A function as a matrix `[outputs, inputs]` and constants, if it is linear everywhere."""
    parts = pieces(function)
    if len(parts) != 1 or not parts[0][0].plain_is_universe():
        return None
    inputs, outputs = function.dim(isl.dim_type.in_), function.dim(isl.dim_type.out)
    matrix = np.zeros((outputs, inputs), np.int64)
    constants = np.zeros(outputs, np.int64)
    for i in range(outputs):
        aff = parts[0][1].get_aff(i)
        if aff.dim(isl.dim_type.div) or not aff.get_denominator_val().is_one():
            return None
        constants[i] = aff.get_constant_val().to_python()
        for j in range(inputs):
            matrix[i, j] = aff.get_coefficient_val(isl.dim_type.in_, j).to_python()
    return matrix, constants


@dataclass(frozen=True)
class Tabulated:
    """A partial function at many points: coordinates of the images, and where it is defined.

    All arrays broadcast to the shape of the points; an array that does not depend on an axis has
    extent 1 there.
    """

    coordinates: tuple[Ints, ...]
    defined: Bools


def tabulate(function: isl.Map, values: Sequence[Ints]) -> Tabulated:
    """Evaluate a single-valued relation on broadcastable coordinate arrays, one per input dim.

    CmcError where that takes numbers of more than 64 bits.
    """
    shape = np.broadcast_shapes(*(v.shape for v in values)) if values else ()
    zero = np.zeros((1,) * len(shape), np.int64)
    outputs = function.dim(isl.dim_type.out)
    coordinates = [zero] * outputs
    defined = np.zeros((1,) * len(shape), np.bool_)
    parts = pieces(function)
    _expect_words(parts, values)
    for domain, expression in parts:
        inside = contains(domain, values)
        for i in range(outputs):
            value = evaluate_aff(expression.get_aff(i), values, zero)
            coordinates[i] = value if len(parts) == 1 else np.where(inside, value, coordinates[i])
        defined = defined | inside
    return Tabulated(tuple(coordinates), defined)


def grid(extents: Sequence[int], axes: int | None = None, first: int = 0) -> list[Ints]:
    """An open mesh: coordinate arrays of a box, each with its own extent on its own axis.

    With `axes` and `first` the box occupies the axes from `first` on of `axes` axes in all.
    """
    axes = len(extents) if axes is None else axes
    return [
        np.arange(extent, dtype=np.int64).reshape(
            [extent if axis == first + i else 1 for axis in range(axes)]
        )
        for i, extent in enumerate(extents)
    ]


def spans(counts: Ints) -> tuple[Ints, Ints]:
    """For groups of that many members: of all members, the group, and the number within it."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]


def size(extents: Sequence[int]) -> int:
    """The number of points of a box."""
    return reduce(mul, extents, 1)


def flat_index(coordinates: Sequence[Ints], shape: Sequence[int], count: int) -> Ints:
    """Row-major positions in a box of broadcastable coordinates; -1 for what lies outside.

    `count` is the number of points where there are no coordinates.
    """
    if not shape:
        return np.zeros(count, np.int64)
    flat: Ints | int = 0
    inside: Bools | bool = True
    for axis, (c, extent) in enumerate(zip(coordinates, shape, strict=True)):
        flat = flat + c * size(shape[axis + 1 :])
        inside = inside & (c >= 0) & (c < extent)
    return np.where(inside, flat, -1)
