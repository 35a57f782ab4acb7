# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How long the tools take to start."""

import resource
import statistics
import subprocess
import sys

RUNS = 5

_TOOLS: dict[str, list[str]] = {
    "cmc-opt --help": ["cmc.tools.cmc_opt", "--help"],
    "cmc-opt -p nn-canonicalize": ["cmc.tools.cmc_opt", "-p", "nn-canonicalize"],
    "cmc --help": ["cmc.tools.cmc", "--help"],
}

_PROGRAM = b"""func.func @f(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %y = nn.relu %x : tensor<1x4xf32>
  func.return %y : tensor<1x4xf32>
}
"""


def startup_times() -> dict[str, float]:
    """A processor's seconds from start to end, by what a process was told to do."""
    rounds = [{name: _time(arguments) for name, arguments in _TOOLS.items()} for _ in range(RUNS)]
    return {name: statistics.median(seconds[name] for seconds in rounds) for name in _TOOLS}


def _time(arguments: list[str]) -> float:
    start = _children_seconds()
    command = [sys.executable, "-m", *arguments]
    subprocess.run(command, input=_PROGRAM, stdout=subprocess.DEVNULL, check=True)
    return _children_seconds() - start


def _children_seconds() -> float:
    """What all processes that this one has waited for took of the processors."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
