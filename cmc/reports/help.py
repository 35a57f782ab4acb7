# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What designs come to that are one step from a report's."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figures:
    """The figures of a report that a change may help."""

    interval_ns: float | None
    latency_ns: float
    sram_bytes: int
    """Of the fullest core."""
    energy_pj: float | None
    """Of an image, as far as the target says."""


@dataclass(frozen=True)
class Row:
    """A step, and what it comes to; or the reason why it cannot be."""

    key: str
    title: str
    figures: Figures | None
    reason: str | None = None

    def as_json(self) -> dict[str, object]:
        figures = None if self.figures is None else asdict(self.figures)
        return {"key": self.key, "title": self.title, "figures": figures, "reason": self.reason}


@dataclass(frozen=True)
class Help:
    """What steps come to, those first with which images come most often."""

    base: Figures
    rows: tuple[Row, ...]
    others: str
    """What is said of rings that no row is for."""

    def as_json(self) -> dict[str, object]:
        return {
            "as_it_is": asdict(self.base),
            "steps": [row.as_json() for row in self.rows],
            "other_rings": self.others,
        }
