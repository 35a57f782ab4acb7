# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Stages that read from each other in a circle, or from themselves: iterations that come before.

What one iteration reads has to be there before it begins, so no iteration may wait for itself. All
iterations of a circle are gone through, each stage's in order, as far as what they read is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import islpy as isl
from xdsl.utils.exceptions import VerifyException

from cmc.dialects.cmpipe.objects import Channel
from cmc.poly.extremes import coordinates, lexmax
from cmc.poly.relations import nameless
from cmc.precedence import circles


class Writes(Protocol):
    """What writes an object, an element an iteration."""

    @property
    def iterations(self) -> isl.Set: ...
    @property
    def places(self) -> isl.Map: ...


Circle = tuple[tuple[isl.Set, ...], tuple[tuple[int, int, isl.Map], ...]]
"""The iterations of some stages, and who of them, by number, reads which iterations of whom."""


def expect_no_wait_for_itself(
    reads: Mapping[Channel, isl.Map], writers: Mapping[str, Writes]
) -> None:
    """Verify that what each iteration reads can be there before it, whatever else waits.

    `reads` has what each channel's reader reads of its writer's elements.
    """
    read_from: dict[str, list[str]] = {}
    for channel in reads:
        read_from.setdefault(channel.reader, []).append(channel.writer)
    for names in circles(read_from):
        number = {name: i for i, name in enumerate(names)}
        needs = tuple(
            (number[c.reader], number[c.writer], nameless(_needs(reads[c], writers[c.writer])))
            for c in reads
            if c.reader in number and c.writer in number
        )
        domains = tuple(writers[name].iterations.reset_tuple_id() for name in names)
        stuck = _stuck((domains, needs))
        if stuck:
            circle = " waits for ".join(f"@{names[n]}{coordinates(at)}" for n, at in stuck)
            raise VerifyException(f"{circle}: no iteration can read what depends on it")


def _needs(reads: isl.Map, writer: Writes) -> isl.Map:
    return reads.apply_range(writer.places.reverse())


@dataclass
class _Side:
    """A stage: how far it is, and what its iterations need of others, each with how many."""

    count: int
    needs: list[tuple[int, Sequence[int]]]
    done: int = 0


@lru_cache(maxsize=256)
def _stuck(circle: Circle) -> Sequence[tuple[int, tuple[int, ...]]]:
    """Iterations that wait for each other, by the numbers of their stages; none if all can run."""
    from cmc.poly.counting import Iterations, counted

    domains, needs = circle
    iterations = [Iterations(domain) for domain in domains]
    sides = [_Side(one.count, []) for one in iterations]
    for reader, writer, relation in needs:
        at, values = counted(lexmax(relation), iterations[reader], iterations[writer])
        needed = [0] * sides[reader].count
        for place, value in zip(at.expanded().tolist(), values.expanded().tolist(), strict=True):
            needed[place - 1] = value
        sides[reader].needs.append((writer, needed))
    moved = True
    while moved:
        moved = False
        for side in sides:
            before = side.done
            while side.done < side.count and _waits_for(side, sides) is None:
                side.done += 1
            moved |= side.done > before
    number = next((n for n, side in enumerate(sides) if side.done < side.count), None)
    path: list[int] = []
    while number is not None and number not in path:
        path.append(number)
        number = _waits_for(sides[number], sides)
    if number is None:
        return ()
    return [
        (n, tuple(iterations[n].coordinates(sides[n].done)))
        for n in [*path[path.index(number) :], number]
    ]


def _waits_for(side: _Side, sides: Sequence[_Side]) -> int | None:
    """The stage of whose iterations the next one of a stage needs more than there were."""
    return next((w for w, needed in side.needs if needed[side.done] > sides[w].done), None)
