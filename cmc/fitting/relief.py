# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Places with which no link carries more than it can, where those that cost least do not do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cmc.fitting.traffic import Sent, crossing
from cmc.targets import Target

_TRIALS = 1 << 9
"""How many exchanges are tried."""


def relieved(
    channels: Sequence[Sent],
    core: Mapping[str, int],
    places: Sequence[int],
    target: Target,
    allowed: int,
) -> list[int]:
    """Places where no link is taken for more than `allowed` cycles, or for fewer than before.

    Cores whose channels cross the busiest link exchange places with others as long as that helps.
    """
    places = list(places)
    assert target.cores is not None

    def excess(tried: Sequence[int]) -> tuple[int, int]:
        crossed = crossing(channels, core, tried, target)
        over = sum(max(0, cycles - allowed) for cycles in crossed.cycles.values())
        return over, crossed.hop_bytes

    least, trials = excess(places), 0
    while least[0] and trials < _TRIALS:
        crossed = crossing(channels, core, places, target)
        ends = [one.channel for one in crossed.channels[crossed.busiest[0]]]
        movable = {core[name]: None for c in ends for name in (c.writer, c.reader)}
        best: list[int] | None = None
        for one in movable:
            for place in range(target.cores):
                tried = [places[one] if p == place else p for p in places]
                tried[one] = place
                trials += 1
                if (found := excess(tried)) < least:
                    least, best = found, tried
        if best is None:
            break
        places = best
    return places
