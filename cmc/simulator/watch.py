# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What is measured of stages and their crossbars in a stream, where somebody asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, log10
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from cmc.analog.crossbar import Clipped
from cmc.simulator.crossbars import Rows
from cmc.simulator.gather import Floats


@dataclass
class Noise:
    """Sums of squares: of numbers as they should be, and of how far they are from that."""

    signal: float = 0.0
    error: float = 0.0

    @property
    def decibels(self) -> float | None:
        """The signal-to-noise ratio; None if there is no error, -inf if there is no signal."""
        if not self.error > 0:
            return None
        return 10 * log10(self.signal / self.error) if self.signal > 0 else -inf

    def add(self, found: NDArray[np.floating], exact: NDArray[np.floating]) -> None:
        """Compare arrays; numbers that are not finite in either are left out."""
        one, other = (array.astype(np.float64).reshape(-1) for array in (found, exact))
        with np.errstate(invalid="ignore"):
            errors = one - other
        finite = np.isfinite(errors)
        if not finite.all():
            errors, other = errors[finite], other[finite]
        self.signal += float(other @ other)
        self.error += float(errors @ errors)


@dataclass
class Watch:
    """Measures each stage for itself: what it writes, and what it would write of the same inputs.

    That is, what comes before may be noisy: such noise is in both. So its ratio says what the
    stage's own crossbars add, and which stage hurts; that of the network's outputs is of all of
    them together.
    """

    stages: Mapping[str, str]
    """What each program's noise goes to, by its name: programs alike are measured together."""
    noises: dict[str, Noise] = field(default_factory=dict[str, Noise])
    clipped: dict[tuple[str, str], Clipped] = field(default_factory=dict[tuple[str, str], Clipped])
    """By stage and crossbar."""
    _busy: Lock = field(default_factory=Lock)

    def clear(self) -> None:
        """Begin anew."""
        self.noises.clear()
        for counts in self.clipped.values():
            counts.clear()

    def compare(self, program: str, found: Floats, exact: Floats, rows: Rows) -> None:
        """What a program wrote, and what is exact, `[images, iterations, vector]` each."""
        noise = Noise()
        noise.add(found[rows.again :], exact[rows.again :])
        with self._busy:
            total = self.noises.setdefault(self.stages[program], Noise())
            total.signal += noise.signal
            total.error += noise.error
