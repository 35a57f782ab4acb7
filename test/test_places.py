# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Cores come to the best places there are, and no places cost less than the bound."""

from __future__ import annotations

from itertools import permutations
from random import Random

import numpy as np
import pytest

from cmc.fitting.places import MORE, cost_of, lower_bound, placed
from cmc.fitting.traffic import hops_of
from cmc.poly.evaluate import Ints
from cmc.targets import Target
from cmc.targets.topology import topology_of

TARGETS = {
    "chain": Target(cores=6, topology="chain", reach=1),
    "mesh": Target(cores=6, topology="mesh", grid=(2, 3)),
    "torus": Target(cores=5, topology="torus", grid=(1, 5)),
    "star": Target(cores=5, topology="edges", edges=((0, 1), (0, 2), (0, 3), (0, 4))),
}


def random_traffic(cores: int, seed: int) -> Ints:
    """Bytes between about half of the pairs of cores."""
    random = Random(seed)
    traffic = np.zeros((cores, cores), np.int64)
    for one in range(cores):
        for other in range(cores):
            if one != other and random.random() < 0.5:
                traffic[one, other] = random.randint(1, 1000)
    return traffic


@pytest.mark.parametrize("name", TARGETS)
def test_hops_are_links_of_routes(name: str):
    hops, topology = hops_of(TARGETS[name]), topology_of(TARGETS[name])
    for source in range(topology.cores):
        for to in range(topology.cores):
            route = topology.route(source, to)
            assert route is not None and hops[source, to] == len(route)


def test_there_is_no_way_between_parts():
    hops = hops_of(Target(cores=4, topology="edges", edges=((0, 1), (2, 3))))
    assert hops.tolist() == [[0, 1, MORE, MORE], [1, 0, MORE, MORE],
                             [MORE, MORE, 0, 1], [MORE, MORE, 1, 0]]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", TARGETS)
def test_few_cores_come_to_the_best_places(name: str, seed: int):
    hops = hops_of(TARGETS[name])
    traffic = random_traffic(min(5, len(hops)) - seed % 2, seed)
    found = placed(traffic, hops, time_limit=1)
    assert len(set(found.places)) == len(traffic)
    assert found.cost == cost_of(traffic, hops, found.places)
    choices = permutations(range(len(hops)), len(traffic))
    least = min(cost_of(traffic, hops, places) for places in choices)
    assert lower_bound(traffic, hops) <= least
    assert found.cost == found.bound == least


def test_the_search_alone_finds_them_too():
    hops = hops_of(TARGETS["mesh"])
    for seed in range(5):
        traffic = random_traffic(6, seed)
        assert placed(traffic, hops).cost == placed(traffic, hops, time_limit=1).bound


def test_one_seed_gives_one_answer():
    hops = hops_of(Target(cores=36, topology="mesh", grid=(6, 6)))
    traffic = random_traffic(20, 1)
    for seed in (0, 1):
        assert placed(traffic, hops, seed=seed) == placed(traffic, hops, seed=seed)


def test_what_exchanges_nothing_costs_nothing():
    hops = hops_of(TARGETS["mesh"])
    found = placed(np.zeros((3, 3), np.int64), hops, time_limit=1)
    assert len(set(found.places)) == 3
    assert found.cost == found.bound == 0


def test_a_chain_of_cores_lies_along_links():
    """All neighbours, of twelve cores that each send to the next: the bound says that is best."""
    hops = hops_of(Target(cores=16, topology="mesh", grid=(4, 4)))
    traffic = np.diag(np.full(11, 7), 1)
    found = placed(traffic, hops)
    assert found.cost == found.bound == 77
