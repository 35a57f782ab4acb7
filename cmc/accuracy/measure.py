# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How many images get their class, beside the network in float: chip by chip, time by time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cmc.accuracy.classes import (
    Labels,
    Numbers,
    check_labels,
    find_scores,
    places,
    scores_of,
)
from cmc.accuracy.stages import IMAGES, Examiner, Inputs, StageNoise, exact_values
from cmc.api import Program
from cmc.dialects.cmpipe import target_of
from cmc.errors import CmcError
from cmc.explain.figures import Figures
from cmc.reference import Reference
from cmc.reports.report import Report
from cmc.simulator.watch import Noise
from cmc.streams import check_stream, count_images
from cmc.targets import Target
from cmc.targets.keys import DRIFTING
from cmc.track import Track, no_track

VERSION = 1
"""Of the schema of an accuracy as JSON, `docs/accuracy.schema.json`, which says what it means."""

BEST = 5
"""How many classes may be named where any of them may be right."""


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


@dataclass(frozen=True)
class Moment:
    """What chips do at a time after their crossbars were programmed."""

    time: float
    """In seconds."""
    top1: Shares
    top5: Shares
    scores_snr_db: float | None
    """Of the scores of all chips, against those of the network in float; None if all are equal."""
    stages: tuple[StageNoise, ...]
    """Of the first chip; none where products are exact."""

    def as_json(self) -> dict[str, object]:
        return {
            "time_s": self.time,
            "top1": self.top1.as_json(),
            "top5": self.top5.as_json(),
            "scores_snr_db": self.scores_snr_db,
            "stages": [stage.as_json() for stage in self.stages],
        }


@dataclass(frozen=True)
class Accuracy:
    """How many images get their class."""

    output: str
    """The one that has the scores."""
    images: int
    trials: int
    """Chips: 1 where no two of a target differ."""
    seed: int
    """The first chip."""
    top1: float
    """Of the network in float."""
    top5: float
    moments: tuple[Moment, ...]
    report: Report
    """How long it takes."""

    @property
    def target(self) -> Target:
        return self.report.target

    @property
    def differ(self) -> bool:
        """Whether no two chips of the target are alike."""
        return _differ(self.target)

    def as_json(self) -> dict[str, object]:
        """As `docs/accuracy.schema.json` describes it."""
        figures = Figures.of(self.report)
        return {
            "version": VERSION,
            "target": self.target.name,
            "output": self.output,
            "images": self.images,
            "trials": self.trials,
            "seed": self.seed,
            "interval_ns": figures.interval_ns,
            "latency_ns": figures.latency_ns,
            "energy_pj": figures.energy_pj,
            "float": {"top1": self.top1, "top5": self.top5},
            "times": [moment.as_json() for moment in self.moments],
        }


def measure(
    program: Program,
    network: Path | None,
    inputs: Inputs,
    labels: Labels,
    times: Sequence[float],
    trials: int,
    *,
    seed: int = 0,
    output: str | None = None,
    track: Track = no_track,
) -> Accuracy:
    """Run all images on some chips of the program's target, each at some times.

    `times` are seconds after the crossbars were programmed; chip `n` of `trials` is that of seed
    `seed + n`. `network` is what was compiled, for its accuracy in float; where that is not known
    it is that of the chip without physics. Where chips do not differ, one of them is run, once.
    CmcError for labels that do not fit, and where no output has scores of classes.
    """
    if not program.has_chip:
        raise CmcError("nothing of the network is on the cores, so that they cost no accuracy")
    name = find_scores(program.outputs, output)
    images = count_images(inputs)
    check_labels(labels, images, int(np.prod(program.outputs[name])))
    exact = _exact(program, network, inputs, name, track)
    expected = places(exact, labels)
    target = target_of(program.loaded.op)
    trials = trials if _differ(target) else 1
    chips = range(seed, seed + trials)
    runs = [(chip, time) for chip in chips for time in _different(times, target)]
    found: dict[tuple[int, float], Labels] = {}
    noises: dict[float, Noise] = {}
    report: Report | None = None
    for chip, time in track(runs, "measuring"):
        result = program.run(inputs, seed=chip, time=time)
        scores = scores_of(result.outputs, name)
        found[chip, time] = places(scores, labels)
        noises.setdefault(time, Noise()).add(scores, exact)
        report = result.report
    assert report is not None
    examined = _examined(program, inputs, seed, [*noises], track)
    moments: list[Moment] = []
    for time in times:
        same = time if time in noises else times[0]
        top1, top5 = (_shares([found[chip, same] for chip in chips], best) for best in (1, BEST))
        moments.append(Moment(time, top1, top5, noises[same].decibels, examined[same]))
    top1, top5 = (_share(expected, best) for best in (1, BEST))
    return Accuracy(name, images, trials, seed, top1, top5, tuple(moments), report)


def _examined(
    program: Program, inputs: Inputs, seed: int, times: Sequence[float], track: Track
) -> dict[float, tuple[StageNoise, ...]]:
    """What one chip's stages add at each time, by some of the images."""
    examiner = Examiner(program)
    some = {name: array[:IMAGES] for name, array in inputs.items()}
    return {time: examiner(some, seed, time) for time in track(times, "examining stages")}


def _differ(target: Target) -> bool:
    """Whether chips of a target differ, and from one time to another."""
    return target.weight_model in DRIFTING


def _different(times: Sequence[float], target: Target) -> Sequence[float]:
    """The times at which a chip is not the same."""
    return list(dict.fromkeys(times)) if _differ(target) else times[:1]


def _share(found: Labels, best: int) -> float:
    return float((found < best).mean())


def _shares(found: Sequence[Labels], best: int) -> Shares:
    return Shares(tuple(_share(one, best) for one in found))


def _exact(
    program: Program, network: Path | None, inputs: Inputs, name: str, track: Track
) -> Numbers:
    """The scores of the network in float, `[images, classes]`."""
    if network is None:
        found = program.run_with(exact_values(program), inputs, track=track)
        return scores_of(found, name)
    reference = Reference(network)
    if program.has_host:
        images = range(count_images(inputs))
        found = [
            np.asarray(reference.image(inputs, image)[name]) for image in track(images, "in float")
        ]
        return np.stack([one.reshape(-1) for one in found]).astype(np.float64)
    stream = check_stream(program.inputs, inputs, program.states)
    if program.states:
        return scores_of(reference.with_states(stream, program.states, track), name)
    return scores_of(reference(stream, track), name)
