# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a network takes by itself, asked of a new process."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from cmc.errors import CmcError


@dataclass(frozen=True)
class Footprint:
    """One compilation and one image; memory in bytes."""

    compile: float
    """Seconds of the first compilation in a process."""
    imported: int
    """The most memory before it, with all modules loaded."""
    compiled: int
    """The most memory until the network was compiled."""
    peak: int
    """The most memory until one image was through."""
    weights: int
    activations: int
    """The most that the objects of an image come to which are written, and still to be read."""

    @property
    def ratio(self) -> float:
        """The peak, in units of weights and activations."""
        return self.peak / (self.weights + self.activations)


def measure_footprint(path: Path) -> Footprint:
    """Compile and run a network in a new process. CmcError with what it said if it fails.

    Linux counts as a process's memory what its parent had when it was started: this one is to be
    small still.
    """
    command = [sys.executable, "-m", "cmc.tools.bench.process", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CmcError(done.stderr.strip().rpartition("\n")[2])
    return Footprint(**json.loads(done.stdout))
