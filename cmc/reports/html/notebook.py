# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What notebooks show of programs and results: a small table each."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from cmc.reports.report import Report


def table(rows: Mapping[str, str]) -> str:
    """Two columns."""
    lines = (
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in rows.items()
    )
    return f"<table>{''.join(lines)}</table>"


def rows_of(report: Report) -> dict[str, str]:
    """The figures of a report that one asks for first."""
    target, interval = report.target, report.interval
    rows = {"images": f"{report.images:,}", "cycles": f"{report.cycles:,}", "target": target.name}
    if report.cores:
        rows["latency"] = f"{target.ns(report.latency):,g} ns"
    if interval is not None:
        rows["interval"] = f"{target.ns(interval):,g} ns, bound by {report.bound_by}"
        rows["images per second"] = f"{report.images_per_second or 0:,.6g}"
        rows["cores"] = f"{len(report.cores) - 1:,}"
    return rows
