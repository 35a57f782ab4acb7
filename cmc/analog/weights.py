# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How a matrix is held in cells: exactly, in digits, or as conductances of devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cmc.analog.devices import Devices, Doubles, Programmed


@dataclass(frozen=True, eq=False)
class Held:
    """What a crossbar multiplies with at some time.

    A matrix is the sum of `slices`, each with its factor, which is digital: each slice has columns
    of its own, and converters on them.
    """

    slices: tuple[tuple[float, Doubles], ...]
    variances: Doubles | None = None
    """Of each number of the one slice, from read to read; None if it is always read alike."""
    wanted: float | None = None
    """The largest magnitude that the one slice should have; None if those that it has are right."""


class Cells(Protocol):
    """A matrix in cells."""

    def at(self, time: float) -> Held:
        """What they hold at a time in s after programming."""
        ...


class Model(Protocol):
    """A way to hold matrices, `[blocks, rows, columns]`."""

    def program(self, weights: Doubles, *address: str | int) -> Cells:
        """Program a matrix; what is random depends on the address alone."""
        ...


@dataclass(frozen=True, eq=False)
class _Kept:
    """What does not change."""

    held: Held

    def at(self, time: float) -> Held:
        return self.held


@dataclass(frozen=True)
class Exact:
    """Weights are what they should be."""

    def program(self, weights: Doubles, *address: str | int) -> Cells:
        return _Kept(Held(((1.0, weights),)))


@dataclass(frozen=True)
class Digits:
    """Weights of some bits, of which each cell holds some.

    The largest magnitude of the matrix is `2^(bits - 1) - 1`, but whole numbers up to that are held
    as they are: so are those of a quantised network. A weight is the difference of two columns of
    cells, so that the sign takes no cell. As in A. Shafiee et al., ISAAC: A
    Convolutional Neural Network Accelerator with In-Situ Analog Arithmetic in Crossbars, ISCA 2016.
    """

    bits: int
    cell_bits: int

    def program(self, weights: Doubles, *address: str | int) -> Cells:
        most = codes_of(self.bits)
        fits = largest(weights) <= most and np.array_equal(weights, np.rint(weights))
        unit = 1.0 if fits else largest(weights) / most
        whole = np.rint(weights / unit)
        signs, left = np.sign(whole), np.abs(whole)
        slices: list[tuple[float, Doubles]] = []
        for place in range(0, most.bit_length(), self.cell_bits):
            left, digits = np.divmod(left, 2.0**self.cell_bits)
            slices.append((unit * 2.0**place, signs * digits))
        return _Kept(Held(tuple(slices)))


@dataclass(frozen=True)
class Conductances:
    """Each weight is the difference of two devices, of which one should conduct nothing.

    Or the mean of some such pairs, each of which is programmed for itself.
    """

    devices: Devices
    pairs: int = 1

    def program(self, weights: Doubles, *address: str | int) -> Cells:
        unit = largest(weights) / self.devices.g_max
        pair = np.stack([np.maximum(weights, 0), np.maximum(-weights, 0)], -1) / unit
        if not weights.any():
            # What the devices conduct is a share of the largest weight.
            unit = 0.0
        rows = weights.shape[0] * weights.shape[1]
        cells = pair.reshape(rows, *pair.shape[2:])
        programmed = [
            self.devices.program(cells, *address, *([number] if number else []))
            for number in range(self.pairs)
        ]
        return _Pairs(unit / self.pairs, weights.shape, tuple(programmed))


@dataclass(frozen=True, eq=False)
class _Pairs:
    unit: float
    """What a conductance of 1 uS adds to a weight."""
    shape: tuple[int, ...]
    programmed: tuple[Programmed, ...]

    def at(self, time: float) -> Held:
        weights, variances = np.zeros(self.shape), np.zeros(self.shape)
        for pair in self.programmed:
            now, deviations = pair.at(time)
            weights += (now[..., 0] - now[..., 1]).reshape(self.shape)
            variances += np.sum(deviations**2, -1).reshape(self.shape)
        # In uS: of weights, float32 may not have the squares.
        wanted = self.programmed[0].devices.g_max * len(self.programmed)
        return Held(((self.unit, weights),), variances, wanted)


def largest(weights: Doubles) -> float:
    """The largest magnitude, which all others are shares of; 1 of zeros."""
    return float(np.abs(weights).max()) or 1.0


def codes_of(bits: int) -> int:
    """How many codes a number of some bits has on each side of 0; of 1 bit as many as of 2."""
    return max(1, (1 << (bits - 1)) - 1)
