# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Where the time of a compilation goes, and how it grows with images and layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import process_time

import numpy as np
import onnx

from cmc.api import make_context
from cmc.compiler.pass_list import parse_passes
from cmc.compiler.standard import BufferPolicy, standard_pipeline
from cmc.importer import import_model
from cmc.passes import get_all_passes
from cmc.tools.bench.residual import residual_network
from cmc.tools.bench.table import Cell

SIZING = "cmpipe-size-buffers"
CONTROL = ("cmpipe-derive-control", "convert-cmpipe-to-cmctrl")
"""The passes that generate control."""

SIDES = (16, 32, 64, 128, 256)
LAYERS = (2, 4, 8, 16, 32, 64)

RUNS = 3


def time_passes(model: onnx.ModelProto, buffers: BufferPolicy = "throughput") -> dict[str, float]:
    """Seconds of the import and of each pass, the least of some runs.

    They are a processor's seconds: what else runs on the machine has no part in them.
    """
    context = make_context()
    passes = parse_passes(get_all_passes(), ",".join(standard_pipeline(buffers)))
    runs: list[dict[str, float]] = []
    for _ in range(RUNS):
        start = process_time()
        module = import_model(model)
        seconds = {"import": process_time() - start}
        for one in passes:
            start = process_time()
            one.apply(context, module)
            seconds[one.name] = process_time() - start
        runs.append(seconds)
    return {name: min(run[name] for run in runs) for name in runs[0]}


def control_ratio(small: int = 32, large: int = 512) -> float:
    """How many times longer control of a residual network takes to generate on larger images."""
    seconds = [
        sum(time_passes(residual_network(side, [2, 2, 2]), "minimal")[name] for name in CONTROL)
        for side in (small, large)
    ]
    return seconds[1] / seconds[0]


@dataclass(frozen=True)
class Scaling:
    """Seconds of each pass, and of some together, by size."""

    what: str
    sizes: Sequence[int]
    seconds: Mapping[str, Sequence[float]]

    @property
    def exponents(self) -> dict[str, float]:
        """The exponent of the power of the size that each grows with, by least squares."""
        sizes = np.log(self.sizes)
        return {
            name: float(np.polyfit(sizes, np.log(seconds), 1)[0])
            for name, seconds in self.seconds.items()
        }

    @property
    def title(self) -> str:
        return f"Compilation by {self.what}"

    def table(self) -> tuple[list[str], list[list[Cell]]]:
        """A row for each pass, in milliseconds."""
        exponents = self.exponents
        rows: list[list[Cell]] = [
            [name, *(1e3 * s for s in seconds), f"{exponents[name]:.2f}"]
            for name, seconds in self.seconds.items()
        ]
        return ["ms", *map(str, self.sizes), "exponent"], rows


def scale_images() -> Scaling:
    """Two residual pairs on images of different sides."""
    return _scale("image side", SIDES, [residual_network(side, [2]) for side in SIDES])


def scale_layers() -> Scaling:
    """Residual pairs, of two convolutions each, on images of 32 by 32 pixels."""
    return _scale("layers", LAYERS, [residual_network(32, [layers // 2]) for layers in LAYERS])


def _scale(what: str, sizes: Sequence[int], models: Sequence[onnx.ModelProto]) -> Scaling:
    measured = [time_passes(model) for model in models]
    seconds = {name: [m[name] for m in measured] for name in measured[0]}
    seconds["control"] = [sum(m[name] for name in CONTROL) for m in measured]
    seconds["all but sizing"] = [sum(m.values()) - m[SIZING] for m in measured]
    seconds["all"] = [sum(m.values()) for m in measured]
    return Scaling(what, sizes, seconds)
