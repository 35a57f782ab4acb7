# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How copies of a stage share its iterations: each runs a box of them.

An image arrives row by row. So copies that have a block of columns each work on all of it at the
same time, need short rings, and send what they compute to one copy and its neighbours. Where there
are not enough columns, or their number does not divide, copies have blocks of several columns, and
of the rows in these every second one, or every third: each block has its own number of such copies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from itertools import pairwise
from math import prod

import numpy as np

Part = tuple[range, ...]
"""Some iterations of a box: for each loop, those values that it takes."""


PATTERNS = ("interleaved", "blocks")
"""How copies share a loop."""


def shared(loop: range, copies: int, pattern: str) -> list[range]:
    """A loop for each of some copies, in one of the patterns."""
    return interleaved(loop, copies) if pattern == "interleaved" else blocks(loop, copies)


def interleaved(loop: range, copies: int) -> list[range]:
    """A loop for each of some copies, where neighbours belong to different ones."""
    return [loop[number::copies] for number in range(copies)]


def blocks(loop: range, copies: int) -> list[range]:
    """A loop for each of some copies, in blocks of nearly equal size."""
    ends = [len(loop) * number // copies for number in range(copies + 1)]
    return [loop[first:end] for first, end in pairwise(ends)]


@dataclass(frozen=True)
class _Block:
    """Neighbouring columns: how many there may be at most, and by how many parts they are shared.

    In each of these parts, no column has more than `rows` iterations.
    """

    width: int
    parts: int
    rows: int


class Sharing:
    """How a box is cut into as few parts as can be, of which none has more than so many iterations.

    The outermost loop is interleaved, and others are cut into blocks.
    """

    def __init__(self, box: Part):
        self._box = box
        self._outer = Sharing(box[:-1]) if len(box) > 1 else None
        self._known: dict[int, list[_Block]] = {}

    def count(self, most: int) -> int:
        """How many parts there are, if none has more iterations than that: at least 1."""
        if not self._box:
            return 1
        if self._outer is None:
            return -(-len(self._box[0]) // most)
        return sum(block.parts for block in self._blocks(most))

    def parts(self, most: int) -> list[Part]:
        """The parts, of nearly equal size."""
        if not self._box:
            return [()]
        loop, outer = self._box[-1], self._outer
        if outer is None:
            return [(part,) for part in interleaved(loop, self.count(most))]
        found: list[Part] = []
        first = 0
        for block, width in self._even(outer, self._blocks(most)):
            columns = loop[first : first + width]
            found += [(*part, columns) for part in outer.parts(block.rows)]
            first += width
        return found

    def _blocks(self, most: int) -> list[_Block]:
        """Blocks of the innermost loop that have all of its columns, of the fewest parts in all.

        Of these as many blocks as there can be, so that few copies are interleaved.
        """
        if most not in self._known:
            choices = list(self._choices(most))
            found: list[list[_Block]] = [[]]
            costs = [(0, 0)]
            for columns in range(1, len(self._box[-1]) + 1):
                rest = [max(0, columns - block.width) for block in choices]
                cost, number = min(
                    ((costs[n][0] + block.parts, costs[n][1] - 1), number)
                    for number, (block, n) in enumerate(zip(choices, rest, strict=True))
                )
                costs.append(cost)
                found.append([*found[rest[number]], choices[number]])
            self._known[most] = found[-1]
        return self._known[most]

    def _choices(self, most: int) -> Iterator[_Block]:
        """The blocks that there may be, the widest for each number of rows."""
        assert self._outer is not None
        extent, width = len(self._box[-1]), 0
        while width < min(extent, most):
            rows = most // (width + 1)
            width = min(most // rows, extent)
            yield _Block(width, self._outer.count(rows), rows)

    def _even(self, outer: Sharing, blocks: Sequence[_Block]) -> list[tuple[_Block, int]]:
        """The same blocks, with numbers of columns that make their parts nearly equal."""
        heights = [max(prod(map(len, part)) for part in outer.parts(b.rows)) for b in blocks]
        # Each further column goes where it makes the smallest part.
        smallest = [(height, number) for number, height in enumerate(heights)]
        heapify(smallest)
        widths = [0] * len(blocks)
        for _ in self._box[-1]:
            size, number = smallest[0]
            widths[number] += 1
            heapreplace(smallest, (size + heights[number], number))
        return list(zip(blocks, widths, strict=True))


def are_whole(parts: Sequence[Part], box: Part) -> bool:
    """Whether each iteration of a box is in one part, and in no other."""
    if any(len(part) != len(box) for part in parts):
        return False
    if sum(prod(map(len, part)) for part in parts) != prod(map(len, box)):
        return False
    found = np.zeros([len(loop) for loop in box], np.bool_)
    for part in parts:
        loops = list(zip(part, box, strict=True))
        if any(loop[0] not in whole or loop[-1] not in whole for loop, whole in loops):
            return False
        found[np.ix_(*([n - whole[0] for n in loop] for loop, whole in loops))] = True
    return bool(found.all())
