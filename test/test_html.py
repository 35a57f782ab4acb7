# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Reports as pages: their numbers, and what a browser makes of them."""

import json
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from operator import methodcaller
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cmc
from browser import open_browser
from cmc.reports.help import Help, Row
from cmc.reports.html.bars import bars_of
from cmc.reports.html.critical import Critical
from cmc.reports.html.memory import most_taken
from cmc.reports.html.page import find, shown
from cmc.reports.html.plan import Plan
from cmc.reports.report import ProgramReport, Report
from cmc.timing.runs import Runs
from conftest import examples


@pytest.fixture(scope="module")
def report(digits: Path) -> Report:
    """With what would help, as if some of it was tried."""
    report = cmc.compile(digits, target="pcm-64", copies="none").time(4)
    better = replace(report.figures, latency_ns=report.latency / 3, energy_pj=1234.5678)
    rows = (
        Row("mxv_ns", "mxv_ns 133 to 66.5", better),
        Row("lanes", "lanes 1 to 2", report.figures),
        Row("rows", "rows 1 & 2", None, "there is no room"),
    )
    return replace(report, help=Help(report.figures, rows, "3 other rings: no wait"))


@pytest.fixture(scope="module")
def page(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "digits.html"
    report.save_html(path, "digits <on> pcm-64")
    return path


class _Page(HTMLParser):
    """The numbers of a page, as they are shown by where in the report they are; and its JSON."""

    def __init__(self):
        super().__init__()
        self.numbers: list[tuple[str, str, str]] = []
        self.links: list[str] = []
        self.json = ""
        self._inside: dict[str, str | None] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]):
        self._inside = dict(attrs) if tag in ("data", "script") else {}
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str):
        self._inside = {}

    def handle_data(self, data: str):
        if path := self._inside.get("data-path"):
            self.numbers.append((path, str(self._inside["value"]), data))
        if self._inside.get("id") == "report":
            self.json += data


def test_numbers_are_those_of_the_report(report: Report, page: Path):
    parsed = _Page()
    parsed.feed(page.read_text())
    assert parsed.json == report.to_json()
    fields = json.loads(parsed.json)
    paths = {path for path, *_ in parsed.numbers}
    assert {"/interval_ns", "/latency_ns", "/cycles", "/cores/5/loads/digital"} <= paths
    assert {"/circuit/cycles", "/path/waits/0/cycles"} <= paths
    helped = {path for path in paths if path.startswith("/help/steps")}
    assert helped == {f"/help/steps/0/figures/{key}" for key in ("latency_ns", "energy_pj")}
    for path, value, text in parsed.numbers:
        assert json.loads(value) == find(fields, path)
        assert float(text.replace(",", "")) == pytest.approx(json.loads(value), rel=1e-5)


def test_needs_nothing_else(page: Path):
    """A page refers to nothing, and forbids itself to load anything."""
    text, parsed = page.read_text(), _Page()
    parsed.feed(text)
    assert parsed.links == []
    assert "default-src 'none'" in text
    assert "digits &lt;on&gt; pcm-64" in text
    assert "No change: lanes 1 to 2." in text
    assert "rows 1 &amp; 2: cannot be, there is no room" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(8512, "8,512"), (8512.0, "8,512"), (0.25, "0.25"), (1234567.8, "1,234,568")],
)
def test_numbers_as_text(value: float, text: str):
    assert shown(value) == text


def test_what_iterations_waited_for(report: Report):
    """All that they waited for last is what the report has of the whole stream."""
    assert report.details is not None
    waited = False
    for program in report.programs:
        waits = report.details.waits(program.name, np.arange(program.shown.length))
        counted = Counter[str]()
        for reason, cycles in zip(waits.reason.tolist(), waits.cycles.tolist(), strict=True):
            counted[waits.reasons[reason] if reason >= 0 else ""] += cycles
        assert +counted == +Counter(program.waiting)
        waited |= bool(+counted)
    assert waited


@given(
    st.lists(st.integers(0, 4), min_size=2, max_size=40),
    st.integers(1, 3),
    st.integers(1, 5),
    st.integers(1, 30),
)
@examples(60)
def test_bars_hold_every_iteration(waits: list[int], pace: int, iterations: int, most: int):
    length = len(waits) // iterations * iterations
    if not length:
        return
    starts = np.cumsum(np.array(waits[:length]) + pace)
    program = ProgramReport("p", iterations, 0, 0, 0, {}, Runs.of(starts), load=iterations * pace)
    (bars,), longest = bars_of([program], most)
    # One by one, what a bar is.
    expected: list[list[int]] = []
    for number, (start, wait) in enumerate(zip(starts.tolist(), waits, strict=False)):
        if number % iterations == 0 or wait > longest:
            expected.append([number, 0, start, 0])
        expected[-1][1] += 1
        expected[-1][3] = start + pace
    assert np.stack([bars.first, bars.counts, bars.begin, bars.end], 1).tolist() == expected
    images = length // iterations
    assert len(expected) <= max(most, images)
    within = [waits[n] for n in range(length) if n % iterations]
    if longest:
        assert images + sum(wait > longest - 1 for wait in within) > most


def test_in_a_browser(page: Path, report: Report, tmp_path: Path):
    with open_browser(tmp_path) as browser:
        assert browser.open(page) < 3
        assert browser.complaints() == []
        fields = json.loads(str(browser.ask("document.getElementById('report').textContent")))
        assert fields == json.loads(report.to_json())
        numbers = cast(
            list[list[str]],
            browser.ask("[...document.querySelectorAll('data')].map("
                        "one => [one.dataset.path, one.value, one.innerText])"),
        )  # fmt: skip
        assert len(numbers) > 40
        for path, value, text in numbers:
            assert json.loads(value) == find(fields, path)
            assert text == shown(json.loads(value))
        # Another core's memory.
        shown_end = "Bokeh.documents[0].get_model_by_name('memory').y_range.end"
        fullest = max(report.cores, key=lambda core: core.sram_bytes)
        other = next(core for core in report.cores if 0 < core.sram_bytes < fullest.sram_bytes)
        assert browser.ask(shown_end) == fullest.sram_bytes
        browser.choose("select[data-chooses=memory]", other.name)
        assert browser.ask(shown_end) == other.sram_bytes
        # On paper plots are made smaller, and afterwards they are as they were.
        plots = "[...document.querySelectorAll('figure > div > *')]"
        width = browser.ask(f"Math.max(...{plots}.map(one => one.offsetWidth))")
        zoom = f"{plots}.map(one => Number(one.style.zoom || 1))"
        zoomed = cast(
            list[float], browser.ask(f"(dispatchEvent(new Event('beforeprint')), {zoom})")
        )
        assert isinstance(width, int) and width > 1000 and len(zoomed) > 4
        assert all(600 < one * width < 710 for one in zoomed)
        after = browser.ask(f"(dispatchEvent(new Event('afterprint')), {zoom})")
        assert after == [1] * len(zoomed)
        assert browser.complaints() == []


def test_rings_over_time(report: Report):
    """A slot is taken again when it is free, and not before; no more are taken than there are."""
    assert report.details is not None
    programs = {program.name: program for program in report.programs}
    waited = False
    for ring in report.details.rings:
        reader = programs[ring.reader]
        begun, freed = ring.taken(reader.shown.length // reader.iterations)
        again, before = begun[ring.slots :], freed[: -ring.slots]
        assert np.all(again >= before)
        waited |= bool(np.any(again == before))
        every_cycle = np.arange(int(begun[0]), int(begun[-1]) + 2)
        assert 0 < most_taken(begun, freed, every_cycle).max() <= ring.slots
    assert waited


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12), st.integers(1, 9))
@examples(60)
def test_most_slots_at_one_time(spans: list[tuple[int, int]], step: int):
    begun = np.sort([begin for begin, _ in spans]).astype(np.int64)
    freed = np.maximum(np.sort([end for _, end in spans]).astype(np.int64), begun)
    bounds = np.arange(0, 19 + step, step)
    taken = [int((begun <= cycle).sum() - (freed <= cycle).sum()) for cycle in range(bounds[-1])]
    expected = [max(taken[low:high]) for low, high in pairwise(bounds.tolist())]
    assert most_taken(begun, freed, bounds).tolist() == expected


MESH = """
name = "mesh"
clock_ghz = 1
cores = 12
activation_bits = 8
sram_bytes = "unlimited"
crossbars = 1
rows = 256
columns = 256
mxv_ns = 10
mxv_interval_ns = 10
topology = "mesh"
grid = [3, 4]
link_bytes_per_ns = 2
hop_ns = 1
"""


def test_places_and_links(digits: Path, tmp_path: Path):
    target = tmp_path / "mesh.toml"
    target.write_text(MESH)
    report = cmc.compile(digits, target=target, copies="none").time(2)
    assert report.details is not None
    links = {(link.ends.title, link.bytes, link.cycles) for link in report.details.links}
    assert links == {(link.name, link.bytes, link.cycles) for link in report.links}
    plan = Plan.of(report)
    assert (plan.rows, plan.columns, plan.cores) == (3, 4, 12)
    assert plan.left_top(7) == (3, 1)
    assert len({plan.left_top(place) for place in plan.places.values()}) == len(report.cores) - 1
    assert {matrix.core for matrix in report.details.matrices} <= plan.places.keys()
    assert "linked as mesh" in report.to_html()


def test_a_report_of_nothing():
    """The page of a stream that nothing is known of has numbers, and no figures."""
    assert "<figure" not in Report(1, 0, None, ()).to_html()


def test_critical_circuit(report: Report):
    """It is drawn from an iteration to the same one some images before."""
    rows = {program.name: (row, program) for row, program in enumerate(report.programs)}
    critical = Critical(report)
    line, circuit = critical.circuit_line(rows), report.critical
    assert line is not None and circuit is not None
    assert line["x"][0] - line["x"][-1] == circuit.cycles
    assert line["y"][0] == line["y"][-1]
    assert critical.stages == {link.on for link in circuit.links}
    way, path = critical.path_line(rows), report.critical_path
    assert way is not None and path is not None
    assert way["x"][0] + path.links[0].cycles - way["x"][-1] == path.cycles == report.latency
    fields = json.loads(report.to_json())
    for chain, found in (("circuit", circuit), ("path", path)):
        assert sum(one["cycles"] for one in fields[chain]["waits"]) == found.cycles
        assert sum(one["times"] for one in fields[chain]["waits"]) == len(found.links)


def test_notebooks(digits: Path):
    program = cmc.compile(digits)
    result = program.run({"image": np.zeros((2, 1, 8, 8), np.float32)})
    show = methodcaller("_repr_html_")
    assert "<td style='text-align:left'>64 ns, bound by @image_stream</td>" in show(program)
    assert "float32 [2, 10]" in show(result)
