# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How many images get their class, beside the network in float: chip by chip, time by time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cmc.accuracy.classes import (
    Labels,
    Numbers,
    check_labels,
    find_scores,
    places,
    scores_of,
)
from cmc.accuracy.stages import IMAGES, Examiner, StageNoise, exact_values
from cmc.accuracy.trials import BEST, Inputs, Shares, Trials, ratio_as_json, share_of
from cmc.api import Program
from cmc.errors import CmcError
from cmc.reference import Reference
from cmc.reports.report import Report
from cmc.simulator.crossbars import Conditions
from cmc.streams import check_stream, count_images
from cmc.targets import Target
from cmc.targets.keys import DRIFTING
from cmc.track import Track, no_track

VERSION = 1
"""Of the schema of an accuracy as JSON, `docs/accuracy.schema.json`, which says what it means."""

FIRST = 32
"""How many images there are at first, at the least, where more are taken as the spread needs."""


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
            "scores_snr_db": ratio_as_json(self.scores_snr_db),
            "stages": [stage.as_json() for stage in self.stages],
        }


@dataclass(frozen=True, eq=False)
class Sample:
    """Images, what they show, and what the network makes of them."""

    inputs: Inputs
    labels: Labels
    scores: Numbers
    """In float, `[images, classes]`."""


@dataclass(frozen=True)
class Accuracy:
    """How many images get their class."""

    output: str
    """The one that has the scores."""
    images: int
    """How many were run."""
    given: int
    """How many there are."""
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
    sample: Sample = field(repr=False)
    """What was run."""

    @property
    def target(self) -> Target:
        return self.report.target

    @property
    def differ(self) -> bool:
        """Whether no two chips of the target are alike."""
        return _differ(self.target)

    def as_json(self) -> dict[str, object]:
        """As `docs/accuracy.schema.json` describes it."""
        figures = self.report.figures
        return {
            "version": VERSION,
            "target": self.target.name,
            "output": self.output,
            "images": self.images,
            "images_given": self.given,
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
    quick: bool = False,
    track: Track = no_track,
) -> Accuracy:
    """Run images on some chips of the program's target, each at some times.

    `times` are seconds after the crossbars were programmed; chip `n` of `trials` is that of seed
    `seed + n`. `network` is what was compiled, for its accuracy in float; where that is not known
    it is that of the chip without physics. Where chips do not differ, one of them is run, once. All
    images are run, in their order, or with `quick` some of them in the order of `shuffled`: twice
    as many again and again, until they suffice. CmcError for labels that do not fit, and where no
    output has scores of classes.
    """
    if not program.has_chip:
        raise CmcError("nothing of the network is on the cores, so that they cost no accuracy")
    name = find_scores(program.outputs, output)
    images = count_images({n: array for n, array in inputs.items() if n not in program.states})
    check_labels(labels, images, int(np.prod(program.outputs[name])))
    report = program.time(1)
    target = report.target
    chips = range(seed, seed + (trials if _differ(target) else 1))
    different = list(dict.fromkeys(times)) if _differ(target) else times[:1]

    def compute(some: Inputs, conditions: Conditions) -> Mapping[str, NDArray[np.generic]]:
        seed, time, first = conditions.seed, conditions.time, conditions.first
        return program.run(some, seed=seed, time=time, first=first).outputs

    found = Trials(compute, name, chips, different)
    order = np.arange(images)
    ends = [images]
    if quick:
        if program.states:
            raise CmcError("images that need those before them are not taken one by one", "--quick")
        order, ends = shuffled(images), _ends(images, report.pipelines)
    scores: list[Numbers] = []
    for end in ends:
        part = order[found.images : end]
        some = inputs if end == images == len(part) else _taken(inputs, part)
        exact = _exact(program, network, some, name, track)
        scores.append(exact)
        found.add(some, labels[part], exact, track)
        if found.suffice:
            break
    order = order[: found.images]
    sample = Sample(_taken(inputs, order), labels[order], np.concatenate(scores))
    examined = _examined(program, _taken(inputs, order[:IMAGES]), seed, different, track)
    moments: list[Moment] = []
    for time in times:
        same = time if time in different else times[0]
        top1, top5 = (found.shares(same, best) for best in (1, BEST))
        moments.append(Moment(time, top1, top5, found.decibels(same), examined[same]))
    expected = places(sample.scores, sample.labels)
    return Accuracy(
        name,
        found.images,
        images,
        len(chips),
        seed,
        share_of(expected, 1),
        share_of(expected, BEST),
        tuple(moments),
        report,
        sample,
    )


def shuffled(images: int) -> NDArray[np.int64]:
    """All images in an order that says nothing of them, the same one each time."""
    return np.random.default_rng(0).permutation(images)


def _ends(images: int, pipelines: int) -> list[int]:
    """How many images there are in all after each part, which is a whole turn of pipelines."""
    first = -(-FIRST // pipelines) * pipelines
    ends = [first]
    while ends[-1] < images:
        ends.append(2 * ends[-1])
    return [*ends[:-1], images]


def _taken(inputs: Inputs, images: NDArray[np.int64]) -> Inputs:
    """Some images of a stream, and of states what there is."""
    return {name: array[images[images < len(array)]] for name, array in inputs.items()}


def _examined(
    program: Program, inputs: Inputs, seed: int, times: Sequence[float], track: Track
) -> dict[float, tuple[StageNoise, ...]]:
    """What one chip's stages add at each time."""
    examiner = Examiner(program)
    return {time: examiner(inputs, seed, time) for time in track(times, "examining stages")}


def _differ(target: Target) -> bool:
    """Whether chips of a target differ, and from one time to another."""
    return target.weight_model in DRIFTING


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
