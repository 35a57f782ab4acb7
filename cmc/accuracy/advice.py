# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What would help the stages that hurt most: each change tried, on the chips that were measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import Operation

from cmc.accuracy.classes import scores_of
from cmc.accuracy.measure import Accuracy
from cmc.accuracy.stages import IMAGES, stage_of
from cmc.accuracy.trials import Compute, Inputs, Shares, Trials, ratio_as_json
from cmc.analog.crossbar import Physics
from cmc.analog.weights import Conductances, Digits
from cmc.api import Program
from cmc.dialects.cmpipe import MxvOp
from cmc.errors import CmcError
from cmc.explore.evaluate import Evaluator
from cmc.explore.point import Point
from cmc.reports.help import Figures
from cmc.simulator.bulk import Values
from cmc.simulator.crossbars import Conditions, Tile, physics_of, tiles_of, with_ranges
from cmc.simulator.load import LoadedProgram
from cmc.simulator.watch import Noise
from cmc.targets.files import with_figures
from cmc.targets.keys import BITS
from cmc.track import Track, no_track

STAGES = 3
"""Of the stages, how many of those that hurt most are changed one by one."""


@dataclass(frozen=True)
class Change:
    """Crossbars that are better in one way."""

    key: str
    """That of the target."""
    title: str
    changed: Callable[[Physics], Physics]
    """How the better ones compute."""
    figures: Mapping[str, object]
    """Those of the target that are others; none where a target cannot say that."""
    rows: int | None = None
    """Of a crossbar at the most, where that is what changes."""


@dataclass(frozen=True)
class Row:
    """What a change of a stage, or of the whole chip, comes to; or why it cannot be."""

    stage: str | None
    """None is the whole chip."""
    key: str
    title: str
    top1: Shares | None
    scores_snr_db: float | None
    figures: Figures | None
    """Of the whole chip, compiled anew; of a stage alone, none."""
    reason: str | None = None

    def as_json(self) -> dict[str, object]:
        figures = self.figures
        return {
            "stage": self.stage,
            "key": self.key,
            "title": self.title,
            "top1": None if self.top1 is None else self.top1.as_json(),
            "scores_snr_db": ratio_as_json(self.scores_snr_db),
            "interval_ns": None if figures is None else figures.interval_ns,
            "latency_ns": None if figures is None else figures.latency_ns,
            "energy_pj": None if figures is None else figures.energy_pj,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Advice:
    """What would help at a time, those changes first with which most images get their class."""

    time: float
    """In seconds after programming."""
    shares: Mapping[str, float]
    """By stage, what part it has in the noise of the scores, those first that have most.

    That is, of the squares of how far they are off where this stage alone is not exact, of the sum
    of these for all stages.
    """
    rows: tuple[Row, ...]

    def as_json(self) -> dict[str, object]:
        shares = [{"stage": name, "share": share} for name, share in self.shares.items()]
        return {
            "time_s": self.time,
            "shares": shares,
            "changes": [row.as_json() for row in self.rows],
        }


def advise(
    program: Program, found: Accuracy, point: Point | None, track: Track = no_track
) -> Advice:
    """Try changes of the stages that hurt most at the last time, and of the whole chip.

    Those of a stage are computed as if it alone had other crossbars: one that has fewer rows is cut
    into several, each with converters of its own. The whole chip is compiled anew, so that its time
    and its energy are known; `point` is what it was compiled from, without which there are changes
    of stages alone.
    """
    return _Adviser(program, found, track).advise(point)


def noise_by_stage(
    program: Program, found: Accuracy, track: Track = no_track
) -> Mapping[str, float]:
    """What part each stage has in the noise of the scores at the last time, as `Advice.shares`."""
    return _Adviser(program, found, track).shares()


class _Adviser:
    def __init__(self, program: Program, found: Accuracy, track: Track):
        self._program, self._found, self._track = program, found, track
        self._time = found.moments[-1].time
        self._physics = physics_of(found.target)
        self._rows: dict[str, int] = {}
        """The rows of the largest crossbar of each stage."""
        self._of_stages: dict[str, Physics] = {}
        """How the first crossbar of each stage computes."""
        for one in program.loaded.programs.values():
            stage = stage_of(one)
            if stage is not None and one.tiles:
                rows = max(op.size[0] for op in stage.crossbars())
                self._rows[stage.origin] = max(rows, self._rows.get(stage.origin, 0))
                products = (op for op in one.tiles if isinstance(op, MxvOp))
                own = with_ranges(self._physics, next(products))
                self._of_stages.setdefault(stage.origin, own)

    def advise(self, point: Point | None) -> Advice:
        shares = self.shares()
        rows: list[Row] = []
        tried = [
            (name, change)
            for name in [*shares][:STAGES]
            for change in changes_of(self._of_stages[name], self._rows[name])
        ]
        for name, change in self._track(tried, "trying"):
            rows.append(self._of_stage(name, change))
        if point is not None and self._rows:
            evaluator = Evaluator()
            found = self._found
            most = found.target.rows or max(self._rows.values())
            changes = [c for c in changes_of(self._physics, most) if c.figures]
            if found.target.round_activations and (bits := found.target.activation_bits) < BITS:
                same = _with("careful", True)
                changes.append(_step("activation_bits", bits, bits + 1, same))
            for change in self._track(changes, "trying chips"):
                rows.append(self._of_chip(evaluator, point, change))
        return Advice(self._time, shares, tuple(sorted(rows, key=_gain)))

    def shares(self) -> Mapping[str, float]:
        """What part each stage has in the noise of the scores."""
        sample, name = self._found.sample, self._found.output
        some = {key: array[:IMAGES] for key, array in sample.inputs.items()}
        exact = scores_of(self._run_with(lambda _: {}, some), name)
        errors: dict[str, float] = {}
        for stage in self._track([*self._rows], "finding what hurts"):
            noise = Noise()
            noise.add(scores_of(self._run_with(_only(stage), some), name), exact)
            errors[stage] = noise.error
        total = sum(errors.values()) or 1.0
        ordered = sorted(errors, key=lambda stage: -errors[stage])
        return {stage: errors[stage] / total for stage in ordered}

    def _run_with(
        self,
        tiles: Callable[[LoadedProgram], Mapping[Operation, Tile]],
        inputs: Inputs,
    ) -> Mapping[str, NDArray[np.generic]]:
        values = Values(self._program.loaded.with_tiles(tiles))
        return self._program.run_with(values, inputs, Conditions(self._found.seed, self._time))

    def _of_stage(self, name: str, change: Change) -> Row:
        """One stage with other crossbars."""

        def tiles(program: LoadedProgram) -> Mapping[Operation, Tile]:
            stage = stage_of(program)
            if stage is None or stage.origin != name:
                return program.tiles
            return tiles_of(stage, program.iterations, change.changed, change.rows)

        values = Values(self._program.loaded.with_tiles(tiles))
        trials = self._trials(
            lambda inputs, conditions: self._program.run_with(values, inputs, conditions)
        )
        top1, decibels = trials.shares(self._time, 1), trials.decibels(self._time)
        return Row(name, change.key, change.title, top1, decibels, None)

    def _of_chip(self, evaluator: Evaluator, point: Point, change: Change) -> Row:
        """All of a chip with other crossbars."""
        target = with_figures(point.target, change.figures)
        try:
            program = evaluator.program(replace(point, target=target))
            report = program.time(1)
        except CmcError as error:
            return Row(None, change.key, change.title, None, None, None, str(error))
        trials = self._trials(
            lambda inputs, conditions: (
                program.run(inputs, seed=conditions.seed, time=conditions.time).outputs
            )
        )
        top1, decibels = trials.shares(self._time, 1), trials.decibels(self._time)
        return Row(None, change.key, change.title, top1, decibels, report.figures)

    def _trials(self, compute: Compute) -> Trials:
        """The same images on as many chips."""
        found, sample = self._found, self._found.sample
        chips = range(found.seed, found.seed + found.trials)
        trials = Trials(compute, found.output, chips, [self._time])
        trials.add(sample.inputs, sample.labels, sample.scores, no_track)
        return trials


def changes_of(physics: Physics, rows: int) -> Iterator[Change]:
    """Steps of crossbars of so many rows that may make them better, and exact ones."""
    for key in ("dac_bits", "adc_bits"):
        bits = getattr(physics, key)
        if isinstance(bits, int) and bits < BITS:
            yield _step(key, bits, bits + 1, _with(key, bits + 1))
    for key in ("range", "adc_bound"):
        limit = getattr(physics, key)
        for factor in (0.5, 2.0) if isinstance(limit, float) else ():
            figures = {} if key == "range" else {key: factor * limit}
            yield Change(key, f"{key} x {factor:g}", _times(key, factor), figures)
    match physics.weights:
        case Digits() as model:
            for key, field, bits in (
                ("weight_bits", "bits", model.bits),
                ("cell_bits", "cell_bits", model.cell_bits),
            ):
                if bits < BITS:
                    better = replace(model, **{field: bits + 1})
                    yield _step(key, bits, bits + 1, _with("weights", better))
        case Conductances() as model:
            better = replace(model, pairs=model.pairs + 1)
            yield _step("devices", model.pairs, model.pairs + 1, _with("weights", better))
            if not physics.compensated:
                yield _step("drift_compensation", False, True, _with("compensated", True))
        case _:
            pass
    if rows > 1:
        half = -(-rows // 2)
        yield replace(_step("rows", rows, half, lambda physics: physics), rows=half)
    yield Change("exact", "exact crossbars", lambda _: Physics(), {})


def _with(field: str, value: object) -> Callable[[Physics], Physics]:
    return lambda physics: replace(physics, **{field: value})


def _times(field: str, factor: float) -> Callable[[Physics], Physics]:
    """Where it is calibrated, each product has a range of its own."""

    def changed(physics: Physics) -> Physics:
        limit = getattr(physics, field)
        wider = {field: factor * limit} if isinstance(limit, float) else {}
        return replace(physics, **wider)

    return changed


def _step(key: str, before: float, after: float, changed: Callable[[Physics], Physics]) -> Change:
    shown = [str(one).lower() if isinstance(one, bool) else f"{one:g}" for one in (before, after)]
    return Change(key, f"{key} {shown[0]} to {shown[1]}", changed, {key: after})


def _only(name: str) -> Callable[[LoadedProgram], Mapping[Operation, Tile]]:
    """The crossbars of one stage; those of the others are exact."""

    def tiles(program: LoadedProgram) -> Mapping[Operation, Tile]:
        stage = stage_of(program)
        return program.tiles if stage is not None and stage.origin == name else {}

    return tiles


def _gain(row: Row) -> tuple[float, float]:
    if row.top1 is None:
        return float("inf"), 0
    return -row.top1.mean, -(float("inf") if row.scores_snr_db is None else row.scores_snr_db)
