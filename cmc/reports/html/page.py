# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The page: one file that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.resources import files
from typing import cast

from bokeh.embed import components
from markupsafe import Markup

from cmc.explain.circuit import Circuit, CriticalPath, Waits, some_of
from cmc.reports.html.critical import Critical
from cmc.reports.html.crossbars import crossbars
from cmc.reports.html.energy import energy
from cmc.reports.html.figures import Figure
from cmc.reports.html.floor import floor
from cmc.reports.html.graph import graph
from cmc.reports.html.memory import memory
from cmc.reports.html.shell import render
from cmc.reports.html.timeline import timeline
from cmc.reports.report import Report

_OF_HELP = (
    ("interval_ns", "interval", "ns"),
    ("latency_ns", "latency", "ns"),
    ("sram_bytes", "SRAM", "bytes"),
    ("energy_pj", "energy", "pJ"),
)
"""Of what would help: in the report, for a person, and the unit."""

_LISTED = 3
"""Of what a core waited for, how many are named."""


def make_page(report: Report, title: str) -> str:
    """The report as HTML: every number of its text is one of the JSON report, which is in it."""
    text = report.to_json()
    fields = json.loads(text)
    critical = Critical(report)
    figures = _figures(report, critical)
    script, divs = (
        components({figure.name: figure.plot for figure in figures}) if figures else ("", {})
    )
    markup = files("cmc.reports.html").joinpath("page.html").read_text("utf-8")
    return render(
        markup,
        script,
        {"raw": raw, "shown": shown, "stages": some_of, "change": change},
        title=title,
        at=partial(find, fields),
        figures=figures,
        divs={name: Markup(div) for name, div in divs.items()},
        units=sorted({unit for core in report.cores for unit in core.loads}),
        waited=_waited,
        circuit=_waits(report.critical),
        path=_waits(report.critical_path),
        columns=[one for one in _OF_HELP if find(fields, f"/help/as_it_is/{one[0]}") is not None]
        if report.help is not None
        else [],
        json=Markup(text.replace("<", "\\u003c")),
    )


def _figures(report: Report, critical: Critical) -> list[Figure]:
    if not any(program.shown.length for program in report.programs):
        return []
    time = timeline(report, critical)
    found = [
        time,
        graph(report, critical),
        floor(report, critical),
        memory(report, critical, time.plot),
        crossbars(report, critical),
        energy(report),
    ]
    return [one for one in found if one is not None]


def find(fields: object, path: str) -> object:
    """What a JSON pointer (RFC 6901) points at."""
    for key in path.split("/")[1:]:
        key = key.replace("~1", "/").replace("~0", "~")
        if isinstance(fields, list):
            fields = cast(Sequence[object], fields)[int(key)]
        else:
            fields = cast(Mapping[str, object], fields)[key]
    return fields


def raw(value: object) -> str:
    """A number as JSON has it."""
    return json.dumps(value)


def shown(value: object) -> str:
    """A number for a person: whole ones as they are, others to six digits."""
    if not isinstance(value, int | float):
        return "not known"
    whole = isinstance(value, int) or abs(value) >= 100_000 or value.is_integer()
    return f"{value:,.0f}" if whole else f"{value:,.6g}"


def change(new: float | None, old: float | None) -> str:
    """By how much a number is another."""
    return f"{new / old - 1:+.1%}" if new and old else ""


def _waits(chain: Circuit | CriticalPath | None) -> Sequence[Waits]:
    """As the JSON has them."""
    return () if chain is None else chain.links.summed


def _waited(core: Mapping[str, Sequence[Mapping[str, Mapping[str, int]]]]) -> str:
    """What a core waited for longest, from its JSON."""
    waits = [wait for program in core["programs"] for wait in program["waiting"].items()]
    longest = sorted(waits, key=lambda wait: -wait[1])[:_LISTED]
    return "; ".join(f"{what}: {cycles:,}" for what, cycles in longest if cycles)
