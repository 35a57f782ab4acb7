# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Cores to places: so that what they send each other goes over few links.

This is the quadratic assignment problem. An answer is there at once: cores one after the other,
those that exchange most with cores that have a place first, each to the best place that is free.
Then cores exchange places at random, if they gain by it, and sometimes if they lose, less and less
so: simulated annealing.
For few cores a solver looks for a better answer, and proves that there is none.

No placement is cheaper than the bound of Gilmore and Lawler: a core at a place has at the least the
cost that it has when those that it exchanges most with are the nearest to it, and cores and places
are matched so that the sum of these costs is the least. Half of that, as all is counted at both
ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cmc.poly.evaluate import Ints

MORE = 1 << 20
"""A number of hops for places between which there is no way: more than any way has."""

STEPS = 1 << 14
"""How many exchanges are tried for each place of the chip, ..."""

MOST_STEPS = 1 << 21
"""... and how many in all."""

NEAR = 8
"""So many places are near one."""

HOT, COLD = 0.6, 0.03
"""By what part of a core's average cost an exchange may lose, at first and in the end."""

TERMS = 1 << 18
"""How large a model the solver is given for each second that it has."""


@dataclass(frozen=True)
class Placement:
    """Places of cores, what they cost, and what any places cost at the least."""

    places: Sequence[int]
    """Of each core."""
    cost: int
    bound: int


def placed(traffic: Ints, hops: Ints, *, seed: int = 0, time_limit: float = 0) -> Placement:
    """Cores on places, each on one of its own, so that the sum of traffic times hops is small.

    `traffic` is what cores send each other, `[cores, cores]`. `hops` is from place to place, of
    which there are as many as cores or more, `[places, places]`: the same in both directions, and
    `MORE` where there is no way. With the same seed the answer is the same. The solver has
    `time_limit` seconds, as it counts them: they depend on what it does, not on the machine.
    """
    places = _searched(_exchanged(traffic, len(hops)), hops, seed)
    places = places[: len(traffic)]
    cost, bound = cost_of(traffic, hops, places), lower_bound(traffic, hops)
    pairs = np.count_nonzero(np.triu(traffic + traffic.T, 1))
    if bound < cost and pairs * len(hops) ** 2 <= TERMS * time_limit:
        # What is imported takes a while.
        from cmc.fitting.places_solver import solved

        places, bound = solved(traffic, hops, places, bound, seed, time_limit)
        cost = cost_of(traffic, hops, places)
    return Placement(places.tolist(), cost, bound)


def cost_of(traffic: Ints, hops: Ints, places: Sequence[int] | Ints) -> int:
    """Traffic times hops, with cores on such places."""
    at = np.array(places, np.int64)
    return int((traffic * hops[at[:, None], at]).sum())


def lower_bound(traffic: Ints, hops: Ints) -> int:
    """What any placement costs at the least."""
    count = len(hops)
    exchanged = _exchanged(traffic, count)
    # Without what a core or a place has with itself: that is no traffic, over no way.
    most = -np.sort(-exchanged, axis=1)[:, : count - 1]
    nearest = np.sort(hops, axis=1)[:, 1:]
    return -(-_matched(most @ nearest.T) // 2)


def _exchanged(traffic: Ints, count: int) -> Ints:
    """What each pair of cores exchanges in both directions, with idle cores up to so many."""
    whole = np.zeros((count, count), np.int64)
    whole[: len(traffic), : len(traffic)] = traffic + traffic.T
    np.fill_diagonal(whole, 0)
    return whole


class _Solver(Protocol):
    """What has no types of its own."""

    def solve(self) -> object: ...


def _solve(solver: _Solver) -> None:
    solver.solve()


def _matched(costs: Ints) -> int:
    """The least sum of costs `[n, n]`, one in each row and in each column; or somewhat less."""
    from ortools.graph.python.linear_sum_assignment import SimpleLinearSumAssignment

    # The solver multiplies costs by their number, in words. What is rounded is rounded down.
    unit = int(costs.max(initial=0)) * (len(costs) + 1) // (1 << 60) + 1
    assignment = SimpleLinearSumAssignment()
    for row, line in enumerate((costs // unit).tolist()):
        for column, cost in enumerate(line):
            assignment.add_arc_with_cost(row, column, cost)
    _solve(assignment)
    return assignment.optimal_cost() * unit


def _searched(exchanged: Ints, hops: Ints, seed: int) -> Ints:
    """Places for cores, of which there are as many: the best that a number of steps come to."""
    places = _greedy(exchanged, hops)
    busy = np.flatnonzero(exchanged.any(axis=1))
    if not len(busy):
        return places
    # What is compiled takes a while to load.
    from cmc.fitting.anneal import Cores, annealed_places

    ends, others = exchanged.nonzero()
    first = np.searchsorted(ends, np.arange(len(hops) + 1))
    cores = Cores(first, others, exchanged[ends, others], busy)
    scale = (exchanged * np.minimum(hops, len(hops))[places[:, None], places]).sum() / 2 / len(busy)
    near = np.argsort(hops, axis=1, kind="stable")[:, 1 : 1 + NEAR]
    steps = min(STEPS * len(hops), MOST_STEPS)
    return _settled(
        exchanged,
        hops,
        annealed_places(cores, hops, near, places, steps, seed, scale * HOT, scale * COLD),
    )


def _settled(exchanged: Ints, hops: Ints, places: Ints) -> Ints:
    """The places after exchanges of which each is the best one, until none gains anything."""
    places = places.copy()
    while True:
        way = hops[places[:, None], places]
        product = exchanged @ way
        own = np.diagonal(product)
        gains = product + product.T - own[:, None] - own[None, :] + 2 * exchanged * way
        one, other = divmod(int(gains.argmin()), len(places))
        if gains[one, other] >= 0:
            return places
        places[[one, other]] = places[[other, one]]


def _greedy(exchanged: Ints, hops: Ints) -> Ints:
    """A place for each core: who exchanges most with those that have one comes next."""
    count = len(hops)
    left, free = np.ones(count, bool), np.ones(count, bool)
    places, weight = np.zeros(count, np.int64), np.zeros(count, np.int64)
    costs = np.zeros((count, count), np.int64)
    total, far = exchanged.sum(axis=1), hops.sum(axis=1)
    for _ in range(count):
        core = int(np.lexsort((-total, -weight, ~left))[0])
        place = int(np.lexsort((far, costs[core], ~free))[0])
        places[core], left[core], free[place] = place, False, False
        weight += exchanged[core]
        costs += np.outer(exchanged[core], hops[place])
    return places
