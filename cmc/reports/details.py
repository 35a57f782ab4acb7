"""What of a simulated chip is only for figures, and found when one asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cmc.poly.evaluate import Ints
from cmc.timing.waiting import LastWaits


@dataclass(frozen=True, eq=False)
class Details:
    """What a report does not hold."""

    waits: Callable[[str, Ints], LastWaits]
    """What iterations of a program, counted over its own images, waited for last."""
