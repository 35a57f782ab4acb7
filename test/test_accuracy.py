# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How many images get their class on chips whose crossbars are not exact."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from jsonschema import Draft202012Validator
from numpy.typing import NDArray
from onnx import helper

import cmc
from cmc import Program
from cmc.accuracy.advice import advise, changes_of
from cmc.accuracy.classes import find_scores, places
from cmc.accuracy.measure import Accuracy, measure, shuffled
from cmc.accuracy.rows import accuracy_rows, stage_rows
from cmc.accuracy.stages import Examiner, exact_values
from cmc.accuracy.text import format_accuracy, format_advice
from cmc.accuracy.times import format_time
from cmc.accuracy.trials import Shares, half_width
from cmc.analog.crossbar import Clipped, Crossbar, Physics
from cmc.analog.weights import Exact
from cmc.errors import CmcError
from cmc.explain.help import point_of
from cmc.reference import Reference
from cmc.simulator.watch import Noise
from cmc.targets.files import with_figures
from cmc.tools import cmc_compile
from cmc.tools.cmc import main
from cmc.tools.cmc_compile import Check
from cmc.tools.options import Options
from conftest import ROOT
from onnx_models import chain_model, normal
from test_schema import Validator, wrong

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

IMAGES = 40
NOISY = "ideal:weight_model=pcm,dac_bits=8,adc_bits=8"
TIMES = [1.0, 3600.0]


@pytest.fixture(scope="module")
def data(digits: Path) -> Path:
    return digits.with_name("digits_test.npz")


@pytest.fixture(scope="module")
def images(data: Path) -> Floats:
    with np.load(data) as file:
        return file["image"][:IMAGES]


@pytest.fixture(scope="module")
def labels(data: Path) -> Labels:
    with np.load(data) as file:
        return file["labels"][:IMAGES]


@pytest.fixture(scope="module")
def noisy(digits: Path) -> Program:
    return cmc.compile(digits, target=NOISY)


@pytest.fixture(scope="module")
def found(noisy: Program, digits: Path, images: Floats, labels: Labels) -> Accuracy:
    return measure(noisy, digits, {"image": images}, labels, TIMES, 3, seed=4)


def share(right: NDArray[np.bool_]) -> float:
    return np.count_nonzero(right) / len(right)


def test_shares_are_those_of_running_each_chip(
    noisy: Program, found: Accuracy, images: Floats, labels: Labels
):
    assert [moment.time for moment in found.moments] == TIMES
    for moment in found.moments:
        top1, top5 = list[float](), list[float]()
        for seed in (4, 5, 6):
            result = noisy.run({"image": images}, seed=seed, time=moment.time)
            scores = result.outputs["scores"]
            top1.append(share(scores.argmax(1) == labels))
            best = np.argsort(-scores, 1)[:, :5]
            top5.append(share((best == labels[:, None]).any(1)))
        assert moment.top1.trials == tuple(top1)
        assert moment.top5.trials == tuple(top5)
        assert moment.top1.mean == pytest.approx(sum(top1) / 3)
        assert moment.top1.deviation == pytest.approx(np.std(top1, ddof=1))
    assert found.moments[0].top1.mean > found.moments[1].top1.mean


def test_exact_crossbars_have_the_accuracy_of_the_network_in_float(
    digits: Path, found: Accuracy, noisy: Program, images: Floats, labels: Labels
):
    scores = Reference(digits)({"image": images})["scores"]
    right = share(scores.argmax(1) == labels)
    exact = measure(cmc.compile(digits), digits, {"image": images}, labels, TIMES, 3)
    assert exact.trials == 1
    assert [moment.top1 for moment in exact.moments] == [Shares((right,))] * 2
    assert exact.top1 == found.top1 == right
    assert exact.top5 == found.top5 == exact.moments[0].top5.mean
    # Of a chip alone, the network in float is not known, but what its crossbars should compute.
    assert measure(noisy, None, {"image": images}, labels, [0.0], 1).top1 == right
    assert "all chips are alike" in format_accuracy(exact)


def test_quick_takes_as_many_images_as_the_spread_needs():
    program, x = one_stage("weight_model=pcm,dac_bits=8,adc_bits=8"), normal(4000, 8, seed=1)
    labels = (x @ normal(8, 3)).argmax(1)
    found = measure(program, None, {"x": x}, labels, [3600.0], 3, quick=True)
    (moment,) = found.moments
    order, count = shuffled(4000), 32
    while True:
        some = order[:count]
        shares: list[float] = []
        for seed in range(3):
            y = program.run({"x": x[some]}, seed=seed, time=3600).outputs["y"]
            shares.append(share(y.argmax(1) == labels[some]))
        if half_width(np.mean(shares).item(), count) <= max(np.std(shares, ddof=1).item(), 0.01):
            break
        count *= 2
    assert 32 < count < 4000
    assert (found.images, found.given) == (count, 4000)
    assert moment.top1.trials == tuple(shares)
    assert half_width(0.5, 64) == pytest.approx(0.11898, abs=1e-5)
    assert f"of {count} of 4000 images" in format_accuracy(found)


def one_product() -> onnx.ModelProto:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    return chain_model([1, 8], node, constants={"w": normal(8, 3)})


def one_stage(bits: str) -> Program:
    return cmc.compile(one_product(), target=f"ideal:{bits}")


def test_noise_of_a_stage_is_how_far_it_is_from_what_it_should_write():
    x = normal(64, 8, seed=1)
    exact = x.astype(np.float64) @ normal(8, 3)
    decibels: list[float] = []
    for bits in (8, 7, 6, 5):
        program = one_stage(f"dac_bits={bits},adc_bits={bits}")
        (stage,) = Examiner(program)({"x": x}, 0, 0.0)
        errors = program.run({"x": x}).outputs["y"] - exact
        ratio = 10 * np.log10(np.sum(exact**2) / np.sum(errors**2))
        assert stage.snr_db == pytest.approx(ratio, abs=1e-3)
        decibels.append(float(ratio))
    assert (np.diff(decibels) < -4).all()
    assert Examiner(one_stage("rows=8"))({"x": x}, 0, 0.0) == ()


def test_noise_that_a_stage_is_given_is_not_its_own(noisy: Program, images: Floats):
    stages = Examiner(noisy)({"image": images[:5]}, 4, 3600.0)
    found = noisy.run({"image": images[:5]}, seed=4, time=3600.0).outputs["scores"]
    noise = Noise()
    noise.add(found, noisy.run_with(exact_values(noisy), {"image": images[:5]})["scores"])
    last = stages[-1].snr_db
    assert last is not None and noise.decibels is not None
    assert last > noise.decibels + 3


def test_clipped_are_sums_beyond_the_largest_code():
    weights = np.array([[1.0, 1.0], [1.0, -1.0], [0.5, 0.25]], np.float32)
    vectors = np.array([[1, 1, 1], [1, -1, 0], [0, 0, 1], [-1, -1, -1]], np.float32)
    # Sums are 2.5, 0.25 | 0, 2 | 0.5, 0.25 | -2.5, -0.25; a bound of 1.5 clips three of them.
    counts: list[Clipped] = []
    for bound in (1.5, 2.5, None):
        crossbar = Crossbar(Physics(dac_bits=8, adc_bits=8, adc_bound=bound), "tile", 0, 1)
        crossbar.program(weights[None], 0)
        counts.append(Clipped())
        products = np.empty((4, 1, 2), np.float32)
        crossbar.multiply(vectors[:, None], products, range(4), range(1), counts[-1])
    assert [one.sums for one in counts] == [8] * 3
    assert [one.sums_beyond for one in counts] == [3, 0, 0]
    assert [one.inputs_beyond for one in counts] == [0] * 3


def test_no_image_is_counted_twice():
    # Some are computed twice where two processors share five.
    x = normal(5, 8, seed=1)
    program = one_stage("adc_bits=8,adc_bound=1")
    (stage,) = Examiner(program)({"x": x}, 0, 0.0)
    weights = normal(8, 3).astype(np.float64)
    step = np.abs(x).max(1, keepdims=True) * np.abs(weights).max() / 127
    beyond = np.abs(np.rint(x @ weights / step)) > 127
    (tile,) = stage.tiles
    assert tile.sums == np.count_nonzero(beyond) / beyond.size > 0
    assert tile.inputs is None


def test_advice_is_what_running_each_change_comes_to(tmp_path: Path):
    path, x = tmp_path / "one.onnx", normal(40, 8, seed=1)
    path.write_bytes(one_product().SerializeToString())
    labels = (x @ normal(8, 3)).argmax(1)
    target = "ideal:weight_model=quantised,weight_bits=3,cell_bits=2,dac_bits=3,adc_bits=3"
    program = cmc.compile(path, target=target)
    found = measure(program, path, {"x": x}, labels, [0.0], 3)
    advice = advise(program, found, point_of(path, target, {}))
    assert list(advice.shares.values()) == [1.0]
    by_key = {(row.stage is None, row.key): row for row in advice.rows}
    changed = {"dac_bits": 4, "adc_bits": 4, "weight_bits": 4, "cell_bits": 3, "rows": 4}
    assert {key for _, key in by_key} == {*changed, "exact"}
    for key, value in changed.items():
        better = cmc.compile(path, target=with_figures(target, {key: value}))
        y = better.run({"x": x}).outputs["y"]
        for all in (False, True):
            top1 = by_key[all, key].top1
            assert top1 is not None and top1.trials == (share(y.argmax(1) == labels),)
        chip = by_key[True, key].figures
        assert chip is not None and chip.interval_ns == program.time(1).interval
    exact = by_key[False, "exact"]
    assert exact.top1 == Shares((1.0,)) and advice.rows[0].top1 == Shares((1.0,))
    assert "all stages" in format_advice(advice, found)


def test_ranges_that_are_calibrated_are_widened():
    physics = Physics(Exact(), 8, 8, adc_bound=2.0, range=3.0)
    changes = {change.title: change for change in changes_of(physics, 1)}
    assert changes["range x 2"].changed(physics) == replace(physics, range=6.0)
    assert changes["adc_bound x 0.5"].changed(physics) == replace(physics, adc_bound=1.0)
    assert not changes["range x 2"].figures
    # A product without a range has none then either.
    plain = Physics(Exact(), 8, 8)
    assert changes["range x 2"].changed(plain) == plain


def test_places():
    nan = float("nan")
    scores = np.array([[1, 3, 3, 0], [1, 3, 3, 0], [2, 2, 2, 2], [nan, 1, 5, 2], [nan] * 4])
    assert places(scores, np.array([1, 2, 3, 2, 0])).tolist() == [0, 1, 3, 4, 4]


def test_outputs_that_may_be_scores():
    shapes = {"scores": (1, 10, 1), "one": (1,), "map": (4, 4), "any": (-1,)}
    assert find_scores(shapes, None) == "scores"
    for chosen, message in (("map", "no score for each class"), ("more", "no output 'more'")):
        with pytest.raises(CmcError, match=message):
            find_scores(shapes, chosen)
    with pytest.raises(CmcError, match="no output has a score for each class"):
        find_scores({"one": (1,)}, None)
    two = {"a": (3,), "b": (4,)}
    with pytest.raises(CmcError, match="choose one of 'a', 'b' with --output"):
        find_scores(two, None)
    assert find_scores(two, "b") == "b"


def test_times_have_the_largest_unit_that_fits():
    times = (0, 1, 90, 3600, 86400, 365 * 86400)
    assert [format_time(float(time)) for time in times] == ["0s", "1s", "90s", "1h", "1d", "1y"]


def test_the_command_writes_what_its_schema_says(
    digits: Path,
    data: Path,
    noisy: Program,
    found: Accuracy,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    compile_nothing(monkeypatch, noisy)
    path = tmp_path / "found.json"
    arguments = [
        *("accuracy", str(digits), "--inputs", str(data), "--labels", str(data)),
        *("--target", NOISY, "--times", "1s,1h", "--trials", "3", "--seed", "4"),
        *("--images", str(IMAGES), "--json", str(path), "--html", str(tmp_path / "found.html")),
    ]
    assert main(arguments) == 0
    assert capsys.readouterr().out.rstrip() == format_accuracy(found)
    written = json.loads(path.read_text())
    figures = json.loads(json.dumps(found.as_json()))
    assert written == {"model": "digits.onnx", **figures, "advice": None}
    schema = json.loads((ROOT / "docs" / "accuracy.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    validator: Validator = Draft202012Validator(schema)
    assert wrong(validator, written) == []
    page = (tmp_path / "found.html").read_text()
    for row in (*accuracy_rows(found), *stage_rows(found)):
        for cell in row:
            assert f"<td>{cell}</td>" in page or f"<th>{cell}</th>" in page or "'" in cell
    for moment in found.moments:
        assert str(moment.top1.mean) in page
    written["times"][0]["top1"]["more"] = 1
    assert len(wrong(validator, written)) == 1


def compile_nothing(monkeypatch: pytest.MonkeyPatch, program: Program):
    def made(options: Options, check: Check) -> Program:
        check(program)
        return program

    monkeypatch.setattr(cmc_compile, "make_program", made)


@pytest.mark.parametrize(
    ("labels", "more", "message"),
    [
        (np.zeros(359, np.int64), [], "there are 360 images, and 359 labels"),
        (np.zeros(360), [], "labels are one whole number an image, not float64"),
        (np.arange(360), [], "image 10 has label 10, and the network has classes 0 to 9"),
        (np.full(360, -1), [], "image 0 has label -1"),
        (None, ["--times=1s,-1s"], "-1s is before the crossbars are programmed"),
        (None, ["--times", "1s,2m"], "expected a time as in 1h, in one of s, min, h, d, y, got"),
        (None, ["--trials", "0"], "expected a number of at least 1"),
        (None, ["--output", "score"], "the network has no output 'score'; there is 'scores'"),
        (None, ["--images", "361"], "--images asks for 361, and there are 360"),
    ],
)
def test_words_about_what_is_refused(
    noisy: Program,
    digits: Path,
    data: Path,
    labels: NDArray[np.generic] | None,
    more: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    compile_nothing(monkeypatch, noisy)
    path = data
    if labels is not None:
        path = tmp_path / "labels.npy"
        np.save(path, labels)
    common = ["accuracy", str(digits), "--inputs", str(data), "--labels", str(path)]
    assert main([*common, *more]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and message in lines[0]


def test_images_that_are_not_those_of_the_network(
    noisy: Program,
    digits: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    compile_nothing(monkeypatch, noisy)
    path = tmp_path / "images.npz"
    np.savez(path, images=np.zeros((1, 1, 8, 8)))
    assert main(["accuracy", str(digits), "--inputs", str(path), "--labels", str(data)]) == 1
    assert "holds 'images', and the network's inputs are 'image'" in capsys.readouterr().err
