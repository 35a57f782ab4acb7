# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What bounds a stream: a process by itself, or a unit that several share."""

from cmc.timing.flow import Flow, Process
from cmc.timing.load import bound


def process(name: str, iterations: int, interval: int = 1, side: str = "c", **occupies: int):
    return Process(name, iterations, 1, interval, side=side, occupies=occupies)


def test_a_process_by_itself():
    load = bound(Flow.of([process("a", 9, 3), process("b", 10, 2, "d")], []))
    assert (load.cycles, load.title) == (27, "@a")


def test_a_unit_that_one_process_has_to_itself():
    load = bound(Flow.of([process("a", 9, 3, port=5), process("b", 10, digital=2)], []))
    assert (load.cycles, load.title) == (45, "@a")


def test_a_unit_that_is_shared():
    parts = [process("a", 9, 3, port=5), process("b", 10, port=2, digital=1), process("c", 60)]
    load = bound(Flow.of(parts, []))
    assert (load.cycles, load.title) == (65, "the port of core @c")
    assert [one.name for one in load.processes] == ["a", "b"]


def test_the_port_of_the_gcu():
    load = bound(Flow.of([process(name, 4, side="", port=2) for name in "ab"], []))
    assert (load.cycles, load.title) == (16, "the port of the GCU")
