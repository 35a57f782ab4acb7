# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Which of many sets may meet, told by the values that their points have on each axis.

Copies of a stage write blocks of an object, or every other row of it. Whoever reads from a few of
hundreds of them is not to ask isl about each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import islpy as isl
import numpy as np

from cmc.poly.evaluate import Bools, Ints

_SET = isl.dim_type.set


@dataclass(frozen=True, eq=False)
class Grids:
    """For each of some sets of one space the least grid around it: arrays `[sets, rank]`.

    A grid has evenly spaced values on each axis: from `lows` to `highs`, in `steps` that are 0 on
    an axis with one value.
    """

    lows: Ints
    highs: Ints
    steps: Ints

    @staticmethod
    def of(sets: Sequence[isl.Set], rank: int) -> Grids:
        """The grids of sets of that rank that are finite and not empty."""
        axes = [_axes(points) for points in sets]
        lows, highs, steps = np.array(axes, np.int64).reshape(len(sets), rank, 3).transpose(2, 0, 1)
        return Grids(lows, highs, steps)

    def meeting(self, points: isl.Set) -> Ints:
        """The numbers of those sets, in order, that other points may have one in common with.

        Of no others have they one, if there are any.
        """
        if points.is_empty():
            return np.zeros(0, np.int64)
        other = Grids.of([points], self.lows.shape[1])
        return np.flatnonzero(self._meet(other))

    @property
    def apart(self) -> bool:
        """Whether no two grids have a point in common: if so, no two sets have one."""
        rows = range(len(self.lows))
        return not any(np.any(self._row(n)._meet(self._from(n + 1))) for n in rows)

    def _row(self, number: int) -> Grids:
        return Grids(*(part[number : number + 1] for part in (self.lows, self.highs, self.steps)))

    def _from(self, number: int) -> Grids:
        return Grids(*(part[number:] for part in (self.lows, self.highs, self.steps)))

    def _meet(self, other: Grids) -> Bools:
        """Which grids have, on each axis, a value in common with another one, as far as ends and
        spacing tell."""
        overlap = (self.lows <= other.highs) & (other.lows <= self.highs)
        common = np.maximum(np.gcd(self.steps, other.steps), 1)
        return np.all(overlap & ((self.lows - other.lows) % common == 0), axis=1)


def _axes(points: isl.Set) -> list[tuple[int, int, int]]:
    """The least and the greatest value on each axis, and the distance between two."""
    even = not points.involves_locals()
    axes: list[tuple[int, int, int]] = []
    for axis in range(points.dim(_SET)):
        low, high = (end(axis).to_python() for end in (points.dim_min_val, points.dim_max_val))
        step = int(low < high) if even else _step(points, axis)
        axes.append((low, high, step if low < high else 0))
    return axes


def _step(points: isl.Set, axis: int) -> int:
    found = points.get_stride_info(axis)
    return found.get_stride().to_python() if found.get_offset().is_cst() else 1
