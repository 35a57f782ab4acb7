# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What crossbars compute: statistics of devices, converters, and numbers that have addresses."""

from __future__ import annotations

from collections.abc import Callable
from math import erf, exp, pi, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from cmc.analog.crossbar import Clipped, Crossbar, Physics
from cmc.analog.devices import Devices, Hermes, Pcm, Tabled
from cmc.analog.normals import Normals
from cmc.analog.weights import Conductances, Digits, Exact, Model

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]

CELLS = 100_000
"""In each of ten bins of conductances."""

BINS = np.linspace(0.1, 1.0, 10)


def expect_moments(samples: NDArray[np.floating], mean: float, deviation: float):
    """Mean and deviation are those of a normal distribution, within five standard errors."""
    error = deviation / np.sqrt(samples.size)
    assert abs(samples.mean() - mean) < 5 * error
    assert abs(samples.std() - deviation) < 5 * error / np.sqrt(2)


def test_numbers_are_normal():
    numbers = Normals(1, "a").rows(0, 1000, 1000).astype(np.float64)
    expect_moments(numbers, 0, 1)
    for power, moment, square in ((3, 0, 15), (4, 3, 105), (6, 15, 10395)):
        error = np.sqrt((square - moment**2) / numbers.size)
        assert abs((numbers**power).mean() - moment) < 5 * error
    # Whatever is made of one word, and of one row.
    for step in (1, 2, 3, 4, 7, 500, 504, 1000):
        flat = numbers.reshape(-1)
        assert abs((flat[step:] * flat[:-step]).mean()) < 5 / np.sqrt(flat.size)


def test_numbers_have_addresses():
    numbers = Normals(1, "a", 2)
    rows = numbers.rows(5, 20, 13)
    assert np.array_equal(numbers.rows(9, 3, 13), rows[4:7])
    assert np.array_equal(Normals(1, "a", 2).rows(5, 20, 13), rows)
    for other in (Normals(2, "a", 2), Normals(1, "b", 2), Normals(1, "a", 3), Normals(1, "a")):
        assert abs((other.rows(5, 20, 13) * rows).mean()) < 5 / np.sqrt(rows.size)


def pcm_programming(r: float) -> float:
    return 0.26348 + 1.9650 * r - 1.1731 * r**2


def hermes_programming(r: float) -> float:
    return 0.16603222 + 4.71806468 * r - 8.48101252 * r**2 + 4.68961419 * r**3


@pytest.mark.parametrize(
    ("devices", "deviation"), [(Pcm(), pcm_programming), (Hermes(), hermes_programming)]
)
def test_programming(devices: Devices, deviation: Callable[[float], float]):
    wanted = np.repeat(BINS * devices.g_max, CELLS).reshape(1000, 1000)
    found = devices.program(wanted, 3, "tile").conductances.reshape(len(BINS), CELLS)
    for r, samples in zip(BINS, found, strict=True):
        # Two or more deviations from 0, where conductances end, even in the first bin.
        if r > 0.15:
            expect_moments(samples, r * devices.g_max, deviation(float(r)))
    nothing = devices.program(np.zeros((100, 1000)), 3, "tile").conductances
    assert nothing.min() == 0
    half = deviation(0) / np.sqrt(2 * np.pi)
    assert abs(nothing.mean() - half) < 5 * deviation(0) / np.sqrt(nothing.size)


def test_pairs_of_devices_are_averaged():
    weights = np.full((1, 1, CELLS), 0.5)
    weights[..., 0] = 1
    errors: list[float] = []
    for pairs in (1, 4):
        held = Conductances(Pcm(), pairs).program(weights, 6, "tile").at(60)
        ((factor, found),) = held.slices
        assert held.variances is not None
        errors += [factor * float(found.std()), factor * float(np.sqrt(held.variances.mean()))]
    assert errors[2:] == pytest.approx(np.array(errors[:2]) / 2, rel=0.02)


def test_drift_of_pcm():
    devices, time = Pcm(), 86400.0
    wanted = np.repeat([0.005, 0.05, 0.2, 0.5, 1.0], 2 * CELLS).reshape(1000, 1000)
    programmed = devices.program(wanted * devices.g_max, 4, "tile")
    held = programmed.conductances > 0
    now, _ = programmed.at(time)
    ratio = np.where(held, now, 1) / np.where(held, programmed.conductances, 1)
    found = -np.log(ratio) / np.log((time + 20) / 20)
    exact = {
        # -0.0155 ln r + 0.0244 within 0.049 and 0.1; -0.0125 ln r - 0.0059 within 0.008 and 0.045
        0.005: (0.1, 0.045),
        0.05: (0.0708338, 0.0315467),
        0.2: (0.0493463, 0.0142180),
        0.5: (0.049, 0.008),
        1.0: (0.049, 0.008),
    }
    for r, (mean, deviation) in exact.items():
        samples = found[held & (wanted == r)]
        # A normal number without its sign, which is rarely negative.
        low = mean / (deviation * sqrt(2))
        folded = deviation * sqrt(2 / pi) * exp(-(low**2)) + mean * erf(low)
        expect_moments(samples, folded, sqrt(mean**2 + deviation**2 - folded**2))


def test_drift_of_hermes():
    devices = Hermes()
    r = np.array([0.001, 0.09, 0.0945, 0.3, 0.5, 1.0])
    means = [0.13, 0.0749880, 0.0720199, 0.0658960, 0.0564, 0.0174]
    deviations = [0.04, 0.0224730, 0.0219016, 0.0091, 0.009, 0.0048]
    found = devices.drift(r)
    assert np.allclose(found[0], means, atol=1e-6)
    assert np.allclose(found[1], deviations, atol=1e-6)
    assert np.allclose(devices.flicker(r[[0, 3, 5]]), [0.04, 0.0162963, 0.0123], atol=1e-6)


def test_devices_of_a_table():
    pcm, r = Pcm(), np.linspace(0, 1, 2001)
    columns = [r, pcm.programming(r) / 25, *pcm.drift(np.maximum(r, 1e-7)), pcm.flicker(r)]
    table = Tabled(tuple(tuple(row) for row in np.stack(columns, 1).tolist()))
    wanted = np.random.default_rng(0).uniform(0.25, 0.8, (100, 100))
    found = table.program(wanted, 3, "tile").at(3600)
    expected = pcm.program(25 * wanted, 3, "tile").at(3600)
    for one, other in zip(found, expected, strict=True):
        assert np.allclose(one, other / 25, rtol=1e-3, atol=1e-6)
    between = Tabled(((0, 0.1, 0.2, 0, 0.4), (0.5, 0.2, 0.1, 0.1, 0), (1, 0, 0, 0, 0)))
    assert np.allclose(between.programming(np.array([0.25, 0.75, 2.0])), [0.15, 0.1, 0])


def reads(physics: Physics, weights: Doubles, count: int, time: float, scale: float = 1) -> Doubles:
    """What one row of weights gives, `[count, columns]`, driven alone by `scale`."""
    crossbar = Crossbar(physics, "tile", 0, count)
    crossbar.program(weights.astype(np.float32)[None, None], 5)
    crossbar.at(time)
    products = np.empty((count, 1, len(weights)), np.float32)
    vectors = np.full((count, 1, 1), scale, np.float32)
    crossbar.multiply(vectors, products, range(1), range(count))
    return products[:, 0].astype(np.float64)


def test_read_noise_of_pcm():
    devices, time = Pcm(), 3600.0
    weights = np.array([0.2, -0.5, 1.0])
    found = reads(Physics(Conductances(devices)), weights, CELLS, time, 3.0) / 3
    pairs = np.stack([np.maximum(weights, 0), np.maximum(-weights, 0)], -1) * devices.g_max
    programmed = devices.program(pairs[None], 5, "tile")
    now = programmed.conductances[0] * (3620 / 20) ** -programmed.exponents[0]
    r = programmed.conductances[0] / 25
    grown = np.sqrt(np.log((3620 + 250e-9) / 500e-9))
    quality = np.minimum(0.2, 0.0088 / np.maximum(r**0.65, 1e-3))
    variances = np.sum((now * quality * grown) ** 2, -1)
    for column in range(len(weights)):
        mean = (now[column, 0] - now[column, 1]) / 25
        expect_moments(found[:, column], float(mean), float(np.sqrt(variances[column])) / 25)


def test_read_noise_of_a_sum_is_that_of_its_cells():
    rng = np.random.default_rng(0)
    weights = rng.uniform(-1, 1, (1, 8, 3)).astype(np.float32)
    inputs = rng.uniform(-1, 1, 8).astype(np.float32)
    count = 20_000
    crossbar = Crossbar(Physics(Conductances(Pcm())), "tile", 0, count)
    crossbar.program(weights, 5)
    crossbar.at(60)
    sums, cells = (np.empty((count, 1, 3), np.float32) for _ in range(2))
    crossbar.multiply(np.tile(inputs, (count, 1, 1)), sums, range(1), range(count))
    total = np.zeros((count, 3))
    for row in range(8):
        one = np.zeros((count, 1, 8), np.float32)
        one[:, 0, row] = inputs[row]
        crossbar.multiply(one, cells, range(row, row + 1), range(count))
        total += cells[:, 0]
    for column in range(3):
        found, expected = sums[:, 0, column].astype(np.float64), total[:, column]
        error = 5 * np.sqrt(2 / count) * expected.std()
        assert abs(found.mean() - expected.mean()) < error
        assert abs(found.std() - expected.std()) < error


def rms(found: NDArray[np.floating], expected: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2)))


def products(physics: Physics, weights: Floats, vectors: Floats, time: float = 0) -> Floats:
    crossbar = Crossbar(physics, "tile", 0, len(vectors))
    crossbar.program(weights, 5)
    crossbar.at(time)
    found = np.empty((len(vectors), weights.shape[0], weights.shape[2]), np.float32)
    crossbar.multiply(vectors, found, range(1), range(len(vectors)))
    return found


@pytest.fixture(scope="module")
def problem() -> tuple[Floats, Floats, Doubles]:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((2, 50, 40)).astype(np.float32)
    vectors = rng.standard_normal((300, 2, 50)).astype(np.float32)
    exact = np.einsum("ngk,gkm->ngm", vectors.astype(np.float64), weights.astype(np.float64))
    return weights, vectors, exact


Problem = tuple[Floats, Floats, Doubles]


def test_errors_halve_with_each_bit(problem: Problem):
    weights, vectors, exact = problem
    errors = np.array(
        [
            rms(products(Physics(Exact(), bits, bits), weights, vectors), exact)
            for bits in range(6, 22)
        ]
    )
    steps = errors[:-1] / errors[1:]
    assert np.all((steps > 1.9) & (steps < 2.2))


def test_digits_are_those_of_whole_numbers(problem: Problem):
    weights, vectors, _ = problem
    most = float(np.abs(weights).max())
    for bits, cell_bits, count in ((8, 2, 4), (8, 3, 3), (16, 2, 8), (5, 8, 1)):
        unit = most / (2 ** (bits - 1) - 1)
        held = Digits(bits, cell_bits).program(weights.astype(np.float64)).at(0)
        digits = np.array([matrix for _, matrix in held.slices])
        assert len(digits) == count and np.abs(digits).max() == 2 ** min(cell_bits, bits - 1) - 1
        whole = sum(2.0 ** (cell_bits * place) * d for place, d in enumerate(digits))
        assert np.array_equal(whole, np.rint(weights.astype(np.float64) / unit))
        found = products(Physics(Digits(bits, cell_bits)), weights, vectors)
        expected = np.einsum("ngk,gkm->ngm", vectors.astype(np.float64), whole * unit)
        assert rms(found, expected) < 1e-6


@pytest.mark.parametrize(("most", "bits"), [(127, 8), (100, 8), (255, 9), (127, 12)])
def test_whole_weights_that_fit_are_held_as_they_are(most: int, bits: int):
    """As those of a quantised network are."""
    weights = np.random.default_rng(0).integers(-most, most, (1, 20, 8), endpoint=True)
    weights[0, 0, 0] = -most
    held = Digits(bits, 2).program(weights.astype(np.float64)).at(0)
    assert np.array_equal(sum(factor * matrix for factor, matrix in held.slices), weights)


def test_each_slice_has_converters(problem: Problem):
    """Slices of few bits are read exactly by converters that would round their sum."""
    weights, _, _ = problem
    vectors = np.random.default_rng(0).integers(-1, 2, (300, 2, 50)).astype(np.float32)
    physics = Physics(Digits(16, 1), 2, 8)
    whole = products(Physics(Digits(16, 1)), weights, vectors)
    assert rms(products(physics, weights, vectors), whole) < 0.02
    assert rms(products(Physics(Digits(16, 15), 2, 8), weights, vectors), whole) < 0.05


def test_what_is_beyond_the_range_is_clipped():
    weights = np.array([[[1.0, 0.5], [1.0, 0.5]]], np.float32)
    vectors = np.array([[[4.0, 4.0]], [[2.0, 0.0]], [[0.0, 0.0]]], np.float32)
    found = products(Physics(adc_bits=20, adc_bound=1.5), weights, vectors)
    assert np.allclose(found[:, 0], [[6, 4], [2, 1], [0, 0]], atol=1e-4)
    # At full scale nothing is.
    found = products(Physics(adc_bits=20), weights, vectors)
    assert np.allclose(found[:, 0], [[8, 4], [2, 1], [0, 0]], atol=1e-4)


def test_sums_of_many_rows_have_as_many_bits_as_others():
    """They are far from what their columns can give."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((1, 9216, 16)).astype(np.float32)
    vectors = rng.standard_normal((20, 1, 9216)).astype(np.float32)
    vectors[10:] = np.abs(vectors[10:])
    vectors[-1] = 0
    exact = vectors[:, 0].astype(np.float64) @ weights[0]
    errors = [
        np.abs(products(Physics(Exact(), 16, 12, doublings=most), weights, vectors)[:, 0] - exact)
        for most in (0, 3, 8)
    ]
    worst = np.array([one.max() for one in errors]) / np.abs(exact).max()
    # Of 2,047 codes at least half are used.
    assert worst[2] < 1 / 2047 < worst[1] < worst[0] / 4


def test_what_uses_all_of_a_column_is_not_clipped():
    weights = np.array([[[0.1, -0.3], [0.1, 0.1], [0.1, -0.1], [0.1, 0.1]]], np.float32)
    vectors = np.array(
        [[[1, 1, 1, 1]], [[1, 0, 0, 0]], [[1, -1, 1, -1]], [[0, 1, 0, 0]]], np.float32
    )
    clipped = Clipped()
    crossbar = Crossbar(Physics(adc_bits=4), "tile", 0, 4)
    crossbar.program(weights, 0)
    found = np.empty((4, 1, 2), np.float32)
    crossbar.multiply(vectors, found, range(1), range(4), clipped)
    exact = vectors[:, 0] @ weights[0]
    # Of 7 codes.
    assert np.allclose(found[[0, 2], 0, [0, 1]], exact[[0, 2], [0, 1]], rtol=1e-6)
    assert clipped.sums_beyond == 0


def test_inputs_are_halved_until_nothing_clips():
    weights = np.ones((1, 4, 1), np.float32)
    vectors = np.array([[[1, 0, 0, 0]], [[1, 1, 1, 0]], [[3, 3, 3, 3]]], np.float32)
    clipped = Clipped()
    for halvings, expected, counts in (
        (0, [1, 1.6, 4.8], (0, 2)),
        (1, [1, 3, 9.6], (2, 1)),
        (4, [1, 3, 12], (3, 0)),
    ):
        physics = Physics(dac_bits=12, adc_bits=16, adc_bound=1.6, halvings=halvings)
        crossbar = Crossbar(physics, "tile", 0, 3)
        crossbar.program(weights, 0)
        found = np.empty((3, 1, 1), np.float32)
        clipped.clear()
        crossbar.multiply(vectors, found, range(1), range(3), clipped)
        assert np.allclose(found.reshape(-1), expected, rtol=1e-3)
        assert (clipped.halvings, clipped.sums_beyond) == counts


def test_inputs_beyond_a_fixed_range_are_clipped():
    weights = np.array([[[1.0, -1.0], [2.0, 0.0]]], np.float32)
    vectors = np.array([[[1.0, 0.5]], [[3.0, -9.0]], [[0.0, 0.0]]], np.float32)
    found = products(Physics(dac_bits=3, range=1.5), weights, vectors)
    # Inputs are multiples of 0.5, of which three are the most.
    assert np.allclose(found[:, 0], [[2, -1], [-1.5, -1.5], [0, 0]])
    clipped = Clipped()
    crossbar = Crossbar(Physics(dac_bits=3, range=1.5), "tile", 0, 3)
    crossbar.program(weights, 0)
    crossbar.multiply(vectors, np.empty((3, 1, 2), np.float32), range(1), range(3), clipped)
    assert (clipped.inputs, clipped.inputs_beyond) == (6, 2)


@pytest.mark.parametrize("model", [Exact(), Digits(8, 2), Conductances(Hermes())])
def test_numbers_do_not_depend_on_the_order_of_work(model: Model, problem: Problem):
    weights, vectors, _ = problem
    crossbar = Crossbar(Physics(model, 8, 8), "tile", 0, 60)
    crossbar.program(weights, 1)
    whole, parts = (np.empty((300, 2, 40), np.float32) for _ in range(2))
    crossbar.multiply(vectors, whole, range(10, 15), range(60))
    for image in reversed(range(5)):
        for some in (range(7, 60), range(7)):
            rows = slice(60 * image + some.start, 60 * image + some.stop)
            crossbar.multiply(vectors[rows], parts[rows], range(10 + image, 11 + image), some)
    assert np.array_equal(whole, parts)


@pytest.mark.parametrize("model", [Exact(), Conductances(Pcm())])
def test_codes_are_those_of_sums_of_doubles(model: Model, monkeypatch: pytest.MonkeyPatch):
    """Some sums are so near to the border of two codes that float32 would take the other one."""
    rng = np.random.default_rng(0)
    weights = np.abs(rng.standard_normal((1, 256, 64))).astype(np.float32)
    vectors = np.abs(rng.standard_normal((2000, 1, 256))).astype(np.float32)
    physics = Physics(model, 8, 12)
    found = products(physics, weights, vectors)
    monkeypatch.setattr("cmc.analog.crossbar._RARE", 0)
    assert rms(found, products(physics, weights, vectors)) < 1e-6


def test_nothing_of_nothing():
    weights, vectors = np.zeros((1, 4, 3), np.float32), np.ones((2, 1, 4), np.float32)
    for model in (Exact(), Digits(8, 2), Conductances(Pcm())):
        assert not np.any(products(Physics(model, 8, 8, compensated=True), weights, vectors, 60))
    # Devices that should conduct nothing do, a little: a share of what the largest weight does.
    weights[0, 0, 0] = 0.01
    noisy = products(Physics(Conductances(Pcm()), 8, 8, compensated=True), weights, vectors, 60)
    assert 0 < np.abs(noisy[:, :, 1:]).max() < 0.01


@pytest.mark.parametrize("model", [Exact(), Conductances(Pcm()), Conductances(Hermes(), 3)])
def test_bounds_are_those_of_the_weights_that_there_should_be(model: Model):
    """Not of devices that happen to conduct more."""
    weights = np.full((1, 40, 30), 0.25, np.float32)
    vectors = np.full((2, 1, 40), 0.5, np.float32)
    found = products(Physics(model, None, 8, 3.0), weights, vectors)
    assert found == pytest.approx(3 / 4 / 2, rel=1e-6)


def test_zeros_have_no_sign():
    """An ADC's range is less for vectors without numbers below 0, which -0 is none of."""
    weights = np.random.default_rng(0).standard_normal((1, 8, 3)).astype(np.float32)
    vectors = np.abs(np.random.default_rng(1).standard_normal((4, 1, 8))).astype(np.float32)
    physics = Physics(dac_bits=8, adc_bits=6)
    vectors[..., 3] = 0
    found = products(physics, weights, vectors)
    vectors[..., 3] = -0.0
    assert np.array_equal(products(physics, weights, vectors), found)


def test_drift_is_compensated(problem: Problem):
    weights, vectors, exact = problem
    year = 3.15e7
    drifted = products(Physics(Conductances(Pcm())), weights, vectors, year)
    restored = products(Physics(Conductances(Pcm()), compensated=True), weights, vectors, year)
    gain = [np.vdot(found, exact) / np.vdot(exact, exact) for found in (drifted, restored)]
    assert gain[0] < 0.6 and 0.9 < gain[1] < 1.1
    assert rms(restored, exact) < rms(drifted, exact) / 2


@pytest.mark.parametrize(("time", "error"), [(1, 0.034), (86400, 0.099), (31536000, 0.143)])
def test_errors_of_weights_grow_as_published(time: float, error: float):
    """Of a 64 x 64 matrix, in one draw with aihwkit: 3.4, 9.9 and 14.3 % of the largest weight."""
    rng = np.random.default_rng(2)
    weights = rng.standard_normal((1, 64, 64)).astype(np.float32)
    vectors = np.eye(64, dtype=np.float32)[:, None]
    found = products(Physics(Conductances(Pcm())), weights, vectors, time)[:, 0]
    off = float((found - weights[0]).std() / np.abs(weights).max())
    # Other draws differ in their largest weight.
    assert abs(off - error) < 0.15 * error
