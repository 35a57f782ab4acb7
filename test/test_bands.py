# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Large images are computed in bands of rows: in an order that works, with few rows at a time."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import sampled_from

import cmc
from cmc.simulator import bulk
from cmc.simulator.bands import Task, even_bands, schedule
from conftest import examples
from end_to_end import assert_close
from networks import Network, networks, random_inputs, reference


def windowed(rows: int, height: int, reach: int) -> list[range]:
    """The rows that bands read whose windows reach that far up and down."""
    return [
        range(max(0, band.start - reach), min(rows, band.stop + reach))
        for band in even_bands(rows, height)
    ]


def test_a_chain_of_windows_keeps_a_few_bands():
    bands, windows = even_bands(1000, 10), windowed(1000, 10, 1)
    tasks = [
        Task("x", "x", bands, {}),
        Task("a", "a", bands, {"x": windows}),
        Task("b", "b", bands, {"a": windows}),
        Task("y", None, bands, {"b": bands}),
    ]
    plan = schedule(tasks)
    assert plan.kept == {"x": 30, "a": 30, "b": 10}
    assert plan.order[:6] == [(0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (2, 0)]
    assert len(plan.order) == 400


def test_what_is_read_as_a_whole_is_kept_as_a_whole():
    bands = even_bands(100, 10)
    tasks = [
        Task("x", "x", bands, {}),
        Task("mean", "mean", [range(1)], {"x": [range(100)]}),
        Task("y", "y", bands, {"x": bands, "mean": [range(1)] * 10}),
    ]
    plan = schedule(tasks)
    assert plan.kept == {"x": 100, "mean": 1, "y": 10}
    assert plan.order.index((1, 0)) == 10


def random_tasks(random: Random) -> list[Task]:
    """Tasks that each read some rows of one or two objects before them, further down each time."""
    tasks: list[Task] = []
    for number in range(random.randint(2, 6)):
        rows = random.randint(1, 20)
        bands = even_bands(rows, random.randint(1, rows))
        reads: dict[str, list[range]] = {}
        for source in random.sample(tasks, min(len(tasks), random.randint(1, 2))):
            end = source.rows[-1].stop
            lows, highs = (sorted(random.randint(0, end) for _ in bands) for _ in range(2))
            reads[source.name] = [range(min(a, b), b) for a, b in zip(lows, highs, strict=True)]
        tasks.append(Task(str(number), str(number), bands, reads))
    return tasks


@pytest.mark.parametrize("seed", range(100))
def test_rows_are_there_when_they_are_read(seed: int):
    tasks = random_tasks(Random(seed))
    plan = schedule(tasks)
    assert sorted(plan.order) == [(n, b) for n, t in enumerate(tasks) for b in range(len(t.rows))]
    places = {name: np.full(kept, -1) for name, kept in plan.kept.items()}
    for number, band in plan.order:
        task = tasks[number]
        for object, rows in task.reads.items():
            kept = places[object]
            assert [kept[row % len(kept)] for row in rows[band]] == list(rows[band])
        assert task.makes is not None
        kept, made = places[task.makes], task.rows[band]
        # A band lies in one piece.
        assert made.start % len(kept) + len(made) <= len(kept)
        for row in made:
            kept[row % len(kept)] = row


@examples(40)
@given(networks(), sampled_from((1, 40)))
def test_networks_in_low_bands(network: Network, floats: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "BAND", floats)
        program = cmc.compile(network.model)
        for images in (1, 3):
            inputs = random_inputs(network.model, images, seed=0)
            assert_close(program.run(inputs).outputs, reference(network.model, inputs))
