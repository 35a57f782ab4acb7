# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

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


_CHIP = """
cmctrl.chip @copy {{
  cmpipe.object @a : memref<{count}xvector<1xf32>>
  cmpipe.object @b : memref<{count}xvector<1xf32>>
  cmctrl.gcu {{
    cmpipe.input @a_stream "x" @a #poly.map<"{{ [n, w] -> [w, 0] }}"> : tensor<1x{count}xf32>
    cmpipe.output "y" @b #poly.map<"{{ [n, w] -> [w, 0] }}"> : tensor<1x{count}xf32>
    cmctrl.credits @a from @a_stream to @s count 1
    cmctrl.program @a_stream {{ affine.for %w = 0 to {count} {{ cmctrl.start [%w] }} }}
  }}
  cmctrl.core @core0 {{
    cmpipe.stage @s in #poly.set<"{{ [w] : 0 <= w < {count} }}"> {{
      %v = cmpipe.read @a #poly.map<"{{ [w, c] -> [w, c] }}"> : vector<1xf32>
      cmpipe.write %v, @b #poly.map<"{{ [w] -> [w] }}"> : vector<1xf32>
    }}
    cmctrl.ring @a from @a_stream to @s at 0 slots 1
    cmctrl.machine ready @a from @a_stream to @s {{ {ready} }}
    cmctrl.machine free @a from @a_stream to @s {{ {free} }}
    cmctrl.program @s {{ affine.for %w = 0 to {count} {{ cmctrl.start [%w] }} }}
  }}
}}
"""
"""A core that passes vectors on, with its machines left open."""


def _prove(ready: str, free: str, count: int) -> None:
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.parser import Parser

    from cmc.api import make_context
    from cmc.dialects.cmctrl import ChipOp
    from cmc.proof.chip import prove

    text = _CHIP.format(ready=ready, free=free, count=count)
    module: ModuleOp = Parser(make_context(), text).parse_module()
    module.verify()
    for chip in module.ops:
        assert isinstance(chip, ChipOp)
        prove(chip)


def _prove_written_out() -> None:
    ready = "\n".join(f"cmctrl.await [{i}]\ncmctrl.enable [{i}]" for i in range(800))
    _prove(ready, ready.replace("enable", "release"), 800)


def _refuse_awaits() -> None:
    again = "affine.for %i = 0 to 1000000000 {{ cmctrl.await [0] }} cmctrl.{} [0]"
    _refused(lambda: _prove(again.format("enable"), again.format("release"), 1))


def _refuse_pads() -> None:
    from onnx import helper

    import cmc

    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], pads=[1 << 30, 0, 0, 0])
    image = helper.make_tensor_value_info("x", 1, [1, 1, 8, 8])
    result = helper.make_tensor_value_info("y", 1, None)
    graph = helper.make_graph([node], "pads", [image], [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    _refused(lambda: cmc.compile(model))


def _refused(run: Callable[[], object]) -> None:
    try:
        run()
    except CmcError:
        return
    raise CmcError("it was not refused")


def _save_wide() -> None:
    import numpy as np
    from onnx import helper, numpy_helper

    import cmc

    weights = np.random.default_rng(0).standard_normal((3000, 3000, 1, 1)).astype(np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    image = helper.make_tensor_value_info("x", 1, [1, 3000, 2, 2])
    result = helper.make_tensor_value_info("y", 1, None)
    graph = helper.make_graph(
        [node], "wide", [image], [result], [numpy_helper.from_array(weights, "w")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    cmc.compile(model).save(os.devnull)


def _in_copies() -> None:
    import cmc
    from cmc.tools.bench.networks import choose_networks

    (network,) = choose_networks(["light_resnet50"]).values()
    cmc.compile(network, target="pimcomp").time(4)


def _place(cores: int) -> None:
    """Cores of a network with branches: each sends to the next one, and to some further ones."""
    from random import Random

    import numpy as np

    from cmc.fitting.places import placed
    from cmc.fitting.traffic import hops_of
    from cmc.targets import Target

    random, traffic = Random(0), np.zeros((cores, cores), np.int64)
    for core in range(cores):
        for other in (core + step for step in (1, 2, 3, 5, 8) if core + step < cores):
            if other == core + 1 or random.random() < 0.5:
                traffic[core, other] = random.randint(1, 100_000)
    found = placed(traffic, hops_of(Target(cores=144, topology="mesh", grid=(12, 12))))
    assert 0 < found.bound <= found.cost
    print(f"{cores} cores on 144 places: gap {found.cost / found.bound - 1:.1%}")


SCENARIOS = (
    Scenario(f"convolutions on {SIDE}x{SIDE}: compiled, timed", _time_large, 3, 500),
    Scenario("two parts that never meet: 10,000 images timed", _time_apart, 3, 200),
    Scenario("1,500 elementwise operators in a chain: compiled, timed", _chain, 10, 500),
    Scenario("machines written out as 800 steps: proved", _prove_written_out, 5, 500),
    Scenario("10^9 awaits of one element: refused", _refuse_awaits, 5, 500),
    Scenario("pads of 2^30: refused", _refuse_pads, 5, 500),
    Scenario("3,000 x 3,000 weights: written to a device", _save_wide, 30, 1000),
    Scenario("60 cores placed on a mesh of 144, with the gap", lambda: _place(60), 10, 500),
    Scenario("140 cores placed on a mesh of 144, with the gap", lambda: _place(140), 60, 500),
    Scenario("light_resnet50 in copies on pimcomp: compiled, timed", _in_copies, 30, 4000),
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
