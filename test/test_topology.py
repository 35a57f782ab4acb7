# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Which links lead from one core to another."""

from __future__ import annotations

import pytest

from cmc.targets import Target, presets
from cmc.targets.files import find_target
from cmc.targets.topology import Topology, topology_of

MESH = Target(topology="mesh", cores=12, grid=(3, 4))
SQUARE = Target(topology="mesh", cores=4, grid=(2, 2))
TORUS = Target(topology="torus", cores=20, grid=(4, 5))
CHAIN = Target(topology="chain", cores=9, reach=3)
RING = Target(topology="edges", cores=7, edges=((0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (4, 3)))
PAIRS = Target(topology="torus", cores=6, grid=(2, 3))
LINE = Target(topology="torus", cores=4, grid=(1, 4))
BUS = Target(topology="bus", cores=4)
ALL = Target(cores=4)
FINITE = (MESH, SQUARE, TORUS, CHAIN, RING, PAIRS, LINE, ALL)


def cores_on_the_way(topology: Topology, source: int, to: int) -> list[int]:
    """The cores that a route passes, as its links say."""
    route = topology.route(source, to)
    assert route is not None
    cores = [source]
    for number in route:
        link = topology.links[number]
        assert link.source == cores[-1]
        assert link.to is not None
        cores.append(link.to)
    return cores


@pytest.mark.parametrize("target", FINITE, ids=lambda target: target.topology)
def test_a_route_leads_from_one_core_to_the_other(target: Target):
    topology = topology_of(target)
    for source in range(topology.cores):
        for to in range(topology.cores):
            if topology.route(source, to) is not None:
                assert cores_on_the_way(topology, source, to)[-1] == to


@pytest.mark.parametrize("target", FINITE, ids=lambda target: target.topology)
def test_each_link_has_one_number(target: Target):
    topology = topology_of(target)
    pairs = [(link.source, link.to) for link in topology.links]
    assert len(topology.links) == len(pairs)
    assert None not in {core for pair in pairs for core in pair}
    if target is not PAIRS:
        assert len(set(pairs)) == len(pairs)
    for number, (source, to) in enumerate(pairs):
        assert source is not None
        assert to is not None
        assert number in (topology.route(source, to) or ()) or target is PAIRS


def test_a_mesh_goes_first_along_the_row():
    topology = topology_of(MESH)
    assert cores_on_the_way(topology, 0, 11) == [0, 1, 2, 3, 7, 11]
    assert cores_on_the_way(topology, 11, 0) == [11, 10, 9, 8, 4, 0]
    assert len(topology.links) == 2 * (3 * 3 + 2 * 4)


def test_a_torus_goes_the_shorter_way():
    topology = topology_of(TORUS)
    assert cores_on_the_way(topology, 0, 4) == [0, 4]
    assert cores_on_the_way(topology, 0, 3) == [0, 4, 3]
    assert cores_on_the_way(topology, 0, 2) == [0, 1, 2]
    assert cores_on_the_way(topology, 1, 16) == [1, 16]
    assert len(topology.links) == 4 * 20


def test_of_two_ways_around_a_torus_that_are_as_long_the_one_up_is_taken():
    topology = topology_of(TORUS)
    assert cores_on_the_way(topology, 0, 10) == [0, 5, 10]
    assert cores_on_the_way(topology, 15, 5) == [15, 0, 5]


def test_two_cores_around_a_torus_have_a_way_each():
    topology = topology_of(PAIRS)
    assert topology.route(0, 3) != topology.route(3, 0)
    assert cores_on_the_way(topology, 3, 0) == [3, 0]


def test_a_chain_takes_the_longest_steps_first():
    topology = topology_of(CHAIN)
    assert cores_on_the_way(topology, 0, 8) == [0, 3, 6, 8]
    assert cores_on_the_way(topology, 8, 1) == [8, 5, 2, 1]
    assert cores_on_the_way(topology, 2, 5) == [2, 5]
    assert len(topology.links) == 2 * (8 + 7 + 6)


def test_listed_links_are_taken_by_a_shortest_way_with_the_lowest_places():
    topology = topology_of(RING)
    assert cores_on_the_way(topology, 0, 3) == [0, 4, 3]
    assert cores_on_the_way(topology, 4, 2) == [4, 3, 2]
    square = topology_of(Target(topology="edges", edges=((2, 3), (0, 2), (1, 3), (0, 1))))
    assert cores_on_the_way(square, 0, 3) == [0, 1, 3]
    assert cores_on_the_way(square, 3, 0) == [3, 1, 0]


def test_there_may_be_no_way():
    topology = topology_of(RING)
    assert topology.route(0, 6) is None
    assert topology.route(5, 0) is None
    assert topology.route(5, 5) == ()


def test_all_share_the_bus():
    topology = topology_of(BUS)
    assert topology.route(0, 3) == topology.route(2, 1) == (0,)
    assert topology.route(2, 2) == ()
    assert [link.title for link in topology.links] == ["the bus"]


def test_from_each_core_to_each_other_one_there_is_a_link():
    topology = topology_of(ALL)
    routes = {topology.route(a, b) for a in range(4) for b in range(4) if a != b}
    assert routes == {(number,) for number in range(12)}


def test_a_link_has_a_title():
    topology = topology_of(MESH)
    route = topology.route(3, 7)
    assert route is not None
    assert [topology.links[number].title for number in route] == ["link core 3 -> core 7"]


def test_there_may_be_as_many_cores_as_are_wanted():
    everywhere = topology_of(Target())
    assert cores_on_the_way(everywhere, 10**6, 10**9) == [10**6, 10**9]
    chain = topology_of(Target(topology="chain", reach=1))
    assert cores_on_the_way(chain, 10**9, 10**9 + 2) == [10**9, 10**9 + 1, 10**9 + 2]


def test_places_matter_where_ways_differ():
    assert not topology_of(ALL).placed
    assert not topology_of(BUS).placed
    assert all(topology_of(target).placed for target in (MESH, TORUS, CHAIN, RING))


@pytest.mark.parametrize("name", presets())
def test_presets_have_a_topology_that_is_made_once(name: str):
    target = find_target(name)
    assert topology_of(target) is topology_of(target)
