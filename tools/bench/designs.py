# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A thousand designs of one network: how many a minute are tried, of a sample of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter

from cmc.explore.evaluate import Evaluator
from cmc.explore.outcome import Outcome
from cmc.explore.point import Point
from cmc.explore.results import results_in
from cmc.explore.run import Each, run
from cmc.explore.space import Choices, Space, read_space
from cmc.explore.workers import Processes
from cmc.tools.bench.networks import choose_networks
from cmc.tools.bench.table import Cell

NETWORK = "resnet20_cifar"

HEAD = ("processes", "designs", "not compiled", "s", "designs a minute")

SAMPLE = 4
"""How many designs are tried for each size of crossbars, of 200."""

_SPACE = """
networks = ["NETWORK"]
objectives = ["interval_ns", "cells"]
designs = [
  { target.rows = 128, target.columns = 128 },
  { target.rows = 192, target.columns = 192 },
  { target.rows = 256, target.columns = 256 },
  { target.rows = 384, target.columns = 384 },
  { target.rows = 512, target.columns = 512 },
]

[target]
base = "pcm-64"
mxv_ns = [50, 75, 100, 133, 200]
sram_bytes = [16384, 32768, 65536, 262144, 1048576]
link_bytes_per_ns = [1, 4, 16, "unlimited"]

[options]
buffers = ["minimal", "throughput"]
"""


@dataclass(frozen=True)
class Row:
    """How long some designs took."""

    what: str
    designs: int
    refused: int
    seconds: float

    @property
    def a_minute(self) -> float:
        return 60 * self.designs / self.seconds

    def cells(self) -> list[Cell]:
        """A row under `HEAD`."""
        return [self.what, self.designs, self.refused, self.seconds, self.a_minute]


class Anew:
    """Tries each design as if it were the first."""

    def __call__(self, point: Point) -> Outcome:
        return Evaluator()(point)


def measure_designs() -> Iterator[Row]:
    """Two processes beside one, and one that keeps nothing."""
    (network,) = choose_networks([NETWORK]).values()
    ways: Mapping[str, tuple[int, Callable[[], Callable[[Point], Outcome]]]] = {
        "1, nothing kept": (1, Anew),
        "1": (1, Evaluator),
        "2": (2, Evaluator),
    }
    with TemporaryDirectory() as folder:
        path = Path(folder) / "space.toml"
        path.write_text(_SPACE.replace("NETWORK", str(network)))
        space = read_space(path)
        chosen = _sample(space)
        for number, (what, (jobs, make)) in enumerate(ways.items()):
            with results_in(Path(folder) / f"{number}.jsonl") as results:
                source = Each(space, results, chosen)
                start = perf_counter()
                run(source, Processes(jobs, make), results, lambda: None)
                seconds = perf_counter() - start
                refused = sum(one.outcome.figures is None for one in results.found.values())
                yield Row(what, len(results.found), refused, seconds)


def _sample(space: Space) -> list[Choices]:
    """As many of each size of crossbars, the same ones every time."""
    by_size: dict[object, list[Choices]] = {}
    for choices in space:
        by_size.setdefault(choices["target.rows"], []).append(choices)
    random = Random(0)
    return [one for alike in by_size.values() for one in random.sample(alike, SAMPLE)]
