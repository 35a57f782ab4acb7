# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Reports as JSON and as text."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cmc.reports.report import CoreReport, ProgramReport, Report, RingReport
from cmc.reports.text import format_report
from cmc.targets import IDEAL
from cmc.timing.runs import Runs


def core(name: str, iterations: int, offset: int, images: int, interval: int) -> CoreReport:
    """One that begins an image every `interval` cycles and an iteration every cycle."""
    starts = np.arange(images)[:, np.newaxis] * interval + np.arange(iterations) + offset
    program = ProgramReport(
        name,
        iterations,
        offset,
        int(starts.max()),
        starts.size,
        {"@a": 12, "@b": 0},
        Runs.of(starts.reshape(-1)),
        iterations,
        crossbars=2,
        cells_used=90,
        cells=128,
    )
    ring = RingReport(f"@a from @x to @{name}", 16, 5, 20)
    loads = {"crossbars": iterations, "digital": 4}
    return CoreReport(f"on_{name}", (program,), (ring,), (), loads)


CHIP = replace(IDEAL, name="small", clock_ghz=0.5, cores=4, crossbars=2, sram_bytes=64)


@pytest.fixture
def report() -> Report:
    cores = (core("conv1", 10, 0, 3, 10), core("dense", 1, 11, 3, 10))
    return Report(3, 33, 10.0, cores, 13, "the crossbars of @conv1 in core @on_conv1", CHIP)


def test_json(report: Report):
    data = json.loads(report.to_json())
    assert (data["images"], data["cycles"], data["cycles_per_image"]) == (3, 33, 10.0)
    assert data["slots"] == 10
    assert (data["target"], data["bound_by"]) == ("small", report.bound_by)
    assert (data["interval_ns"], data["latency_ns"]) == (20.0, 26.0)
    assert data["images_per_second"] == 5e7
    assert (data["crossbars"], data["sram_bytes"]) == (4, 36)
    assert (data["cells_used"], data["cells_wasted"], data["cells"]) == (180, 76, 256)
    assert data["cores"][1] == {
        "name": "on_dense",
        "programs": [
            {
                "name": "dense",
                "turn": 0,
                "iterations": 1,
                "first_cycle": 11,
                "last_cycle": 31,
                "busy": 3,
                "waiting": {"@a": 12, "@b": 0},
                "crossbars": 2,
                "cells_used": 90,
                "cells_wasted": 38,
                "cells": 128,
            }
        ],
        "crossbars": 2,
        "cells_used": 90,
        "cells_wasted": 38,
        "cells": 128,
        "loads": {"crossbars": 1, "digital": 4},
        "sram_bytes": 36,
        "rings": [{"channel": "@a from @x to @dense", "address": 16, "slots": 5, "bytes": 20}],
        "constants": [],
    }


def test_text(report: Report):
    assert format_report(report, 100) == "\n".join(
        [
            "core      stages  crossbars  cells used  busy  crossbars busy  digital busy  "
            "SRAM bytes  waiting on",
            "on_conv1  conv1           2   90 of 128  100%            100%           40%  "
            "  36 of 64  @a 12",
            "on_dense  dense           2   90 of 128   40%             10%           40%  "
            "  36 of 64  @a 12",
            "",
            "images 0 to 2, cycles 0 to 31, 1 a column, '.' is idle",
            "conv1 |000000000011111111112222222222..|",
            "dense |...........0.........1.........2|",
            "",
            "3 images in 33 cycles, 10 cycles per image in steady state",
            "latency 0.026 µs, 13 cycles",
            "interval 0.02 µs, 10 cycles: 50,000,000 images per second",
            "bound by the crossbars of @conv1 in core @on_conv1, 100% busy",
            "cores used 1 of 4, crossbars 4 of 8, their cells 180 of 256, "
            "bytes of SRAM in the fullest core 36 of 64",
        ]
    )


def test_many_stages_and_waits_are_counted():
    names = ("a", "b", "c", "d", "e")
    programs = tuple(
        ProgramReport(n, 1, 0, 0, 1, {f"@{n}": i}, Runs.line(1, 0)) for i, n in enumerate(names)
    )
    report = Report(1, 1, 100.0, (CoreReport("core0", programs, (), (), {"port": 0, "memory": 0}),))
    line = format_report(report, 100).splitlines()[1]
    assert line.split("  ")[1] == "a, b, c, 2 more"
    assert line.endswith("  @e 4, @d 3, @c 2, 1 more")


@pytest.mark.parametrize(
    ("cycles", "text"),
    [
        (12, "0.012 µs, 12 cycles: 83,333,333 images"),
        (12.5, "0.0125 µs, 12.5 cycles: 80,000,000 images"),
        (3_160_705, "3,160.7 µs, 3,160,705 cycles: 316.385 images"),
        (3_160_705_123, "3,160,705 µs, 3,160,705,123 cycles: 0.316385 images"),
    ],
)
def test_intervals_of_any_length(cycles: float, text: str):
    report = Report(9, 10, cycles, (core("conv1", 10, 0, 1, 10),))
    assert f"\ninterval {text} per second\n" in format_report(report, 100)


def test_a_short_stream_asks_a_longer_one_for_its_interval():
    cores = (core("conv1", 10, 0, 1, 10),)
    report = Report(1, 10, None, cores, 10, "@conv1 in core @on_conv1", IDEAL, lambda: 12.0)
    assert json.loads(report.to_json())["interval_ns"] == 12.0
    assert "\ninterval 0.012 µs, 12 cycles: 83,333,333 images" in format_report(report, 100)
    assert json.loads(report.to_json())["cycles_per_image"] is None


def test_caption_counts_the_images_that_are_shown():
    """Of a long stream the first images stand for the others."""
    report = Report(1000, 10_010, 10.0, (core("conv1", 10, 0, 3, 10),))
    assert "\nimages 0 to 2, " in format_report(report, 100)
    report = Report(1000, 10_010, 10.0, (core("conv1", 10, 0, 30, 10),))
    assert "\nimages 0 to 7, " in format_report(report, 100)


def test_text_keeps_to_the_width(report: Report):
    picture = format_report(report, 40).split("\n\n")[1].splitlines()[1:]
    assert all(len(line) <= 40 for line in picture)


def test_wide_text_of_one_image_of_one_cycle():
    program = ProgramReport("a", 1, 0, 0, 1, {}, Runs.line(1, 0))
    report = Report(1, 1, None, (CoreReport("a", (program,), ()),))
    text = format_report(report, 10)
    assert "a |0|" in text
    assert "\n1 image in 1 cycle\n" in text
    assert "interval" not in text
    assert json.loads(report.to_json())["interval_ns"] is None
