# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Ranges of converters from what goes through a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import Operation

from cmc.analog.crossbar import Physics, product
from cmc.analog.devices import Doubles
from cmc.analog.weights import Digits, largest
from cmc.dialects.cmpipe import CrossbarOp, MxvOp, StageOp, find_crossbar, target_of
from cmc.errors import CmcError
from cmc.simulator.crossbars import Conditions, Rows, Tile, physics_of
from cmc.simulator.gather import Floats
from cmc.simulator.load import Chip


@dataclass
class Seen:
    """The largest magnitudes that products had, of copies of a stage together."""

    stage: str
    crossbar: str
    products: list[MxvOp]
    inputs: float = 0.0
    sums: float = 0.0
    """Of a column, in its largest weights; where weights are cut into slices, of each of them."""
    _busy: Lock = field(default_factory=Lock, repr=False)

    @property
    def range(self) -> float | None:
        """The largest input; None where all were 0."""
        return self.inputs or None

    @property
    def bound(self) -> float | None:
        """The largest sum, in products of the largest weight with the largest input."""
        return self.sums / self.inputs if self.inputs and self.sums else None

    def add(self, inputs: float, sums: float) -> None:
        """See more, from any thread."""
        with self._busy:
            self.inputs = max(self.inputs, inputs)
            self.sums = max(self.sums, sums)


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
        sums = (product(vectors, one) for one in self._slices)
        self._seen.add(_most(vectors), max(map(_most, sums)))


def _slices(weights: Floats, physics: Physics) -> Sequence[Doubles]:
    """The matrices whose sums are converted, each for itself."""
    doubles = weights.astype(np.float64)
    if not isinstance(physics.weights, Digits):
        return [doubles]
    return [matrix for _, matrix in physics.weights.program(doubles).at(0).slices]


def _most(array: NDArray[np.floating]) -> float:
    """The largest finite magnitude."""
    magnitudes = np.abs(array)
    return float(magnitudes.max(initial=0, where=np.isfinite(magnitudes)))


class Calibration:
    """Looks at all products of a chip while images go through it."""

    def __init__(self, chip: Chip):
        """CmcError if it has no converters."""
        self._seen: dict[tuple[str, str, int], Seen] = {}
        exact = chip.exact()
        tiles = {
            name: dict(self._observed(program.body)) for name, program in exact.programs.items()
        }
        if not self._seen:
            message = "there are no converters to calibrate: give it dac_bits, adc_bits or both"
            raise CmcError(message, f"target {target_of(chip.op).name}")
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
            if physics.dac_bits is None and physics.adc_bits is None:
                continue
            stage, crossbar = op.parent_op(), find_crossbar(op, op.crossbar)
            assert isinstance(stage, StageOp)
            key = stage.origin, crossbar.sym_name.data, number
            seen = self._seen.setdefault(key, Seen(stage.origin, crossbar.sym_name.data, []))
            seen.products.append(op)
            yield op, _Observed(crossbar, physics, seen)
