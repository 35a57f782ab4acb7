# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Which matrices are replaced by two, and of which rank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import prod

import numpy as np

from cmc.compression.matrices import Form, Weights
from cmc.compression.spectrum import EXACT, Spectrum
from cmc.files.weights import splat
from cmc.targets import Target
from cmc.tiling.count import crossbars_of
from cmc.tiling.structure import Matrix

Shape = tuple[int, int, int]
"""Of matrices: how many there are on a diagonal, the rows and the columns of each."""

CostOf = Callable[[Shape], int]
"""What dense matrices take: numbers, or crossbars."""


@dataclass(frozen=True, eq=False)
class Way:
    """One way to have a matrix as two: of this rank, with this relative error, at this cost."""

    form: Form
    spectrum: Spectrum
    rank: int
    error: float
    cost: int


@dataclass(frozen=True, eq=False)
class Matrices:
    """Weights, what they cost as they are, and the ways that cost less.

    Costs are those of all nodes that use the weights.
    """

    weights: Weights
    cost: int
    ways: Sequence[Way]

    def way(self, error: float) -> Way | None:
        """The cheapest way with no larger an error, of these the most exact; None without any."""
        return min(
            (way for way in self.ways if way.error <= max(error, EXACT)),
            key=lambda way: (way.cost, way.error),
            default=None,
        )


def matrices_on(weights: Weights, target: Target | None) -> Matrices:
    """Ways to have weights with fewer crossbars of a target, or with fewer numbers without one.

    Of the ranks that take as many crossbars it is the highest.
    """
    array, blocks = weights.array, weights.blocks
    if target is None:
        # Weights that are shared are held once, and in crossbars in each place.
        ways = [way for form in weights.forms for way in _ways(weights, form, blocks.size, None)]
        return Matrices(weights, array.size, ways)
    uses = len(weights.nodes)
    cost = crossbars_of(Matrix(np.asarray(blocks, np.float32)), target)
    ways = [way for form in weights.forms for way in _ways(weights, form, cost, target)]
    return Matrices(weights, cost * uses, [replace(way, cost=way.cost * uses) for way in ways])


def _ways(weights: Weights, form: Form, cost: int, target: Target | None) -> list[Way]:
    """The ways to have weights as two by a form that cost less than so much."""
    blocks = form.blocks(weights.array)
    count, rows, columns = blocks.shape
    spread = prod(form.kernels(weights.array.shape)[1])
    cost_of = _numbers if target is None else _crossbars_on(target)

    def both(rank: int) -> int:
        second = (count, rank * spread, columns // spread)
        return cost_of((count, rows, rank)) + cost_of(second)

    ranks = range(1, min(rows, columns) + 1)
    if target is not None and count == 1:
        ranks = _last_ranks(ranks, spread, target)
    cheaper = [rank for rank in ranks if both(rank) < cost]
    if not cheaper:
        return []
    spectrum = Spectrum(blocks)
    whole = spectrum.rank(0.0)
    return [
        Way(form, spectrum, rank, float(spectrum.errors[rank]), both(rank))
        for rank in sorted({min(rank, whole) for rank in cheaper}, reverse=True)
    ]


def least_error(all: Sequence[Matrices], saving: int) -> float | None:
    """The smallest error with which all matrices together cost so much less; None if none does."""
    errors = sorted({max(way.error, EXACT) for one in all for way in one.ways})
    low, high = 0, len(errors)
    while low < high:
        middle = (low + high) // 2
        ways = ((one, one.way(errors[middle])) for one in all)
        if sum(one.cost - way.cost for one, way in ways if way is not None) >= saving:
            high = middle
        else:
            low = middle + 1
    return errors[low] if low < len(errors) else None


def _numbers(shape: Shape) -> int:
    count, rows, columns = shape
    return count * rows * columns


def _crossbars_on(target: Target) -> CostOf:
    @cache
    def crossbars(shape: Shape) -> int:
        count, rows, columns = shape
        dense = splat(1.0, shape if count > 1 else (rows, columns))
        return crossbars_of(Matrix(dense), target)

    return crossbars


def _last_ranks(ranks: range, spread: int, target: Target) -> list[int]:
    """The ranks after which a matrix may take more crossbars.

    The first has as many columns as the rank, and the second `spread` times as many rows.
    """
    ends = {ranks[-1]}
    for size, times in ((target.columns, 1), (target.rows, spread)):
        if size is not None:
            ends.update(size * n // times for n in range(1, times * ranks[-1] // size + 1))
    return sorted(ends & set(ranks))
