# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Ranges of converters from what goes through a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from xdsl.ir import Operation

from cmc.analog.crossbar import Physics, product
from cmc.analog.devices import Doubles, Real
from cmc.analog.weights import Digits, largest
from cmc.dialects.cmpipe import CrossbarOp, MxvOp, StageOp, find_crossbar, target_of
from cmc.errors import CmcError
from cmc.simulator.crossbars import Conditions, Rows, Tile, physics_of
from cmc.simulator.gather import Floats
from cmc.simulator.load import Chip
from cmc.targets import Target

_SHIFT = 16
"""By so many bits numbers of float32 are shorter where they are counted: to a share of 1/128."""


class Magnitudes:
    """Those of numbers that are finite and not 0: the largest one, or that of a percentile."""

    def __init__(self, percentile: float):
        self._percentile = percentile
        self._most = 0.0
        self._counts = np.zeros(0 if percentile == 100 else 1 << (32 - _SHIFT), np.int64)

    @property
    def top(self) -> float:
        """What so many % of them are at most, to 1 % above that; 0 where there are none."""
        if not len(self._counts):
            return self._most
        sums = np.cumsum(self._counts)
        place = int(np.count_nonzero(sums < sums[-1] * self._percentile / 100))
        ends = np.array([((place + 1) << _SHIFT) - 1], np.uint32).view(np.float32)
        return min(self._most, *ends.tolist())

    def add(self, numbers: Real) -> None:
        """See more."""
        magnitudes = np.abs(numbers.astype(np.float32))
        finite = np.isfinite(magnitudes)
        self._most = max(self._most, float(magnitudes.max(initial=0, where=finite)))
        if len(self._counts):
            counted = magnitudes[finite & (magnitudes > 0)].view(np.uint32) >> _SHIFT
            self._counts += np.bincount(counted, minlength=len(self._counts))


@dataclass
class Seen:
    """The magnitudes that products had, of copies of a stage together."""

    stage: str
    crossbar: str
    products: list[MxvOp]
    inputs: Magnitudes
    sums: Magnitudes
    """Of columns, in their largest weights; where weights are cut into slices, of each of them.

    In largest inputs of the vector if inputs are not converted: then the range of sums follows it.
    """
    converted: bool
    """Whether inputs are."""
    _busy: Lock = field(default_factory=Lock, repr=False)

    @property
    def range(self) -> float | None:
        """The largest input, or that of a percentile; None where all were 0."""
        return self.inputs.top or None

    @property
    def bound(self) -> float | None:
        """The largest sum, in products of the largest weight with the largest input."""
        range = self.inputs.top if self.converted else 1.0
        return self.sums.top / range if range and self.sums.top else None

    def add(self, vectors: Floats, sums: Iterable[Real]) -> None:
        """See more, from any thread: `[n, ...]` of inputs, and of the sums of some slices."""
        with self._busy:
            self.inputs.add(vectors)
            largest = np.abs(vectors).reshape(len(vectors), -1).max(1)[:, np.newaxis]
            for some in sums:
                self.sums.add(some if self.converted else some / np.where(largest, largest, 1))


def check_converters(target: Target) -> None:
    """CmcError if a target has no converters."""
    physics = physics_of(target)
    if physics.dac_bits is None and physics.adc_bits is None:
        message = "there are no converters to calibrate: give it dac_bits, adc_bits or both"
        raise CmcError(message, f"target {target.name}")


class _Observed(Tile):
    """An exact product, which is looked at."""

    def __init__(self, op: CrossbarOp, physics: Physics, seen: Seen):
        matrix = op.value.array
        self._matrix = matrix.reshape(-1, *matrix.shape[-2:])
        slices = (slice / largest(slice) for slice in _slices(self._matrix, physics))
        self._slices = [slice.astype(np.float32) for slice in slices]
        self._seen = seen

    def prepare(self, conditions: Conditions) -> None:
        """There is nothing to program."""

    def multiply(self, vectors: Floats, products: Floats, rows: Rows) -> None:
        """Fill products of vectors, one of each of the rows."""
        vectors = vectors.reshape(len(vectors), *self._matrix.shape[:2])
        products[...] = product(vectors, self._matrix).reshape(products.shape)
        new = vectors[rows.again * (rows.iterations.stop - rows.iterations.start) :]
        if len(new):
            self._seen.add(new, [product(new, one) for one in self._slices])


def _slices(weights: Floats, physics: Physics) -> Sequence[Doubles]:
    """The matrices whose sums are converted, each for itself."""
    doubles = weights.astype(np.float64)
    if not isinstance(physics.weights, Digits):
        return [doubles]
    return [matrix for _, matrix in physics.weights.program(doubles).at(0).slices]


class Calibration:
    """Looks at all products of a chip while images go through it."""

    def __init__(self, chip: Chip, percentile: float = 100):
        """CmcError if it has no converters, or no products."""
        if not 0 < percentile <= 100:
            raise CmcError(f"a percentile is above 0 and up to 100, not {percentile:g}")
        check_converters(target_of(chip.op))
        self._percentile = percentile
        self._seen: dict[tuple[str, str, int], Seen] = {}
        exact = chip.exact()
        tiles = {
            name: dict(self._observed(program.body)) for name, program in exact.programs.items()
        }
        if not self._seen:
            raise CmcError("nothing of the network is on crossbars: there is no converter")
        self.dataflow = exact.with_tiles(lambda program: tiles[program.name])
        """What computes exact values, and is seen."""

    @property
    def seen(self) -> tuple[Seen, ...]:
        """What was seen so far, in the order in which stages come."""
        return tuple(self._seen.values())

    def set_ranges(self) -> None:
        """Give products the ranges that were seen; of sums where these are converted."""
        for seen in self._seen.values():
            for op in seen.products:
                physics = physics_of(target_of(op))
                op.set_ranges(
                    None if physics.dac_bits is None else seen.range,
                    None if physics.adc_bits is None else seen.bound,
                )

    def _observed(self, body: Sequence[Operation]) -> Iterator[tuple[Operation, Tile]]:
        for number, op in enumerate(op for op in body if isinstance(op, MxvOp)):
            physics = physics_of(target_of(op))
            stage, crossbar = op.parent_op(), find_crossbar(op, op.crossbar)
            assert isinstance(stage, StageOp)
            key = stage.origin, crossbar.sym_name.data, number
            if key not in self._seen:
                self._seen[key] = Seen(
                    stage.origin,
                    crossbar.sym_name.data,
                    [],
                    Magnitudes(self._percentile),
                    Magnitudes(self._percentile),
                    converted=physics.dac_bits is not None,
                )
            seen = self._seen[key]
            seen.products.append(op)
            yield op, _Observed(crossbar, physics, seen)
