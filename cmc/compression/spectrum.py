# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How far a matrix is from the nearest one of lower rank, and the two factors of that one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cmc.simulator.blas import one_thread

Blocks: TypeAlias = NDArray[np.floating]
"""`[G, K, M]`: G matrices of K rows and M columns, which are all cut to one rank."""

Doubles: TypeAlias = NDArray[np.float64]

EXACT = 1e-6
"""A relative error that comes of rounding numbers to float32, and counts as none."""

_SLICE = 4096
"""Of so many rows or columns at a time there are copies in float64."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The singular values of matrices, and with them the error of every rank.

    They are square roots of eigenvalues of the smaller Gram matrix, in float64: for K >= M these
    take 2 K M^2 operations for the matrix and about 4/3 M^3 more. Vectors take some 10 M^3, and
    are computed when factors are asked for.
    """

    blocks: Blocks

    @cached_property
    def errors(self) -> Doubles:
        """`[min(K, M) + 1]`: the relative error for each rank from 0 on.

        That is the Frobenius norm of the difference over that of the matrices.
        """
        with one_thread():
            ascending = np.maximum(np.linalg.eigvalsh(self._gram).sum(0), 0.0)
        # Small ones are added up first. With as many ranks as there are, nothing is left out.
        left_out = np.concatenate([[0.0], np.cumsum(ascending)])[::-1]
        return np.sqrt(left_out / (left_out[0] or 1.0))

    def rank(self, error: float) -> int:
        """The lowest rank, at least 1, whose relative error is at most `error`, or `EXACT`."""
        return max(1, int(np.argmax(self.errors <= max(error, EXACT))))

    def factors(self, rank: int) -> tuple[Doubles, Doubles]:
        """`[G, K, rank]` and `[G, rank, M]`, whose product is nearest to the matrices.

        Both have the square roots of the singular values, so that their numbers are of one size.
        """
        with one_thread():
            squares, vectors = np.linalg.eigh(self._gram)
        squares, vectors = squares[:, ::-1][:, :rank], vectors[:, :, ::-1][:, :, :rank]
        # Of a vector and its negative it is the one whose largest number is positive.
        largest = np.take_along_axis(vectors, np.abs(vectors).argmax(1, keepdims=True), 1)
        vectors = vectors * np.where(largest < 0, -1.0, 1.0)
        scale = np.sqrt(np.sqrt(np.maximum(squares, 0.0)))[:, None]
        scale = np.where(scale > 0, scale, 1.0)
        other = self._times(vectors) / scale
        own = vectors * scale
        pair = (other, own) if self._is_high else (own, other)
        return pair[0], np.swapaxes(pair[1], 1, 2)

    def error_of(self, left: Blocks, right: Blocks) -> float:
        """The relative error of a product of factors, as it is."""
        difference = 0.0
        for part in self._slices():
            rows = self.blocks[:, part].astype(np.float64)
            product = left[:, part].astype(np.float64) @ right.astype(np.float64)
            difference += float(np.square(rows - product).sum())
        total = float(np.trace(self._gram, axis1=1, axis2=2).sum())
        return float(np.sqrt(difference / (total or 1.0)))

    @property
    def _is_high(self) -> bool:
        return self.blocks.shape[1] >= self.blocks.shape[2]

    @property
    def _tall(self) -> Blocks:
        """The matrices, with as many rows as columns or more."""
        return self.blocks if self._is_high else np.swapaxes(self.blocks, 1, 2)

    @cached_property
    def _gram(self) -> Doubles:
        count, height, width = self._tall.shape
        gram = np.zeros((count, width, width))
        for first in range(0, height, _SLICE):
            rows = self._tall[:, first : first + _SLICE].astype(np.float64)
            gram += np.swapaxes(rows, 1, 2) @ rows
        return gram

    def _times(self, vectors: Doubles) -> Doubles:
        """The product of the matrices, as high ones, with vectors."""
        height = self._tall.shape[1]
        parts = [
            self._tall[:, first : first + _SLICE].astype(np.float64) @ vectors
            for first in range(0, height, _SLICE)
        ]
        return np.concatenate(parts, 1)

    def _slices(self) -> list[slice]:
        height = self.blocks.shape[1]
        return [slice(first, first + _SLICE) for first in range(0, height, _SLICE)]
