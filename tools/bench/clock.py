# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Time several things side by side, so that what else the machine does hits all of them."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter, sleep

MOST = 30
"""Runs of one thing."""

PAUSE = 0.06
"""Seconds before each run: onnxruntime's threads keep spinning for 50 ms after theirs."""


@dataclass(frozen=True)
class Times:
    """Seconds of the runs of several things, round by round."""

    rounds: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        """Seconds that a run takes."""
        return statistics.median(self.rounds[name])

    def ratio(self, name: str, to: str) -> float:
        """How many times longer than another thing one takes in the same round."""
        pairs = zip(self.rounds[name], self.rounds[to], strict=False)
        return statistics.median(a / b for a, b in pairs)


def interleave(
    things: Mapping[str, Callable[[], object]],
    budget: float,
    clock: Callable[[], float] = perf_counter,
) -> Times:
    """Run `things` in turn, each again and again for as long as it stays within `budget` seconds.

    A first run is not counted, unless it is the only one that there is time for.
    """
    rounds = {name: [_time(thing, clock)] for name, thing in things.items()}
    going = {name: thing for name, thing in things.items() if rounds[name][0] < budget}
    for name in going:
        rounds[name].clear()
    while going:
        for name, thing in list(going.items()):
            sleep(PAUSE)
            times = rounds[name]
            times.append(_time(thing, clock))
            if len(times) == MOST or sum(times) + times[-1] > budget:
                del going[name]
    return Times(rounds)


def _time(thing: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    thing()
    return clock() - start
