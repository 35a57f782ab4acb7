# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Designs that Optuna chooses, by what came of others."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from cmc.explore.extra import extra
from cmc.explore.objectives import costs_of
from cmc.explore.point import Point
from cmc.explore.results import Result, Results
from cmc.explore.space import Axis, Choices, Range, Space

_AGAIN = 200
"""After how many designs in a row that are known already a space has no more."""

_DESIGN = "designs"


class _Trial(Protocol):
    """What of a trial is used."""

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int: ...
    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float: ...
    def suggest_categorical(self, name: str, choices: Sequence[int]) -> int: ...


class Search:
    """So many designs of a space: those that have a result already, and others that are chosen."""

    def __init__(self, space: Space, results: Results, count: int, seed: int):
        self._space, self._results, self._count = space, results, count
        self._optuna = optuna = extra("optuna", "--search")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.points: list[Point] = []
        self._trials: dict[str, object] = {}
        known = [(point, one) for one in results.found.values() if (point := self._known(one))]
        # What is random for a study that goes on is not what it was for the one before.
        sampler = optuna.samplers.TPESampler(seed=seed + len(known), constant_liar=True)
        directions = ["minimize"] * len(space.objectives)
        self._study = optuna.create_study(directions=directions, sampler=sampler)
        for point, result in known:
            self.points.append(point)
            self._recall(result)

    def _known(self, result: Result) -> Point | None:
        """The point of the space that a result is of; None if it is of none."""
        if self._design(result.choices) is None:
            return None
        point = Point.of(result.choices, self._space.images, self._space.accuracy)
        return point if point.id == result.id else None

    def _design(self, choices: Choices) -> int | None:
        """Which of the designs of the space choices are of."""
        for design in range(len(self._space.designs)):
            axes = {axis.name: axis for axis in self._space.axes_of(design)}
            if axes.keys() == choices.keys() and all(
                value in axes[name] for name, value in choices.items()
            ):
                return design
        return None

    def next(self) -> Point | None:
        for _ in range(_AGAIN):
            if len(self.points) >= self._count:
                return None
            trial = self._study.ask()
            point = Point.of(self._choose(trial), self._space.images, self._space.accuracy)
            if point.id in self._trials:
                self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
            elif (known := self._results.found.get(point.id)) is not None:
                if all(point.id != one.id for one in self.points):
                    self.points.append(point)
                self._tell(trial, known)
            else:
                self._trials[point.id] = trial
                self.points.append(point)
                return point
        self._count = len(self.points)
        return None

    def done(self, point: Point, result: Result) -> None:
        self._tell(self._trials.pop(point.id), result)

    def _choose(self, trial: _Trial) -> Choices:
        designs = range(len(self._space.designs))
        design = trial.suggest_categorical(_DESIGN, designs) if len(designs) > 1 else 0
        return {
            axis.name: _chosen(axis, self._name(axis, design), trial)
            for axis in self._space.axes_of(design)
        }

    def _name(self, axis: Axis, design: int) -> str:
        """What a study calls an axis: those of one design are not those of another."""
        own = axis in self._space.designs[design]
        return f"{_DESIGN}[{design + 1}].{axis.name}" if own else axis.name

    def _tell(self, trial: object, result: Result) -> None:
        values = self._values(result)
        if values is None:
            self._study.tell(trial, state=self._refused)
        else:
            self._study.tell(trial, values)

    @property
    def _refused(self) -> object:
        """The state of trials without values: the sampler takes them to be worse than others."""
        return self._optuna.trial.TrialState.PRUNED

    def _recall(self, result: Result) -> None:
        """Let the study know of what was tried before."""
        values, design = self._values(result), self._design(result.choices)
        if design is None:
            return
        parameters: dict[str, int | float] = {_DESIGN: design}
        for axis in self._space.axes_of(design):
            value = result.choices[axis.name]
            if isinstance(axis.values, tuple):
                parameters[self._name(axis, design)] = axis.values.index(value)
            elif isinstance(value, int | Decimal):
                number = int(value) if axis.values.whole else float(value)
                parameters[self._name(axis, design)] = number
        trial = self._optuna.trial.FixedTrial(parameters)
        self._choose(trial)
        known = {"state": self._refused} if values is None else {"values": values}
        self._study.add_trial(
            self._optuna.trial.create_trial(
                params=trial.params, distributions=trial.distributions, **known
            )
        )

    def _values(self, result: Result) -> tuple[float, ...] | None:
        figures = result.outcome.figures
        return None if figures is None else costs_of(self._space.objectives, figures)


def _chosen(axis: Axis, name: str, trial: _Trial) -> object:
    """The value of an axis that a study chooses, if there is more than one."""
    values = axis.values
    if isinstance(values, Range):
        return _number(values, name, trial)
    if len(values) == 1:
        return values[0]
    if all(isinstance(value, int | Decimal) for value in values):
        # Neighbours in a list of numbers are alike.
        return values[trial.suggest_int(name, 0, len(values) - 1)]
    return values[trial.suggest_categorical(name, range(len(values)))]


def _number(values: Range, name: str, trial: _Trial) -> int | Decimal:
    low, high, step, log = values.low, values.high, values.step, values.log
    if values.whole:
        return trial.suggest_int(name, int(low), int(high), step=int(step or 1), log=log)
    steps = None if step is None else float(step)
    found = trial.suggest_float(name, float(low), float(high), step=steps, log=log)
    # Nobody makes a chip by more digits, and a command is to be read.
    digits = Decimal(f"{found:.4g}") if step is None else Decimal(f"{found:.12g}")
    return min(max(digits, Decimal(low)), Decimal(high))
