# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Why, and what would help, as text for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cmc.explain.circuit import Circuit, CriticalPath, Links, repeated, some_of
from cmc.reports.columns import aligned
from cmc.reports.help import Figures, Help, Row
from cmc.reports.report import Report

_LINES = 24
"""Of a chain, how many are shown."""


def format_why(report: Report) -> str:
    """The waits that rule the interval, and those that make the latency."""
    return "\n\n".join([_format_circuit(report), _format_path(report.critical_path)])


def _format_circuit(report: Report) -> str:
    circuit = report.critical
    if circuit is None:
        return (
            f"why an interval of {report.interval or 0:,g} cycles: no steady state is known in "
            "which the same comes again"
        )
    what = "a circle of waits" if circuit.closed else "on an average, a chain of waits"
    images = "1 image" if circuit.images == 1 else f"{circuit.images} images"
    return "\n".join(
        [
            f"why an interval of {report.interval or 0:,g} cycles: {what}, {circuit.cycles:,} "
            f"cycles for {images}",
            *_format_links(circuit, circuit.links),
        ]
    )


def _format_path(path: CriticalPath | None) -> str:
    if path is None:
        return "why the latency: not known"
    return "\n".join(
        [
            f"why a latency of {path.cycles:,} cycles: from the end of the first image back to the "
            "first vector that was sent",
            *_format_links(path, path.links),
        ]
    )


def _format_links(chain: Circuit | CriticalPath, links: Links) -> list[str]:
    """A line for each run of like waits; of too many, for all that are like each other."""
    waits = links.in_a_row
    keys = [(one.stages, one.kind, one.what, one.on) for one in waits]
    lines: list[tuple[str, int]] = []
    for place, count, times in repeated(keys):
        words = ", which ".join(one.words for one in waits[place : place + count])
        run = waits[place : place + count * times]
        often = sum(one.times for one in run) // count
        stage = f"@{waits[place].stages[0]} " if not lines else "which "
        text = f"{stage}{words}{f', {often} times' if often > 1 else ''}"
        lines.append((text, sum(one.cycles for one in run)))
    head: list[str] = []
    if len(lines) > _LINES:
        head = ["  in another order: those of most cycles first"]
        lines = _of_most_cycles(links)
    width = max(len(text) for text, _ in lines)
    return head + [f"  {text:<{width}}  {n:>9,} of {chain.cycles:,} cycles" for text, n in lines]


def _of_most_cycles(links: Links) -> list[tuple[str, int]]:
    """Like waits as one, with their cycles: first those of most."""
    waits = sorted(links.summed, key=lambda one: -one.cycles)
    lines: list[tuple[str, int]] = []
    for one in waits[: _LINES - 1]:
        often = f", {one.times:,} times" if one.times > 1 else ""
        lines.append((f"{some_of(one.stages)} {one.words}{often}", one.cycles))
    rest = waits[_LINES - 1 :]
    more = [(f"... {len(rest):,} more", sum(one.cycles for one in rest))] if rest else []
    return lines + more


def format_help(found: Help) -> str:
    """A table of what changes anything, and what does not in a line."""
    changed = [row for row in found.rows if row.figures not in (None, found.base)]
    same = [row.title for row in found.rows if row.figures == found.base]
    lines = _table(changed, found.base) if changed else []
    lines += [f"  {row.title}: cannot be, {row.reason}" for row in found.rows if not row.figures]
    if same:
        lines.append(f"  no change: {', '.join(same)}")
    if found.others:
        lines.append(f"  {found.others}")
    return "\n".join(["what would help, one step at a time, each compiled and timed", *lines])


def _table(rows: Iterable[Row], base: Figures) -> list[str]:
    columns: list[tuple[str, Callable[[Figures], float | None], str]] = [
        ("interval", lambda one: one.interval_ns, "ns"),
        ("latency", lambda one: one.latency_ns, "ns"),
        ("SRAM", lambda one: one.sram_bytes, "bytes"),
        ("energy", _nanojoules, "nJ"),
    ]
    columns = [column for column in columns if column[1](base) is not None]
    table = [("", *(title for title, _, _ in columns))]
    table.append(("as it is", *(f"{get(base):,.6g} {unit}" for _, get, unit in columns)))
    for row in rows:
        cells: list[str] = []
        for _, get, unit in columns:
            new, old = None if row.figures is None else get(row.figures), get(base)
            cells.append("" if new == old else _change(new, old, unit))
        table.append((row.title, *cells))
    return [f"  {line}" for line in aligned(table)]


def _nanojoules(one: Figures) -> float | None:
    return None if one.energy_pj is None else one.energy_pj / 1e3


def _change(new: float | None, old: float | None, unit: str) -> str:
    if new is None:
        return "unknown"
    share = f" {new / old - 1:+.1%}" if old else ""
    return f"{new:,.6g} {unit}{share}"
