# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Crossbars as targets describe them, in chips: the same noise however a stream is computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

import cmc
from cmc import Program
from cmc.compiler.standard import standard_pipeline
from cmc.errors import CmcError
from cmc.importer import import_model
from cmc.simulator.crossbars import physics_of
from cmc.simulator.pipeline import Pipeline, pipeline_of
from cmc.targets import IDEAL, find_target
from cmc.tools.cmc import main
from end_to_end import lower
from onnx_models import chain_model, normal
from test_turns import TARGET

Floats = NDArray[np.float32]

NOISY = "weight_model=pcm,dac_bits=8,adc_bits=8"

TARGET_NAME = f"ideal:{NOISY},rows=64,columns=24"


@pytest.fixture(scope="module")
def images(digits: Path) -> Floats:
    with np.load(digits.with_name("digits_test.npz")) as file:
        return file["image"][:5]


@pytest.fixture(scope="module")
def exact(digits: Path) -> Program:
    return cmc.compile(digits)


@pytest.fixture(scope="module")
def noisy(digits: Path) -> Program:
    """Matrices are cut by rows and by columns."""
    return cmc.compile(digits, target=TARGET_NAME)


def scores(
    program: Program, images: Floats, seed: int = 0, time: float = 0, first: int = 0
) -> Floats:
    result = program.run({"image": images}, seed=seed, time=time, first=first)
    return result.outputs["scores"]


def error(found: Floats, expected: Floats) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def test_ideal_is_exact(exact: Program, images: Floats):
    assert physics_of(IDEAL).exact
    assert physics_of(find_target("pcm-64")).exact
    plain = scores(exact, images)
    assert np.array_equal(scores(exact, images, seed=7, time=3600, first=3), plain)


def test_both_modes_have_the_same_noise(noisy: Program, exact: Program, images: Floats):
    found = noisy.run({"image": images}, seed=2, time=60)
    again = noisy.run({"image": images}, seed=2, time=60, mode="interpret")
    assert error(again.outputs["scores"], found.outputs["scores"]) < 1e-6
    assert again.cycles == found.cycles
    assert error(found.outputs["scores"], scores(exact, images)) > 0.01


def test_a_stream_cut_in_two_has_the_same_noise(noisy: Program, images: Floats):
    whole = scores(noisy, images, seed=2, time=60)
    parts = [
        scores(noisy, images[:2], seed=2, time=60),
        scores(noisy, images[2:], seed=2, time=60, first=2),
    ]
    assert error(np.concatenate(parts), whole) < 1e-6
    other = scores(noisy, images[2:], seed=2, time=60)
    assert error(other, whole[2:]) > 1e-4


def test_noise_is_that_of_the_chip_and_of_the_time(noisy: Program, images: Floats):
    before = scores(noisy, images, seed=2, time=60)
    for seed, time in ((3, 60), (2, 3600), (2, 0)):
        assert error(scores(noisy, images, seed=seed, time=time), before) > 1e-3
    assert np.array_equal(scores(noisy, images, seed=2, time=60), before)


def test_a_pipeline_computes_what_its_chip_does(noisy: Program, digits: Path, images: Floats):
    module = import_model(digits)
    for one in standard_pipeline("throughput", TARGET_NAME, "none"):
        if "cmctrl" in one:
            break
        lower(module, one)
    found = Pipeline(pipeline_of(module)).run({"image": images})["scores"]
    assert error(found, scores(noisy, images)) < 1e-6


def gemm(rows: int, columns: int) -> onnx.ModelProto:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    return chain_model([1, rows], node, constants={"w": normal(rows, columns)})


def test_sums_are_rounded_before_they_are_added():
    """Each of two tiles of rows has converters of its own."""
    program = cmc.compile(gemm(8, 3), target="ideal:rows=4,dac_bits=5,adc_bits=4")
    weights, x = normal(8, 3).astype(np.float64), normal(6, 8, seed=1)
    x[:3] = np.abs(x[:3])
    total = np.zeros((6, 3))
    for rows in (slice(0, 4), slice(4, 8)):
        top = np.abs(x[:, rows]).max(1, keepdims=True).astype(np.float64)
        inputs = np.rint(x[:, rows] / top * 15) * top / 15
        tile = weights[rows]
        above, below = (tile * (tile > 0)).sum(0), -(tile * (tile < 0)).sum(0)
        both = x[:, rows].min(1, keepdims=True) < 0
        # What a column gives at most: of inputs without a sign, with the weights of one.
        most = np.maximum(above, below)
        step = top * (most + both * (above + below - most)) / 7
        # One gain for all columns, so that none is beyond its range.
        used = np.abs(inputs @ tile / step).max(1, keepdims=True)
        step /= 2 ** np.floor(np.log2(7.25 / used))
        total += np.rint(inputs @ tile / step) * step
    found = program.run({"x": x}).outputs["y"]
    assert np.abs(found - total).max() < 1e-5


@pytest.mark.parametrize("target", [TARGET_NAME, "ideal:weight_model=hermes"])
@pytest.mark.parametrize("power", [-100, 70])
def test_noise_is_that_of_weights_of_any_size(target: str, power: int):
    """Also where float32 has not the squares of weights."""
    node, scale = helper.make_node("MatMul", ["x", "w"], ["y"]), np.full(1, 2.0**power, np.float32)
    model = chain_model([1, 16], node, constants={"w": normal(16, 8) * scale})
    x = {"x": normal(5, 16, seed=1)}
    found, plain = (
        cmc.compile(one, target=target).run(x, seed=1).outputs["y"] for one in (model, gemm(16, 8))
    )
    assert error(found / scale, plain) < 1e-6


def test_a_matrix_of_zeros_has_no_noise():
    """That is a share of its largest weight."""
    model = chain_model(
        [1, 8],
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        constants={"w": np.zeros((8, 3), np.float32)},
    )
    program = cmc.compile(model, target=f"ideal:{NOISY},drift_compensation=true")
    assert not program.run({"x": normal(2, 8)}, time=60).outputs["y"].any()


@pytest.mark.parametrize("weight", [np.nan, -np.inf])
def test_weights_that_no_cell_holds(weight: float):
    weights = normal(8, 3)
    weights[2, 1] = weight
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    model = chain_model([1, 8], node, constants={"w": weights})
    program = cmc.compile(model, target="ideal:weight_model=pcm")
    with pytest.raises(CmcError, match=r"stage .* crossbar .*: a weight is infinite or no number"):
        program.run({"x": normal(2, 8)})


@pytest.mark.parametrize("bits", [8, 16, 24])
def test_inputs_may_be_next_to_nothing(bits: int):
    """Float32 has not so many codes over them."""
    program = cmc.compile(gemm(8, 3), target=f"ideal:dac_bits={bits},adc_bits={bits}")
    for size in (1e-30, 1e-34, 1e-36, 1e-38, 1e-42):
        x = normal(4, 8, seed=1) * np.float32(size)
        found = program.run({"x": x}).outputs["y"]
        assert np.abs(found - x @ normal(8, 3)).max() < 1e-35 + 0.1 * size
    program = cmc.compile(gemm(8, 3), target="ideal:adc_bits=24")
    x = normal(4, 8, seed=1) * np.float32(1e-40)
    plain = (x @ normal(8, 3)).astype(np.float32)
    assert error(program.run({"x": x}).outputs["y"], plain) < 1e-3


def test_what_travels_is_rounded():
    """By the GCU and by cores, vector by vector."""
    program = cmc.compile(gemm(8, 3), target="ideal:activation_bits=4,round_activations=true")
    x = normal(6, 8, seed=1)
    step = np.abs(x).max(1, keepdims=True) / 7
    y = np.rint(x / step) * step @ normal(8, 3)
    step = np.abs(y).max(1, keepdims=True) / 7
    found = program.run({"x": x})
    assert np.abs(found.outputs["y"] - np.rint(y / step) * step).max() < 1e-5
    again = program.run({"x": x}, mode="interpret")
    assert error(again.outputs["y"], found.outputs["y"]) < 1e-6
    assert again.cycles == found.cycles


def test_time_and_energy_are_those_of_all_halvings(tmp_path: Path):
    target = "pcm-64-analog:adc_bound=0.5"
    more = cmc.compile(gemm(8, 3), target=f"{target},halvings=3", copies="none")
    once = cmc.compile(gemm(8, 3), target=target, copies="none")
    x = normal(6, 8, seed=1)
    plain = x @ normal(8, 3)
    found, before = (program.run({"x": x}) for program in (more, once))
    assert error(found.outputs["y"], plain) < error(before.outputs["y"], plain) / 2
    assert found.report.latency == before.report.latency + 3 * 133
    assert more.time(100).cycles_per_image == 4 * 133
    again = more.run({"x": x}, mode="interpret")
    assert error(again.outputs["y"], found.outputs["y"]) < 1e-6
    assert again.cycles == found.cycles


def test_sixteen_bits_are_nearly_exact(digits: Path, images: Floats):
    path = digits.with_name("separable.onnx")
    plain = scores(cmc.compile(path), images)
    program = cmc.compile(path, target="ideal:dac_bits=16,adc_bits=16")
    assert 0 < error(scores(program, images), plain) < 1e-3
    drawn = cmc.compile(path, target=f"ideal:{NOISY},rows=32")
    found = scores(drawn, images[:2])
    again = drawn.run({"image": images[:2]}, mode="interpret").outputs["scores"]
    assert error(again, found) < 1e-6


@pytest.fixture(scope="module")
def calibrated(digits: Path, images: Floats) -> tuple[Program, Floats]:
    """A chip, and what it computed before."""
    program = cmc.compile(digits, target="ideal:dac_bits=12,adc_bits=7,doublings=0")
    before = scores(program, images)
    seen = program.calibrate({"image": images})
    assert seen[0].range == pytest.approx(np.abs(images).max())
    return program, before


def test_ranges_are_those_of_some_images(
    calibrated: tuple[Program, Floats], images: Floats, exact: Program
):
    program, before = calibrated
    plain = scores(exact, images)
    found = program.run({"image": images})
    # Codes are not wasted on sums that no column has.
    assert error(found.outputs["scores"], plain) < error(before, plain) / 2
    again = program.run({"image": images}, mode="interpret")
    assert error(again.outputs["scores"], found.outputs["scores"]) < 1e-6
    # What is larger than that is clipped.
    assert error(scores(program, 4 * images), 4 * plain) > 0.3


def test_bounds_follow_inputs_that_are_not_converted():
    """A sum is then converted by the largest input of its own vector."""
    weights = np.ones((4, 1), np.float32)
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    program = cmc.compile(
        chain_model([1, 4], node, constants={"w": weights}), target="ideal:adc_bits=12"
    )
    x = {"x": np.array([[1, 1, 1, 1], [0, 0, 0, 100], [0, 0, 0, 0]], np.float32)}
    (seen,) = program.calibrate(x)
    assert seen.bound == 4
    assert error(program.run(x).outputs["y"], np.array([[4], [100], [0]], np.float32)) < 1e-2


def test_there_is_nothing_to_calibrate_without_crossbars():
    model = chain_model([1, 4], helper.make_node("Relu", ["x"], ["y"]))
    program = cmc.compile(model, target="ideal:dac_bits=8")
    with pytest.raises(CmcError, match="nothing of the network is on crossbars"):
        program.calibrate({"x": normal(1, 4)})


@pytest.mark.parametrize("images", [1, 40])
def test_ranges_of_most_numbers(images: int):
    """Of numbers that are not 0, however many of these there are."""
    program = cmc.compile(gemm(100, 3), target="ideal:dac_bits=8,adc_bits=8")
    x = np.abs(normal(images, 100, seed=3))
    x[:, ::2] = 0
    (seen,) = program.calibrate({"x": x}, percentile=90)
    assert seen.range is not None and seen.bound is not None
    expected = np.percentile(x[x > 0], 90, method="inverted_cdf")
    assert expected <= seen.range <= 1.01 * expected
    sums = np.abs(x.astype(np.float64) @ normal(100, 3)) / np.abs(normal(100, 3)).max()
    expected = np.percentile(sums, 90, method="inverted_cdf")
    assert 0.999 * expected <= seen.bound * seen.range <= 1.01 * expected
    (whole,) = program.calibrate({"x": x})
    assert whole.range == x.max()
    with pytest.raises(CmcError, match="a percentile is above 0 and up to 100, not 0"):
        program.calibrate({"x": x}, percentile=0)


def test_cmc_calibrate_writes_a_chip(
    calibrated: tuple[Program, Floats],
    digits: Path,
    tmp_path: Path,
    images: Floats,
    capsys: pytest.CaptureFixture[str],
):
    given, module = tmp_path / "images.npz", tmp_path / "chip.mlir"
    np.savez(given, image=images)
    arguments = ["calibrate", str(digits), "--inputs", str(given), "-o", str(module), "--target"]
    assert main([*arguments, "ideal"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("target ideal: error: there are no converters to calibrate: give it dac")
    assert main([*arguments, "ideal:dac_bits=8", "--percentile", "101"]) == 1
    assert "expected a number above 0 up to 100, got '101'" in capsys.readouterr().err
    assert main([*arguments, "ideal:dac_bits=12,adc_bits=7"]) == 0
    shown = capsys.readouterr().out
    assert "5 products calibrated by 5 images\nrange: the largest input" in shown
    assert "bound: the largest sum" in shown
    assert module.read_text().count(" range ") == 5
    assert np.array_equal(scores(cmc.load(module), images), scores(calibrated[0], images))


def test_parts_of_a_stream_begin_with_the_first_pipeline(tmp_path: Path):
    target = tmp_path / "small.toml"
    target.write_text(TARGET + 'weight_model = "hermes"\n')
    program = cmc.compile(gemm(16, 16), target=target)
    count = program.time(100).pipelines
    assert count > 1
    x = normal(3 * count + 1, 16)
    whole = program.run({"x": x}).outputs["y"]
    cut = 2 * count
    parts = [
        program.run({"x": x[:cut]}).outputs["y"],
        program.run({"x": x[cut:]}, first=cut, mode="interpret").outputs["y"],
    ]
    assert error(np.concatenate(parts), whole) < 1e-6
    for mode in ("bulk", "interpret"):
        with pytest.raises(CmcError, match=f"{count} pipelines take turns: .* not {cut + 1}"):
            program.run({"x": x}, first=cut + 1, mode=mode)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"time": -1.0}, "a time is 0 s or more after programming, not -1 s"),
        ({"time": float("nan")}, "a time is 0 s or more after programming, not nan s"),
        ({"time": float("inf")}, "a time after programming is finite"),
        ({"first": -1}, "images are counted from 0 to 2147483647, not from -1"),
        ({"first": 10**26}, f"images are counted from 0 to 2147483647, not from {10**26}"),
    ],
)
def test_conditions_that_there_are_not(
    exact: Program, images: Floats, conditions: dict[str, float], message: str
):
    with pytest.raises(CmcError, match=message):
        scores(exact, images, 0, conditions.get("time", 0), int(conditions.get("first", 0)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--time=-1s"], "-1s is before the crossbars are programmed"),
        (["--time", "1fortnight"], "expected a time as in 1h, in one of s, min, h, d, y, got"),
        (["--time", "1e400s"], "expected a time as in 1h"),
        (["--target", "ideal:dac_bits=0"], "dac_bits: expected a whole number from 1 to 24 or"),
        (["--target", "ideal:adc_bits=25"], "adc_bits: expected a whole number from 1 to 24 or"),
        (["--target", "ideal:adc_bits=8,adc_bound=0"], "adc_bound: expected a number above 0"),
        (["--target", "ideal:adc_bound=3"], "adc_bound: it belongs to converters of so many"),
        (["--target", "ideal:weight_model=quantised"], "weight_bits: missing for this weight mod"),
        (["--target", "ideal:cell_bits=3"], "cell_bits: of another weight model: it belongs to"),
        (
            ["--target", "ideal:devices=2"],
            "devices: it belongs to weight model pcm and hermes",
        ),
        (["--target", "ideal:round_activations=true"], "round_activations: it belongs to at most"),
        (
            ["--target", "ideal:adc_bits=8,adc_bound=3,doublings=2"],
            "doublings: it belongs to conver",
        ),
        (["--target", "ideal:halvings=2"], "halvings: it belongs to converters with an adc_bound"),
        (["--target", "ideal:drift_compensation=true"], "drift_compensation: it belongs to weight"),
    ],
)
def test_words_about_what_is_refused(
    digits: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["run", str(digits), "--random", "1", *arguments]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and message in lines[0]
    assert main(["run", str(digits), "--timing", "--seed", "3"]) == 1
    assert "--timing computes no values, which --seed" in capsys.readouterr().err


def test_a_check_says_that_a_target_is_not_exact(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    model = tmp_path / "model.onnx"
    model.write_bytes(gemm(8, 3).SerializeToString())
    target = "ideal:weight_model=pcm"
    assert main(["run", str(model), "--random", "1", "--check", "--target", target]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(
        "beyond the tolerance of 0.0001; ideal with weight_model pcm does not compute exactly, and "
        "what that costs says cmc accuracy"
    )


def test_cmc_run_has_conditions(digits: Path, tmp_path: Path, images: Floats, noisy: Program):
    written = tmp_path / "scores.npz"
    more = [
        "--target",
        TARGET_NAME,
        "--seed",
        "2",
        "--time",
        "1min",
        "--first",
        "2",
        "-o",
        str(written),
    ]
    given = tmp_path / "images.npz"
    np.savez(given, image=images[2:])
    assert main(["run", str(digits), "--input", str(given), *more]) == 0
    with np.load(written) as file:
        found = file["scores"]
    assert error(found, scores(noisy, images, seed=2, time=60)[2:]) < 1e-6
