# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What is asked of the accuracy of designs, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FIGURES = tuple(
    f"accuracy.{name}" for name in ("top1", "top1_deviation", "top5", "float_top1", "scores_snr_db")
)
"""Of each design: means over chips, and what they differ by; of the network in float."""


@dataclass(frozen=True)
class Asked:
    """What is asked of the accuracy of designs."""

    inputs: str
    """A file, as `cmc accuracy --inputs` takes it."""
    labels: str
    """A file."""
    time: float = 0.0
    """In seconds after programming."""
    trials: int = 10
    images: int | None = None
    """As many as there are, if it is None."""
    output: str | None = None

    @property
    def flags(self) -> Sequence[str]:
        """As `cmc accuracy` takes it."""
        flags = ["--inputs", self.inputs, "--labels", self.labels, "--times", f"{self.time:g}"]
        flags += ["--trials", str(self.trials)]
        flags += [] if self.images is None else ["--images", str(self.images)]
        return flags if self.output is None else [*flags, "--output", self.output]
