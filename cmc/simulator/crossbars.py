# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The crossbars of a program: what is between an operation and what `cmc.analog` computes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from xdsl.ir import Operation

from cmc.analog.crossbar import Clipped, Crossbar, Physics, Stack
from cmc.analog.devices import Hermes, Pcm, Tabled
from cmc.analog.weights import Conductances, Digits, Exact, Model, codes_of
from cmc.dialects.cmpipe import CrossbarOp, MxvOp, StageOp, find_crossbar, target_of
from cmc.errors import CmcError
from cmc.simulator.gather import Floats
from cmc.targets import Target
from cmc.targets.kinds import LARGEST


@dataclass(frozen=True)
class Conditions:
    """When a stream runs, on which chip of all that were made alike. CmcError for what is none."""

    seed: int = 0
    """Which chip: what is random follows from it, and from where it is needed."""
    time: float = 0.0
    """Seconds since its crossbars were programmed."""
    first: int = 0
    """Which image of a longer stream the first one is."""

    def __post_init__(self) -> None:
        if not self.time >= 0:
            raise CmcError(f"a time is 0 s or more after programming, not {self.time:g} s")
        if not self.time < float("inf"):
            raise CmcError("a time after programming is finite")
        if not 0 <= self.first <= LARGEST:
            raise CmcError(f"images are counted from 0 to {LARGEST}, not from {self.first}")

    def first_of(self, pipelines: int) -> int:
        """Which of its own images the first one is for each of some pipelines that take turns."""
        if self.first % pipelines:
            raise CmcError(
                f"{pipelines} pipelines take turns: the first image of a part of a stream is a "
                f"multiple of {pipelines}, not {self.first}"
            )
        return self.first // pipelines


NEW = Conditions()
"""A chip that has just been programmed."""


@dataclass
class Moment:
    """From which image and iteration on those of `Rows` are counted, at the time of a call."""

    image: int = 0
    iteration: int = 0
    again: int = 0
    """How many of the images that are computed together were computed before."""


@dataclass(frozen=True)
class Rows:
    """The rows of a call: some iterations of some images, image by image."""

    images: slice
    iterations: slice
    moment: Moment = field(default_factory=Moment)

    @property
    def count(self) -> int:
        images, iterations = self.images, self.iterations
        return (images.stop - images.start) * (iterations.stop - iterations.start)

    @property
    def again(self) -> int:
        """How many of the images were computed before; they come first."""
        return max(0, min(self.moment.again, self.images.stop) - self.images.start)


class Tile:
    """A crossbar as one `cmpipe.mxv` drives it."""

    def __init__(self, op: CrossbarOp, crossbar: Crossbar | Stack, clipped: Clipped | None = None):
        """What is clipped is counted where that is given."""
        self._op = op
        self._crossbar = crossbar
        self._clipped = clipped
        self._seed: int | None = None
        self._time = 0.0

    def prepare(self, conditions: Conditions) -> None:
        """Program it, and let time go by."""
        if conditions.seed != self._seed:
            matrix = self._op.value.array
            self._crossbar.program(matrix.reshape(-1, *matrix.shape[-2:]), conditions.seed)
            self._seed, self._time = conditions.seed, 0.0
        if conditions.time != self._time:
            self._crossbar.at(conditions.time)
            self._time = conditions.time

    def multiply(self, vectors: Floats, products: Floats, rows: Rows) -> None:
        """Fill products of vectors, one of each of the rows."""
        vectors = vectors if vectors.ndim == 3 else vectors[:, np.newaxis]
        products = products if products.ndim == 3 else products[:, np.newaxis]
        first = rows.moment.iteration
        iterations = range(first + rows.iterations.start, first + rows.iterations.stop)
        start, new, stop = (
            rows.moment.image + image
            for image in (rows.images.start, rows.images.start + rows.again, rows.images.stop)
        )
        if new > start and self._clipped is not None:
            split = rows.again * len(iterations)
            before = vectors[:split], products[:split]
            self._crossbar.multiply(*before, range(start, new), iterations)
            vectors, products, start = vectors[split:], products[split:], new
        if stop > start:
            images = range(start, stop)
            self._crossbar.multiply(vectors, products, images, iterations, self._clipped)


def tiles_of(
    stage: StageOp,
    iterations: int,
    changed: Callable[[Physics], Physics] = lambda physics: physics,
    rows: int | None = None,
    clipped: Callable[[CrossbarOp], Clipped] | None = None,
) -> dict[Operation, Tile]:
    """What the products of a stage are computed with; nothing where they are just products.

    They are as its target and their ranges say, `changed` in some way, and cut to so many `rows` if
    that is given. What is clipped is counted where `clipped` says for each crossbar.
    """
    physics = physics_of(target_of(stage))
    if physics.exact or changed(physics).exact:
        return {}
    products = [op for op in stage.computed() if isinstance(op, MxvOp)]
    tiles: dict[Operation, Tile] = {}
    for number, op in enumerate(products):
        crossbar = find_crossbar(op, op.crossbar)
        if not np.isfinite(crossbar.value.array).all():
            message = "a weight is infinite or no number, which no cell holds"
            raise CmcError(message, f"stage @{stage.origin}, crossbar @{crossbar.sym_name.data}")
        name = f"{stage.sym_name.data}/{crossbar.sym_name.data}"
        own = changed(with_ranges(physics, op))
        computed = (
            Crossbar(own, name, number, iterations)
            if rows is None
            else Stack(own, name, number, iterations, rows)
        )
        tiles[op] = Tile(crossbar, computed, None if clipped is None else clipped(crossbar))
    return tiles


def with_ranges(physics: Physics, op: MxvOp) -> Physics:
    """The physics of a product, whose converters may have ranges of their own."""
    if op.range is not None and physics.dac_bits is not None:
        physics = replace(physics, range=op.range.value.data)
    if op.bound is not None and physics.adc_bits is not None:
        physics = replace(physics, adc_bound=op.bound.value.data)
    return physics


def prepare(programs: Iterable[Mapping[Operation, Tile]], conditions: Conditions) -> None:
    """Program the crossbars of some programs, and let time go by."""
    for tiles in programs:
        for tile in tiles.values():
            tile.prepare(conditions)


def physics_of(target: Target) -> Physics:
    """How the crossbars of a target compute."""
    return Physics(
        _model(target),
        target.dac_bits,
        target.adc_bits,
        target.adc_bound,
        doublings=target.doublings,
        halvings=target.halvings,
        compensated=target.drift_compensation,
        careful=target.round_activations,
    )


def codes_of_activations(target: Target) -> int:
    """To how many codes on each side of 0 what travels is rounded; 0 if it stays as it is."""
    return codes_of(target.activation_bits) if target.round_activations else 0


def _model(target: Target) -> Model:
    match target.weight_model:
        case "quantised":
            assert target.weight_bits is not None and target.cell_bits is not None
            return Digits(target.weight_bits, target.cell_bits)
        case "pcm":
            return Conductances(Pcm(), target.devices)
        case "hermes":
            return Conductances(Hermes(), target.devices)
        case "table":
            assert target.weight_table is not None
            return Conductances(Tabled(target.weight_table), target.devices)
        case _:
            return Exact()
