# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The interpreter of `cmctrl`: the hardware model.

It executes the state machines and programs of a chip and nothing else: what a machine enables runs,
and a read that finds its element not yet written, or already overwritten, is a fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from cmc.dialects.cmctrl import ChipOp
from cmc.errors import CmcError
from cmc.reports.html.notebook import rows_of, table
from cmc.reports.report import Report
from cmc.simulator.blas import one_thread
from cmc.simulator.bulk import Values
from cmc.simulator.crossbars import NEW, Conditions
from cmc.simulator.hazards import check
from cmc.simulator.interpret import interpret
from cmc.simulator.load import load
from cmc.simulator.summary import steady, summarize
from cmc.streams import count_images
from cmc.timing.solver import solve
from cmc.timing.times import Times
from cmc.track import Track, no_track

Mode = Literal["bulk", "interpret"]
"""How to execute a chip: over arrays of all iterations at once, or one iteration at a time."""


@dataclass(frozen=True)
class Result:
    """What a stream of images came to, and how long it took."""

    outputs: dict[str, NDArray[np.float32]]
    report: Report

    @property
    def cycles(self) -> int:
        """From the first vector sent to the last iteration's end."""
        return self.report.cycles

    def _repr_html_(self) -> str:
        """What notebooks show."""
        outputs = {
            name: f"{array.dtype} {list(array.shape)}" for name, array in self.outputs.items()
        }
        return table({**rows_of(self.report), **outputs})


class Simulator:
    """A chip, loaded once, for streams of images.

    Both modes have the same outputs but for rounding, and the same times and faults.
    """

    def __init__(self, op: ChipOp):
        self.chip = load(op)
        """As it is executed."""
        self._busy = Lock()
        self._values = Values(self.chip)
        self._report: Report | None = None

    def run(
        self,
        inputs: Mapping[str, NDArray[np.float32]],
        mode: Mode = "bulk",
        track: Track = no_track,
        conditions: Conditions = NEW,
    ) -> Result:
        """Run a stream; each input is an array `[images, ...]`, and so is each output.

        How long a stream takes depends on nothing but its length: for the last one it is known.
        """
        images = count_images(inputs)
        if mode == "interpret":
            with self._busy, one_thread(), np.errstate(all="ignore"):
                outputs, times = interpret(self.chip, inputs, track, conditions)
            # Where stages share units, the last images are through sooner than in a longer stream.
            found = solve(times.flow, images, arrivals=False) if times.flow.shared else times
            return Result(outputs, summarize(self.chip, times, steady(found)))
        if self._report is None or self._report.images != images:
            self._report = self.time(images)
        with self._busy, one_thread():
            return Result(self._values(inputs, track, conditions), self._report)

    def time(self, images: int) -> Report:
        """How long a stream of any number of images takes, without their values."""
        times = self._times(images)
        return summarize(self.chip, times, steady(times))

    def _times(self, images: int) -> Times:
        """Exact times, or the fault or deadlock that execution would end in."""
        times = solve(self.chip.flow, images)
        check(self.chip, times)
        if not times.complete:
            raise times.deadlock()
        return times


def chip_of(module: ModuleOp) -> ChipOp:
    """The one chip of a module."""
    chips = [op for op in module.ops if isinstance(op, ChipOp)]
    if len(chips) != 1:
        raise CmcError(
            f"expected one cmctrl.chip in the module, and found {len(chips)}; cmc compile makes "
            "one from a network, cmc-opt -p nn-to-cmctrl from an nn module"
        )
    return chips[0]


def simulate(
    module: ModuleOp,
    inputs: Mapping[str, NDArray[np.float32]],
    mode: Mode = "bulk",
    track: Track = no_track,
) -> Result:
    """Load the one chip of a module and run a stream of images through it."""
    return Simulator(chip_of(module)).run(inputs, mode, track)
