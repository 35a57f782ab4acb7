# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Stages go to cores that have room for them, and no core has much more to do than others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cmc.fitting.balance import Balance, Layer
from cmc.fitting.bound import Work
from cmc.fitting.cores import Need, Room, assigned
from cmc.fitting.parts import Sharing
from cmc.fitting.turns import TURNS, Rounds, Turns, longest


def need(
    name: str,
    crossbars: int = 1,
    bytes: int = 0,
    port: int = 0,
    digital: int = 0,
    follows: Sequence[str] = (),
) -> Need:
    units = {"port": port, "digital": digital}
    return Need(name, crossbars, bytes, units, max(port, digital), follows)


def together(places: dict[str, int] | None) -> set[frozenset[str]]:
    """The stages of each core."""
    assert places is not None
    return {
        frozenset(name for name, core in places.items() if core == one) for one in places.values()
    }


def test_each_stage_has_a_core_where_there_are_enough():
    needs = [need(name, port=10 * n) for n, name in enumerate("abc")]
    assert together(assigned(needs, Room(3, 4))) == {frozenset("a"), frozenset("b"), frozenset("c")}


def test_what_has_most_to_do_is_by_itself():
    needs = [need("a", port=5), need("b", port=9), need("c", port=4)]
    assert together(assigned(needs, Room(2, 2))) == {frozenset("ac"), frozenset("b")}


def test_loads_are_even_where_no_exchange_of_two_stages_makes_them_so():
    cycles = [76, 23, 55, 50, 33, 51, 59, 35, 54, 27, 75, 21, 45, 43]
    places = assigned([need(str(n), port=port) for n, port in enumerate(cycles)], Room(4))
    assert places is not None
    loads = Counter[int]()
    for name, core in places.items():
        loads[core] += cycles[int(name)]
    # Of 647 cycles, each of four cores has a quarter.
    assert max(loads.values()) == 162


def test_units_are_counted_each_by_itself():
    needs = [need("a", port=9, digital=1), need("b", port=8), need("c", port=1, digital=9)]
    assert together(assigned(needs, Room(2, 2))) == {frozenset("a"), frozenset("bc")}


def test_crossbars_are_packed_where_spreading_them_leaves_no_room():
    """To the core with least to do, the two small ones would take a place each."""
    needs = [need("a", 1, port=9), need("b", 1, port=9), need("c", 2), need("d", 2)]
    needs += [need("e", 2)]
    places = assigned(needs, Room(4, 2))
    assert together(places) == {frozenset("ab"), *map(frozenset, "cde")}


def test_a_stage_without_crossbars_follows():
    needs = [need("a", port=9), need("b", port=9), need("p", 0, digital=9, follows=["a"])]
    needs += [need("q", 0, digital=9, follows=["b"])]
    assert together(assigned(needs, Room(2))) == {frozenset("ap"), frozenset("bq")}


def test_a_core_is_full_that_would_have_more_to_do_than_any_other():
    needs = [need("a", digital=9), need("p", 0, digital=4, follows=["a"])]
    assert together(assigned(needs, Room(2))) == {frozenset("a"), frozenset("p")}
    assert together(assigned(needs, Room(1))) == {frozenset("ap")}


def test_a_core_is_full_that_has_no_sram_left():
    needs = [need("a", bytes=60), need("p", 0, 50, follows=["a"]), need("q", 0, 40, follows=["a"])]
    assert together(assigned(needs, Room(2, 1, 100))) == {frozenset("aq"), frozenset("p")}


def test_there_is_no_place():
    assert assigned([need("a"), need("b")], Room(1, 1)) is None
    assert assigned([need("a", bytes=60), need("b", bytes=60)], Room(1, 2, 100)) is None


needs_of_any_kind: SearchStrategy[list[Need]] = st.lists(
    st.builds(
        need,
        st.just(""),
        st.integers(0, 4),
        st.integers(0, 30),
        st.integers(0, 50),
        st.integers(0, 50),
    ),
    max_size=12,
).map(
    lambda needs: [
        Need(str(n), one.crossbars, one.bytes, one.cycles, one.pace, [str(n // 2)] if n else [])
        for n, one in enumerate(needs)
    ]
)


rooms = st.builds(Room, st.integers(1, 6), st.integers(4, 9), st.integers(30, 90))


@settings(max_examples=200, derandomize=True, database=None, deadline=None)
@given(
    needs_of_any_kind, st.builds(Room, st.integers(1, 6), st.integers(4, 9), st.integers(30, 90))
)
def test_stages_fit(needs: list[Need], room: Room):
    places = assigned(needs, room)
    assert places == assigned(needs, room)
    if places is None:
        # One at a time, whatever is given to a core next fits in one that is empty.
        assert len(needs) > room.cores
        return
    assert set(places) == {one.name for one in needs}
    for core in range(room.cores):
        here = [one for one in needs if places[one.name] == core]
        assert sum(one.crossbars for one in here) <= room.crossbars
        assert sum(one.bytes for one in here) <= room.bytes


def test_a_stage_with_a_long_iteration_has_a_core_of_its_own():
    """A core issues nothing while its digital unit has something to do for long."""
    short = [Work(f"s{n}", 60, 800, {"digital": 40, "port": 200}, 1) for n in range(40)]
    long = Work("long", 1, 50000, {"digital": 50000})
    turns = Turns.of([*short, long], cores=8)
    needs = [
        Need(
            work.name,
            work.crossbars,
            0,
            {**work.cycles, TURNS: turns.held(work.occupies, work.iterations)},
            work.iterations * work.pace,
            iterations=work.iterations,
        )
        for work in [*short, long]
    ]
    places = assigned(needs, Room(cores=8, crossbars=8))
    assert places is not None
    assert [name for name, core in places.items() if core == places["long"]] == ["long"]
    busiest = max(Counter(places.values()).values())
    assert busiest == 6  # of 40 on seven cores


def test_what_stages_keep_from_others():
    port = Work("port", 100, 800, {"digital": 40, "port": 200}, 1)
    turns = Turns.of([port, Work("pool", 30, 180, {"digital": 180})], cores=2)
    assert turns.held({"digital": 40, "port": 200}, 100) == 20000
    assert turns.held({"digital": 180}, 30) == 30 * 180
    # Longer than several others: rings do not make up for it.
    assert turns.held({"digital": 9000}, 1) == 25400 == turns.interval


def rounds(*stages: tuple[int, int, int]) -> Rounds:
    """Of the iterations of stages, for how long each keeps others from beginning, and its pace."""
    each = np.array(stages, np.int64).T
    return Rounds.of(each[0], each[0] * each[1], each[0] * each[2], each[1][:, None])


def test_a_core_is_through_after_rounds_of_turns():
    """Two do 10 rounds of 7 cycles; 20 more of the second, with 3 of 5 cycles idle, follow."""
    both = rounds((10, 5, 5), (30, 2, 5))
    assert longest(both, np.array([0, 0])) == 10 * 7 + 20 * 5
    assert longest(both, np.array([0, 1])) == 30 * 5
    more = rounds((10, 5, 5), (30, 2, 5), (30, 2, 5), (30, 2, 5))
    assert longest(more, np.array([1, 0, 1, 0])) == 10 * 7 + 20 * 5
    assert longest(more, np.array([1, 0, 0, 0])) == 30 * 6


def beside(*stages: tuple[int, int, int]) -> float:
    """How long a core takes for the iterations of stages, and their cycles of two units."""
    each = np.array(stages, np.int64).T
    takes = each[1:].T
    held = each[0] * takes.max(1)
    return longest(Rounds.of(each[0], held, held, takes), np.zeros(len(stages), np.int64))


def test_what_takes_another_unit_is_done_while_most_are_at_work():
    """Products are issued for 1000 cycles, of which the first 360 take the digital unit, too."""
    products = (100, 360, 1000)
    # At most it delays the next one by 640 cycles, if it comes in the end: this by none, ...
    moments = np.arange(1000) + 0.5
    ends = np.maximum(moments, 360) + 640
    mean = np.maximum(0, ends - 1000).mean()
    assert beside(products, (50, 640, 0)) == pytest.approx(100 * 1000 + 50 * mean, rel=1e-6)
    # ... and this one always.
    assert beside(products, (10, 2000, 0)) == pytest.approx(
        100 * 1000 + 10 * (2000 - (1000 - np.maximum(moments, 360)).mean()), rel=1e-6
    )
    # Where most is pooled, products wait for that.
    assert beside((10, 360, 1000), (50, 640, 0)) == 10 * 1000 + 50 * 640


def test_poolings_are_beside_products_that_leave_them_their_unit():
    """The port of one core is free as long as that of the other, but not for the digital unit."""
    needs = [
        Need("short", 1, 0, {"digital": 9000, "port": 10000}, 10000, iterations=100),
        Need("long", 1, 0, {"digital": 1000, "port": 10000}, 10000, iterations=10),
        Need("pool", 0, 0, {"digital": 4000}, 4000, iterations=10),
    ]
    assert together(assigned(needs, Room(2))) == {frozenset(["short"]), frozenset(["long", "pool"])}


def test_stages_share_a_core_with_others_of_as_many_iterations():
    """Any two take their units for as long; those that are alike leave nothing idle."""
    needs = [
        Need(f"{name}{n}", 1, 0, {"port": 600}, 900, iterations=count)
        for name, count in (("short", 300), ("long", 100))
        for n in range(2)
    ]
    places = assigned(needs, Room(2))
    assert together(places) == {frozenset(["short0", "short1"]), frozenset(["long0", "long1"])}


def test_stages_that_fill_a_core_have_few_copies():
    """Cut as finely as the others, they would keep whole cores for little work."""
    box = (range(10), range(10))
    small = [Work(f"s{n}", 100, 100, {"port": 100}, 1) for n in range(30)]
    large = Work("large", 100, 100, {"port": 100}, 16)
    layers = [Layer([work], 100, Sharing(box)) for work in [*small, large]]
    balance = Balance(layers, Room(cores=21, crossbars=16))
    parts = balance.choose(15_000)
    assert "large" not in parts
    assert min(len(parts[work.name]) for work in small) > 1
    filled = balance.filled(parts)
    assert filled is not None
    assert filled.busiest == 15_000
