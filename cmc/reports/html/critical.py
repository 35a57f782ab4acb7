# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The waits that rule the interval, to be marked in all figures, and those of the latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cmc.explain.circuit import Links, Waits
from cmc.reports.html.figures import Columns
from cmc.reports.report import ProgramReport, Report

Rows = Mapping[str, tuple[int, ProgramReport]]
"""Where programs stand in a figure."""

_MARKED = " What is in the critical circuit has a thick rim, red-orange."


@dataclass(frozen=True)
class Critical:
    """What of a report is in the circuit; nothing if there is none."""

    report: Report

    @cached_property
    def waits(self) -> Sequence[Waits]:
        """Like waits as one."""
        circuit = self.report.critical
        return () if circuit is None else circuit.links.summed

    @cached_property
    def stages(self) -> set[str]:
        """The programs that wait: where their vectors do, for a link, that is what is marked."""
        return {stage for one in self.waits if one.kind != "link" for stage in one.stages}

    @property
    def marked(self) -> str:
        """How it is marked, for a caption."""
        return _MARKED if self.waits else ""

    @cached_property
    def cores(self) -> set[str]:
        found = [
            core for core in self.report.cores if self.stages & {p.name for p in core.programs}
        ]
        return {core.name for core in found}

    @cached_property
    def rings(self) -> set[str]:
        """The channels whose data, or whose room, is waited for."""
        return {one.what for one in self.waits if one.kind in ("data", "input", "room")}

    @cached_property
    def crossed(self) -> set[str]:
        """The links that are waited for, by their titles."""
        return {one.what for one in self.waits if one.kind == "link"}

    def circuit_line(self, rows: Rows) -> Columns | None:
        """From iteration to iteration through the rows of programs; None if they are not shown.

        The same comes again after some images: it is drawn for the first ones for which it can be.
        """
        circuit = self.report.critical
        if circuit is None or not circuit.closed:
            return None
        least = int(circuit.links.passed[2].min())
        return _line(rows, circuit.links, least // circuit.images * circuit.images)

    def path_line(self, rows: Rows) -> Columns | None:
        """The same of the waits that make the latency, where the first image is one of those."""
        path = self.report.critical_path
        return None if path is None else _line(rows, path.links, 0)


def _line(rows: Rows, links: Links, earlier: int) -> Columns | None:
    """The iterations of some links, so many images earlier."""
    stages: list[int] = links.passed[0].tolist()
    names = [links.names[stage] for stage in stages]
    if not set(names) <= rows.keys():
        return None
    found: list[tuple[float, float]] = []
    for name, (iteration, image) in zip(names, links.passed[1:].T.tolist(), strict=True):
        row, program = rows[name]
        own = (image - earlier - program.turn.number) // program.turn.of
        number = own * program.iterations + iteration
        if not 0 <= number < program.shown.length:
            return None
        point = float(program.shown.at(np.array([number]))[0]), float(row)
        # Of many in one row the first and the last one are enough.
        if len(found) > 1 and found[-1][1] == found[-2][1] == point[1]:
            found.pop()
        found.append(point)
    return {"x": np.array([x for x, _ in found]), "y": np.array([y for _, y in found])}
