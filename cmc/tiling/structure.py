# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The parts of a matrix that lie on its diagonal: rows and columns that only meet each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cmc.files.weights import Float32Array
from cmc.poly.evaluate import Bools, Ints


@dataclass(frozen=True, eq=False)
class Matrix:
    """What a crossbar op holds, as one matrix: `[K, M]`, or `[G, K, M]` with G blocks on its
    diagonal."""

    array: Float32Array

    @cached_property
    def blocks(self) -> tuple[int, int, int]:
        """How many blocks there are, and the rows and columns of each."""
        *lead, rows, columns = self.array.shape
        return (lead[0] if lead else 1), rows, columns

    @property
    def rows(self) -> int:
        return self.blocks[0] * self.blocks[1]

    @property
    def columns(self) -> int:
        return self.blocks[0] * self.blocks[2]

    def part(self, rows: Ints, first: int, width: int) -> Float32Array:
        """Some rows, and `width` columns from `first` on, all within one block.

        Columns beyond the last are 0.
        """
        count, height, columns = self.blocks
        group = 0 if count == 1 else int(rows[0]) // height
        one = self.array.reshape(count, height, columns)[group]
        first -= group * columns
        stop = min(first + width, columns)
        if _is_splat(one):
            part = np.broadcast_to(one[:1, :1], (len(rows), max(0, stop - first)))
        else:
            local = rows - group * height
            start = int(local[0])
            side_by_side = len(local) == int(local[-1]) - start + 1 and bool(
                np.all(np.diff(local) == 1)
            )
            part = one[start : start + len(local) if side_by_side else None]
            part = part[:, first:stop] if side_by_side else one[local][:, first:stop]
        if stop - first < width:
            part = np.pad(part, ((0, 0), (0, width - max(0, stop - first))))
        return part

    def occupied(self) -> Bools:
        """For each row, whether there is a number other than 0 in it."""
        if _is_splat(self.array):
            return np.full(self.rows, bool(self.array.flat[0]))
        return np.any(self.array.reshape(self.rows, -1), axis=1, keepdims=True)[:, 0]


@dataclass(frozen=True, eq=False)
class Units:
    """A matrix as units of columns, each of one width, from the first column to the last.

    `rows` has the rows that meet the columns of each unit. `alike` units in a row meet the same
    ones; other than that no two meet a common one. The last unit may reach beyond the columns.
    """

    rows: Sequence[Ints]
    width: int
    alike: int

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def height(self) -> int:
        """The rows of each unit."""
        return len(self.rows[0])


def units(matrix: Matrix, columns: int | None) -> Units:
    """The matrix in units of at most so many columns."""
    parts = _even_parts(matrix)
    width = matrix.columns // len(parts)
    pieces = 1 if columns is None else -(-width // columns)
    if len(parts) > 1:
        # Each part is cut into equal pieces, so that all units are of one width.
        pieces = next(n for n in range(pieces, width + 1) if width % n == 0)
    return Units([rows for rows in parts for _ in range(pieces)], -(-width // pieces), pieces)


def _even_parts(matrix: Matrix) -> list[Ints]:
    """The rows of the parts on the diagonal, if these are of one size each; or one part, of all."""
    found = list(_parts(matrix))
    heights = {len(rows) for rows, _, _ in found}
    widths = {stop - start for _, start, stop in found}
    if len(heights) == len(widths) == 1 and 0 not in heights:
        return [rows for rows, _, _ in found]
    return [np.arange(matrix.rows)]


Part = tuple[Ints, int, int]
"""Rows, and the first column that they meet and the one after the last."""


def _parts(matrix: Matrix) -> Iterator[Part]:
    """The parts on the diagonal, from the first column on, each with columns side by side."""
    count, height, width = matrix.blocks
    array = matrix.array.reshape(count, height, width)
    dense = np.all(array[:, 0, :] != 0, 1) & np.all(array[:, :, 0] != 0, 1)
    for group in range(count):
        if dense[group]:
            inner: list[Part] = [(np.arange(height), 0, width)]
        else:
            inner = _merged(_components(array[group]))
        for rows, start, stop in inner:
            yield rows + group * height, start + group * width, stop + group * width


def _merged(parts: list[tuple[Ints, Ints]]) -> list[Part]:
    """Parts whose columns lie among each other as one."""
    merged: list[Part] = []
    for rows, columns in sorted(parts, key=lambda part: int(part[1].min())):
        start, stop = int(columns.min()), int(columns.max()) + 1
        if merged and start < merged[-1][2]:
            before, first, last = merged.pop()
            merged.append((np.union1d(before, rows), first, max(last, stop)))
        else:
            merged.append((rows, start, stop))
    return merged


def _components(matrix: Float32Array) -> list[tuple[Ints, Ints]]:
    """The rows and columns of each part in which one leads to the other by numbers other than 0.

    Each row and each column is looked at once at most, and none once all have been reached.
    """
    height, width = matrix.shape
    row_of, column_of = np.full(height, -1), np.full(width, -1)
    for first in range(width):
        if column_of[first] >= 0:
            continue
        column_of[first] = first
        columns = [first]
        while columns and (np.any(row_of < 0) or np.any(column_of < 0)):
            rows = np.flatnonzero((row_of < 0) & (matrix[:, columns.pop()] != 0))
            row_of[rows] = first
            for row in rows:
                met = np.flatnonzero((column_of < 0) & (matrix[row] != 0))
                column_of[met] = first
                columns.extend(met.tolist())
                if np.all(column_of >= 0):
                    break
    return [
        (np.flatnonzero(row_of == label), np.flatnonzero(column_of == label))
        for label in np.unique(column_of)
    ]


def _is_splat(array: Float32Array) -> bool:
    return array.size > 0 and not any(
        stride for stride, extent in zip(array.strides, array.shape, strict=True) if extent > 1
    )
