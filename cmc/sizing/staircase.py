# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Step functions of channels as counts: how many signals each step awaits, how far it reaches."""

from __future__ import annotations

import islpy as isl

from cmc.poly.counting import Iterations, counted
from cmc.poly.order import Order
from cmc.timing.flow import Steps


def staircase(
    steps: isl.Map, initial: isl.Set | None, signals: Iterations, driven: Iterations
) -> Steps:
    """The steps of a single-valued map from signals to the last that each of them allows."""
    start = 0 if initial is None else int(driven.reached(Order.of(initial).points)[-1])
    return Steps.of(*counted(steps, signals, driven), start)
