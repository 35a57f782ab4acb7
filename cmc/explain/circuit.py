# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Chains of waits, each of which ends when the next one of the chain does, some cycles later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from cmc.poly.evaluate import Ints

Kind = Literal["data", "input", "room", "pace", "unit", "link", "end"]
"""What is waited for: what a stage or an input writes, a free slot in a ring, the iteration before,
a unit of the core, a link between cores, or the end of an iteration of one's own."""


@dataclass(frozen=True)
class Link:
    """What an iteration of a stage waits for last: it begins so many cycles after that does.

    `kind` says what that is, and `what` on which ring, unit or link, for a person. What began is an
    iteration of the stage or input `on`; images are those of the stream. Of kind `link`, it is a
    vector that the stage sends which waits, and one of `on` that was before it on the link.
    """

    stage: str
    iteration: int
    image: int
    kind: Kind
    what: str
    on: str
    on_iteration: int
    on_image: int
    cycles: int


@dataclass(frozen=True, eq=False)
class Links(Sequence[Link]):
    """Links of a chain in arrays: there may be hundreds of thousands."""

    names: Sequence[str]
    """Of stages, and inputs."""
    whys: Sequence[tuple[Kind, str]]
    """Kinds of what is waited for, and what."""
    passed: Ints
    """`[3, links + 1]`: places in `names`, iterations and images: what waits for the next each."""
    waits: Ints
    """`[2, links]`: places in `whys`, and cycles."""

    def __len__(self) -> int:
        return self.waits.shape[1]

    @overload
    def __getitem__(self, index: int) -> Link: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Link]: ...

    def __getitem__(self, index: int | slice) -> Link | Sequence[Link]:
        return tuple(self)[index]

    def __iter__(self) -> Iterator[Link]:
        numbers: list[list[int]] = self.passed.tolist()
        stages, iterations, images = numbers
        ends = list(zip([self.names[stage] for stage in stages], iterations, images, strict=True))
        waits: list[tuple[int, int]] = self.waits.T.tolist()
        for end, on, (why, cycles) in zip(ends, ends[1:], waits, strict=False):
            yield Link(*end, *self.whys[why], *on, cycles)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Links) and tuple(self) == tuple(other)

    @property
    def cycles(self) -> Ints:
        return self.waits[1]

    @cached_property
    def crossing(self) -> NDArray[np.bool_]:
        """Which of them are waits of vectors for a link between cores."""
        return np.array([kind == "link" for kind, _ in self.whys], bool)[self.waits[0]]

    @cached_property
    def likeness(self) -> Ints:
        """The number of each link's group of like ones, in the order in which the first ones come.

        Those for one link between cores are, whatever sends, and others from one stage to another.
        """
        count, stages = len(self.names), self.passed[0]
        ends = np.where(self.crossing, 0, stages[:-1] * count + stages[1:])
        same = {why: number for number, why in enumerate(self.whys)}
        whys = np.array([same[why] for why in self.whys], np.int64)[self.waits[0]]
        return _numbered(whys * count**2 + ends)

    @cached_property
    def summed(self) -> Sequence[Waits]:
        """What is waited for, in the order of the chain: like waits as one."""
        return self._grouped(self.likeness)

    @property
    def in_a_row(self) -> Sequence[Waits]:
        """The same wait after wait: only of vectors that wait for a link, all in a row are one."""
        goes_on = self.crossing[1:] & (self.likeness[1:] == self.likeness[:-1])
        return self._grouped(np.cumsum(np.append(np.zeros(1, bool), ~goes_on)))

    def _grouped(self, groups: Ints) -> list[Waits]:
        """Each group as one, in the order of their numbers, in which the first ones come."""
        cycles = np.zeros(int(groups.max(initial=-1)) + 1, np.int64)
        np.add.at(cycles, groups, self.cycles)
        waits, on = (self._stages(groups, one) for one in (self.passed[0, :-1], self.passed[0, 1:]))
        whys: list[int] = self.waits[0, np.unique(groups, return_index=True)[1]].tolist()
        times: list[int] = np.bincount(groups).tolist()
        return [
            Waits(tuple(waits[group]), *self.whys[why], tuple(on[group]), times[group], sum)
            for group, (why, sum) in enumerate(zip(whys, cycles.tolist(), strict=True))
        ]

    def _stages(self, groups: Ints, stages: Ints) -> list[list[str]]:
        """The different stages of each group, as they come."""
        first = np.sort(np.unique(groups * len(self.names) + stages, return_index=True)[1])
        names: list[list[str]] = [[] for _ in range(int(groups.max(initial=-1)) + 1)]
        pairs: list[tuple[int, int]] = np.stack([groups, stages], 1)[first].tolist()
        for group, stage in pairs:
            names[group].append(self.names[stage])
        return names


def _numbered(keys: Ints) -> Ints:
    """A number for each key, in ascending order of where each comes first."""
    _, first, of = np.unique(keys, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[of]


@dataclass(frozen=True)
class Waits:
    """Like waits of a chain: how often, and for how many cycles all together.

    Where vectors wait for a link one after the other, there may be several stages that do, and
    several whose vectors are before these.
    """

    stages: tuple[str, ...]
    kind: Kind
    what: str
    on: tuple[str, ...]
    times: int
    cycles: int

    @property
    def words(self) -> str:
        """What the stages do, for a person."""
        on = some_of(self.on)
        match self.kind:
            case "data":
                return f"waits for what {on} writes"
            case "input":
                return f"waits for what {on} sends"
            case "room":
                return f"waits for room in {on}'s ring"
            case "pace":
                return "waits for its own iteration before"
            case "unit":
                return f"waits for {self.what}, which is at work for {on}"
            case "link":
                waits = "wait with vectors" if len(self.stages) > 1 else "waits with a vector"
                return f"{waits} for {self.what}, behind others of {on}"
            case "end":
                return "ends"


_NAMED = 3
"""Of several stages, how many are named."""


def some_of(stages: Sequence[str]) -> str:
    """Stages by their names, of many the first ones."""
    names = ", ".join(f"@{name}" for name in stages[:_NAMED])
    return f"{names} and {len(stages) - _NAMED} more" if len(stages) > _NAMED else names


@dataclass(frozen=True)
class Circuit:
    """Waits in steady state that lead to the same iteration some images before.

    Links stand from what waits to what it waits for: what one waits on is what waits in the next.
    One that is not `closed` leads from the end of an image back to when another one ended.
    """

    links: Links
    cycles: int
    """Of all links."""
    images: int
    """Of the stream, after which the same comes again; or that ended meanwhile."""
    closed: bool = True

    @property
    def mean(self) -> Fraction:
        """Cycles an image: no stream is faster, and this one is as fast."""
        return Fraction(self.cycles, self.images)

    def as_json(self) -> dict[str, object]:
        return {
            "cycles": self.cycles,
            "images": self.images,
            "closed": self.closed,
            "links": [asdict(link) for link in self.links],
        }

    def summary(self) -> dict[str, object]:
        """What a report has of it."""
        waits = _as_json(self.links)
        return {
            "cycles": self.cycles,
            "images": self.images,
            "closed": self.closed,
            "waits": waits,
        }


@dataclass(frozen=True)
class CriticalPath:
    """Waits from the end of an image's last iteration back to the first vector that was sent."""

    links: Links
    cycles: int
    """Of all links."""

    def as_json(self) -> dict[str, object]:
        return {"cycles": self.cycles, "links": [asdict(link) for link in self.links]}

    def summary(self) -> dict[str, object]:
        """What a report has of it."""
        return {"cycles": self.cycles, "waits": _as_json(self.links)}


def _as_json(links: Links) -> list[dict[str, object]]:
    return [asdict(one) for one in links.summed]


def repeated(keys: Sequence[object], longest: int = 12) -> list[tuple[int, int, int]]:
    """Where a sequence is some keys again and again: from where, how many, and how often.

    One after the other, each as much of what is left as any is, of at most so many keys.
    """
    found: list[tuple[int, int, int]] = []
    place = 0
    while place < len(keys):
        best, most = 1, 1
        for length in range(1, min(longest, len(keys) - place) + 1):
            end = place + length
            while end < len(keys) and keys[end] == keys[end - length]:
                end += 1
            times = (end - place) // length
            if times > 1 and times * length > best * most:
                best, most = length, times
        found.append((place, best, most))
        place += best * most
    return found
