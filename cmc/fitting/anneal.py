# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Stages change cores at random, the less likely the more is sent for it: a compiled loop."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cmc.compiled import kept
from cmc.poly.evaluate import Ints


class Stages(NamedTuple):
    """What stages need, and what they exchange with each other."""

    sizes: Ints
    """`[stages, resources]`"""
    partner_of: Ints
    """Of each stage the places in `partner` and `much` are from here to the next one's."""
    partner: Ints
    much: Ints


@kept
def annealed(
    stages: Stages, room: Ints, cores: int, of: Ints, steps: int, seed: int, hot: float, cold: float
) -> Ints:
    """The cores of stages with the least sent between cores that was seen in so many steps.

    `of` has a core for each stage to begin with. What a change may lose falls from `hot` to `cold`.
    """
    np.random.seed(seed)
    sizes, partner_of, partner, much = stages
    count, resources = len(sizes), len(room)
    of = of.copy()
    free = np.empty((cores, resources), np.int64)
    near = np.zeros((count, cores), np.int64)
    # The stages of each core, from its place on as many as there are, and where each stage is.
    members, held = np.empty((cores, count), np.int64), np.zeros(cores, np.int64)
    place = np.empty(count, np.int64)
    for core in range(cores):
        free[core] = room
    inside = 0
    for stage in range(count):
        core = of[stage]
        free[core] -= sizes[stage]
        members[core, held[core]] = stage
        place[stage] = held[core]
        held[core] += 1
        for i in range(partner_of[stage], partner_of[stage + 1]):
            near[stage, of[partner[i]]] += much[i]
        inside += near[stage, core]
    inside //= 2
    best, most = of.copy(), inside
    heat, cooling = hot, (cold / hot) ** (1.0 / steps)
    for _ in range(steps):
        heat *= cooling
        stage = np.random.randint(count)
        first, last = partner_of[stage], partner_of[stage + 1]
        if first == last:
            continue
        here, there = of[stage], of[partner[np.random.randint(first, last)]]
        if here == there:
            continue
        # One of those there is exchanged for the stage, or none.
        number = np.random.randint(held[there] + 1)
        other = members[there, number] if number < held[there] else -1
        gain = near[stage, there] - near[stage, here]
        if other >= 0:
            gain += near[other, here] - near[other, there]
            for i in range(first, last):
                if partner[i] == other:
                    gain -= 2 * much[i]
        if gain < 0 and np.random.random() >= np.exp(gain / heat):
            continue
        fits = True
        for resource in range(resources):
            change = sizes[stage, resource] - (sizes[other, resource] if other >= 0 else 0)
            if change > free[there, resource] or -change > free[here, resource]:
                fits = False
                break
        if not fits:
            continue
        for turn in range(2 if other >= 0 else 1):
            moved = stage if turn == 0 else other
            source, to = (here, there) if turn == 0 else (there, here)
            held[source] -= 1
            last_one = members[source, held[source]]
            members[source, place[moved]] = last_one
            place[last_one] = place[moved]
            members[to, held[to]] = moved
            place[moved] = held[to]
            held[to] += 1
            of[moved] = to
            free[source] += sizes[moved]
            free[to] -= sizes[moved]
            for i in range(partner_of[moved], partner_of[moved + 1]):
                near[partner[i], source] -= much[i]
                near[partner[i], to] += much[i]
        inside += gain
        if inside > most:
            most = inside
            best[:] = of
    return best


class Cores(NamedTuple):
    """What cores exchange with each other."""

    partner_of: Ints
    """Of each core the places in `partner` and `much` are from here to the next one's."""
    partner: Ints
    much: Ints
    busy: Ints
    """Those that exchange something."""


@kept
def annealed_places(
    cores: Cores,
    hops: Ints,
    near: Ints,
    places: Ints,
    steps: int,
    seed: int,
    hot: float,
    cold: float,
) -> Ints:
    """The places of cores that cost least of those that were seen in so many steps.

    There are as many cores as places, and `places` has one for each to begin with. `near` has some
    places near each place.
    """
    np.random.seed(seed)
    partner_of, partner, much, busy = cores
    count = len(hops)
    places, at = places.copy(), np.empty(count, np.int64)
    for core in range(count):
        at[places[core]] = core
    gained, most, best = 0, 0, places.copy()
    heat, cooling = hot, (cold / hot) ** (1.0 / steps)
    for _ in range(steps):
        heat *= cooling
        one = busy[np.random.randint(len(busy))]
        here, there = places[one], np.random.randint(count)
        if np.random.random() < 0.5:
            # Near one that it exchanges something with.
            end = places[partner[np.random.randint(partner_of[one], partner_of[one + 1])]]
            there = near[end, np.random.randint(near.shape[1])]
        if here == there:
            continue
        other = at[there]
        gain = 0
        for i in range(partner_of[one], partner_of[one + 1]):
            if partner[i] != other:
                end = places[partner[i]]
                gain += much[i] * (hops[here, end] - hops[there, end])
        for i in range(partner_of[other], partner_of[other + 1]):
            if partner[i] != one:
                end = places[partner[i]]
                gain += much[i] * (hops[there, end] - hops[here, end])
        if gain < 0 and np.random.random() >= np.exp(gain / heat):
            continue
        places[one], places[other] = there, here
        at[here], at[there] = other, one
        gained += gain
        if gained > most:
            most = gained
            best[:] = places
    return best
