"""Designs as tables: of text for a terminal, as CSV, as Parquet."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from cmc.explore.extra import extra
from cmc.explore.objectives import Figures, Objective, front
from cmc.explore.results import Result
from cmc.files.output import replacing, replacing_text
from cmc.targets.files import shown

Cell = str | int | float | bool | None

_REASONS = 5
"""How many reasons of refusals are shown."""


@dataclass(frozen=True)
class Table:
    """Designs that were tried, and how they compare."""

    results: Sequence[Result]
    varied: Sequence[str]
    """The names of what they differ in."""
    objectives: Sequence[Objective]

    def figures(self, result: Result) -> Figures:
        """What is known of a design, its choices among it; numbers of the target too."""
        chosen = {name: _cell(value) for name, value in result.choices.items()}
        return {**chosen, **(result.outcome.figures or {})}

    @property
    def compared(self) -> Sequence[tuple[Result, tuple[float, ...]]]:
        """Those that have all that they are compared by, and what of it is to be small."""
        found: list[tuple[Result, tuple[float, ...]]] = []
        for result in self.results:
            figures = self.figures(result)
            costs = [cost for one in self.objectives if (cost := one.cost(figures)) is not None]
            if result.outcome.figures is not None and len(costs) == len(self.objectives):
                found.append((result, tuple(costs)))
        return found

    @property
    def front(self) -> Sequence[Result]:
        """Those than which none is better in all objectives: the best in the first one first."""
        compared = self.compared
        kept = [compared[index] for index in front([costs for _, costs in compared])]
        return [result for result, _ in sorted(kept, key=lambda one: one[1])]

    @property
    def columns(self) -> Mapping[str, Sequence[Cell]]:
        """Every design with all that is known of it, and the command that shows it."""
        rows = [self.figures(result) for result in self.results]
        names = list(dict.fromkeys(name for row in rows for name in row))
        best = {result.id for result in self.front}
        return {
            "id": [result.id for result in self.results],
            **{name: [row.get(name) for row in rows] for name in names},
            "reason": [result.outcome.reason for result in self.results],
            "on_front": [result.id in best for result in self.results],
            "seconds": [result.outcome.seconds for result in self.results],
            "command": [result.command for result in self.results],
        }

    def write_csv(self, path: Path) -> None:
        columns = self.columns
        with replacing_text(path) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))

    def write_parquet(self, path: Path) -> None:
        """The same as `write_csv`; columns of numbers and texts are of texts."""
        arrow, parquet = extra("pyarrow", "--parquet"), extra("pyarrow.parquet", "--parquet")
        columns = {
            name: [None if one is None else str(one) for one in column]
            if any(isinstance(one, str) for one in column)
            else column
            for name, column in self.columns.items()
        }
        with replacing(path) as temporary:
            parquet.write_table(arrow.table(columns), temporary)

    def format(self) -> str:
        """How many there are, the front, why some were refused, and the commands."""
        names = [*self.varied, *(one.name for one in self.objectives)]
        names = list(dict.fromkeys(names))
        best = self.front
        parts = [self._format_counts(len(best))]
        if best:
            rows = [self.figures(result) for result in best]
            cells = [
                [str(number), *(_shown(row.get(name)) for name in names)]
                for number, row in enumerate(rows, 1)
            ]
            parts.append(_aligned([["", *map(_heading, names)], *cells]))
        reasons = Counter(one.outcome.reason for one in self.results if one.outcome.reason)
        if reasons:
            lines = [f"{count:,} x {_short(reason)}" for reason, count in _alike(reasons)]
            more = len(lines) - _REASONS
            lines = lines[:_REASONS] + ([f"and {more:,} more reasons"] if more > 0 else [])
            parts.append("\n".join(["not compiled:", *(f"  {line}" for line in lines)]))
        if best:
            commands = [f"  {number}  {one.command}" for number, one in enumerate(best, 1)]
            parts.append("\n".join(["one of them alone:", *commands]))
        return "\n\n".join(parts)

    def _format_counts(self, best: int) -> str:
        compiled = sum(result.outcome.figures is not None for result in self.results)
        objectives = " and ".join(map(str, self.objectives))
        return (
            f"{len(self.results):,} designs, {compiled:,} compiled, {best:,} with none better in "
            f"{objectives}"
        )


def _cell(value: object) -> Cell:
    if isinstance(value, Decimal):
        return float(value)
    return value if isinstance(value, str | int | float) else shown(value)


def _heading(name: str) -> str:
    return name.removeprefix("target.").removeprefix("options.")


def _shown(cell: Cell) -> str:
    match cell:
        case None:
            return "-"
        case bool() | str():
            return str(cell)
        case _:
            return f"{cell:,.10g}"


def _alike(reasons: Counter[str]) -> list[tuple[str, int]]:
    """Reasons that say the same of other targets are one, the most frequent first."""
    alike: Counter[str] = Counter()
    first: dict[str, str] = {}
    for reason, count in reasons.items():
        what = reason.partition(": ")[2] or reason
        first.setdefault(what, what)
        alike[what] += count
    return [(first[what], count) for what, count in alike.most_common()]


def _short(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:157]}..."


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
