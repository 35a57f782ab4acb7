# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Thousands of damaged models; run by `make malformed`."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import FUZZ
from malformed.run import try_mutants


@pytest.fixture(scope="module", autouse=True)
def bounded_memory() -> Iterator[None]:
    """Sizes that a file declares allocate no more than so much."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.parametrize("seed", range(100 * max(1, FUZZ)))
def test_damaged_models(seed: int, tmp_path: Path):
    try_mutants(seed, 60, tmp_path)
