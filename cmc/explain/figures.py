# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What designs are compared by when one step of them changes."""

from __future__ import annotations

from dataclasses import dataclass

from cmc.reports.report import Report


@dataclass(frozen=True)
class Figures:
    """The figures of a report that a change may help."""

    interval_ns: float | None
    latency_ns: float
    sram_bytes: int
    """Of the fullest core."""
    energy_pj: float | None
    """Of an image, as far as the target says."""

    @staticmethod
    def of(report: Report) -> Figures:
        target, energy = report.target, report.energy
        joules = None if energy is None else energy.total
        return Figures(
            None if report.interval is None else target.ns(report.interval),
            target.ns(report.latency),
            report.sram_bytes,
            None if joules is None else joules * 1e12,
        )
