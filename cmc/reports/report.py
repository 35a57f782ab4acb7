# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a simulated chip did and when, core by core."""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from cmc.errors import CmcError
from cmc.explain.circuit import Circuit, CriticalPath
from cmc.files.output import replacing, replacing_text
from cmc.fitting.traffic import HopBytes
from cmc.reports.details import Details
from cmc.reports.energy import Counts, Energy
from cmc.reports.help import Figures, Help
from cmc.reports.host import HostReport
from cmc.streams import Turn
from cmc.targets import IDEAL, Target
from cmc.timing.runs import Runs

VERSION = 1
"""Of the schema of a report as JSON, `docs/report.schema.json`, which says what it means."""


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
    first_cycle: int | None
    """When the first iteration of the first image began; None if it had no image of the stream."""
    last_cycle: int | None
    """The last cycle of the last iteration of the last image."""
    busy: int
    """Cycles in which an iteration began."""
    waiting: Mapping[str, int]
    """Cycles between the first and the last in which none could begin, by what was missing."""
    shown: Runs
    """The cycle in which each iteration of the first images began, image after image."""
    load: int = 0
    """Cycles that one of its images takes of it at the least."""
    crossbars: int = 0
    cells_used: int = 0
    """Cells of its crossbars that hold a weight of a matrix."""
    cells: int = 0
    """All cells of its crossbars."""
    turn: Turn = field(default=Turn())
    """Which images of the stream are its own, where pipelines take turns."""

    @property
    def pace(self) -> int:
        """Cycles from one iteration to the next at the least."""
        return self.load // self.iterations

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
            "turn": self.turn.number,
            "iterations": self.iterations,
            "first_cycle": self.first_cycle,
            "last_cycle": self.last_cycle,
            "busy": self.busy,
            "waiting": dict(self.waiting),
            **_crossbars(self),
        }


@dataclass(frozen=True)
class CoreReport:
    """One core: what ran on it, and its SRAM map."""

    name: str
    programs: tuple[ProgramReport, ...]
    rings: tuple[RingReport, ...]
    constants: tuple[ConstantsReport, ...] = ()
    loads: Mapping[str, int] = field(default_factory=dict[str, int])
    """By unit, the cycles for which an image takes it: the `crossbars` on an average.

    Where pipelines take turns, that is one image of each.
    """

    @property
    def crossbars(self) -> int:
        return sum(program.crossbars for program in self.programs)

    @property
    def cells_used(self) -> int:
        return sum(program.cells_used for program in self.programs)

    @property
    def cells(self) -> int:
        return sum(program.cells for program in self.programs)

    @property
    def sram_bytes(self) -> int:
        """The size of the SRAM that the core needs."""
        held = (*self.rings, *self.constants)
        return max((one.address + one.bytes for one in held), default=0)

    @property
    def load(self) -> int:
        """The cycles that an image takes of the core at the least: of a program, or of a unit.

        Where pipelines take turns, that is one image of each.
        """
        programs = (program.load for program in self.programs)
        return max([*programs, *self.loads.values()], default=0)

    def as_json(self) -> dict[str, object]:
        """The fields, with the size of the SRAM that the core needs."""
        return {
            "name": self.name,
            "programs": [program.as_json() for program in self.programs],
            **_crossbars(self),
            "loads": dict(self.loads),
            "sram_bytes": self.sram_bytes,
            "rings": [asdict(ring) for ring in self.rings],
            "constants": [asdict(one) for one in self.constants],
        }


@dataclass(frozen=True)
class LinkReport:
    """A link that something crosses, and what an image takes of it, or one of each pipeline."""

    name: str
    bytes: int
    cycles: int


@dataclass(frozen=True)
class Report:
    """The timing of a stream of images, and the memory that the chip used for it."""

    images: int
    cycles: int
    """From the first vector sent to the last iteration's end."""
    cycles_per_image: float | None
    """In steady state; None if the stream is too short to reach one."""
    cores: tuple[CoreReport, ...]
    latency: int = 0
    """The cycles that an image takes by itself: with none before it, and none after it."""
    bound_by: str = ""
    """The unit, program, or circle of programs, that an image takes most of: no interval is shorter
    than that."""
    target: Target = IDEAL
    longer: Callable[[], float | None] = field(default=lambda: None, compare=False, repr=False)
    """Finds what `cycles_per_image` is of a stream that is long enough."""
    pipelines: int = 1
    """How many take turns with images: what is of one image of each is of so many of the stream."""
    interval_bound: float = 0
    """The cycles between images that no mapping to the target has less of, with any copies."""
    copies: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many copies there are of each stage that has any, in each pipeline."""
    links: tuple[LinkReport, ...] = ()
    """Those that something crosses, the most loaded ones first, where links cost anything."""
    sent: Callable[[], HopBytes | None] = field(default=lambda: None, compare=False, repr=False)
    """Finds what `hop_bytes` is."""
    around: int = 0
    """The cycles that an image takes of stages that wait for each other in turn, step by step."""
    host: tuple[HostReport, ...] = ()
    """What of the network is not on the cores, and in no figure of time."""
    examined: Callable[[], Details | None] = field(default=lambda: None, compare=False, repr=False)
    """Finds what `details` are."""
    traced: Callable[[], Iterator[str]] | None = field(default=None, compare=False, repr=False)
    """Makes the lines of the trace that `save_trace` writes; None if nothing was simulated."""
    counted: Callable[[], Mapping[str, Counts]] = field(default=dict, compare=False, repr=False)
    """Counts what each core does for an image."""
    why: Callable[[], Circuit | None] = field(default=lambda: None, compare=False, repr=False)
    """Finds what `critical` is."""
    why_late: Callable[[], CriticalPath | None] = field(
        default=lambda: None, compare=False, repr=False
    )
    """Finds what `critical_path` is."""
    help: Help | None = field(default=None, compare=False, repr=False)
    """What would help, if it was tried."""

    @cached_property
    def details(self) -> Details | None:
        """What figures show beside the report; None if nothing was simulated."""
        return self.examined()

    @cached_property
    def critical(self) -> Circuit | None:
        """The waits that rule the interval: their mean; None if there is no steady state."""
        return self.why()

    @cached_property
    def critical_path(self) -> CriticalPath | None:
        """The waits that make the latency, their sum; None where nothing is on the cores."""
        return self.why_late()

    @cached_property
    def interval(self) -> float | None:
        """Cycles per image of a long stream; None if they never come to the same."""
        return self.longer() if self.cycles_per_image is None else self.cycles_per_image

    @cached_property
    def hop_bytes(self) -> HopBytes | None:
        """Bytes of an image times the links that they cross, and the least with any places.

        It is of an image of each pipeline. None where cores have no places.
        """
        return self.sent()

    @cached_property
    def energy(self) -> Energy | None:
        """What an image takes of energy, as far as the target says; None without any cores."""
        counts = self.counted()
        if not counts:
            return None
        interval = None if self.interval is None else self.target.ns(self.interval)
        return Energy(self.target, counts, interval, self.pipelines)

    @property
    def figures(self) -> Figures:
        """What designs are compared by."""
        joules = None if self.energy is None else self.energy.total
        return Figures(
            None if self.interval is None else self.target.ns(self.interval),
            self.target.ns(self.latency),
            self.sram_bytes,
            None if joules is None else joules * 1e12,
        )

    @property
    def images_per_second(self) -> float | None:
        """In a long stream."""
        return None if self.interval is None else 1e9 / self.target.ns(self.interval)

    def share(self, load: int) -> float | None:
        """What part of the interval a load is, or of as many as pipelines take turns."""
        return None if self.interval is None else load / (self.interval * self.pipelines)

    @property
    def programs(self) -> list[ProgramReport]:
        """Those of all cores."""
        return [program for core in self.cores for program in core.programs]

    @property
    def load(self) -> int:
        """The cycles that an image, or one of each pipeline, takes of what binds."""
        loads = [core.load for core in self.cores]
        return max([*loads, *(link.cycles for link in self.links), self.around])

    @property
    def bound(self) -> float:
        """The interval is that, or longer."""
        return self.load / self.pipelines

    @property
    def crossbars(self) -> int:
        return sum(core.crossbars for core in self.cores)

    @property
    def cells_used(self) -> int:
        return sum(core.cells_used for core in self.cores)

    @property
    def cells(self) -> int:
        return sum(core.cells for core in self.cores)

    @property
    def sram_bytes(self) -> int:
        """The SRAM that the fullest core needs."""
        return max((core.sram_bytes for core in self.cores), default=0)

    @property
    def slots(self) -> int:
        """The slots of all rings together."""
        return sum(ring.slots for core in self.cores for ring in core.rings)

    def to_json(self) -> str:
        """The report as JSON text, as `docs/report.schema.json` describes it."""
        fields = {
            "version": VERSION,
            "images": self.images,
            "cycles": self.cycles,
            "cycles_per_image": self.cycles_per_image,
            "target": self.target.name,
            "interval_ns": None if self.interval is None else self.target.ns(self.interval),
            "interval_bound_ns": self.target.ns(self.interval_bound),
            "latency_ns": self.target.ns(self.latency),
            "images_per_second": self.images_per_second,
            "bound_by": self.bound_by,
            "pipelines": self.pipelines,
            "copies": dict(self.copies),
            **_crossbars(self),
            "sram_bytes": self.sram_bytes,
            "slots": self.slots,
            "hop_bytes": None if (sent := self.hop_bytes) is None else sent.found / self.pipelines,
            "hop_bytes_bound": None if sent is None else sent.least / self.pipelines,
            "circuit": None if (circuit := self.critical) is None else circuit.summary(),
            "path": None if (path := self.critical_path) is None else path.summary(),
            "help": None if self.help is None else self.help.as_json(),
            "energy": None if (energy := self.energy) is None else energy.as_json(),
            "links": [{**asdict(link), "busy": self.share(link.cycles)} for link in self.links],
            "cores": [core.as_json() for core in self.cores],
            "host": [part.as_json() for part in self.host],
        }
        return json.dumps(fields, indent=2)

    def to_html(self, title: str = "") -> str:
        """The report as a page with figures, which needs nothing but a browser."""
        from cmc.reports.html.page import make_page

        return make_page(self, title or f"A network on {self.target.name}")

    def save_html(self, path: str | PathLike[str], title: str = "") -> None:
        """Write the page of `to_html` to a file."""
        with replacing_text(Path(path)) as file:
            file.write(self.to_html(title))

    def save_trace(self, path: str | PathLike[str]) -> None:
        """Write the iterations of the first images as a trace, which Perfetto opens.

        It is compressed where the file is called `.gz`. CmcError where nothing is on the cores.
        """
        if self.traced is None:
            raise CmcError("nothing of the network is on the cores: there is no trace to write")
        with replacing(Path(path)) as temporary, _writing(temporary, str(path)) as file:
            file.writelines(f"{line}\n" for line in self.traced())


def _writing(path: Path, name: str) -> IO[str]:
    """A text file to write, compressed if that is its name."""
    if name.endswith(".gz"):
        return gzip.open(path, "wt", 1, "utf-8")
    return path.open("w", encoding="utf-8")


def _crossbars(report: ProgramReport | CoreReport | Report) -> dict[str, int]:
    return {
        "crossbars": report.crossbars,
        "cells_used": report.cells_used,
        "cells_wasted": report.cells - report.cells_used,
        "cells": report.cells,
    }
