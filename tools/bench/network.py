# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""One network: compiled, simulated in both modes, and run by others."""

from dataclasses import dataclass
from pathlib import Path

import cmc.api
from cmc.reports.report import Report
from cmc.streams import Stream, random_stream
from cmc.tools.bench.clock import interleave
from cmc.tools.bench.footprint import Footprint
from cmc.tools.bench.rivals import numpy_evaluator, onnxruntime_runner
from cmc.tools.bench.table import Cell

HEAD = (
    "network",
    "cores",
    "compile ms",
    "stream ms",
    "x ort",
    "one ms",
    "x ort",
    "x numpy",
    "ort ms",
    "numpy ms",
    "interpret ms",
    "kiter/s",
    "1M timed ms",
    "peak MB",
    "x data",
)
"""Milliseconds are per image; `ort` is onnxruntime, `data` the weights and activations."""


@dataclass(frozen=True)
class Row:
    """What was measured of one network. Seconds; those of a simulation are per image."""

    name: str
    cores: int
    iterations: int
    """Of all cores, an image."""
    compile: float
    stream: float
    """In bulk mode, a stream of images."""
    one: float
    """In bulk mode, one image by itself."""
    interpret: float
    onnxruntime_stream: float
    onnxruntime: float
    numpy: float
    timing: float
    """When each iteration of a million images begins, without their values; not per image."""
    stream_ratio: float
    """Of `stream` to `onnxruntime_stream`, round by round; the others likewise."""
    one_ratio: float
    numpy_ratio: float
    footprint: Footprint

    @property
    def rate(self) -> float:
        """Core iterations a second in interpret mode."""
        return self.iterations / self.interpret

    def cells(self) -> list[Cell]:
        """A row under `HEAD`."""
        return [
            self.name,
            self.cores,
            1e3 * self.compile,
            1e3 * self.stream,
            self.stream_ratio,
            1e3 * self.one,
            self.one_ratio,
            self.one_ratio / self.numpy_ratio,
            1e3 * self.onnxruntime,
            1e3 * self.numpy,
            1e3 * self.interpret,
            self.rate / 1e3,
            1e3 * self.timing,
            self.footprint.peak / 1e6,
            self.footprint.ratio,
        ]


def measure_network(path: Path, footprint: Footprint, images: int, budget: float) -> Row:
    """Measure with streams of `images`, and about `budget` seconds for each number.

    CmcError if the network does not compile.
    """
    # Each keeps what it lays out for streams of one length.
    program, streaming = (cmc.api.compile(path) for _ in range(2))
    one, stream = (random_stream(program.inputs, count, 0) for count in (1, images))
    onnxruntime = onnxruntime_runner(path)
    numpy = numpy_evaluator(path)
    iterations = core_iterations(program.run(one).report)
    times = interleave(
        {
            "compile": lambda: cmc.api.compile(path),
            "onnxruntime stream": lambda: onnxruntime(stream),
            "stream": lambda: _run_and_time(streaming, stream, images),
            "onnxruntime": lambda: onnxruntime(one),
            "one": lambda: _run_and_time(program, one, 1),
            "numpy": lambda: numpy(one),
            "interpret": lambda: program.run(one, mode="interpret"),
            "timing": lambda: program.time(1_000_000),
        },
        budget,
    )
    return Row(
        path.stem,
        len(iterations),
        sum(iterations),
        times.median("compile"),
        times.median("stream") / images,
        times.median("one"),
        times.median("interpret"),
        times.median("onnxruntime stream") / images,
        times.median("onnxruntime"),
        times.median("numpy"),
        times.median("timing"),
        times.ratio("stream", "onnxruntime stream"),
        times.ratio("one", "onnxruntime"),
        times.ratio("numpy", "onnxruntime"),
        footprint,
    )


def _run_and_time(program: cmc.api.Program, stream: Stream, images: int) -> None:
    """What a first run of a stream of this length does: later ones know how long it takes."""
    program.run(stream)
    program.time(images)


def core_iterations(report: Report) -> list[int]:
    """How often each core runs its body for one image."""
    return [sum(p.iterations for p in core.programs) for core in report.cores if core.rings]
