# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Mapping files are read back as they were written, and what is wrong with one is named."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

import cmc
from cmc.errors import CmcError
from cmc.fitting.mapped import mapping_of
from cmc.fitting.mapping import (
    Copies,
    MappingFile,
    PlacedCore,
    format_mapping,
    parse_mapping,
    read_mapping,
    write_mapping,
)
from cmc.reports.text import format_report
from cmc.simulator import chip_of

WHOLE = MappingFile(
    {
        "conv1": Copies(("h", "w"), (2, 3), ("interleaved", "blocks")),
        "päd.2": Copies(("w",), (4,), ("blocks",)),
        "conv2": Copies(parts=((range(0, 14, 2), range(9)), (range(1, 14, 2), range(9)))),
    },
    {"core0": PlacedCore(("conv1_copy0", "pool"), 5), "a b": PlacedCore(('quo"ted',))},
    pipelines=3,
)


def test_a_mapping_is_read_back():
    assert parse_mapping(format_mapping(WHOLE), "m.toml") == WHOLE
    assert parse_mapping(format_mapping(MappingFile()), "m.toml") == MappingFile()


COPIES = "[copies.a]\nloops = ['w']"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cores = 3", "cores: expected a table"),
        ("core = 3", "unknown key core; there is copies, cores, pipelines"),
        ("pipelines = 0", "pipelines: expected a whole number from 1"),
        ("[cores.a]\nstages = []", "cores.a.stages: expected a list of names of stages"),
        ("[cores.a]\nstages = ['b']\nplace = -1", "cores.a.place: expected a whole number from 0"),
        ("[cores.a]\nstages = ['b']\nat = 1", "unknown key cores.a.at; there is place, stages"),
        (f"{COPIES}\ncopies = [0]", "copies.a.copies: expected a list"),
        (f"{COPIES}\ncopies = [2]\npattern = ['block']", "copies.a.pattern: expected a list"),
        (f"{COPIES}\ncopies = [2, 2]\npattern = ['blocks']", "copies.a.copies: expected 1 values"),
        ("[copies.a]\nparts = []", "copies.a.parts: expected a list of parts"),
        ("[copies.a]\nparts = ['0:8', '8:9:0']", "copies.a.parts: expected a list of parts"),
        ("[copies.a]\nparts = ['3:3']", "copies.a.parts: expected a list of parts"),
        (
            f"{COPIES}\nparts = ['0:3']",
            "copies.a.parts: there is nothing beside the parts, not loops",
        ),
        ("[copies", "this is not TOML"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str):
    with pytest.raises(CmcError) as raised:
        parse_mapping(text, "m.toml")
    assert raised.value.where == "m.toml"
    assert raised.value.message.startswith(message)
    assert "\n" not in raised.value.message


MESH = """
name = "small"
clock_ghz = 1
cores = 6
activation_bits = 8
sram_bytes = "unlimited"
crossbars = 2
rows = "unlimited"
columns = "unlimited"
mxv_ns = 4
mxv_interval_ns = 4
topology = "mesh"
grid = [2, 3]
link_bytes_per_ns = 4
hop_ns = 1
"""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("target") / "mesh.toml"
    path.write_text(MESH)
    return path


@pytest.fixture(scope="module")
def program(target: Path, digits: Path) -> cmc.Program:
    return cmc.compile(digits, target=target)


def test_what_was_written_and_given_back_is_the_same_chip(
    program: cmc.Program, target: Path, digits: Path, tmp_path: Path
):
    path = tmp_path / "mapping.toml"
    program.save_mapping(path)
    mapping = read_mapping(str(path))
    assert mapping.copies
    assert all(core.place is not None for core in mapping.cores.values())
    again = cmc.compile(digits, target=target, copies=path, place=path)
    assert str(again.module) == str(program.module)
    assert mapping_of(chip_of(again.module)) == mapping


def test_copies_along_loops_are_given_by_hand(target: Path, digits: Path, tmp_path: Path):
    path = tmp_path / "mapping.toml"
    along = Copies(("h", "w"), (2, 2), ("interleaved", "blocks"))
    write_mapping(MappingFile({"pool": along}), path)
    found = mapping_of(chip_of(cmc.compile(digits, target=target, copies=path).module))
    parts = tuple(product(along_rows(4), (range(2), range(2, 4))))
    assert found.copies == {"pool": Copies(parts=parts)}


def along_rows(rows: int) -> tuple[range, range]:
    """Every other row, and the others."""
    return range(0, rows - 1, 2), range(1, rows, 2)


def changed(mapping: MappingFile, old: str, new: str) -> str:
    """The text of a mapping with something else in one place."""
    text = format_mapping(mapping)
    assert text.count(old) == 1
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '"top_conv"',
            '"to_conv"',
            "stages: there is no stage 'to_conv'; did you mean 'top_conv'?",
        ),
        ('"top_conv"', '"pool"', "stages: 'pool' is a stage of core "),
        ('"top_conv"', '"stem_conv_copy0"', "stages: 'stem_conv_copy0' is a stage of core "),
        ('"top_conv", ', "", "cores: no core runs 'top_conv'"),
        ("place = 5", "place = 6", "place: target small has places from 0 to 5, and no 6"),
        ("place = 5", "place = 4", "place: core "),
        ("place = 5\n", "", "place: is missing"),
        ("[copies.stem_conv]", "[copies.stem]", "copies.stem: there is no stage 'stem'; did you"),
        (
            "[copies.stem_conv]",
            "[copies.average]",
            "copies.average: the parts of its copies are not its iterations, 0:1 x 0:1",
        ),
    ],
)
def test_a_mapping_of_another_network_is_refused(
    program: cmc.Program,
    target: Path,
    digits: Path,
    tmp_path: Path,
    old: str,
    new: str,
    message: str,
):
    path = tmp_path / "mapping.toml"
    path.write_text(changed(mapping_of(chip_of(program.module)), old, new))
    with pytest.raises(CmcError) as raised:
        cmc.compile(digits, target=target, copies=path, place=path)
    assert raised.value.where == str(path)
    assert message in raised.value.message
    assert "\n" not in raised.value.message


def test_a_report_says_what_crosses_links(program: cmc.Program):
    report = program.time(2)
    data = json.loads(report.to_json())
    assert data["hop_bytes"] == sum(link.bytes for link in report.links)
    assert 0 < data["hop_bytes_bound"] <= data["hop_bytes"]
    assert "bytes x links an image" in format_report(report, 100)
