# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The sources are formatted, free of lint, and typed, by the tools' own judgement."""

import subprocess
import sys

import pytest

from conftest import ROOT


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_every_source_says_its_licence():
    folders = ("cmc", "dialects", "passes", "tools", "docs", "examples", "test")
    sources = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert len(sources) > 300
    licence = "# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n"
    assert [path for path in sources if not path.read_text().startswith(licence)] == []


def test_ruff_format():
    result = run("ruff", "format", "--check", ".")
    assert result.returncode == 0, result.stdout + result.stderr


def test_ruff_check():
    result = run("ruff", "check", ".")
    assert result.returncode == 0, result.stdout + result.stderr


def test_pyright():
    started = run("pyright", "--version")
    if started.returncode != 0:
        # Its engine is a program for node, which not every platform has a package of.
        pytest.skip(f"pyright does not start here: {started.stderr.strip()[-300:]}")
    result = run("pyright", "--pythonpath", sys.executable)
    assert result.returncode == 0, result.stdout + result.stderr
