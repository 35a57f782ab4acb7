# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What comes of a design; whoever waits for it needs nothing of what compiles."""

from __future__ import annotations

from dataclasses import dataclass

from cmc.explore.objectives import Figures


@dataclass(frozen=True)
class Outcome:
    """What came of a design: figures, or a reason why there are none."""

    figures: Figures | None
    reason: str | None
    seconds: float = 0
