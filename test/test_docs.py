# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What the documents show is what there is."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.printer import Printer

from cmc.api import make_context
from cmc.files.parsing import parse_file
from cmc.passes import get_all_passes
from cmc.tools.cmc import main
from cmc.tools.cmc_opt import main as optimize
from conftest import ROOT
from end_to_end import lower

PASSES = (
    "convert-nn-to-cmpipe",
    "cmpipe-derive-control",
    "cmpipe-size-buffers{policy=minimal}",
    "convert-cmpipe-to-cmctrl",
)


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a document in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.DOTALL | re.MULTILINE)


DESIGN, README = ROOT / "docs" / "design.md", ROOT / "README.md"


def parse(text: str) -> ModuleOp:
    return parse_file(make_context(), text.encode(), "text.mlir")


def printed(module: ModuleOp) -> list[str]:
    """The lines of a module, without what only sets them out."""
    stream = StringIO()
    Printer(stream).print_op(module)
    return lines(stream.getvalue())


def lines(text: str) -> list[str]:
    return [line for one in text.splitlines() if (line := one.partition("//")[0].strip())]


def same(a: list[str], b: list[str]) -> bool:
    """Whether lines differ in nothing but the names of values."""
    return renamed(a) == renamed(b)


def renamed(text: list[str]) -> str:
    """Every value by the number of those that are defined before it."""
    numbers: dict[str, int] = {}
    count = 0

    def number(found: re.Match[str]) -> str:
        nonlocal count
        name, defined = found.groups()
        if defined:
            count += 1
            numbers[name] = count
        return f"%{numbers.get(name)}{defined}"

    return re.sub(r"%(\w+)( =|)", number, "\n".join(text))


def shows(part: list[str], whole: list[str]) -> bool:
    """Whether lines stand one after the other in others, but for the names of values."""
    count = len(part)
    return any(same(whole[at : at + count], part) for at in range(len(whole) - count + 1))


def test_listings_of_the_design_are_what_the_passes_make():
    network, *listings = blocks(DESIGN, "mlir")
    module = parse(network)
    levels: list[list[str]] = []
    for one in PASSES:
        lower(module, one)
        levels.append(printed(module))
    assert len(listings) >= 3
    for listing in listings:
        assert any(shows(lines(listing), level) for level in levels), listing


def test_the_listing_of_the_readme_is_the_core_that_is_written_by_hand():
    (listing,) = blocks(README, "mlir")
    chip = parse((ROOT / "test" / "two_convolutions" / "cmctrl.mlir").read_text())
    assert shows(lines(listing), printed(chip))


@pytest.mark.parametrize("transcript", blocks(README, "console"))
def test_transcripts_of_the_readme_are_what_a_run_prints(
    transcript: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "100")
    expect_run(transcript, capsys)


def expect_run(transcript: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Commands print what follows them, where lines of three dots stand for any."""
    for part in transcript.removeprefix("$ ").split("\n$ "):
        command, _, expected = part.partition("\n")
        tool, *arguments = shlex.split(command)
        code = {"cmc": main, "cmc-opt": optimize}[tool](arguments)
        out, error = capsys.readouterr()
        assert (code, bool(error)) in ((0, False), (1, True)), error
        found, wanted = map(_compared, (out + error, expected))
        pattern = ".*".join(map(re.escape, re.split(r"^\.\.\.$", wanted, flags=re.MULTILINE)))
        assert re.fullmatch(pattern, found, re.DOTALL), f"{command}\n{found}\n{wanted}"


def _compared(text: str) -> str:
    """What does not depend on what a run is compared with."""
    return re.split("largest errors against|errors of", text)[0].rstrip("\n")


FENCED = re.compile(r"^```(python|console|toml)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_the_tutorial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    names: dict[str, object] = {}
    text = (ROOT / "docs" / "tutorial.md").read_text()
    for kind, block in FENCED.findall(text):
        match kind:
            case "python":
                exec(block, names)
                for line in capsys.readouterr().out.splitlines():
                    assert f"`{line}`" in text
            case "console":
                expect_run(block, capsys)
            case _:
                Path("mine.toml").write_text(block)


def test_extensions(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    for block in blocks(ROOT / "docs" / "extending.md", "python"):
        first, _, rest = block.partition("\n")
        if first.startswith("# "):
            assert rest in Path(first.removeprefix("# ")).read_text()
        else:
            exec(block, names)
    out = capsys.readouterr().out
    assert "stem_conv 64\nblock_conv1 64\n" in out
    assert "the ready machine of @image from @image_stream to @stem_conv\n  loop\n" in out


def test_the_site_has_no_dead_links(tmp_path: Path):
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", ROOT / "docs", tmp_path]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    page = (tmp_path / "reference" / "passes.html").read_text()
    assert [name for name in get_all_passes() if f'href="#{name}"' not in page] == []
    library = (tmp_path / "reference" / "library.html").read_text()
    assert "Program.run(" in library and "Program.inputs<" in library  # which it inherits


def test_calculations_of_the_design(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    calculations = blocks(DESIGN, "python")
    assert len(calculations) >= 3
    exec("\n".join(calculations), {})


def test_places_that_the_design_names_exist():
    names = re.findall(r"`((?:cmc|dialects|passes|test)/[\w/]*)`", DESIGN.read_text())
    assert len(names) >= 5
    assert [name for name in names if not (ROOT / name).exists()] == []
