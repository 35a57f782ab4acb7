# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Which crossbars a matrix takes, and which of them one stage drives: numbers alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cmc.poly.evaluate import Bools, Ints
from cmc.tiling.cuts import Cut, Rows
from cmc.tiling.structure import Units


@dataclass(frozen=True)
class Limits:
    """Of a crossbar, its rows and columns; of a stage, the crossbars of the core that runs it and
    how often it may issue in an iteration without being the slowest of its pipeline."""

    rows: int
    columns: int
    crossbars: int
    issues: int


@dataclass(frozen=True, eq=False)
class Layer:
    """A piece of the rows of every unit: as many units as fit lie in one crossbar, side by side."""

    rows: Sequence[Ints]
    together: int


@dataclass(frozen=True, eq=False)
class Group:
    """Layers that one stage adds up, with `units` units a stage: each stage is of some columns."""

    layers: Sequence[Layer]
    units: int

    def crossbars(self, count: int) -> int:
        """The crossbars that `count` units take."""
        return sum(-(-count // layer.together) for layer in self.layers)


@dataclass(frozen=True, eq=False)
class Plan:
    """A matrix in crossbars. Each group of stages adds to what the one before it made."""

    units: Units
    groups: Sequence[Group]

    def blocks(self, group: Group) -> int:
        """The stages of a group, each with columns of its own."""
        return -(-self.units.count // group.units)

    @property
    def crossbars(self) -> int:
        return sum(
            group.crossbars(min(group.units, self.units.count - first))
            for group in self.groups
            for first in range(0, self.units.count, group.units)
        )

    def reads(self, rows: Rows, cut: Cut) -> int:
        """How many boxes the rows of the first unit lie in."""
        return sum(
            len(boxes)
            for group in self.groups
            for layer in group.layers
            for boxes in rows.boxes(layer.rows[0], cut.order)
        )


def plan(units: Units, rows: Rows, cut: Cut, limits: Limits, occupied: Bools) -> Plan:
    """The groups of stages of a matrix whose rows are cut in one way.

    Columns that meet the same rows come together first, as one issue drives them all; then pieces
    of rows come into one stage, which spares it partial sums, as long as it does not become the
    slowest stage by that. Pieces of rows that are not `occupied`, all of 0, are left out.
    """
    every = _layers(units, rows, cut, limits)
    layers = [layer for layer in every if any(occupied[one].any() for one in layer.rows)]
    layers = layers or every[-1:]
    groups: list[Group] = []
    while layers:
        count = _units_of_a_stage(units, layers[0], limits)
        taken = 1
        while taken < len(layers) and _fit(units, layers[: taken + 1], count, limits):
            taken += 1
        groups.append(Group(layers[:taken], count))
        layers = layers[taken:]
    return Plan(units, groups)


def _layers(units: Units, rows: Rows, cut: Cut, limits: Limits) -> list[Layer]:
    """The pieces of the rows. The one of which most fit into a crossbar comes last: it is added to
    the others, and fewest stages write the object."""
    ordered: list[Ints] = []
    for number, one in enumerate(units.rows):
        again = number and one is units.rows[number - 1]
        ordered.append(ordered[-1] if again else rows.sort(one, cut.order))
    layers: list[Layer] = []
    start = 0
    for size in cut.sizes:
        fit = min(limits.rows // size, limits.columns // units.width)
        together = 1 if units.alike > 1 or units.count == 1 else fit
        pieces = [one[start : start + size] for one in ordered]
        layers.append(Layer(pieces, min(together, units.count)))
        start += size
    return sorted(layers, key=lambda layer: layer.together)


def _crossbars(units: Units, layer: Layer, count: int) -> int:
    """The crossbars of a layer if a stage has `count` units of it."""
    whole, rest = divmod(units.count, count)
    return whole * -(-count // layer.together) + -(-rest // layer.together)


def _units_of_a_stage(units: Units, layer: Layer, limits: Limits) -> int:
    """How many units of a layer one stage has: fewest crossbars, then fewest stages, all even."""
    most = min(units.count, limits.crossbars * layer.together)
    allowed = [n for n in range(1, most + 1) if _issues(units, [layer], n) <= limits.issues]
    best = min(
        allowed or range(1, min(most, layer.together) + 1),
        key=lambda n: (_crossbars(units, layer, n), -(-units.count // n)),
    )
    even = -(-units.count // -(-units.count // best))
    same = _crossbars(units, layer, even) == _crossbars(units, layer, best)
    return even if same else best


def _issues(units: Units, layers: Sequence[Layer], count: int) -> int:
    """How often a stage with `count` units of some layers issues in an iteration."""
    if units.alike > 1:
        return len(layers) * -(-count // units.alike)
    return sum(-(-count // layer.together) for layer in layers)


def _fit(units: Units, layers: Sequence[Layer], count: int, limits: Limits) -> bool:
    """Whether one stage takes another layer with as many units as it has of the others."""
    crossbars = sum(-(-count // layer.together) for layer in layers)
    last = layers[-1]
    return (
        crossbars <= limits.crossbars
        and _issues(units, layers, count) <= limits.issues
        and _crossbars(units, last, count) == -(-units.count // last.together)
    )
