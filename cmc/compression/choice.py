"""Which matrices are replaced by two, and of which rank."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from cmc.compression.matrices import Weights
from cmc.compression.spectrum import EXACT, Spectrum
from cmc.files.weights import splat
from cmc.targets import Target
from cmc.tiling.count import crossbars_of
from cmc.tiling.structure import Matrix

Shape = tuple[int, int, int]
"""Of matrices: how many there are on a diagonal, the rows and the columns of each."""

CostOf = Callable[[Shape], int]
"""What dense matrices take: numbers, or crossbars."""


@dataclass(frozen=True)
class Way:
    """One way to have a matrix as two: of this rank, with this relative error, at this cost."""

    rank: int
    error: float
    cost: int


@dataclass(frozen=True, eq=False)
class Matrices:
    """Weights, what they cost as they are, and the ways that cost less, the most exact first.

    Costs are those of all nodes that use the weights.
    """

    weights: Weights
    spectrum: Spectrum
    cost: int
    ways: Sequence[Way]

    def way(self, error: float) -> Way | None:
        """The cheapest way with no larger an error; None if there is none."""
        return min(
            (way for way in self.ways if way.error <= max(error, EXACT)),
            key=lambda way: way.cost,
            default=None,
        )


def matrices_on(weights: Weights, target: Target | None) -> Matrices:
    """Ways to have weights with fewer crossbars of a target, or with fewer numbers without one.

    Of the ranks that take as many crossbars it is the highest.
    """
    blocks = weights.blocks
    count, rows, columns = blocks.shape
    most = min(rows, columns)
    # Where weights are shared, numbers are held once, and crossbars in each place.
    uses = 1 if target is None else len(weights.nodes)
    if target is None:
        cost = blocks.size
        ranks: Iterator[int] = iter(range(1, most + 1))
        cost_of = _numbers
    else:
        cost = crossbars_of(Matrix(np.asarray(blocks, np.float32)), target) * uses
        ranks = _last_ranks((count, rows, columns), target)
        cost_of = _crossbars_on(target)

    def both(rank: int) -> int:
        return uses * (cost_of((count, rows, rank)) + cost_of((count, rank, columns)))

    cheaper = [(rank, price) for rank in ranks if (price := both(rank)) < cost]
    spectrum = Spectrum(blocks)
    if not cheaper:
        return Matrices(weights, spectrum, cost, [])
    whole = spectrum.rank(0.0)
    ways = [
        Way(rank, float(spectrum.errors[rank]), both(rank))
        for rank in sorted({min(rank, whole) for rank, _ in cheaper}, reverse=True)
    ]
    return Matrices(weights, spectrum, cost, ways)


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


def _last_ranks(shape: Shape, target: Target) -> Iterator[int]:
    """The ranks after which a matrix may take more crossbars."""
    count, rows, columns = shape
    most = min(rows, columns)
    if count > 1:
        yield from range(1, most + 1)
        return
    ends = {most}
    for size in (target.rows, target.columns):
        ends.update(range(size, most, size) if size else ())
    yield from sorted(ends)
