# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The circuit of waits that rules the interval, to be marked in all figures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cmc.explain.circuit import Link
from cmc.reports.html.figures import Columns
from cmc.reports.report import ProgramReport, Report

_WAITS = {
    "data": "what is written",
    "input": "what is sent",
    "room": "room",
    "pace": "its own iteration before",
    "unit": "a unit",
    "link": "a link",
    "end": "the end",
}

_MARKED = " What is in the critical circuit has a thick rim, red-orange."


@dataclass(frozen=True)
class Critical:
    """What of a report is in the circuit; nothing if there is none."""

    report: Report

    @cached_property
    def links(self) -> tuple[Link, ...]:
        circuit = self.report.critical
        return () if circuit is None else circuit.links

    @cached_property
    def stages(self) -> set[str]:
        """The programs that wait, or are waited for."""
        return {link.stage for link in self.links}

    @property
    def marked(self) -> str:
        """How it is marked, for a caption."""
        return _MARKED if self.links else ""

    @cached_property
    def cores(self) -> set[str]:
        found = [
            core for core in self.report.cores if self.stages & {p.name for p in core.programs}
        ]
        return {core.name for core in found}

    @cached_property
    def rings(self) -> set[str]:
        """The channels whose data, or whose room, is waited for."""
        return {link.what for link in self.links if link.kind in ("data", "input", "room")}

    @property
    def words(self) -> str:
        """What the circuit is."""
        circuit = self.report.critical
        if circuit is None:
            return ""
        images = "an image" if circuit.images == 1 else f"{circuit.images:,} images"
        return (
            f"In steady state these waits lead from an iteration back to the same one {images} "
            f"before, in {circuit.cycles:,} cycles."
        )

    @property
    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """Who waits, for what, on whom, how often, for how many cycles, in the order of waits."""
        times: Counter[tuple[str, str, str]] = Counter()
        cycles = times.copy()
        for link in self.links:
            what = f"{_WAITS[link.kind]} {'of ' if link.what else ''}{link.what}".strip()
            key = f"@{link.stage}", what, f"@{link.on}"
            times[key] += 1
            cycles[key] += link.cycles
        return [(*key, f"{n:,}", f"{cycles[key]:,}") for key, n in times.items()]

    def line(self, rows: dict[str, tuple[int, ProgramReport]]) -> Columns | None:
        """From iteration to iteration through the rows of programs; None if they are not shown.

        The same comes again after some images: it is drawn for the first ones for which it can be.
        """
        circuit = self.report.critical
        if circuit is None or not self.stages <= rows.keys():
            return None
        first = circuit.links[0]
        points = [(first.stage, first.iteration, first.image)]
        points += [(link.on, link.on_iteration, link.on_image) for link in circuit.links]
        earlier = min(image for *_, image in points) // circuit.images * circuit.images
        found: list[tuple[float, float]] = []
        for name, iteration, image in points:
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
