"""Mapping files are read back as they were written, and what is wrong with one is named."""

from __future__ import annotations

import pytest

from cmc.errors import CmcError
from cmc.fitting.mapping import Copies, MappingFile, PlacedCore, format_mapping, parse_mapping

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
