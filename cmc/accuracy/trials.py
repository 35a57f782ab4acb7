# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Chips of a target, each at some times, and how many images get their class on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from cmc.accuracy.classes import Labels, Numbers, places, scores_of
from cmc.simulator.crossbars import Conditions
from cmc.simulator.watch import Noise
from cmc.track import Track

Inputs = Mapping[str, NDArray[np.generic]]

Compute = Callable[[Inputs, Conditions], Mapping[str, NDArray[np.generic]]]
"""The outputs of a stream on some chip."""

BEST = 5
"""How many classes may be named where any of them may be right."""

CLOSE = 0.01
"""How wide the confidence interval of an accuracy may be to either side, whatever the spread."""

_NORMAL = 1.959964
"""Of a normal distribution, 95 % are within so many deviations from the mean."""


@dataclass(frozen=True)
class Shares:
    """A share of the images for each trial."""

    trials: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.trials))

    @property
    def deviation(self) -> float:
        """The standard deviation over trials, of a sample: 0 of a single one."""
        return float(np.std(self.trials, ddof=1)) if len(self.trials) > 1 else 0.0

    def as_json(self) -> dict[str, object]:
        return {"mean": self.mean, "deviation": self.deviation, "trials": list(self.trials)}


class Trials:
    """What chips do with images, which come in parts."""

    def __init__(self, compute: Compute, output: str, chips: range, times: Sequence[float]):
        """`output` has the scores; `chips` are seeds, `times` seconds after programming."""
        self._compute, self._output = compute, output
        self._runs = [(chip, time) for chip in chips for time in times]
        self._places: dict[tuple[int, float], list[Labels]] = {run: [] for run in self._runs}
        self._noises = {time: Noise() for time in times}
        self._chips = chips
        self.images = 0
        """How many there were."""

    def add(self, inputs: Inputs, labels: Labels, exact: Numbers, track: Track) -> None:
        """Run all chips on more images; `exact` are their scores in float."""
        for chip, time in track(self._runs, "measuring"):
            outputs = self._compute(inputs, Conditions(chip, time, self.images))
            scores = scores_of(outputs, self._output)
            self._places[chip, time].append(places(scores, labels))
            self._noises[time].add(scores, exact)
        self.images += len(labels)

    def shares(self, time: float, best: int) -> Shares:
        """The images whose class is among so many of the best, on each chip."""
        found = (np.concatenate(self._places[chip, time]) for chip in self._chips)
        return Shares(tuple(share_of(one, best) for one in found))

    def decibels(self, time: float) -> float | None:
        """The signal-to-noise ratio of the scores of all chips."""
        return self._noises[time].decibels

    @property
    def suffice(self) -> bool:
        """Whether more images would tell no more than chips differ.

        At each time the confidence interval of the mean of top-1 reaches no farther to either side
        than its deviation over chips, or than 1 %.
        """
        found = [self.shares(time, 1) for time in self._noises]
        return all(half_width(one.mean, self.images) <= max(one.deviation, CLOSE) for one in found)


def half_width(share: float, images: int) -> float:
    """Half of the 95 % confidence interval of a share that was found with so many images.

    E. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927.
    """
    square = _NORMAL**2 / images
    return _NORMAL / (1 + square) * sqrt((share * (1 - share) + square / 4) / images)


def share_of(found: Labels, best: int) -> float:
    """The share of images whose class is in a place among so many of the best."""
    return float(np.count_nonzero(found < best)) / len(found)


def ratio_as_json(decibels: float | None) -> float | None:
    """A signal-to-noise ratio, which JSON has where it is finite."""
    return decibels if decibels is not None and isfinite(decibels) else None
