# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Stages that send each other much share a core: as much as that can be, where there are few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from random import Random

import numpy as np
import pytest

from cmc.fitting.cores import (
    NOTHING,
    Need,
    Packing,
    Room,
    Sending,
    assigned,
    gathered,
    least_load,
)
from cmc.fitting.gather import Exchanged, Gathering
from cmc.fitting.turns import Rounds

Pairs = Mapping[tuple[str, str], int]


def random_stages(count: int, seed: int) -> tuple[list[Need], Pairs]:
    """Stages of a network, each of which reads from one or two before it."""
    random = Random(seed)
    needs: list[Need] = []
    sent: dict[tuple[str, str], int] = {}
    for number in range(count):
        before = sorted({random.randrange(number) for _ in range(2)}) if number else []
        name, cycles = str(number), random.randint(1, 9)
        follows = [str(one) for one in before]
        needs.append(Need(name, random.randint(0, 2), 0, {"port": cycles}, cycles, follows))
        sent |= {(one, name): random.randint(1, 20) for one in follows}
    return needs, sent


def cores_of_all(needs: Sequence[Need], room: Room) -> list[dict[str, int]]:
    """All ways to give stages to cores that have crossbars enough."""
    names = [need.name for need in needs]
    found: list[dict[str, int]] = []
    for chosen in product(range(room.cores), repeat=len(needs) - 1):
        cores = (0, *chosen)
        used = np.zeros(room.cores, np.int64)
        np.add.at(used, np.array(cores), [need.crossbars for need in needs])
        if (used <= room.crossbars).all():
            found.append(dict(zip(names, cores, strict=True)))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_few_stages_send_as_little_as_can_be(seed: int):
    needs, sent = random_stages(7, seed)
    room = Room(3, 4)
    start = assigned(needs, room)
    assert start is not None
    packing = Packing.of(needs, room, Sending(sent))
    limit = packing.load(packing.numbered(start))
    found = packing.numbered(gathered(needs, room, start, Sending(sent)))
    assert packing.load(found) <= limit
    choices = [packing.numbered(cores) for cores in cores_of_all(needs, room)]
    least = min(packing.between(of) for of in choices if packing.load(of) <= limit)
    assert packing.between(found) == least


@pytest.mark.parametrize("seed", range(6))
def test_a_bus_and_cores_take_as_little_as_can_be(seed: int):
    needs, sent = random_stages(7, seed)
    room, sending = Room(3, 4), Sending(sent, bus=True)
    start = assigned(needs, room)
    assert start is not None
    packing = Packing.of(needs, room, sending)
    found = packing.cost(packing.numbered(gathered(needs, room, start, sending)))
    choices = [packing.numbered(cores) for cores in cores_of_all(needs, room)]
    least = min(packing.cost(of) for of in choices)
    assert packing.least(least_load(needs, room)) <= least[0]
    # Limits are tried in steps, so that it may be a little more.
    assert least[0] <= found[0] <= 1.15 * least[0]


def test_the_bound_of_a_bus_counts_cores_that_are_needed():
    """A chain of four stages fills four cores, or two with twice as much to do."""
    needs = [Need(name, 1, 0, {"port": 10}, 10) for name in "abcd"]
    sending = Sending({("a", "b"): 30, ("b", "c"): 5, ("c", "d"): 30}, bus=True)
    packing = Packing.of(needs, Room(4, 4), sending)
    assert [packing.least_bus(interval) for interval in (10, 20, 40)] == [65, 5, 0]
    assert packing.least(10) == 20
    start = assigned(needs, Room(4, 4))
    assert start is not None
    places = gathered(needs, Room(4, 4), start, sending)
    assert places["a"] == places["b"] != places["c"] == places["d"]


def gathering_of(sizes: Sequence[int], room: int, cores: int, sent: Mapping[tuple[int, int], int]):
    """Of stages that need so much of one resource, and of no unit."""
    nothing = np.zeros(len(sizes), np.int64)
    return Gathering(
        np.array(sizes, np.int64)[:, None],
        np.array([room], np.int64),
        cores,
        Exchanged(len(sizes), sent),
        Rounds.of(nothing + 1, nothing, nothing, nothing[:, None]),
        0,
    )


def test_stages_that_do_not_fit_together_are_not_merged():
    gathering = gathering_of([2, 2, 1], 3, 2, {(0, 1): 9, (1, 2): 1})
    of = gathering.merged()
    assert of is not None and gathering.fits(of)
    assert of[1] == of[2] != of[0]
    assert gathering.exchanged.between(of) == 9


def test_there_is_no_room_for_what_is_left():
    assert gathering_of([2, 2], 3, 1, {}).merged() is None


def test_one_seed_gives_the_same_cores():
    needs, sent = random_stages(40, 1)
    room = Room(8, 8)
    start = assigned(needs, room)
    assert start is not None
    for seed in (0, 1):
        found = gathered(needs, room, start, Sending(sent), seed)
        assert found == gathered(needs, room, start, Sending(sent), seed)


def test_nothing_is_sent():
    needs, _ = random_stages(4, 0)
    start = assigned(needs, Room(2, 8))
    assert start is not None
    assert gathered(needs, Room(2, 8), start, NOTHING) == start


def test_busy_cores_give_stages_away():
    """Longest first, one core has 3 + 2 + 2, and one 3 + 2: a 3 and a 2 change places."""
    cycles = {"a": 3, "b": 3, "c": 2, "d": 2, "e": 2}
    needs = [Need(name, 1, 0, {"port": n}, n) for name, n in cycles.items()]
    places = assigned(needs, Room(2, 5))
    assert places is not None
    loads = [sum(cycles[name] for name in cycles if places[name] == core) for core in range(2)]
    assert loads == [6, 6]


def test_what_a_stage_sends_itself_is_on_its_core():
    needs, sent = random_stages(7, 1)
    room = Room(3, 4)
    start = assigned(needs, room)
    assert start is not None
    around = {(need.name, need.name): 9 for need in needs}
    assert gathered(needs, room, start, Sending({**sent, **around})) == gathered(
        needs, room, start, Sending(sent)
    )
