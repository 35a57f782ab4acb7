# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What of a simulated chip is only for figures, and found when one asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cmc.poly.evaluate import Ints
from cmc.targets.topology import Link
from cmc.timing.waiting import LastWaits


@dataclass(frozen=True)
class Matrix:
    """What a crossbar of a stage holds: equal blocks on its diagonal, mostly one."""

    stage: str
    core: str
    blocks: int
    rows: int
    """Of each block."""
    columns: int


@dataclass(frozen=True, eq=False)
class RingDetails:
    """A channel's ring in the SRAM of a core."""

    object: str
    writer: str
    reader: str
    core: str
    """That of the reader, where the ring is."""
    address: int
    """In bytes."""
    bytes: int
    slots: int
    taken: Callable[[int], tuple[Ints, Ints]]
    """When slots are taken for what is sent of so many first own images, and are free again.

    A slot is taken when the iteration begins that fills it, and free when its writer knows of it,
    if that is while these images are read. Neither descend.
    """


@dataclass(frozen=True)
class LinkDetails:
    """A link that something crosses, and what an image takes of it, or one of each pipeline."""

    ends: Link
    bytes: int
    cycles: int


@dataclass(frozen=True, eq=False)
class Details:
    """What a report does not hold."""

    waits: Callable[[str, Ints], LastWaits]
    """What iterations of a program, counted over its own images, waited for last."""
    rings: tuple[RingDetails, ...]
    links: tuple[LinkDetails, ...]
    matrices: tuple[Matrix, ...]
    places: Mapping[str, int]
    """Of cores, by their names; those without one are not there."""
    origins: Mapping[str, str]
    """The stage that each program is a copy of, or is itself: each comes after its writers."""
