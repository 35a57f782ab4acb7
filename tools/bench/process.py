# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A process for one network: `python -m cmc.tools.bench.process MODEL.onnx`.

It compiles the network, runs one image, and prints its `Footprint` as JSON.
"""

import json
import resource
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter

import cmc.api
from cmc.dialects.cmctrl import ChipOp
from cmc.dialects.cmpipe import CrossbarOp, ObjectOp
from cmc.simulator import chip_of
from cmc.simulator.load import load
from cmc.streams import random_stream
from cmc.tools.bench.footprint import Footprint
from cmc.tools.command import run_tool


def measure(path: Path) -> Footprint:
    """Compile a network, and run one image: the first things that this process does."""
    imported = _peak()
    start = perf_counter()
    program = cmc.api.compile(path)
    seconds = perf_counter() - start
    compiled = _peak()
    program.run(random_stream(program.inputs, 1, 0))
    peak = _peak()
    chip = chip_of(program.module)
    return Footprint(seconds, imported, compiled, peak, _weights(chip), _activations(chip))


def _peak() -> int:
    """The most memory that this process has had, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _weights(chip: ChipOp) -> int:
    values = [op.value for op in chip.walk() if isinstance(op, CrossbarOp | ObjectOp)]
    return sum(value.array.nbytes for value in values if value is not None)


def _activations(chip: ChipOp) -> int:
    loaded = load(chip)
    sizes = {name: 4 * o.elements * o.vector for name, o in loaded.objects.items()}
    used = [{p.writes, *(read.object for read in p.reads)} for p in loaded.programs.values()]
    first = {name: at for at, names in reversed(list(enumerate(used))) for name in names}
    last = {name: at for at, names in enumerate(used) for name in names}
    return max(
        sum(sizes[name] for name in sizes if first[name] <= at <= last[name])
        for at in range(len(used))
    )


def _main(arguments: Sequence[str]) -> int:
    print(json.dumps(asdict(measure(Path(arguments[0])))))
    return 0


if __name__ == "__main__":
    sys.exit(run_tool(_main, None))
