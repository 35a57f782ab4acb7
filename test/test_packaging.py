# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A wheel of the project works in an empty environment, away from the checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT

FOLDERS = {"cmc": "cmc", "dialects": "cmc.dialects", "passes": "cmc.passes", "tools": "cmc.tools"}


def packages() -> Iterator[str]:
    """The packages of the checkout, by their import names."""
    for folder, package in FOLDERS.items():
        for file in sorted((ROOT / folder).rglob("__init__.py")):
            yield ".".join((package, *file.parent.relative_to(ROOT / folder).parts))


def modules() -> Iterator[str]:
    """The modules of the checkout, by their import names."""
    for folder, package in FOLDERS.items():
        for file in sorted((ROOT / folder).rglob("*.py")):
            parts = file.relative_to(ROOT / folder).with_suffix("").parts
            yield ".".join((package, *(part for part in parts if part != "__init__")))


def run(*command: str | Path, cwd: Path) -> str:
    # Whatever points Python at the checkout is left behind.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of executables of a new environment with the wheel in it.

    The dependencies are those of this environment, so that nothing is downloaded.
    """
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in FOLDERS:
        shutil.copytree(
            ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    build = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    run(*pip, *build, source, cwd=folder)

    environment = folder / "environment"
    venv.create(environment, symlinks=True, with_pip=False)
    python = environment / "bin" / "python"
    run(
        *pip,
        "--python",
        python,
        "install",
        "--quiet",
        "--no-deps",
        *folder.glob("*.whl"),
        cwd=folder,
    )
    site = Path(
        run(
            python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder
        ).strip()
    )
    # Of a folder named in a .pth file, the .pth files are not read: an editable installation of
    # this project there stays out of sight.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def test_every_package_is_listed():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(packages())


def test_modules_come_from_the_wheel(installed: Path, tmp_path: Path):
    code = (
        "import importlib, sys; [print(importlib.import_module(m).__file__) for m in sys.argv[1:]]"
    )
    files = run(installed / "python", "-c", code, *modules(), cwd=tmp_path).split()
    assert all(Path(file).is_relative_to(installed.parent) for file in files)


def test_nothing_else_is_installed(installed: Path):
    """No `dialects` or `passes` at top level."""
    (site,) = installed.parent.glob("lib/python*/site-packages")
    assert {path.name for path in site.iterdir()} - {"dependencies.pth"} == {
        "cmc",
        *(path.name for path in site.glob("cmc-*.dist-info")),
    }


def test_wheel_is_typed_and_licensed(installed: Path):
    files = {path.name for path in installed.parent.rglob("*") if "cmc" in str(path)}
    assert {"py.typed", "LICENSE"} <= files


def test_commands(installed: Path, tmp_path: Path):
    (tmp_path / "f.mlir").write_text("func.func @f() {\n  func.return\n}\n")
    assert "func.return" in run(installed / "cmc-opt", "f.mlir", "-p", "canonicalize", cwd=tmp_path)
    digits = ROOT / "examples" / "digits" / "digits.onnx"
    run(installed / "cmc", "compile", digits, "-o", "digits.mlir", cwd=tmp_path)
    output = run(installed / "cmc", "run", "digits.mlir", "--random", "1", cwd=tmp_path)
    assert "cycles" in output
    assert "\npcm-64 " in run(installed / "cmc", "targets", cwd=tmp_path)


def test_stock_xdsl_opt_sees_dialects_and_passes(installed: Path, tmp_path: Path):
    text = 'func.func @f() attributes {a = #poly.set<"{ [i] : 0 <= i < 3 }">} {\n  func.return\n}\n'
    (tmp_path / "f.mlir").write_text(text)
    command = (installed / "python", "-m", "xdsl.tools.xdsl_opt", "f.mlir")
    output = run(*command, "-p", "nn-canonicalize,cmpipe-derive-control", cwd=tmp_path)
    assert "#poly.set" in output
