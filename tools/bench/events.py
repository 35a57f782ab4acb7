# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Timing stages that share units: how long until the times of any stream are known."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

from cmc.errors import CmcError
from cmc.tools.bench.networks import find_networks
from cmc.tools.bench.table import Cell
from cmc.tools.command import run_tool

CHIPS = (("resnet20_cifar", "pcm-64", 1.0), ("light_resnet50", "pimcomp", 20.0))
"""Networks, the targets that they are for, and how many seconds it may take."""

IMAGES = 10**6

HEAD = (
    "network", "target", "stages", "iterations", "images", "processor s", "again", "iterations/s"
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What a new process found the times of a long stream in, its kernel being compiled before."""

    stages: int
    iterations: int
    """Of an image."""
    images: int
    """That were simulated, of `IMAGES`."""
    first: float
    """A processor's seconds, with those that it takes to load numba."""
    again: float

    @property
    def rate(self) -> float:
        """Iterations a second, each of which begins, ends, and signals that."""
        return self.iterations * self.images / self.again


@dataclass(frozen=True)
class Row:
    """One network on one target."""

    network: str
    target: str
    most: float
    found: Found

    def cells(self) -> list[Cell]:
        """A row under `HEAD`."""
        found = self.found
        return [
            self.network, self.target, found.stages, found.iterations, found.images,
            found.first, found.again, found.rate,
        ]  # fmt: skip


def measure_events() -> Iterator[Row]:
    """Compile what there is of `CHIPS`, and time it in a process of its own."""
    networks = find_networks()
    for name, target, most in CHIPS:
        if name in networks:
            with TemporaryDirectory() as folder:
                chip = str(Path(folder, "chip.mlir"))
                path = str(networks[name])
                _run("cmc.tools.cmc", "compile", path, "--target", target, "-o", chip)
                numbers = json.loads(_run("cmc.tools.bench.events", chip))
            yield Row(name, target, most, Found(**numbers))


def _run(*arguments: str) -> str:
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CmcError(done.stderr.strip().rpartition("\n")[2])
    return done.stdout


def found(path: str) -> Found:
    """In this process, which has timed nothing before."""
    from cmc.api import load as load_program
    from cmc.simulator import chip_of
    from cmc.simulator.load import load
    from cmc.timing.solver import solve

    flow = load(chip_of(load_program(path).module)).flow
    start = process_time()
    times = solve(flow, IMAGES)
    first, start = process_time() - start, process_time()
    solve(flow, IMAGES)
    again = process_time() - start
    iterations = sum(process.iterations for process in flow.processes.values())
    return Found(len(flow.processes), iterations, max(times.solved.values()), first, again)


def _main(arguments: Sequence[str]) -> int:
    print(json.dumps(asdict(found(arguments[0]))))
    return 0


if __name__ == "__main__":
    sys.exit(run_tool(_main, None))
