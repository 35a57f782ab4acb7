# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`docs/operators.md`: what came of onnx's tests, by operator."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import onnx

from conformance.run import STATUSES, Outcome

_HEAD = """# Operators

Which operators of ONNX run on the cores: those whose tests in onnx do. Each of the {count} tests
of onnx {version} streams its first input of floating-point numbers, or else of other numbers, as
one image; all others are constants. It is compiled for both sizes of rings, runs in both modes of
the simulator, and is compared at the test's own tolerances. Where the cores refuse that, all inputs
are given to a session, in which the host computes what no core can have: the reason is then that of
the cores. `make conformance` runs them all, and writes this page.

| | tests | right on the cores | right with the host | refused | wrong | crashed |
| --- | --: | --: | --: | --: | --: | --: |
"""


def format_page(outcomes: Sequence[Outcome]) -> str:
    """The page, from the outcomes of all tests."""
    text = _HEAD.format(count=len(outcomes), version=onnx.__version__)
    for title, floats in (("floating-point numbers", True), ("integers, booleans, or none", False)):
        chosen = [outcome for outcome in outcomes if outcome.floats is floats]
        text += _row(title, chosen, [f"{_count(chosen, status)}" for status in STATUSES])
    text += _row("all", outcomes, [f"{_count(outcomes, status)}" for status in STATUSES])
    text += (
        "\nA test of an operator that ONNX defines by others counts twice: as a node of it, and\n"
    )
    text += "as the nodes of its definition.\n\n"
    text += (
        "| operator | tests | on the cores | with the host | why others are not on the cores |\n"
    )
    text += "| --- | --: | --: | --: | --- |\n"
    by_operator: dict[str, list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda one: one.operator.lower()):
        by_operator.setdefault(outcome.operator, []).append(outcome)
    for operator, chosen in by_operator.items():
        text += format_row(operator, chosen)
    return text


def format_row(operator: str, outcomes: Sequence[Outcome]) -> str:
    """What came of the tests of one operator."""
    counts = [f"{_count(outcomes, status)}" for status in ("cores", "host")]
    return _row(operator, outcomes, [*counts, _reasons(outcomes)])


def format_counts(outcomes: Sequence[Outcome]) -> str:
    """How many tests there are of each status, in one line."""
    counts = Counter(outcome.status for outcome in outcomes)
    floats = Counter(outcome.status for outcome in outcomes if outcome.floats)
    return ", ".join(
        f"{counts[status]} {status} ({floats[status]} with floating-point numbers)"
        for status in STATUSES
    )


def _row(title: str, outcomes: Sequence[Outcome], cells: Iterable[str]) -> str:
    return f"| {title} | {len(outcomes)} | {' | '.join(cells)} |\n"


def _count(outcomes: Iterable[Outcome], status: str) -> int:
    return sum(outcome.status == status for outcome in outcomes)


def _reasons(outcomes: Iterable[Outcome]) -> str:
    reasons = Counter(_general(one.reason) for one in outcomes if one.status != "cores")
    return "; ".join(reason for reason, _ in reasons.most_common(_MOST))


_MOST = 4
"""How many reasons there is room for."""


def _general(reason: str) -> str:
    """A reason without what is particular to a test."""
    short = re.sub(r"^operator '[^']*' (is not supported).*", r"the operator \1", reason)
    short = re.split(r"[:;] |\. ", short)[0]
    return re.sub(r"\s+", " ", re.sub(r"\[[-\d, ]*\]|\b-?\d+(\.\d+)?\b", "…", short)).replace(
        "|", "\\|"
    )
