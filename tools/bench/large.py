# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Three convolutions on images of 2048x2048 pixels: what depends on points, not on layers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cmc.errors import CmcError
from cmc.tools.bench.clock import Times, interleave
from cmc.tools.bench.footprint import Footprint
from cmc.tools.command import run_tool

if TYPE_CHECKING:
    import onnx

SIDE, CHANNELS, LAYERS = 2048, 8, 3


def convolutions(side: int) -> onnx.ModelProto:
    """3x3 convolutions, one after the other, padded by 1."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    names = ["x", *(f"c{layer}" for layer in range(1, LAYERS)), "y"]
    nodes = [
        helper.make_node("Conv", [a, "w"], [b], b, pads=[1, 1, 1, 1]) for a, b in pairwise(names)
    ]
    weights = np.random.default_rng(0).standard_normal((CHANNELS, CHANNELS, 3, 3), np.float32) / 8
    image, result = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, CHANNELS, side, side])
        for name in "xy"
    )
    graph = helper.make_graph(
        nodes, "convolutions", [image], [result], [numpy_helper.from_array(weights, "w")]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@dataclass(frozen=True)
class Large:
    """Seconds of each thing, each time with a chip that is loaded anew."""

    times: float
    proof: float
    values: float
    onnxruntime: float
    values_ratio: float
    """One image with its values, in units of onnxruntime's time."""
    footprint: Footprint

    def rows(self) -> list[tuple[str, float]]:
        return [
            ("times of one image, s", self.times),
            ("proof, s", self.proof),
            ("one image with its values, s", self.values),
            ("one image in onnxruntime, s", self.onnxruntime),
            ("peak memory, MB", self.footprint.peak / 1e6),
        ]


def measure_large(budget: float) -> Large:
    """All of it in a new process."""
    command = [sys.executable, "-m", "cmc.tools.bench.large", str(budget)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CmcError(done.stderr.strip().rpartition("\n")[2])
    numbers = json.loads(done.stdout)
    footprint = Footprint(**numbers.pop("footprint"))
    return Large(**numbers, footprint=footprint)


def measured(side: int, budget: float) -> Large:
    """In this process, which has done nothing else before."""
    from cmc.tools.bench.process import measure

    with TemporaryDirectory() as folder:
        path = Path(folder, "large.onnx")
        path.write_bytes(convolutions(side).SerializeToString())
        footprint = measure(path)
        times = _times(path, budget)
    return Large(
        times.median("times"),
        times.median("proof"),
        times.median("values"),
        times.median("onnxruntime"),
        times.ratio("values", "onnxruntime"),
        footprint,
    )


def _times(path: Path, budget: float) -> Times:
    from cmc.api import Program, compile, make_context
    from cmc.passes.cmctrl_verify_control import CmctrlVerifyControlPass
    from cmc.streams import random_stream
    from cmc.tools.bench.rivals import onnxruntime_runner

    program, context = compile(path), make_context()
    module, stream = program.module, random_stream(program.inputs, 1, 0)
    onnxruntime = onnxruntime_runner(path)
    things: dict[str, Callable[[], object]] = {
        "times": lambda: Program(module).time(1),
        "proof": lambda: CmctrlVerifyControlPass().apply(context, module),
        "values": lambda: Program(module).run(stream),
        "onnxruntime": lambda: onnxruntime(stream),
    }
    return interleave(things, budget)


def _main(arguments: Sequence[str]) -> int:
    print(json.dumps(asdict(measured(SIDE, float(arguments[0])))))
    return 0


if __name__ == "__main__":
    sys.exit(run_tool(_main, None))
