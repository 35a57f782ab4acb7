# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Rings of stages that share units."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from cmc.compiler.standard import standard_pipeline
from cmc.dialects.cmpipe import TargetAttr, target_of
from cmc.importer import import_model
from cmc.simulator.pipeline import pipeline_of
from cmc.sizing import shared
from cmc.sizing.minimal import minimal_slots
from cmc.sizing.model import CountedPipeline
from cmc.sizing.shared import MORE_ROWS, Pace, roomy_slots
from cmc.sizing.sram import Sram
from cmc.sizing.throughput import throughput_slots
from cmc.timing.flow import Edge, Flow, Process, Steps
from cmc.timing.runs import Runs
from end_to_end import lower


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
    asked: list[tuple[Sequence[int], Sequence[int]]] = []

    def fitted(slots: Sequence[int], enough: Sequence[int]) -> list[int]:
        asked.append((slots, enough))
        return list(slots)

    # An image has 100 elements; rings are as much longer, and by the most rows at least.
    assert roomy_slots(flow, [3], [10], fitted) == [3 + 100]
    assert roomy_slots(flow, [3], [20], fitted) == [3 + 20 * MORE_ROWS[-1]]
    assert tried == [[3], [3]]
    assert asked == [([3], [3]), ([103], [3]), ([3], [3]), ([163], [3])]


def test_what_is_more_than_enough_is_given_up_first(digits: Path):
    """Where the SRAM has no room for rings that are asked for, it may have room for these."""
    module = import_model(digits)
    passes = standard_pipeline(target="pcm-64:cores=1,crossbars=64", copies="none")
    lower(module, *passes[: passes.index("cmpipe-size-buffers{policy=throughput}")])
    model = CountedPipeline(pipeline_of(module))
    enough = throughput_slots(model.flow)
    least = minimal_slots(model.flow, enough, model.vectors)
    asked = [10 * count for count in enough]
    target = target_of(model.pipeline)

    def fitted(sram_bytes: int) -> list[int]:
        model.pipeline.target = TargetAttr(replace(target, sram_bytes=sram_bytes))
        return Sram(model, lambda: least).fitted(asked, enough)

    def between(low: Sequence[int], found: Sequence[int], high: Sequence[int]) -> bool:
        return all(a <= b <= c for a, b, c in zip(low, found, high, strict=True))

    assert fitted(1 << 20) == asked
    found = [fitted(size) for size in range(2000, 20000, 500)]
    assert all(between(least, one, enough) or between(enough, one, asked) for one in found)
    assert any(one != enough and between(least, one, enough) for one in found)
    assert any(one not in (enough, asked) and between(enough, one, asked) for one in found)
