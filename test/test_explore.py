# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmc explore`: spaces, what comes of designs, and a file that outlives who writes it."""

from __future__ import annotations

import json
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from browser import open_browser
from cmc.errors import CmcError
from cmc.explore.cluster import Cluster
from cmc.explore.evaluate import Evaluator
from cmc.explore.objectives import figures_of_target, front
from cmc.explore.outcome import Outcome
from cmc.explore.page import write_page
from cmc.explore.point import Point
from cmc.explore.results import Result, results_in
from cmc.explore.run import Each, found_of, run
from cmc.explore.search import Search
from cmc.explore.space import Space, read_space
from cmc.explore.table import Table
from cmc.explore.workers import Done, Evaluate, Processes
from cmc.tools.cmc import main
from conftest import examples
from exploring import Killer
from onnx_models import float_type, graph_model, normal

SPACE = """
networks = ["two.onnx"]
images = 3
objectives = ["interval_ns", "cells", "max energy.tops_per_watt"]
designs = [
  { target.rows = 16, target.columns = 8 },
  { target.rows = 8, target.columns = 8 },
]

[target]
base = "pcm-64"
cores = 2
mxv_ns = [50, 100.5]
mxv_interval_ns = { from = 50, to = 100, step = 50 }

[options]
copies = "none"
buffers = "minimal"
"""


@pytest.fixture(scope="module")
def space_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two convolutions, on chips with crossbars for them, and on ones with too few."""
    folder = tmp_path_factory.mktemp("space")
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2"], ["y"]),
    ]
    weights = {"w1": normal(4, 2, 2, 2), "w2": normal(4, 4, 2, 2, seed=1)}
    image, result = float_type("x", [1, 2, 4, 4]), float_type("y", [1, 4, 2, 2])
    model = graph_model(nodes, [image], [result], weights)
    (folder / "two.onnx").write_bytes(model.SerializeToString())
    path = folder / "two.toml"
    path.write_text(SPACE)
    return path


@pytest.fixture(scope="module")
def space(space_file: Path) -> Space:
    return read_space(space_file)


class Here:
    """Tries designs in this process."""

    def __init__(self, evaluate: Evaluate):
        self._evaluate = evaluate
        self._started: list[Point] = []

    def free(self) -> bool:
        return not self._started

    def start(self, point: Point) -> None:
        self._started.append(point)

    def wait(self) -> Sequence[Done]:
        point = self._started.pop()
        return [(point, self._evaluate(point))]

    def close(self) -> None:
        pass


def explored(space: Space, path: Path) -> list[Result]:
    """All designs of a space, tried in this process."""
    with results_in(path) as results:
        source = Each(space, results)
        run(source, Here(Evaluator()), results, lambda: None)
        return found_of(source.points, results)


@pytest.fixture(scope="module")
def whole(space: Space, tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    """What an exploration finds that nothing interrupts."""
    return explored(space, tmp_path_factory.mktemp("whole") / "two.jsonl")


def timeless(results: Sequence[Result]) -> list[Result]:
    return [replace(one, outcome=replace(one.outcome, seconds=0)) for one in results]


def test_a_space_is_its_grid_for_each_of_its_designs(space: Space):
    assert len(space) == len(list(space)) == 8
    assert space.varied == ["target.rows", "target.mxv_ns", "target.mxv_interval_ns"]
    first = next(iter(space))
    assert first["target.mxv_interval_ns"] == 50
    point = Point.of(first, space.images)
    assert point.target == ("pcm-64:cores=2,rows=16,columns=8,mxv_ns=50,mxv_interval_ns=50")
    assert point.options == {"buffers": "minimal", "copies": "none"}


def test_results_are_those_of_single_runs(
    whole: list[Result], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert {one.outcome.figures is None for one in whole} == {True, False}
    report = tmp_path / "report.json"
    for one in whole[::4]:
        words = shlex.split(one.command)[1:]
        code = main([*words, "--report", str(report)])
        out, error = capsys.readouterr()
        if one.outcome.figures is None:
            assert code == 1 and one.outcome.reason is not None
            assert error.startswith(one.outcome.reason.partition(": ")[0])
            assert one.outcome.reason.partition(": ")[2].partition(";")[0] in error
        else:
            alone = json.loads(report.read_text())
            found = {k: v for k, v in one.outcome.figures.items() if k in alone}
            assert found == {k: alone[k] for k in found} and "interval_ns" in found, out


def test_ids_are_of_contents(space: Space, tmp_path: Path):
    points = [Point.of(choices, space.images) for choices in space]
    assert len({point.id for point in points}) == len(points)
    one = points[0]
    copy = tmp_path / "other.onnx"
    copy.write_bytes(Path(one.network).read_bytes())
    assert replace(one, network=str(copy)).id == one.id
    assert replace(one, target=f"{one.target},mxv_pj=13430.0").id == one.id
    assert replace(one, target=f"{one.target},lanes=8").id != one.id
    assert replace(one, images=4).id != one.id


def test_what_is_torn_is_cut_and_tried_again(space: Space, whole: list[Result], tmp_path: Path):
    path = tmp_path / "two.jsonl"
    with results_in(path) as results:
        for choices, one in zip(space, whole, strict=True):
            results.add(Point.of(choices, space.images), one.outcome)
    content = path.read_bytes()
    begin = content[:-1].rindex(b"\n") + 1
    for end in (begin + 1, begin + 20, len(content) - 1):
        path.write_bytes(content[:end])
        with results_in(path) as results:
            assert len(results.found) == len(whole) - 1
        assert path.read_bytes() == content[:begin]
    assert timeless(explored(space, path)) == timeless(whole)


@pytest.mark.parametrize("content", ["print('hello')", "[1]\n", '{"id": "a"}\n'])
def test_another_file_is_left_alone(content: str, tmp_path: Path):
    path = tmp_path / "other.py"
    path.write_text(content)
    with pytest.raises(CmcError, match="this is no result of cmc explore"), results_in(path):
        pass
    assert path.read_text() == content


def test_results_are_no_device():
    with pytest.raises(CmcError, match="null: is a device"), results_in(Path("/dev/null")):
        pass


def test_two_explorations_of_one_file_refuse_each_other(tmp_path: Path):
    path = tmp_path / "two.jsonl"
    with (
        results_in(path),
        pytest.raises(CmcError, match="another cmc explore adds to this file"),
        results_in(path),
    ):
        pass
    with results_in(path) as results:
        assert not results.found


def test_a_killed_exploration_goes_on_where_it_was(
    space: Space, space_file: Path, whole: list[Result], tmp_path: Path
):
    path = tmp_path / "two.jsonl"
    command = [sys.executable, "-m", "cmc.tools.cmc", "explore", str(space_file)]
    process = subprocess.Popen([*command, "-o", str(path), "--jobs", "2"])
    while not path.exists() or path.read_bytes().count(b"\n") < 2:
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(random.random() / 2)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.wait()
    kept = path.read_bytes().count(b"\n")
    assert timeless(explored(space, path)) == timeless(whole)
    assert path.read_bytes().count(b"\n") == len(whole)
    assert kept >= 2
    # Nobody is left behind.
    wait_until(lambda: not any(is_running(child) for child in children))


def is_running(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_process_that_ends_is_a_result(tmp_path: Path):
    points = [
        Point(str(tmp_path / "once"), target, {}, images, {})
        for images, target in enumerate(("never", "always", "once", "never"), 1)
    ]
    workers = Processes(2, Killer)
    done: dict[int, Outcome] = {}
    left = list(points)
    while len(done) < len(points):
        while left and workers.free():
            workers.start(left.pop(0))
        done.update((point.images, outcome) for point, outcome in workers.wait())
    workers.close()
    assert [done[n].figures for n in (1, 3, 4)] == [{"number": n} for n in (1, 3, 4)]
    assert done[2].reason == (
        "the process that tried it was ended by SIGKILL, perhaps for want of memory, 2 times"
    )


def test_a_cluster_loses_a_worker(space: Space, whole: list[Result], tmp_path: Path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None, scheduler_port=0) as local,
        results_in(tmp_path / "two.jsonl") as results,
        worker_of(local.scheduler_address) as lost,
        worker_of(local.scheduler_address),
    ):

        class Losing(Cluster):
            """Loses a worker as soon as both have something to do."""

            def start(self, point: Point) -> None:
                super().start(point)
                busy = [one for one in local.scheduler.workers.values() if one.processing]
                if len(busy) == 2 and lost.poll() is None:
                    lost.kill()
                    lost.wait()

        wait_until(lambda: len(local.scheduler.workers) == 2)
        source = Each(space, results)
        run(source, Losing(local.scheduler_address), results, lambda: None)
        assert lost.returncode == -signal.SIGKILL
        assert timeless(found_of(source.points, results)) == timeless(whole)


@contextmanager
def worker_of(scheduler: str) -> Generator[subprocess.Popen[bytes]]:
    """A worker of a Dask cluster that nobody replaces."""
    options = ["--no-nanny", "--no-dashboard", "--nthreads", "1"]
    command = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler, *options]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("this has not come about in 30 s")


def test_no_scheduler(space_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("distributed")
    output = ["-o", str(tmp_path / "two.jsonl")]
    assert main(["explore", str(space_file), *output, "--scheduler", "nothing"]) == 1
    assert "--scheduler nothing: error: no Dask scheduler answers" in capsys.readouterr().err


SEARCHED = """
networks = ["two.onnx"]
objectives = ["interval_ns", "cells"]
target.base = "pcm-64"
target.mxv_interval_ns = { from = 10, to = 500, log = true }
target.lane_ns = { from = 0.5, to = 8.0 }
options.buffers = ["minimal", "throughput"]
options.copies = "none"
designs = [{ target.rows = 16 }, { target.rows = [32, 64, 128], target.columns = 32 }]
"""


class Formula:
    """Stands in for what is compiled."""

    def __init__(self) -> None:
        self.tried: list[Point] = []

    def __call__(self, point: Point) -> Outcome:
        self.tried.append(point)
        chosen = point.choices
        if chosen["options.buffers"] == "minimal":
            return Outcome(None, "too small")
        interval, rows = chosen["target.mxv_interval_ns"], chosen["target.rows"]
        assert isinstance(interval, int) and isinstance(rows, int)
        return Outcome({"interval_ns": interval / rows, "cells": rows * rows}, None)


def test_a_search_goes_on_with_what_is_known(space_file: Path, tmp_path: Path):
    pytest.importorskip("optuna")
    path = space_file.with_name("searched.toml")
    path.write_text(SEARCHED)
    space = read_space(path)

    def searched(name: str, count: int) -> tuple[list[Point], list[Result]]:
        with results_in(tmp_path / name) as results:
            source, formula = Search(space, results, count, seed=1), Formula()
            run(source, Here(formula), results, lambda: None)
            return formula.tried, found_of(source.points, results)

    tried, found = searched("one.jsonl", 12)
    assert len(tried) == len({one.id for one in found}) == 12
    assert searched("other.jsonl", 12) == (tried, found)
    more, all = searched("one.jsonl", 40)
    assert len(more) == 28 and all[:12] == found
    assert {len(point.choices) for point in more} == {7, 8}
    assert searched("one.jsonl", 40) == ([], all)
    # What is refused is learnt from: it is half of the space, and soon hardly tried any more.
    refused = [one.outcome.figures is None for one in all]
    assert sum(refused[20:]) < len(refused[20:]) / 4


@examples(50)
@given(st.integers(1, 3).flatmap(lambda n: st.lists(st.tuples(*[st.integers(0, 5)] * n))))
def test_the_front_has_all_than_which_none_is_better(costs: list[tuple[int, ...]]):
    def better(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
        return one != other and all(a <= b for a, b in zip(one, other, strict=True))

    expected = [i for i, one in enumerate(costs) if not any(better(two, one) for two in costs)]
    assert front(costs) == expected


def test_tables(space: Space, whole: list[Result], tmp_path: Path):
    table = Table(whole, space.varied, space.objectives)
    columns = table.columns
    assert columns["id"] == [one.id for one in whole]
    assert columns["target.mxv_ns"] == [float(str(c["target.mxv_ns"])) for c in space]
    best = {one.id for one in table.front}
    assert columns["on_front"] == [one.id in best for one in whole]
    table.write_csv(tmp_path / "two.csv")
    lines = (tmp_path / "two.csv").read_text().splitlines()
    assert lines[0].split(",")[:2] == ["id", "network"] and len(lines) == 1 + len(whole)
    text = table.format()
    assert text.startswith("8 designs, 4 compiled, ")
    assert all(one.command in text for one in table.front)
    write_page(table, "two", tmp_path / "two.html")
    page = (tmp_path / "two.html").read_text()
    assert all(page.count(escape(one.command)) for one in whole if one.outcome.figures)
    with open_browser(tmp_path / "profile") as browser:
        browser.open(tmp_path / "two.html")
        designs = 0
        for name in ("front", "others"):
            source = f"Bokeh.documents[0].get_model_by_name('{name}')"
            commands = cast(list[str], browser.ask(f"{source}.data.command"))
            designs += len(commands)
            browser.ask(f"{source}.selected.indices = [0]")
            assert browser.ask("document.getElementById('command').textContent") == commands[0]
        assert designs == len(table.compared) == 4
        assert browser.complaints() == []


def test_tables_of_columns(space: Space, whole: list[Result], tmp_path: Path):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = Table(whole, space.varied, space.objectives)
    table.write_parquet(tmp_path / "two.parquet")
    read = parquet.read_table(tmp_path / "two.parquet").to_pydict()
    assert read["interval_ns"] == table.columns["interval_ns"]


@pytest.mark.parametrize(
    "old, new, error",
    [
        ("images = 3", "images = 3 3", "two.toml: this is not TOML: .* line 3"),
        ("images", "image", "two.toml:3: image: unknown key; did you mean images?"),
        ("images = 3", "images = 0", "two.toml:3: images: expected a whole number from 1"),
        ("two.onnx", "three.onnx", "two.toml:2: networks: there is no file .*three.onnx"),
        ('networks = ["two.onnx"]', "", "two.toml: networks: missing"),
        ('"cells"', '"cell"', "two.toml:4: objectives: there is no figure cell; did you mean ce"),
        ('"cells"', '"bound_by"', "there is no figure bound_by"),
        ('"cells"', '"interval_ns"', "interval_ns is there twice"),
        (
            '["interval_ns", "cells", "max energy.tops_per_watt"]',
            "[]",
            "two.toml:4: objectives: expected 1 to 3 figures",
        ),
        ("pcm-64", "pcm-63", "two.toml:11: target.base: target pcm-63: no such target"),
        ("mxv_ns = [", "mxvs_ns = [", "two.toml:13: target.mxvs_ns: unknown key; did you mean"),
        ("100.5]", "-1]", "two.toml:13: target.mxv_ns: expected a number of ns .* not -1"),
        ("[50, 100.5]", "[]", "two.toml:13: target.mxv_ns: an empty list"),
        ("[50, 100.5]", "[50, 50]", "two.toml:13: target.mxv_ns: 50 is there twice"),
        ("step = 50", "steps = 50", "target.mxv_interval_ns.steps: unknown key; did you"),
        ("step = 50", "step = 51", "target.mxv_interval_ns: expected a step above 0, and no"),
        ("to = 100", "to = 10", "target.mxv_interval_ns: a range from 50 to 10 is empty"),
        (", step = 50", "", "target.mxv_interval_ns: a range is tried in steps"),
        ('"minimal"', '"small"', 'two.toml:18: options.buffers: expected "minimal"'),
        ("copies", "copy", "two.toml:17: options.copy: unknown key; did you mean copies?"),
        ('"none"', '"mine.toml"', "two.toml:17: options.copies: there is no file .*mine.toml"),
        ("target.rows = 8", "target.row = 8", r"designs\[2\].target.row: unknown key; did you"),
        ("[target]", "[[target]]", "two.toml:10: target: expected a table"),
    ],
)
def test_spaces_that_are_refused(old: str, new: str, error: str, space_file: Path):
    path = space_file.with_name("wrong") / "two.toml"
    path.parent.mkdir(exist_ok=True)
    (path.parent / "two.onnx").write_bytes((space_file.parent / "two.onnx").read_bytes())
    assert old in SPACE
    path.write_text(SPACE.replace(old, new))
    with pytest.raises(CmcError, match=error.replace("?", r"\?")):
        len(read_space(path))


def test_figures_of_a_target():
    assert figures_of_target("pcm-64:mxv_ns=99.5")["target.mxv_ns"] == 99.5
