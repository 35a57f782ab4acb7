"""A part of what `make conformance` runs."""

from __future__ import annotations

import pytest

from conformance.run import NodeTest, load_tests, run_test


@pytest.fixture(scope="module")
def tests() -> dict[str, NodeTest]:
    return load_tests()


RIGHT = ("test_spacetodepth_crd_mode_example", "test_layer_normalization_default_axis")


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right(name: str, tests: dict[str, NodeTest]):
    if name not in tests:
        pytest.skip("the installed onnx has no such test")
    outcome = run_test(name, tests)
    assert outcome.status == "cores", outcome.reason


def test_what_is_right_with_the_host(tests: dict[str, NodeTest]):
    outcome = run_test("test_nonzero_example", tests)
    assert outcome.status == "host"
    assert outcome.reason.startswith("operator 'NonZero' is not supported")
