# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Rings of stages that share units."""

from collections.abc import Sequence

import pytest

from cmc.sizing import shared
from cmc.sizing.shared import MORE_ROWS, Pace, roomy_slots
from cmc.timing.flow import Edge, Flow, Process, Steps
from cmc.timing.runs import Runs


def test_of_large_pipelines_only_the_shortest_rings_are_tried(monkeypatch: pytest.MonkeyPatch):
    tried: list[Sequence[int]] = []

    def never_fast(flow: Flow, slots: Sequence[int]) -> Pace:
        """The pace of a stream in which stages always wait for turns."""
        tried.append(slots)
        return Pace(float("inf"), False)

    monkeypatch.setattr(shared, "EVENTS", 1)
    monkeypatch.setattr(shared, "pace", never_fast)
    each = Steps.of(Runs.line(100, 1, 1), Runs.line(100, 1, 1))
    processes = [
        Process(name, 100, side="core", place=place, occupies={"port": 2})
        for place, name in enumerate("ab")
    ]
    flow = Flow.of(processes, [Edge("x for b", "a", "b", each, each)])
    assert roomy_slots(flow, [3], [10], list) == [3 + 10 * MORE_ROWS[-1]]
    assert tried == [[3]]
