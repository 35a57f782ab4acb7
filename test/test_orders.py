# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Orders of stages: control in any order against its definition, and the pass that changes them."""

from __future__ import annotations

from random import Random

import islpy as isl
import pytest
from xdsl.dialects.builtin import ModuleOp

from cmc.api import make_context
from cmc.errors import CmcError
from cmc.files.parsing import parse_file
from cmc.passes.cmpipe_derive_control import derive
from cmc.poly.relations import Progress
from end_to_end import lower
from test_reorder import random_order

Point = tuple[int, ...]
Steps = dict[Point, Point]


def points(domain: isl.Set) -> list[Point]:
    """All points of a set, in lexicographic order."""
    found: list[Point] = []
    dims = range(domain.dim(isl.dim_type.set))

    def add(point: isl.Point) -> None:
        values = (point.get_coordinate_val(isl.dim_type.set, d) for d in dims)
        found.append(tuple(value.to_python() for value in values))

    domain.foreach_point(add)
    return sorted(found)


def pairs(relation: isl.Map) -> list[tuple[Point, Point]]:
    rank = relation.dim(isl.dim_type.in_)
    return [(p[:rank], p[rank:]) for p in points(relation.wrap().flatten())]


def steps_by_definition(
    dependence: list[tuple[Point, Point]], waiting: list[Point]
) -> tuple[Steps, Point | None]:
    """For each signal that lets more run, the last that then may; and the last that needs none."""
    needs: dict[Point, list[Point]] = {}
    for point, signal in dependence:
        needs.setdefault(point, []).append(signal)
    steps: Steps = {}
    start: Point | None = None
    needed: list[Point] = []
    for point in waiting:
        needed = [max([*needed, *needs[point]])] if point in needs else needed
        if needed:
            steps[needed[0]] = point
        else:
            start = point
    return steps, start


def as_tables(progress: Progress) -> tuple[Steps, Point | None]:
    assert progress.steps.is_single_valued()
    return dict(pairs(progress.steps)), next(iter(points(progress.initial)), None)


def random_window(random: Random) -> tuple[isl.Map, isl.Set, isl.Set]:
    """A window that slides over an object: what each iteration reads, iterations, elements."""
    reads: list[str] = []
    iterations: list[str] = []
    elements: list[str] = []
    for a in range(2):
        size, kernel, stride = random.randint(3, 9), random.randint(1, 3), random.randint(1, 3)
        pad = random.randint(0, kernel)
        elements.append(f"0 <= e{a} < {size}")
        iterations.append(f"0 <= i{a} <= {(size + 2 * pad - kernel) // stride}")
        reads.append(f"{stride}*i{a} - {pad} <= e{a} < {stride}*i{a} - {pad} + {kernel}")
    every = " and ".join([*reads, *iterations, *elements])
    return (
        isl.Map(f"{{ [i0, i1] -> [e0, e1] : {every} }}"),
        isl.Set(f"{{ [i0, i1] : {' and '.join(iterations)} }}"),
        isl.Set(f"{{ [e0, e1] : {' and '.join(elements)} }}"),
    )


@pytest.mark.parametrize("seed", range(40))
def test_control_is_what_it_is_by_definition(seed: int):
    random = Random(seed)
    reads, reader, elements = random_window(random)
    order = random_order(random, ["i0", "i1"])
    reads, reader = reads.apply_domain(order), reader.apply(order)
    writes = random_order(random, ["e0", "e1"]).intersect_domain(elements).reverse()

    control = derive(reads, writes, reader)

    element_at = dict(pairs(writes))
    time_of = {element: time for time, element in element_at.items()}
    needs = [(iteration, time_of[element]) for iteration, element in pairs(reads)]
    steps, start = steps_by_definition(needs, points(reader))
    ready = {element_at[time]: iteration for time, iteration in steps.items()}
    assert as_tables(control.ready) == (ready, start)
    wants = [(time, iteration) for iteration, time in needs]
    carried = sorted({time for time, _ in wants})
    found = elements if control.carries is None else control.carries
    assert points(found) == sorted(element_at[time] for time in carried)
    steps, start = steps_by_definition(wants, carried)
    free = {iteration: element_at[time] for iteration, time in steps.items()}
    assert as_tables(control.free) == (free, None if start is None else element_at[start])


PIPELINE = """
cmpipe.pipeline @shift {
  cmpipe.object @a : memref<6x8xvector<1xf32>>
  cmpipe.object @b : memref<6x8xvector<1xf32>>
  cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, h, w] -> [h, w, c] }"> : tensor<1x1x6x8xf32>
  cmpipe.stage @shift in #poly.set<"{ [h, w] : 0 <= h < 6 and 0 <= w < 8 }"> {
    %v = cmpipe.read @a #poly.map<"{ [h, w, c] -> [h, w - 1, c] }"> : vector<1xf32>
    cmpipe.write %v, @b #poly.map<"{ [h, w] -> [h, w] }"> : vector<1xf32>
  }
  cmpipe.core @core0 runs [@shift]
}
"""


def parse() -> ModuleOp:
    return parse_file(make_context(), PIPELINE.encode(), "test.mlir")


def reordered(*options: str) -> ModuleOp:
    module = parse()
    lower(module, *(f"cmpipe-reorder-stage{{{one}}}" for one in options))
    module.verify()
    return module


@pytest.mark.parametrize(
    ("there", "back"),
    [
        ("interchange=w,h", "interchange=h,w"),
        ("reverse=w", "reverse=w"),
        ("reverse=h,w", "reverse=w,h"),
        ("tile=2,0", 'schedule="{ [outer, h, w] -> [2outer + h, w] }"'),
        ("tile=4,3", 'schedule="{ [a, b, h, w] -> [4a + h, 3b + w] }"'),
        (
            'schedule="{ [h, w] -> [h + w, h - w] }"',
            'schedule="{ [a, b] -> [floor((a + b)/2), floor((a - b)/2)] }"',
        ),
    ],
)
def test_there_and_back_is_the_same_pipeline(there: str, back: str):
    assert reordered(there, back).is_structurally_equivalent(parse())


@pytest.mark.parametrize(
    ("named", "mapped"),
    [
        ("interchange=w,h", "{ [h, w] -> [w, h] }"),
        ("reverse=w", "{ [h, w] -> [h, 7 - w] }"),
        ("tile=0,4", "{ [h, w] -> [floor(w/4), h, w mod 4] }"),
        ("interchange=w,h tile=0,4", "{ [h, w] -> [floor(h/4), w, h mod 4] }"),
        (
            "reverse=h interchange=w,h tile=2,3",
            "{ [h, w] -> [floor(w/2), floor((5 - h)/3), w mod 2, (5 - h) mod 3] }",
        ),
    ],
)
def test_named_orders_are_maps(named: str, mapped: str):
    assert reordered(named).is_structurally_equivalent(reordered(f'schedule="{mapped}"'))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "give it schedule, reverse, interchange or tile"),
        ("stage=shfit tile=4,4", "there is no stage @shfit"),
        ("stage=shift reverse=d", "there is no loop d to reverse: the loops are h, w"),
        ("stage=shift interchange=w", "interchange names each loop once: the loops are h, w"),
        ("stage=shift tile=4", "tile has 1 extents: the loops are h, w"),
        ("tile=4,-1", "the extent of a block is at least 1, or 0 for the whole loop"),
        ("tile=4,4,4", "no stage has these dimensions"),
        ('schedule="{ [h, w] -> [w, h] }" tile=4,4', "schedule is the whole order: give it alone"),
        ('schedule="{ [h, w] -> [w, h }"', "not an isl map: { [h, w] -> [w, h }"),
        (
            'stage=shift schedule="{ [h] -> [-h] }"',
            "the new order is of 1 dimensions, and the domain has 2: h, w",
        ),
        (
            'stage=shift schedule="{ [h, w] -> [w, h] : h > 0 }"',
            "the new order leaves out iteration [0, 0]",
        ),
        (
            'stage=shift schedule="{ [h, w] -> [floor(w/4), h] }"',
            "the new order puts iterations [0, 0] and [0, 1] in one place",
        ),
        (
            'stage=shift schedule="{ [h, w] -> [h, i] : w <= i <= w + 1 }"',
            "the new order gives an iteration more than one place",
        ),
    ],
)
def test_orders_that_are_refused(options: str, message: str):
    with pytest.raises(CmcError) as raised:
        reordered(options)
    assert raised.value.message == message
    of_the_stage = options.startswith("stage=shift ")
    assert raised.value.where == ("stage @shift" if of_the_stage else "pass 'cmpipe-reorder-stage'")


def test_control_that_is_there_keeps_its_order():
    module = parse()
    lower(module, "cmpipe-derive-control")
    with pytest.raises(CmcError, match="reorder before cmpipe-derive-control"):
        lower(module, "cmpipe-reorder-stage{tile=4,4}")
