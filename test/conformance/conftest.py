# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Gather what came of onnx's tests, from all processes of pytest, and write the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.run import Outcome
from conformance.table import format_counts, format_page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operators.md"

_outcomes: dict[str, Outcome] = {}


def pytest_addoption(parser: pytest.Parser):
    parser.addoption("--page", action="store_true", help="write docs/operators.md")


def pytest_runtest_logreport(report: pytest.TestReport):
    for name, value in report.user_properties:
        if name == "outcome":
            outcome = Outcome(**json.loads(str(value)))
            _outcomes[outcome.test] = outcome


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config):
    outcomes = [_outcomes[name] for name in sorted(_outcomes)]
    if not outcomes:
        return
    terminalreporter.write_line(format_counts(outcomes))
    if config.getoption("--page"):
        PAGE.write_text(format_page(outcomes))
        terminalreporter.write_line(f"written: {PAGE}")
