# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The benchmarks run: what they measure is for people to judge, not for a test."""

import json
import subprocess
import sys
from pathlib import Path

from cmc.tools.bench.compilation import time_passes
from cmc.tools.bench.large import measured
from cmc.tools.bench.residual import residual_network


def test_one_network(digits: Path, tmp_path: Path):
    file = tmp_path / "bench.json"
    arguments = [digits, "--section", "networks", "--images", "2", "--budget", "0", "--json", file]
    done = subprocess.run(
        [sys.executable, "-m", "cmc.tools.bench", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "digits" in done.stdout
    (row,) = json.loads(file.read_text())["networks"]["rows"]
    assert row["cores"] == 7
    assert row["footprint"]["peak"] > row["footprint"]["weights"] > 0


def test_unknown_network(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "cmc.tools.bench", "digit"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "no network or file is named 'digit'; did you mean 'digits'?" in done.stderr


def test_a_residual_network_compiles():
    seconds = time_passes(residual_network(8, [1, 1]))
    assert next(iter(seconds)) == "import"
    assert "convert-cmpipe-to-cmctrl" in seconds


def test_large_images():
    large = measured(32, 0)
    assert large.values > 0 and large.footprint.activations == 2 * 32 * 32 * 8 * 4
