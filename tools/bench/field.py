"""Networks on the chips of others, beside what their authors report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import cmc.api
from cmc.reports.report import Report
from cmc.tools.bench.networks import find_networks
from cmc.tools.bench.table import Cell

HEAD = (
    "network", "target", "compile s", "pipelines", "stages", "cores", "interval us", "latency us",
    "issue us", "lanes us", "link us", "x bound", "theirs us", "x theirs", "their latency us",
)  # fmt: skip
"""Bounds are those of issue slots and lanes of all cores together, and of the busiest link."""


@dataclass(frozen=True)
class Theirs:
    """What the authors of PIMCOMP have for a network on their chip, by their own model, in us.

    It counts convolutions, without pooling, sums, concatenations and what waits for what.
    """

    network: str
    interval: float
    latency: float
    """In their mode that is made for it."""


PIMCOMP = (
    Theirs("light_squeezenet", 249.033, 2970),
    Theirs("light_inception_v1", 477.064, 5860),
    Theirs("light_shufflenet", 686.121, 6100),
    Theirs("light_resnet50", 801.119, 9680),
)

CHIPS = {"pimcomp-mesh": 1.2, "pimcomp": 1.3}
"""Targets, and how many times as long as the largest lower bound an interval may be there."""

ROUNDS = 8
"""How many images of each pipeline a stream has."""


@dataclass(frozen=True)
class Row:
    """One network on one target. Times are in us, of an image."""

    network: str
    target: str
    seconds: float
    """A processor's, of compilation."""
    pipelines: int
    stages: int
    cores: int
    interval: float
    """Of the later half of a stream, if not in steady state."""
    latency: float
    """Of an image alone."""
    issue: float
    lanes: float
    link: float
    bound_by: str
    theirs: Theirs

    @property
    def bound(self) -> float:
        """The largest one."""
        return max(self.issue, self.lanes, self.link)

    @property
    def most(self) -> float:
        """How many times as long as its bound the interval may be."""
        return CHIPS[self.target]

    def cells(self) -> list[Cell]:
        """A row under `HEAD`."""
        theirs = self.theirs
        return [
            self.network, self.target, self.seconds, self.pipelines, self.stages, self.cores,
            self.interval, self.latency, self.issue, self.lanes, self.link,
            self.interval / self.bound, theirs.interval, self.interval / theirs.interval,
            theirs.latency,
        ]  # fmt: skip


def measure_field() -> Iterator[Row]:
    """Compile each network for each chip, and time a stream and a single image."""
    networks = find_networks()
    for target in CHIPS:
        for theirs in PIMCOMP:
            if theirs.network in networks:
                yield _measured(networks[theirs.network], target, theirs)


def _measured(path: Path, target: str, theirs: Theirs) -> Row:
    started = process_time()
    program = cmc.api.compile(path, target=target)
    seconds = process_time() - started
    return row_of(path.stem, target, program, seconds, theirs)


def row_of(
    network: str, target: str, program: cmc.api.Program, seconds: float, theirs: Theirs
) -> Row:
    """Time a program."""
    one = program.time(1)

    def us(cycles: float) -> float:
        return one.target.ns(cycles) / 1000

    cores = one.target.cores or len(one.cores) - 1
    issue, lanes = (unit_total(one, unit) / cores / one.pipelines for unit in ("port", "digital"))
    links = [link.cycles / one.pipelines for link in one.links]
    return Row(
        network,
        target,
        seconds,
        one.pipelines,
        sum(len(core.programs) for core in one.cores[1:]),
        len(one.cores) - 1,
        us(stream_interval(program, one.pipelines)),
        us(one.latency),
        us(issue),
        us(lanes),
        us(max(links, default=0)),
        one.bound_by,
        theirs,
    )


def unit_total(report: Report, unit: str) -> int:
    """The cycles for which an image, or one of each pipeline, takes such units of all cores."""
    return sum(core.loads.get(unit, 0) for core in report.cores[1:])


def stream_interval(program: cmc.api.Program, pipelines: int) -> float:
    """Cycles from one image of a stream to the next one: in steady state, or in its second half."""
    images = ROUNDS * pipelines
    whole = program.time(2 * images)
    if whole.cycles_per_image is not None:
        return whole.cycles_per_image
    return (whole.cycles - program.time(images).cycles) / images
