# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Step functions as counts: all steps are there, and rows of any length cost the same."""

from __future__ import annotations

from random import Random

import islpy as isl
import pytest

from cmc.passes.cmpipe_derive_control import derive
from cmc.poly.counting import Iterations
from cmc.poly.relations import Progress
from cmc.sizing.staircase import staircase
from test_orders import pairs, points, random_window
from test_reorder import random_order

Counts = tuple[list[tuple[int, int]], int]
"""What each step awaits and how far it reaches, and what may happen before the first one."""


def counts_by_definition(progress: Progress, signals: isl.Set, driven: isl.Set) -> Counts:
    """All points are numbered, and those of the steps are looked up."""
    awaited = {point: number + 1 for number, point in enumerate(points(signals))}
    reached = {point: number + 1 for number, point in enumerate(points(driven))}
    steps = sorted((awaited[s], reached[d]) for s, d in pairs(progress.steps))
    return steps, max((reached[point] for point in points(progress.initial)), default=0)


def counts_of(progress: Progress, signals: isl.Set, driven: isl.Set) -> Counts:
    initial = None if progress.initial.is_empty() else progress.initial
    found = staircase(progress.steps, initial, Iterations(signals), Iterations(driven))
    awaits, reaches = found.awaits.expanded().tolist(), found.reaches.expanded().tolist()
    return list(zip(awaits, reaches, strict=True)), found.initial


def assert_counted(reads: isl.Map, reader: isl.Set, writer: isl.Set) -> None:
    """Both machines of a channel; what is written are the writer's iterations."""
    control = derive(reads, writer.identity(), reader)
    for progress, signals, driven in (
        (control.ready, writer, reader),
        (control.free, reader, writer),
    ):
        expected = counts_by_definition(progress, signals, driven)
        assert counts_of(progress, signals, driven) == expected


@pytest.mark.parametrize("seed", range(20))
def test_windows(seed: int):
    assert_counted(*random_window(Random(seed)))


@pytest.mark.parametrize("seed", range(20))
def test_windows_in_any_order(seed: int):
    random = Random(seed)
    reads, reader, writer = random_window(random)
    order, other = random_order(random, ["i0", "i1"]), random_order(random, ["e0", "e1"])
    reads = reads.apply_domain(order).apply_range(other)
    assert_counted(reads, reader.apply(order), writer.apply(other))


@pytest.mark.parametrize(
    ("reads", "reader", "writer"),
    [
        pytest.param("[i] -> [floor(i/3)]", "[i] : 2 <= i < 20", "[i] : 0 <= i < 8", id="slow"),
        pytest.param(
            "[i, j] -> [floor((2i + 5j)/3)]",
            "[i, j] : 0 <= i < 5 and 0 <= j < 7",
            "[k] : 0 <= k < 30",
            id="uneven",
        ),
        pytest.param(
            "[i, j] -> [j, i]", "[i, j] : 0 <= i < 4 and 0 <= j < 6", "[a, b]", id="transposed"
        ),
        pytest.param("[i, j] -> [i, j]", "[i, j] : 0 <= j <= i < 6", "[a, b]", id="triangle"),
        pytest.param(
            "[i, j] -> [i, j]", "[i, j] : 0 <= i < 5 and (i + j) mod 2 = 0 and 0 <= j < 8",
            "[a, b] : 0 <= a < 5 and 0 <= b < 8", id="checkered",
        ),
        pytest.param("[] -> [i]", "[]", "[i] : 3 <= i < 9", id="all at once"),
        pytest.param("[i] -> []", "[i] : 0 <= i < 5", "[]", id="one for all"),
        pytest.param(
            "[i, j, k] -> [i, 0, j]", "[i, j, k] : 0 <= i < 3 and 0 <= j < 4 and k = 0",
            "[a, b, c] : 0 <= a < 3 and b = 0 and 0 <= c < 4", id="axes of one point",
        ),
    ],
)  # fmt: skip
def test_other_accesses(reads: str, reader: str, writer: str):
    domain, elements = isl.Set(f"{{ {reader} }}"), isl.Set(f"{{ {writer} }}")
    access = isl.Map(f"{{ {reads} }}").intersect_domain(domain)
    if not elements.is_bounded():
        elements = access.range()
    assert_counted(access.intersect_range(elements), domain, elements)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_row_is_a_run_however_long(stride: int):
    rows, columns = 6, 1_000_000_000
    size = f"0 <= y < {rows} and 0 <= x < {columns}"
    writer = isl.Set(f"{{ [y, x] : 0 <= y < {stride * rows} and 0 <= x < {stride * columns} }}")
    window = f"{stride}y - 1 <= a <= {stride}y + 1 and {stride}x - 1 <= b <= {stride}x + 1"
    reader, reads = isl.Set(f"{{ [y, x] : {size} }}"), isl.Map(f"{{ [y, x] -> [a, b] : {window} }}")
    reads = reads.intersect_domain(reader).intersect_range(writer)
    control = derive(reads, writer.identity(), reader)
    ready = staircase(control.ready.steps, None, Iterations(writer), Iterations(reader))
    free = staircase(control.free.steps, None, Iterations(reader), Iterations(writer))
    for runs in (ready.awaits, ready.reaches, free.awaits, free.reaches):
        assert len(runs.starts) <= 2 * rows
    assert ready.reaches.last == rows * columns
    assert ready.awaits.first == stride * columns + 2
