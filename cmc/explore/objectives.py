# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What designs are compared by: figures of a report, or of the target, by their names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from xdsl.utils.hints import isa

from cmc.reports.energy import Energy
from cmc.targets import IDEAL, describe
from cmc.targets.keys import KEYS
from cmc.targets.kinds import Measure, Rate, Time, Whole

if TYPE_CHECKING:
    from cmc.reports.report import Report

Figures = Mapping[str, float | int | str | None]
"""What is known of a design, by name."""

MOST = 3
"""How many objectives there may be."""

_LEFT_OUT = ("copies", "products", "figures")
"""What of a report is by names of a network, or what the target says."""


@dataclass(frozen=True)
class Objective:
    """A figure that is to be small, or large."""

    name: str
    most: bool = False

    def cost(self, figures: Figures) -> float | None:
        """What is to be small; None where there is no such number."""
        value = figures.get(self.name)
        if not isinstance(value, float | int):
            return None
        return -float(value) if self.most else float(value)

    def __str__(self) -> str:
        return f"max {self.name}" if self.most else self.name


def costs_of(objectives: Sequence[Objective], figures: Figures) -> tuple[float, ...] | None:
    """What of some figures is to be small; None if any of it is not known."""
    costs = [cost for one in objectives if (cost := one.cost(figures)) is not None]
    return tuple(costs) if len(costs) == len(objectives) else None


def read_objective(text: str) -> Objective:
    """`interval_ns` or `min interval_ns` is to be small, `max images_per_second` large."""
    word, _, name = text.strip().partition(" ")
    return Objective(name.strip(), word == "max") if word in ("min", "max") else Objective(text)


def figures_of(report: Report) -> Figures:
    """All that a report says of a design as a whole, by its keys: `a.b` for b of a."""
    return dict(_flat(json.loads(report.to_json()), ""))


def figures_of_target(target: str) -> Figures:
    """What is given of a target as numbers and words, by its keys: `target.rows`."""
    given = {name: figure.value for name, figure in describe(target).figures.items()}
    return {
        f"target.{name}": float(value) if isinstance(value, Decimal) else value
        for name, value in given.items()
        if isinstance(value, int | Decimal | str)
    }


def _flat(table: Mapping[str, object], prefix: str) -> Iterator[tuple[str, float | str | None]]:
    for key, value in table.items():
        if isa(value, dict[str, object]) and key not in _LEFT_OUT:
            yield from _flat(value, f"{prefix}{key}.")
        elif value is None or (isinstance(value, float | int | str) and not _is_flag(value)):
            yield prefix + key, value


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def known_figures() -> list[str]:
    """The names of all figures that an objective may be: of any report, and of targets."""
    from cmc.reports.report import Report

    numbers = [key.name for key in KEYS if isinstance(key.kind, Whole | Time | Rate | Measure)]
    energy = {f"energy.{name}": one for name, one in _flat(Energy(IDEAL, {}, None).as_json(), "")}
    figures = {**figures_of(Report(1, 0, None, ())), **energy}
    tables = {name.partition(".")[0] for name in figures if "." in name}
    reported = [
        name for name, value in figures.items() if not isinstance(value, str) and name not in tables
    ]
    return [*reported, *(f"target.{name}" for name in numbers)]


def front(costs: Sequence[Sequence[float]]) -> list[int]:
    """Which of some points are no worse than another in everything: the Pareto front, in order.

    `costs` are `[points][objectives]`, each to be small. Points that are equal are all in it.
    """
    found: list[int] = []
    for index in sorted(range(len(costs)), key=lambda index: tuple(costs[index])):
        # What comes later in this order is better than nothing that came before.
        if not any(_better(costs[other], costs[index]) for other in found):
            found.append(index)
    return sorted(found)


def _better(one: Sequence[float], other: Sequence[float]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
