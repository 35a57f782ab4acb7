# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What must hold, and what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmc.tools.bench.table import Cell

if TYPE_CHECKING:
    from cmc.tools.bench.events import Row as EventRow
    from cmc.tools.bench.field import Row as FieldRow
    from cmc.tools.bench.large import Large
    from cmc.tools.bench.network import Row
    from cmc.tools.bench.physics import Row as PhysicsRow
    from cmc.tools.bench.scale import Cost

SLACK = 0.1
"""How far beyond its limit an exponent may be: noise has its share."""


@dataclass(frozen=True)
class Target:
    """A number that is not to be above its limit; or below it, where more is better."""

    what: str
    measured: float
    limit: float
    more: bool = False

    @property
    def met(self) -> bool:
        return self.measured >= self.limit if self.more else self.measured <= self.limit

    def cells(self) -> list[Cell]:
        bound = f"{'at least' if self.more else 'at most'} {self.limit:g}"
        return [self.what, self.measured, bound, "met" if self.met else "missed"]


def network_targets(row: Row) -> Iterator[Target]:
    """What must hold of one network."""
    name, footprint = row.name, row.footprint
    if name == "resnet20_cifar":
        yield Target(f"{name}: image of a stream, times onnxruntime", row.stream_ratio, 5)
        yield Target(f"{name}: image of a stream, times one alone", row.stream / row.one, 1)
        yield Target(f"{name}: one image, s", row.one, 3)
        yield Target(f"{name}: first compilation, s", footprint.compile, 1)
    if name == "light_resnet50":
        yield Target(f"{name}: one image, times onnxruntime", row.one_ratio, 5)
        yield Target(f"{name}: first compilation, s", footprint.compile, 6)
        yield Target(f"{name}: peak memory, times weights and activations", footprint.ratio, 3)


def large_targets(large: Large) -> Iterator[Target]:
    """What must hold where there are many points and few layers."""
    yield Target("2048x2048 pixels: times of one image, s", large.times, 3)
    yield Target("2048x2048 pixels: proof, s", large.proof, 3)
    yield Target("2048x2048 pixels: one image, times onnxruntime", large.values_ratio, 10)
    yield Target("2048x2048 pixels: peak memory, times objects", large.footprint.ratio, 2)


def scale_targets(cost: Cost) -> Iterator[Target]:
    """What must hold of something large."""
    yield Target(f"{cost.what}, s", cost.seconds, cost.most_seconds)
    yield Target(f"{cost.what}, MB", cost.megabytes, cost.most_megabytes)


def startup_targets(seconds: Mapping[str, float]) -> Iterator[Target]:
    """What must hold of tools that do next to nothing."""
    for command, time in seconds.items():
        yield Target(f"{command}: a processor's seconds", time, 0.6)


def interpreter_targets(rates: Mapping[str, float]) -> Iterator[Target]:
    """What must hold of core iterations a second."""
    for policy, rate in rates.items():
        yield Target(f"interpret, {policy} rings: core iterations/s", rate, 60_000, more=True)


def event_targets(row: EventRow) -> Iterator[Target]:
    """What must hold where stages share units."""
    what = f"{row.network} on {row.target}"
    yield Target(f"{what}: a processor's seconds", row.found.first, row.most)
    yield Target(f"{what}: iterations/s", row.found.rate, 500_000, more=True)


def physics_targets(row: PhysicsRow) -> Iterator[Target]:
    """What physics may cost."""
    yield Target(f"{row.target}: an image, times that on {row.without}", row.ratio, 3)


def field_targets(row: FieldRow) -> Iterator[Target]:
    """What must hold on the chips of others."""
    what = f"{row.network} on {row.target}"
    from cmc.tools.bench.field import CHIPS, CLUSTERS

    if row.target in CHIPS:
        bound = CHIPS[row.target]
        yield Target(f"{what}: interval, times its bound", row.interval / row.bound, bound)
    else:
        yield Target(f"{what}: cores", row.cores, CLUSTERS)
        yield Target(f"{what}: interval, times theirs", row.interval / row.theirs.interval, 1)
    if row.target == "pimcomp-mesh":
        yield Target(f"{what}: interval, times theirs", row.interval / row.theirs.interval, 0.5)


def compilation_targets(
    by_side: Mapping[str, float], by_layers: Mapping[str, float], control: float
) -> Iterator[Target]:
    """Layers cost what they cost each, pixels nothing: from exponents, and a ratio of control."""
    for name in ("control", "all but sizing", "all"):
        yield Target(f"compile, {name}: exponent of the image side", by_side[name], SLACK)
    yield Target("compile, all: exponent of the layers", by_layers["all"], 1 + SLACK)
    yield Target("control of 512x512 pixels, times that of 32x32", control, 1.5)
