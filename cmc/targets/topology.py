# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How the cores of a target are connected, and by which links one of them reaches another.

Cores are known by their places, 0, 1, …: in a grid row by row. Each direction of a link is a link
of its own. The GCU reaches every core by ways of its own, which are no links.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import overload

from cmc.targets.kinds import LARGEST
from cmc.targets.target import Target


@dataclass(frozen=True)
class Link:
    """From one core to another, in this direction; or, of no cores, the bus that all share."""

    source: int | None = None
    to: int | None = None

    @property
    def title(self) -> str:
        """What this is, for a person."""
        return "the bus" if self.source is None else f"link core {self.source} -> core {self.to}"


@dataclass(frozen=True)
class Links(Sequence[Link]):
    """The links of a topology, of which there may be too many to make them all."""

    total: int
    find: Callable[[int], Link]

    def __len__(self) -> int:
        return self.total

    @overload
    def __getitem__(self, index: int) -> Link: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Link]: ...
    def __getitem__(self, index: int | slice) -> Link | Sequence[Link]:
        places = range(self.total)[index]
        return [self.find(i) for i in places] if isinstance(places, range) else self.find(places)


class Topology(ABC):
    """Links between so many `cores`."""

    placed = True
    """Whether it makes a difference which core has which place."""

    def __init__(self, cores: int):
        self.cores = cores
        self._routes: dict[tuple[int, int], tuple[int, ...] | None] = {}

    @property
    @abstractmethod
    def links(self) -> Sequence[Link]:
        """All links, by their numbers."""

    @abstractmethod
    def _number(self, source: int, to: int) -> int:
        """The link from one core to the next of a path."""

    @abstractmethod
    def _path(self, source: int, to: int) -> Sequence[int] | None:
        """The cores from one to another one, both of them among these; None if there is no way."""

    def route(self, source: int, to: int) -> tuple[int, ...] | None:
        """The numbers of the links from one core to another, in order; None if there is no way."""
        if source == to:
            return ()
        if (source, to) not in self._routes:
            path = self._path(source, to)
            steps = None if path is None else tuple(self._number(a, b) for a, b in pairwise(path))
            self._routes[source, to] = steps
        return self._routes[source, to]


class _AllToAll(Topology):
    """A link from each core to each other one."""

    placed = False

    @property
    def links(self) -> Sequence[Link]:
        def find(number: int) -> Link:
            source, to = divmod(number, self.cores - 1)
            return Link(source, to + (to >= source))

        return Links(self.cores * (self.cores - 1), find)

    def _number(self, source: int, to: int) -> int:
        return source * (self.cores - 1) + to - (to > source)

    def _path(self, source: int, to: int) -> Sequence[int]:
        return source, to


class _Bus(Topology):
    """One link that all share."""

    placed = False

    @property
    def links(self) -> Sequence[Link]:
        return (Link(),)

    def _number(self, source: int, to: int) -> int:
        return 0

    def _path(self, source: int, to: int) -> Sequence[int]:
        return source, to


class _Chain(Topology):
    """Links from each core to so many on each side: the longest steps come first."""

    def __init__(self, cores: int, reach: int):
        super().__init__(cores)
        self._reach = min(reach, cores - 1)

    def _before(self, length: int) -> int:
        """How many pairs of cores have a link that is shorter."""
        return (length - 1) * self.cores - length * (length - 1) // 2

    @property
    def links(self) -> Sequence[Link]:
        def find(number: int) -> Link:
            pair, back = divmod(number, 2)
            length = bisect_right(range(1, self._reach + 1), pair, key=self._before)
            low = pair - self._before(length)
            return Link(low + length, low) if back else Link(low, low + length)

        return Links(2 * self._before(self._reach + 1), find)

    def _number(self, source: int, to: int) -> int:
        return 2 * (self._before(abs(to - source)) + min(source, to)) + (to < source)

    def _path(self, source: int, to: int) -> Sequence[int]:
        reach = self._reach if to > source else -self._reach
        return *range(source, to, reach), to


class _Grid(Topology):
    """Rows and columns of cores, linked to the next ones: first along the row, then the column.

    In a torus the last core of a row, or of a column, is next to the first one, and the shorter way
    is taken; of two that are as long, the one that counts up.
    """

    def __init__(self, grid: tuple[int, int], around: bool):
        rows, columns = grid
        super().__init__(rows * columns)
        self._rows, self._columns, self._around = rows, columns, around

    @property
    def _lengths(self) -> tuple[int, int]:
        """The links in one direction of a row, and of a column."""
        row, column = self._columns - 1, self._rows - 1
        return (row + (row > 0), column + (column > 0)) if self._around else (row, column)

    @property
    def links(self) -> Sequence[Link]:
        row, column = self._lengths
        along, across = self._rows * row, self._columns * column

        def find(number: int) -> Link:
            pair, back = divmod(number, 2)
            if pair < along:
                line, low = divmod(pair, row)
                one, other = (line, low), (line, (low + 1) % self._columns)
            else:
                line, low = divmod(pair - along, column)
                one, other = (low, line), ((low + 1) % self._rows, line)
            ends = [r * self._columns + c for r, c in (one, other)]
            return Link(*reversed(ends)) if back else Link(*ends)

        return Links(2 * (along + across), find)

    def _number(self, source: int, to: int) -> int:
        row, column = self._lengths
        (r, c), (r_to, c_to) = (divmod(core, self._columns) for core in (source, to))
        if r == r_to:
            low, back = self._lower(c, c_to, self._columns)
            return 2 * (r * row + low) + back
        low, back = self._lower(r, r_to, self._rows)
        return 2 * (self._rows * row + c * column + low) + back

    def _lower(self, one: int, other: int, length: int) -> tuple[int, bool]:
        """Of two neighbours in a line, perhaps around its end, the lower, and if it is the other.

        In a circle of two each way is one up.
        """
        up = (one + 1) % length == other if self._around else one < other
        return (one, False) if up else (other, True)

    def _path(self, source: int, to: int) -> Sequence[int]:
        (r, c), (r_to, c_to) = (divmod(core, self._columns) for core in (source, to))
        along = [(r, place) for place in self._line(c, c_to, self._columns)]
        across = [(place, c_to) for place in self._line(r, r_to, self._rows)]
        return [row * self._columns + column for row, column in (*along, *across[1:])]

    def _line(self, one: int, other: int, length: int) -> Iterator[int]:
        """The places in a row or a column from one to another."""
        if not self._around:
            return iter(range(one, other + 1) if one <= other else range(one, other - 1, -1))
        up = (other - one) % length
        steps = range(up + 1) if 2 * up <= length else range(0, up - length - 1, -1)
        return ((one + step) % length for step in steps)


class _Edges(Topology):
    """Links that are listed: a shortest way is taken, of several the first in order of places."""

    def __init__(self, cores: int, edges: Sequence[tuple[int, int]]):
        super().__init__(cores)
        pairs = sorted({pair for one, other in edges for pair in ((one, other), (other, one))})
        self._links = tuple(Link(*pair) for pair in pairs)
        self._numbers = {pair: number for number, pair in enumerate(pairs)}
        self._next: dict[int, list[int]] = {}
        for source, to in pairs:
            self._next.setdefault(source, []).append(to)
        self._far = cache(self._distances)

    @property
    def links(self) -> Sequence[Link]:
        return self._links

    def _number(self, source: int, to: int) -> int:
        return self._numbers[source, to]

    def _distances(self, to: int) -> dict[int, int]:
        """How many links it is to a core from all from which there is a way."""
        distances, found = {to: 0}, deque([to])
        while found:
            core = found.popleft()
            for near in self._next.get(core, ()):
                if near not in distances:
                    distances[near] = distances[core] + 1
                    found.append(near)
        return distances

    def _path(self, source: int, to: int) -> Sequence[int] | None:
        distances = self._far(to)
        if source not in distances:
            return None
        path = [source]
        while path[-1] != to:
            left = distances[path[-1]] - 1
            path.append(next(core for core in self._next[path[-1]] if distances[core] == left))
        return path


@lru_cache(maxsize=64)
def topology_of(target: Target) -> Topology:
    """How the cores of a target are connected."""
    cores = LARGEST if target.cores is None else target.cores
    if target.topology == "bus":
        return _Bus(cores)
    if target.reach is not None:
        return _Chain(cores, target.reach)
    if target.grid is not None:
        return _Grid(target.grid, target.topology == "torus")
    if target.edges is not None:
        return _Edges(cores, target.edges)
    return _AllToAll(cores)
