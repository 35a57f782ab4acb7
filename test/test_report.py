"""Reports as JSON and as text."""

import json

import numpy as np
import pytest

from cmc.reports.report import CoreReport, ProgramReport, Report, RingReport
from cmc.reports.text import format_report
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
    )
    return CoreReport(f"on_{name}", (program,), (RingReport(f"@a from @x to @{name}", 16, 5, 20),))


@pytest.fixture
def report() -> Report:
    cores = (core("conv1", 10, 0, 3, 10), core("dense", 1, 11, 3, 10))
    return Report(3, 33, 10.0, cores)


def test_json(report: Report):
    data = json.loads(report.to_json())
    assert (data["images"], data["cycles"], data["cycles_per_image"]) == (3, 33, 10.0)
    assert data["slots"] == 10
    assert data["cores"][1] == {
        "name": "on_dense",
        "programs": [
            {
                "name": "dense",
                "iterations": 1,
                "first_cycle": 11,
                "last_cycle": 31,
                "busy": 3,
                "waiting": {"@a": 12, "@b": 0},
            }
        ],
        "sram_bytes": 36,
        "rings": [{"channel": "@a from @x to @dense", "address": 16, "slots": 5, "bytes": 20}],
        "constants": [],
    }


def test_text(report: Report):
    assert format_report(report, 100) == "\n".join(
        [
            "stage      core  iterations  first  last  busy  slots  waiting on",
            "conv1  on_conv1          10      0    29    30      5  @a 12",
            "dense  on_dense           1     11    31     3      5  @a 12",
            "",
            "images 0 to 2, cycles 0 to 31, 1 a column, '.' is idle",
            "conv1 |000000000011111111112222222222..|",
            "dense |...........0.........1.........2|",
            "",
            "3 images in 33 cycles, 10 cycles per image in steady state",
        ]
    )


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
    text = format_report(Report(1, 1, None, (CoreReport("a", (program,), ()),)), 10)
    assert "a |0|" in text
    assert text.endswith("\n1 image in 1 cycle")
