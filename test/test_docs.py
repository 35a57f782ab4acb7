"""What the documents show is what there is."""

from __future__ import annotations

import re
import shlex
from io import StringIO
from pathlib import Path

import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.printer import Printer

from cmc.api import make_context
from cmc.files.parsing import parse_file
from cmc.tools.cmc import main
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
    command, _, printed = transcript.partition("\n")
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "100")
    code = main(shlex.split(command.removeprefix("$ cmc ")))
    out, error = capsys.readouterr()
    assert (code, bool(error)) in ((0, False), (1, True))
    # What follows depends on what it is compared with.
    ends = [
        re.split("largest errors against|errors of", text)[0] for text in (out + error, printed)
    ]
    assert ends[0] == ends[1]


def test_calculations_of_the_design(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    calculations = blocks(DESIGN, "python")
    assert len(calculations) >= 3
    exec("\n".join(calculations), {})


def test_places_that_the_design_names_exist():
    names = re.findall(r"`((?:cmc|dialects|passes|test)/[\w/]*)`", DESIGN.read_text())
    assert len(names) >= 5
    assert [name for name in names if not (ROOT / name).exists()] == []
