# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""All of onnx's tests of operators: none is wrong, and none crashes; run by `make conformance`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

import pytest

from conformance.run import load_tests, run_test

TESTS = load_tests()


@pytest.mark.parametrize("name", TESTS)
def test_operator(name: str, record_property: Callable[[str, object], None]):
    outcome = run_test(name, TESTS)
    record_property("outcome", json.dumps(asdict(outcome)))
    assert outcome.status in ("cores", "host", "refused"), outcome.reason
