# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Designs as tables: of text for a terminal, as CSV, as Parquet."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from cmc.explore.extra import extra
from cmc.explore.objectives import Figures, Objective, costs_of, front
from cmc.explore.results import Result
from cmc.files.output import replacing, replacing_text
from cmc.reports.columns import aligned
from cmc.targets.files import shown

Cell = str | int | float | bool | None

_LISTED = 20
"""How many of the best are shown in a terminal."""

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

    @cached_property
    def compared(self) -> Sequence[tuple[Result, tuple[float, ...]]]:
        """Those that have all that they are compared by, and what of it is to be small."""
        found: list[tuple[Result, tuple[float, ...]]] = []
        for result in self.results:
            costs = costs_of(self.objectives, self.figures(result))
            if result.outcome.figures is not None and costs is not None:
                found.append((result, costs))
        return found

    @cached_property
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

    @property
    def shown_names(self) -> Sequence[str]:
        """The names of what is shown of a design: what differs, and what it is compared by."""
        return list(dict.fromkeys([*self.varied, *(one.name for one in self.objectives)]))

    @property
    def counts(self) -> str:
        """How many there are, for a person."""
        compiled = sum(result.outcome.figures is not None for result in self.results)
        objectives = " and ".join(map(str, self.objectives))
        return (
            f"{len(self.results):,} designs, {compiled:,} compiled, {len(self.front):,} with none "
            f"better in {objectives}"
        )

    @property
    def reasons(self) -> Sequence[tuple[str, int]]:
        """Why some were not compiled, and how many; the most frequent first.

        Reasons that say the same of different targets are one.
        """
        given = (result.outcome.reason for result in self.results)
        alike = Counter(one.partition(": ")[2] or one for one in given if one is not None)
        return alike.most_common()

    def format(self) -> str:
        """How many there are, the front, why some were not compiled, and the commands."""
        names, best, reasons = self.shown_names, self.front, self.reasons
        parts = [self.counts]
        if best:
            rows = [self.figures(result) for result in best[:_LISTED]]
            cells = [
                [str(number), *(shown_cell(row.get(name)) for name in names)]
                for number, row in enumerate(rows, 1)
            ]
            parts.append("\n".join(aligned([["", *map(heading, names)], *cells], left=())))
        if reasons:
            lines = [f"  {count:,} x {_short(reason)}" for reason, count in reasons[:_REASONS]]
            rest = len(reasons) - _REASONS
            lines += [f"  and {rest:,} more reasons"] if rest > 0 else []
            parts.append("\n".join(["not compiled:", *lines]))
        if best:
            lines = [f"  {n}  {one.command}" for n, one in enumerate(best[:_LISTED], 1)]
            rest = len(best) - _LISTED
            lines += [f"  and {rest:,} more: --csv, --html"] if rest > 0 else []
            parts.append("\n".join(["one of them alone:", *lines]))
        return "\n\n".join(parts)


def _cell(value: object) -> Cell:
    if isinstance(value, Decimal):
        return float(value)
    return value if isinstance(value, str | int | float) else shown(value)


def heading(name: str) -> str:
    """What a table calls a column."""
    return name.removeprefix("target.").removeprefix("options.")


def shown_cell(cell: Cell) -> str:
    """A cell for a person."""
    match cell:
        case None:
            return "-"
        case bool() | str():
            return str(cell)
        case _:
            return f"{cell:,.10g}"


def _short(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:157]}..."
