# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Weights after a second, a day and a year beside those that aihwkit draws: `make aihwkit`."""

from __future__ import annotations

import os

import numpy as np
import pytest

from cmc.analog.devices import Devices, Doubles, Hermes, Pcm
from cmc.analog.normals import Normals


@pytest.mark.parametrize(("name", "devices"), [("pcm", Pcm()), ("hermes", Hermes())])
def test_weights_are_those_of_aihwkit(name: str, devices: Devices):
    """There, what a read would make negative is 0; here, reads are of sums."""
    with np.load(os.environ["CMC_AIHWKIT"]) as file:
        weights, times, drawn = (file[key] for key in ("weights", "times", name))
    pairs = np.stack([weights, np.zeros_like(weights)], -1).astype(np.float64)
    programmed = devices.program(devices.g_max * pairs, 0, "tile")
    for time, theirs in zip(times.tolist(), drawn, strict=True):
        now, deviations = programmed.at(time)
        cells = np.maximum(now + deviations * read_noise(pairs.shape), 0) / devices.g_max
        for one, other in zip(
            cells[..., 0] - cells[..., 1], theirs.astype(np.float64), strict=True
        ):
            error = 5 * max(one.std(), other.std()) * np.sqrt(2 / len(one))
            assert abs(one.mean() - other.mean()) < error
            # Of heavier tails than normal numbers have, too.
            assert abs(one.std() - other.std()) < 2 * error


def read_noise(shape: tuple[int, ...]) -> Doubles:
    numbers = Normals(1, "read").rows(0, shape[0], shape[1] * shape[2])
    return numbers.reshape(shape).astype(np.float64)
