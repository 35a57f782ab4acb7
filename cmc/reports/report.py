"""What a simulated chip did and when, core by core."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cmc.timing.runs import Runs


@dataclass(frozen=True)
class RingReport:
    """A channel's buffer in a core's SRAM."""

    channel: str
    """The object, its writer and its reader: `@b from @conv1 to @conv2`."""
    address: int
    """In bytes."""
    slots: int
    bytes: int


@dataclass(frozen=True)
class ConstantsReport:
    """The constants of a stage in a core's SRAM."""

    stage: str
    address: int
    """In bytes."""
    bytes: int


@dataclass(frozen=True)
class ProgramReport:
    """One program of a core: one stage of the pipeline. Cycles count from 0, over all images."""

    name: str
    iterations: int
    """Iterations per image."""
    first_cycle: int
    """When the first iteration of the first image began."""
    last_cycle: int
    """The last cycle of the last iteration of the last image."""
    busy: int
    """Cycles in which an iteration began."""
    waiting: Mapping[str, int]
    """Cycles between the first and the last in which none could begin, by what was missing."""
    shown: Runs
    """The cycle in which each iteration of the first images began, image after image."""

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """`[images, iterations]`: all cycles of `shown`."""
        starts = self.shown.expanded().reshape(-1, self.iterations)
        starts.flags.writeable = False
        return starts

    def as_json(self) -> dict[str, object]:
        """The fields but for the single starts."""
        return {
            "name": self.name,
            "iterations": self.iterations,
            "first_cycle": self.first_cycle,
            "last_cycle": self.last_cycle,
            "busy": self.busy,
            "waiting": dict(self.waiting),
        }


@dataclass(frozen=True)
class CoreReport:
    """One core: what ran on it, and its SRAM map."""

    name: str
    programs: tuple[ProgramReport, ...]
    rings: tuple[RingReport, ...]
    constants: tuple[ConstantsReport, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The fields, with the size of the SRAM that the core needs."""
        held = (*self.rings, *self.constants)
        return {
            "name": self.name,
            "programs": [program.as_json() for program in self.programs],
            "sram_bytes": max((one.address + one.bytes for one in held), default=0),
            "rings": [asdict(ring) for ring in self.rings],
            "constants": [asdict(one) for one in self.constants],
        }


@dataclass(frozen=True)
class Report:
    """The timing of a stream of images, and the memory that the chip used for it."""

    images: int
    cycles: int
    """From the first vector sent to the last iteration's end."""
    cycles_per_image: float | None
    """In steady state; None if the stream is too short to reach one."""
    cores: tuple[CoreReport, ...]

    @property
    def slots(self) -> int:
        """The slots of all rings together."""
        return sum(ring.slots for core in self.cores for ring in core.rings)

    def to_json(self) -> str:
        """The report as JSON text."""
        fields = {
            "images": self.images,
            "cycles": self.cycles,
            "cycles_per_image": self.cycles_per_image,
            "slots": self.slots,
            "cores": [core.as_json() for core in self.cores],
        }
        return json.dumps(fields, indent=2)
