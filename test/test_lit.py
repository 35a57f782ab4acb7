"""The lit tests, each a test of pytest's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NOT_TESTS = {"Inputs", "Output"}
FILES = sorted(path for path in HERE.rglob("*.mlir") if not NOT_TESTS.intersection(path.parts))

DIRECTIVE_WITHOUT_COLON = re.compile(
    r"^\s*//\s*[A-Z][A-Z0-9_-]*-(NEXT|SAME|NOT|DAG|LABEL|EMPTY)\b(?!.*:)|^\s*//\s*CHECK\b(?!.*:)",
    re.MULTILINE,
)


def name(path: Path) -> str:
    return str(path.relative_to(HERE))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_lit(path: Path):
    lit = [str(Path(sys.executable).parent / "lit"), "-v", "--no-progress-bar", str(path)]
    result = subprocess.run(lit, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "PASS: " in result.stdout


@pytest.mark.parametrize("path", FILES, ids=name)
def test_directives_keep_their_colon(path: Path):
    """`CHECK-NEXT foo` is a comment that checks nothing."""
    lost = DIRECTIVE_WITHOUT_COLON.search(path.read_text())
    assert lost is None, f"{name(path)}: {lost and lost.group().strip()}"
