# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Chains of waits, each of which ends when the next one of the chain does, some cycles later."""

from __future__ import annotations

from collections.abc import Sequence
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
class Circuit:
    """Waits in steady state that lead to the same iteration some images before.

    Links stand from what waits to what it waits for: what one waits on is what waits in the next.
    """

    links: tuple[Link, ...]
    cycles: int
    """Of all links."""
    images: int
    """Of the stream, after which the same comes again."""

    @property
    def mean(self) -> Fraction:
        """Cycles an image: no stream is faster, and this one is as fast."""
        return Fraction(self.cycles, self.images)

    def as_json(self) -> dict[str, object]:
        return {
            "cycles": self.cycles,
            "images": self.images,
            "links": [asdict(link) for link in self.links],
        }


@dataclass(frozen=True)
class CriticalPath:
    """Waits from the end of an image's last iteration back to the first vector that was sent."""

    links: tuple[Link, ...]
    cycles: int
    """Of all links."""

    def as_json(self) -> dict[str, object]:
        return {"cycles": self.cycles, "links": [asdict(link) for link in self.links]}


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
