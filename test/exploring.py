# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What processes of tests of `cmc explore` import: little, as each one does so anew."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from cmc.explore.outcome import Outcome
from cmc.explore.point import Point


class Killer:
    """Ends its process for some designs: always, or the first time."""

    def __call__(self, point: Point) -> Outcome:
        once = Path(point.network)
        if point.target == "always" or (point.target == "once" and not once.exists()):
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return Outcome({"number": point.images}, None)
