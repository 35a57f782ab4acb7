# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Phase-change devices: how exactly they are programmed, how they drift, how they are read.

Both models are those that were published with aihwkit (M. Rasch et al., A Flexible and Fast PyTorch
Toolkit for Simulating Training and Inference on Analog Crossbar Arrays, AICAS 2021).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cmc.analog.normals import Normals

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Real = NDArray[np.float32 | np.float64]

_LEAST = 1e-7
"""The least relative conductance of which a logarithm is taken."""


class Devices(ABC):
    """A kind of devices; what is relative is a share of the largest conductance."""

    g_max: float
    """The largest conductance, in uS."""
    first_read: float
    """When, after programming, drift begins to be counted, in s."""
    reading: float
    """How long a device is read, in s."""

    @abstractmethod
    def programming(self, r: Doubles) -> Doubles:
        """The deviation of a conductance from the one that was wanted, in uS."""

    @abstractmethod
    def drift(self, r: Doubles) -> tuple[Doubles, Doubles]:
        """Mean and deviation of the drift exponent of a device with a wanted conductance."""

    @abstractmethod
    def flicker(self, r: Doubles) -> Doubles:
        """The 1/f noise of a device of a programmed conductance, relative to that."""

    def program(self, wanted: Doubles, *address: str | int) -> Programmed:
        """Program devices to wanted conductances in uS, each for itself; none is below 0."""
        cells = wanted.reshape(len(wanted), -1)
        r = cells / self.g_max
        sides = (Normals(*address, what).rows(0, *cells.shape) for what in ("program", "drift"))
        error, variation = sides
        mean, deviation = self.drift(np.maximum(r, _LEAST))
        return Programmed(
            self,
            _kept(np.maximum(cells + self.programming(r) * error, 0), wanted),
            _kept(np.abs(mean + deviation * variation), wanted),
        )


@dataclass(frozen=True, eq=False)
class Programmed:
    """Devices as they were programmed."""

    devices: Devices
    conductances: Floats
    """In uS, before they drift."""
    exponents: Floats

    def at(self, time: float) -> tuple[Doubles, Doubles]:
        """Conductances at a time in s after programming, and the deviation of each read, in uS.

        `g (t / t0)^-nu` and `g(t) q sqrt(ln((t + t_r) / 2 t_r))`, where t is counted from t0 before
        the given time, as in aihwkit: at time 0 nothing has drifted. Reads are independent; what
        would make a conductance negative is not cut off.
        """
        devices = self.devices
        since = time + devices.first_read
        gone = np.log(since / devices.first_read)
        now = self.conductances * np.exp(-gone * self.exponents.astype(np.float64))
        grown = np.sqrt(np.log(since + devices.reading) - np.log(2 * devices.reading))
        return now, now * devices.flicker(
            self.conductances.astype(np.float64) / devices.g_max
        ) * grown


def _kept(cells: Doubles, like: Doubles) -> Floats:
    return cells.astype(np.float32).reshape(like.shape)


class Pcm(Devices):
    """PCMLikeNoiseModel: S. Nandakumar et al., Phase-Change Memory Models for Deep Learning
    Training and Inference, ICECS 2019."""

    g_max = 25.0
    first_read = 20.0
    reading = 250e-9

    def programming(self, r: Doubles) -> Doubles:
        return 0.26348 + 1.9650 * r - 1.1731 * r**2

    def drift(self, r: Doubles) -> tuple[Doubles, Doubles]:
        log = np.log(r)
        mean = np.clip(-0.0155 * log + 0.0244, 0.049, 0.1)
        return mean, np.clip(-0.0125 * log - 0.0059, 0.008, 0.045)

    def flicker(self, r: Doubles) -> Doubles:
        return np.minimum(0.2, 0.0088 / np.maximum(r**0.65, 1e-3))


class Hermes(Devices):
    """HermesNoiseModel with two devices for each conductance: M. Le Gallo et al., A 64-core
    mixed-signal in-memory compute chip based on phase-change memory for deep neural network
    inference, Nature Electronics 6, 2023, and, for how both are programmed, A. Vasilopoulos et al.,
    Exploiting the State Dependency of Conductance Variations in Memristive Devices for Accurate
    In-Memory Computing, TED 2023."""

    g_max = 20.7
    first_read = 300.0
    reading = 512e-9

    def programming(self, r: Doubles) -> Doubles:
        return 0.16603222 + 4.71806468 * r - 8.48101252 * r**2 + 4.68961419 * r**3

    def drift(self, r: Doubles) -> tuple[Doubles, Doubles]:
        log = np.log(r)
        low = np.clip(-0.0387 * log - 0.0182, 0.0720, 0.13)
        mean = np.where(r < 0.0945, low, 0.0736 - 0.0126 * r - 0.0436 * r**2)
        low = np.clip(-0.0117 * log - 0.0057, 0.0091, 0.04)
        return mean, np.where(r < 0.3055, low, 0.0073 + 0.0093 * r - 0.0118 * r**2)

    def flicker(self, r: Doubles) -> Doubles:
        low = np.clip(-0.0117 * np.log(np.maximum(r, _LEAST)) - 0.0069, 0.015, 0.04)
        high = 0.0123 + 0.0211 * r - 0.0280 * r**2 + 0.0069 * r**3
        return np.where(r < 0.16, low, high)


@dataclass(frozen=True)
class Tabled(Devices):
    """Devices that somebody has measured.

    A row has a relative conductance, from 0 to 1, the deviation of programming relative to the
    largest conductance, mean and deviation of the drift exponent, and the 1/f noise.
    """

    rows: tuple[tuple[float, ...], ...]

    g_max = 1.0
    first_read = Pcm.first_read
    reading = Pcm.reading

    def programming(self, r: Doubles) -> Doubles:
        return self._column(1, r)

    def drift(self, r: Doubles) -> tuple[Doubles, Doubles]:
        return self._column(2, r), self._column(3, r)

    def flicker(self, r: Doubles) -> Doubles:
        return self._column(4, r)

    def _column(self, number: int, r: Doubles) -> Doubles:
        """Between rows it is linear."""
        table = np.array(self.rows)
        return np.interp(r, table[:, 0], table[:, number])
