"""What large inputs cost a whole process: its seconds, and the most memory that it ever has."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

from cmc.errors import CmcError
from cmc.tools.bench.large import SIDE, convolutions
from cmc.tools.bench.table import Cell
from cmc.tools.command import run_tool

HEAD = ("what", "s", "at most", "MB", "at most")


@dataclass(frozen=True)
class Scenario:
    """Something large, and what it may cost: seconds, and megabytes."""

    what: str
    run: Callable[[], object]
    seconds: float
    megabytes: float


@dataclass(frozen=True)
class Cost:
    """What a scenario took."""

    what: str
    seconds: float
    most_seconds: float
    megabytes: float
    most_megabytes: float

    def cells(self) -> list[Cell]:
        """A row under `HEAD`."""
        return [
            self.what, self.seconds, self.most_seconds, self.megabytes, self.most_megabytes
        ]  # fmt: skip


def _time_large() -> None:
    import cmc

    cmc.compile(convolutions(SIDE)).time(1)


def _time_apart() -> None:
    from onnx import helper

    import cmc

    model = convolutions(12)
    graph = model.graph
    graph.node.append(helper.make_node("Relu", ["a"], ["b"]))
    for shape, name, tensors in (
        ([1, 3, 5, 4], "a", graph.input),
        ([1, 3, 5, 4], "b", graph.output),
    ):
        tensors.append(helper.make_tensor_value_info(name, 1, shape))
    cmc.compile(model).time(10_000)


def _chain() -> None:
    from itertools import pairwise

    from onnx import helper

    import cmc

    names = ["x", *(f"a{number}" for number in range(1500))]
    nodes = [
        helper.make_node(("Sigmoid", "Tanh")[number % 2], [a], [b])
        for number, (a, b) in enumerate(pairwise(names))
    ]
    image, result = (
        helper.make_tensor_value_info(name, 1, [1, 4, 4, 4]) for name in (names[0], names[-1])
    )
    model = helper.make_model(
        helper.make_graph(nodes, "chain", [image], [result]),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    cmc.compile(model).time(1)


SCENARIOS = (
    Scenario(f"convolutions on {SIDE}x{SIDE}: compiled, proved, timed", _time_large, 3, 500),
    Scenario("two parts that never meet: 10,000 images timed", _time_apart, 3, 200),
    Scenario("1,500 elementwise operators in a chain: compiled, timed", _chain, 10, 500),
)
"""Each in a process of its own."""


def measure_scale() -> Iterator[Cost]:
    """Run every scenario. This process is to be small: Linux counts its memory as a child's."""
    for number, scenario in enumerate(SCENARIOS):
        start = perf_counter()
        command = [sys.executable, "-m", "cmc.tools.bench.scale", str(number)]
        process = subprocess.Popen(command)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if status:
            raise CmcError(f"{scenario.what}: exit code {process.returncode}")
        yield Cost(
            scenario.what,
            perf_counter() - start,
            scenario.seconds,
            usage.ru_maxrss / 1e3,
            scenario.megabytes,
        )


def _run(arguments: Sequence[str]) -> int:
    SCENARIOS[int(arguments[0])].run()
    return 0


if __name__ == "__main__":
    sys.exit(run_tool(_run, None))
