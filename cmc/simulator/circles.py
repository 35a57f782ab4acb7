# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""In what order iterations run of programs that read from each other, or from themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from cmc.poly.evaluate import Ints
from cmc.simulator.load import LoadedProgram

Circle = Mapping[str, LoadedProgram]
"""Programs that read from each other, by their names, in order."""


@dataclass
class _Side:
    """A program: how far it is, and how many of others' iterations each of its own waits for."""

    count: int
    waits: dict[str, Ints]
    done: int = 0

    def until(self, sides: Mapping[str, _Side]) -> int:
        """How many iterations may run as things are."""
        found = [
            int(np.searchsorted(needs, sides[name].done, "right"))
            for name, needs in self.waits.items()
        ]
        return min([self.count, *found])


def runs_of(circle: Circle) -> Iterator[tuple[str, range]]:
    """Programs with as many iterations as can run at once, until all have run.

    What they read from others than each other is there.
    """
    sides = {
        name: _Side(program.iterations, _waits(program, circle)) for name, program in circle.items()
    }
    moved = True
    while moved:
        moved = False
        for name, side in sides.items():
            until = side.until(sides)
            if until > side.done:
                yield name, range(side.done, until)
                side.done, moved = until, True
    assert all(side.done == side.count for side in sides.values())


def _waits(program: LoadedProgram, circle: Circle) -> dict[str, Ints]:
    waits: dict[str, Ints] = {}
    for share in (share for read in program.reads for share in read.shares):
        name = share.part.writer
        if name in circle:
            places = np.append(-1, circle[name].part.order[share.part.elements])
            needs = places[np.maximum(share.places.wanted[0].expanded(), -1) + 1] + 1
            waits[name] = np.maximum(waits[name], needs) if name in waits else needs
    return waits
