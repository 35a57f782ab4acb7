# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Chains of waits, each of which ends when the next one of the chain does, some cycles later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Literal

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


def summed(links: Iterable[Link]) -> list[Waits]:
    """What is waited for, in the order of a chain: like waits, and those for one link, as one."""
    groups: dict[object, list[Link]] = {}
    for link in links:
        groups.setdefault(_likeness(link), []).append(link)
    return [_sum(group) for group in groups.values()]


def in_a_row(links: Iterable[Link]) -> list[Waits]:
    """The same wait after wait: only of vectors that wait for a link, all in a row are one."""
    groups: list[list[Link]] = []
    for link in links:
        if groups and link.kind == "link" and _likeness(groups[-1][0]) == _likeness(link):
            groups[-1].append(link)
        else:
            groups.append([link])
    return [_sum(group) for group in groups]


def _likeness(link: Link) -> object:
    of = () if link.kind == "link" else (link.stage, link.on)
    return link.kind, link.what, of


def _sum(links: Sequence[Link]) -> Waits:
    first = links[0]
    stages = tuple(dict.fromkeys(link.stage for link in links))
    on = tuple(dict.fromkeys(link.on for link in links))
    cycles = sum(link.cycles for link in links)
    return Waits(stages, first.kind, first.what, on, len(links), cycles)


@dataclass(frozen=True)
class Circuit:
    """Waits in steady state that lead to the same iteration some images before.

    Links stand from what waits to what it waits for: what one waits on is what waits in the next.
    One that is not `closed` leads from the end of an image back to when another one ended.
    """

    links: tuple[Link, ...]
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

    links: tuple[Link, ...]
    cycles: int
    """Of all links."""

    def as_json(self) -> dict[str, object]:
        return {"cycles": self.cycles, "links": [asdict(link) for link in self.links]}

    def summary(self) -> dict[str, object]:
        """What a report has of it."""
        return {"cycles": self.cycles, "waits": _as_json(self.links)}


def _as_json(links: Iterable[Link]) -> list[dict[str, object]]:
    return [asdict(one) for one in summed(links)]


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
