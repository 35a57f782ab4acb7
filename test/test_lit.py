# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The lit tests, each a test of pytest's."""

import fcntl
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TypedDict, cast

import pytest

HERE = Path(__file__).parent
NOT_TESTS = {"Inputs", "Output"}
FILES = sorted(path for path in HERE.rglob("*.mlir") if not NOT_TESTS.intersection(path.parts))

DIRECTIVE_WITHOUT_COLON = re.compile(
    r"^\s*//\s*[A-Z][A-Z0-9_-]*-(NEXT|SAME|NOT|DAG|LABEL|EMPTY)\b(?!.*:)|^\s*//\s*CHECK\b(?!.*:)",
    re.MULTILINE,
)


class LitTest(TypedDict):
    """What lit says of one file."""

    name: str
    code: str
    output: str


def name(path: Path) -> str:
    return str(path.relative_to(HERE))


@pytest.fixture(scope="session")
def lit_tests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LitTest]:
    """All files by name, from one run of lit, which the workers of pytest-xdist share."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    results = folder / "lit.json"
    with (folder / "lit.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not results.exists():
            lit = Path(sys.executable).parent / "lit"
            command = [lit, "--quiet", "--output", results, HERE]
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            assert results.exists(), run.stdout + run.stderr
    tests = cast(list[LitTest], json.loads(results.read_text())["tests"])
    return {test["name"].partition(" :: ")[2]: test for test in tests}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_lit(path: Path, lit_tests: dict[str, LitTest]):
    test = lit_tests[name(path)]
    assert test["code"] == "PASS", test["output"]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_directives_keep_their_colon(path: Path):
    """`CHECK-NEXT foo` is a comment that checks nothing."""
    lost = DIRECTIVE_WITHOUT_COLON.search(path.read_text())
    assert lost is None, f"{name(path)}: {lost and lost.group().strip()}"
