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
    folders = ("cmc", "dialects", "passes", "tools", "docs", "examples", "test", ".pyright")
    kinds = {".py", ".pyi", ".mlir", ".toml", ".html", ".css", ".js"}
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    # Beside its tests, lit has a folder Output for what they write.
    sources = [path for path in files if path.suffix in kinds and "Output" not in path.parts]
    assert len(sources) > 500
    licence = "SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception"
    assert [path for path in sources if licence not in path.open().readline()] == []


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
