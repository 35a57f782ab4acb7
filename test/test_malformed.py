# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A few of the damaged models of `make malformed`."""

from __future__ import annotations

from pathlib import Path

from malformed.run import try_mutants


def test_damaged_models_end_in_a_result_or_in_one_line(tmp_path: Path):
    outcomes = try_mutants(0, 50, tmp_path)
    assert {"result", "refused"} == set(outcomes)
