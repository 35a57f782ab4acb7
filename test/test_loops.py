# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Loops run the steps that they are made for, in order: as executed, not as isl sees them."""

from __future__ import annotations

from random import Random

import islpy as isl
import numpy as np
import pytest
from xdsl.ir import Block, Operation

from cmc.dialects.cmctrl import AwaitOp, EnableOp
from cmc.passes.cmpipe_derive_control import derive
from cmc.poly.loops import Step, loops
from cmc.simulator.expand import visits
from test_orders import Point, pairs
from test_reorder import random_blocks


def run(order: isl.Map, steps: isl.Map) -> list[tuple[Point, Point]]:
    """The steps that loops make when they are run: points, and what `steps` gives for them."""

    def emit(at: Step, to: Step) -> list[Operation]:
        return [AwaitOp(*at.affine()), EnableOp(*to.affine())]

    body = Block(loops(order, steps, emit))

    def visited(kind: type[AwaitOp] | type[EnableOp]) -> list[Point]:
        found = [v.expanded() for v in visits(body) if isinstance(v.op, kind)]
        times = np.concatenate([v.times for v in found])
        points = np.concatenate([v.points for v in found])[np.argsort(times)]
        return [tuple(map(int, point)) for point in points]

    return list(zip(visited(AwaitOp), visited(EnableOp), strict=True))


def by_definition(order: isl.Map, steps: isl.Map) -> list[tuple[Point, Point]]:
    time = dict(pairs(order))
    return sorted(pairs(steps), key=lambda step: time[step[0]])


def window_between_blocks(random: Random) -> list[tuple[isl.Map, isl.Map]]:
    """The steps, and their order, of both machines between a writer and a reader in blocks."""
    axes: list[str] = []
    iterations: list[str] = []
    elements: list[str] = []
    for a in range(2):
        size, kernel = random.choice((8, 11, 12, 16)), random.randint(1, 3)
        stride, pad = random.choice((1, 1, 2)), random.randint(0, kernel // 2)
        elements.append(f"0 <= e{a} < {size}")
        iterations.append(f"0 <= i{a} <= {(size + 2 * pad - kernel) // stride}")
        axes.append(f"{stride}*i{a} - {pad} <= e{a} < {stride}*i{a} - {pad} + {kernel}")
    reads = isl.Map(f"{{ [i0, i1] -> [e0, e1] : {' and '.join(axes + iterations + elements)} }}")
    order = random_blocks(random, ["i0", "i1"])
    reader = isl.Set(f"{{ [i0, i1] : {' and '.join(iterations)} }}").apply(order)
    writer = random_blocks(random, ["e0", "e1"])
    writer = writer.intersect_domain(isl.Set(f"{{ [e0, e1] : {' and '.join(elements)} }}"))
    control = derive(reads.apply_domain(order), writer.reverse(), reader)
    return [(writer, control.ready.steps), (reader.identity(), control.free.steps)]


@pytest.mark.parametrize("seed", [*range(6), 202, 232, 5007])
def test_loops_between_blocks_run_in_order(seed: int):
    """On the last three isl was seen to give up, or to make loops that run in a wrong order."""
    for order, steps in window_between_blocks(Random(seed)):
        assert run(order, steps) == by_definition(order, steps)
