# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Stages change cores at random, the less likely the more that costs: compiled loops."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cmc.compiled import kept
from cmc.fitting.turns import Rounds
from cmc.poly.evaluate import Ints

HOT_LOADS, COLD_LOADS = 1.0, 0.01
"""What a change of loads may lose at first and in the end, in parts of what an even core costs."""


class Stages(NamedTuple):
    """What stages need, and what they exchange with each other."""

    sizes: Ints
    """`[stages, resources]`"""
    partner_of: Ints
    """Of each stage the places in `partner` and `much` are from here to the next one's."""
    partner: Ints
    much: Ints


@kept
def _delay(length: float, port: float, first: float) -> float:
    """How long an iteration that comes at any moment of another one keeps the next from beginning.

    It takes a unit for `length`, which the other one has `first`, before it is through after `port`
    cycles. All moments are alike.
    """
    late = max(first, port - length)
    delay = first * max(0.0, first + length - port)
    if late < port:
        delay += (length**2 - (late + length - port) ** 2) / 2
    return delay / port


@kept
def _held_each(rounds: Rounds, members: Ints, count: int, each: NDArray[np.float64]) -> None:
    """For how long an iteration of each of the first `count` stages keeps others from beginning.

    `each` is filled. One that does not take the unit that most do is done while these are at work.
    """
    units = rounds.takes.shape[1]
    work = np.zeros(units)
    for number in range(count):
        stage: int = members[number]
        each[number] = rounds.held[stage] / rounds.iterations[stage]
        work[rounds.longest[stage]] += rounds.held[stage]
    main = int(work.argmax())
    if work[main] == work.sum():
        return
    for number in range(count):
        stage = members[number]
        unit: int = rounds.longest[stage]
        length: float = rounds.takes[stage, unit]
        if unit == main or rounds.takes[stage, main] or each[number] > length:
            continue
        # Others of its kind may have the unit when it comes.
        for place in range(count):
            other: int = members[place]
            if other != stage and rounds.longest[other] == unit:
                taken: float = rounds.takes[other, unit]
                length += min(1.0, rounds.held[other] / work[main]) * taken / 2
        delay, turns = 0.0, 0
        for place in range(count):
            other = members[place]
            if rounds.longest[other] == main:
                port, first = rounds.takes[other, main], rounds.takes[other, unit]
                delay += rounds.iterations[other] * _delay(length, port, first)
                turns += rounds.iterations[other]
        each[number] = delay / turns


@kept
def _through(rounds: Rounds, members: Ints, count: int) -> float:
    """After how many cycles of turns the first `count` of the stages are through with an image.

    These are put in order, those with the fewest iterations first.
    """
    held = np.empty(count)
    _held_each(rounds, members, count, held)
    round_ = 0.0
    for number in range(count):
        stage: int = members[number]
        each: float = held[number]
        round_ += each
        place = number
        while place and rounds.iterations[members[place - 1]] > rounds.iterations[stage]:
            members[place], held[place] = members[place - 1], held[place - 1]
            place -= 1
        members[place], held[place] = stage, each
    total, done = 0.0, 0
    for number in range(count):
        stage = members[number]
        iterations: int = rounds.iterations[stage]
        if iterations > done:
            slowest = round_
            for place in range(number, count):
                other: int = members[place]
                pace: float = rounds.pace[other] / rounds.iterations[other]
                slowest = max(slowest, pace)
            total += (iterations - done) * slowest
            done = iterations
        round_ -= held[number]
    for unit in range(rounds.takes.shape[1]):
        taken = 0.0
        for number in range(count):
            stage = members[number]
            taken += rounds.iterations[stage] * rounds.takes[stage, unit]
        total = max(total, taken)
    return total


@kept
def _changed(rounds: Rounds, members: Ints, count: int, gone: int, new: int, room: Ints) -> float:
    """The same for a core's stages without one of them, and with another one; -1 is none."""
    number = 0
    for place in range(count):
        if members[place] != gone:
            room[number] = members[place]
            number += 1
    if new >= 0:
        room[number] = new
        number += 1
    return _through(rounds, room, number)


@kept
def through(rounds: Rounds, of: Ints) -> float:
    """After how many cycles of turns all cores are through with an image, by each stage's core."""
    count = len(of)
    most, members = 0.0, np.empty(count, np.int64)
    for core in range(of.max() + 1):
        number = 0
        for stage in range(count):
            if of[stage] == core:
                members[number] = stage
                number += 1
        most = max(most, _through(rounds, members, number))
    return most


@kept
def _seated(of: Ints, members: Ints, held: Ints, place: Ints) -> None:
    """Put each stage among the members of its core: `held` counts them, `place` is where it is."""
    for stage in range(len(of)):
        core = of[stage]
        members[core, held[core]] = stage
        place[stage] = held[core]
        held[core] += 1


@kept
def _move(stage: int, to: int, of: Ints, members: Ints, held: Ints, place: Ints) -> None:
    """Take a stage from its core, where the last member takes its place, to another one."""
    source = of[stage]
    held[source] -= 1
    last = members[source, held[source]]
    members[source, place[stage]] = last
    place[last] = place[stage]
    members[to, held[to]] = stage
    place[stage] = held[to]
    held[to] += 1
    of[stage] = to


@kept
def annealed(
    stages: Stages,
    rounds: Rounds,
    room: Ints,
    limit: float,
    cores: int,
    of: Ints,
    steps: int,
    seed: int,
    hot: float,
    cold: float,
) -> Ints:
    """The cores of stages with the least sent between cores that was seen in so many steps.

    `of` has a core for each stage to begin with. No core takes longer than `limit` for its turns.
    What a change may lose falls from `hot` to `cold`.
    """
    np.random.seed(seed)
    sizes, partner_of, partner, much = stages
    count, resources = len(sizes), len(room)
    of = of.copy()
    free = np.empty((cores, resources), np.int64)
    near = np.zeros((count, cores), np.int64)
    # The stages of each core, from its place on as many as there are, and where each stage is.
    members, held = np.empty((cores, count), np.int64), np.zeros(cores, np.int64)
    place, room_ = np.empty((2, count), np.int64)
    _seated(of, members, held, place)
    for core in range(cores):
        free[core] = room
    inside = 0
    for stage in range(count):
        core = of[stage]
        free[core] -= sizes[stage]
        for i in range(partner_of[stage], partner_of[stage + 1]):
            near[stage, of[partner[i]]] += much[i]
        inside += near[stage, core]
    inside //= 2
    best, most = of.copy(), inside
    heat, cooling = hot, (cold / hot) ** (1.0 / steps)
    for _ in range(steps):
        heat *= cooling
        stage = np.random.randint(count)
        first: int = partner_of[stage]
        last: int = partner_of[stage + 1]
        if first == last:
            continue
        here: int = of[stage]
        drawn: int = np.random.randint(first, last)
        near_one: int = partner[drawn]
        there: int = of[near_one]
        if here == there:
            continue
        # One of those there is exchanged for the stage, or none.
        count_here: int = held[here]
        count_there: int = held[there]
        number = np.random.randint(count_there + 1)
        other: int = -1
        if number < count_there:
            other = members[there, number]
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
        if _changed(rounds, members[there], count_there, other, stage, room_) > limit:
            continue
        if _changed(rounds, members[here], count_here, stage, other, room_) > limit:
            continue
        for turn in range(2 if other >= 0 else 1):
            moved = stage if turn == 0 else other
            source, to = (here, there) if turn == 0 else (there, here)
            _move(moved, to, of, members, held, place)
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


@kept
def _cost(time: float, even: float) -> float:
    """What a core costs that takes so long, where an even one takes as long as that."""
    return (time / even) ** 16


@kept
def annealed_loads(
    sizes: Ints, rounds: Rounds, hard: Ints, cores: int, of: Ints, steps: int, seed: int
) -> Ints:
    """The cores of stages that are through soonest that were seen in so many steps.

    `sizes`, `[stages, resources]`, is what stages need of what a core has no more of than in
    `hard`. `of` has a core for each stage to begin with. A core costs the 16th power of how long
    it takes for its turns, in parts of what all of them would with as much to do.
    """
    np.random.seed(seed)
    count, resources = len(sizes), len(hard)
    of = of.copy()
    used = np.zeros((cores, resources), np.int64)
    members, held = np.empty((cores, count), np.int64), np.zeros(cores, np.int64)
    place, room = np.empty((2, count), np.int64)
    for stage in range(count):
        used[of[stage]] += sizes[stage]
    _seated(of, members, held, place)
    even = max(1.0, rounds.held.sum() / cores)
    costs = np.zeros(cores)
    for core in range(cores):
        time: float = _changed(rounds, members[core], held[core], -1, -1, room)
        costs[core] = _cost(time, even)
    gained, most, best = 0.0, 0.0, of.copy()
    heat, cooling = HOT_LOADS, (COLD_LOADS / HOT_LOADS) ** (1.0 / steps)
    for _ in range(steps):
        heat *= cooling
        stage, there = np.random.randint(count), np.random.randint(cores)
        here: int = of[stage]
        if here == there:
            continue
        # One of those there is exchanged for the stage, or none.
        count_here: int = held[here]
        count_there: int = held[there]
        number = np.random.randint(count_there + 1)
        other: int = -1
        if number < count_there:
            other = members[there, number]
        fits = True
        for resource in range(resources):
            change = sizes[stage, resource] - (sizes[other, resource] if other >= 0 else 0)
            left, more = used[here, resource] - change, used[there, resource] + change
            if max(left, more) > hard[resource]:
                fits = False
        if not fits:
            continue
        time = _changed(rounds, members[here], count_here, stage, other, room)
        time_there = _changed(rounds, members[there], count_there, other, stage, room)
        cost, cost_there = _cost(time, even), _cost(time_there, even)
        gain = costs[here] + costs[there] - cost - cost_there
        if gain < 0 and np.random.random() >= np.exp(gain / heat):
            continue
        costs[here], costs[there] = cost, cost_there
        for turn in range(2 if other >= 0 else 1):
            moved = stage if turn == 0 else other
            source, to = (here, there) if turn == 0 else (there, here)
            _move(moved, to, of, members, held, place)
            used[source] -= sizes[moved]
            used[to] += sizes[moved]
        gained += gain
        if gained > most:
            most = gained
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
