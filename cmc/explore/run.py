# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Trying all designs of a space that have no result yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from cmc.explore.point import Point
from cmc.explore.results import Result, Results
from cmc.explore.space import Choices, Space
from cmc.explore.workers import Workers
from cmc.passes.cmpipe_tile_crossbars import what_cuts


class Source(Protocol):
    """Which designs are to be tried."""

    @property
    def points(self) -> Sequence[Point]:
        """All of them, those that have a result already too."""
        ...

    def next(self) -> Point | None:
        """One that has no result; None if there is none left, or none before others are done."""
        ...

    def done(self, point: Point, result: Result) -> None: ...


class Each:
    """All designs of a space, or some, those that share work one after the other."""

    def __init__(self, space: Space, results: Results, some: Sequence[Choices] | None = None):
        len(space)  # refuses what has no end
        points = [Point.of(choices, space.images, space.accuracy) for choices in some or space]
        self.points: Sequence[Point] = list({point.id: point for point in points}.values())
        shared: dict[str, list[Point]] = {}
        for point in self.points:
            if point.id not in results.found:
                cut = None if point.chip is None else what_cuts(point.chip)
                key = repr((point.network, point.to_stages, cut))
                shared.setdefault(key, []).append(point)
        self._left = deque(point for points in shared.values() for point in points)

    def next(self) -> Point | None:
        return self._left.popleft() if self._left else None

    def done(self, point: Point, result: Result) -> None:
        pass


def run(source: Source, workers: Workers, results: Results, tried: Callable[[], object]) -> None:
    """Try what `source` has; `tried` is called after each design."""
    running = 0
    try:
        while True:
            while workers.free() and (point := source.next()) is not None:
                workers.start(point)
                running += 1
            if not running:
                return
            for point, outcome in workers.wait():
                running -= 1
                source.done(point, results.add(point, outcome))
                tried()
    finally:
        workers.close()


def found_of(points: Iterable[Point], results: Results) -> list[Result]:
    """What was found of some designs, as far as they were tried, with the choices of these."""
    return [
        Result(point.id, point.choices, point.command, results.found[point.id].outcome)
        for point in points
        if point.id in results.found
    ]
