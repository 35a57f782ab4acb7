# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What physics costs: a stream in bulk mode on chips with and without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import process_time

import cmc.api
from cmc.streams import random_stream
from cmc.tools.bench.clock import interleave
from cmc.tools.bench.networks import choose_networks
from cmc.tools.bench.table import Cell

NETWORK = "resnet20_cifar"

IMAGES = 32

HEAD = ("target", "processor ms an image", "x", "without")

CHIPS = (
    ("ideal:weight_model=pcm", "ideal"),
    ("ideal:weight_model=pcm,dac_bits=8,adc_bits=8", "ideal"),
    ("pcm-64-analog", "pcm-64"),
)
"""Targets, and the same chips without physics."""


@dataclass(frozen=True)
class Row:
    """A processor's seconds for an image of a stream, and how many times those without physics."""

    target: str
    seconds: float
    ratio: float
    without: str

    def cells(self) -> list[Cell]:
        return [self.target, 1e3 * self.seconds, self.ratio, self.without]


def measure_physics(budget: float) -> Iterator[Row]:
    """Measure with about `budget` seconds for each number."""
    path = choose_networks([NETWORK])[NETWORK]
    programs = {name: cmc.api.compile(path, target=name) for pair in CHIPS for name in pair}
    stream = random_stream(programs["ideal"].inputs, IMAGES, 0)
    for one in programs.values():
        one.run(stream)  # programs its crossbars
    things = {name: lambda one=one: one.run(stream) for name, one in programs.items()}
    times = interleave(things, budget, process_time)
    for name, without in CHIPS:
        ratio = times.ratio(name, without)
        yield Row(name, times.median(name) / IMAGES, ratio, without)
