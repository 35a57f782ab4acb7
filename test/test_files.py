# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Output files appear whole or not at all."""

import os
from pathlib import Path

import pytest

from cmc.errors import CmcError
from cmc.files.output import replacing, replacing_text


def test_file_appears_when_all_is_well(tmp_path: Path):
    path = tmp_path / "out"
    with replacing_text(path) as stream:
        stream.write("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_file_stays_as_it_was_on_failure(tmp_path: Path):
    path = tmp_path / "out"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing_text(path) as stream:
        stream.write("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_names_that_are_no_text_are_escaped(tmp_path: Path):
    """A page has the name of the model in it."""
    path = tmp_path / "page.html"
    with replacing_text(path) as stream:
        stream.write(os.fsdecode(b"\xff.onnx"))
    assert path.read_text() == "\\udcff.onnx"


def test_link_stays_a_link(tmp_path: Path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    with replacing_text(link) as stream:
        stream.write("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


@pytest.mark.parametrize("named", [True, False])
def test_error_names_the_file(tmp_path: Path, named: bool):
    path = tmp_path / "out"
    with pytest.raises(OSError, match=f"no space: '{path}'"), replacing(path) as temporary:
        raise OSError(28, "no space", *([str(temporary)] if named else []))
    with pytest.raises(OSError, match="unreadable: 'other'"), replacing(path):
        raise OSError(5, "unreadable", "other")


@pytest.mark.parametrize(
    ("name", "message"),
    [(".", "is a folder"), ("missing/out", "no such folder"), ("file/out", "is not a folder")],
)
def test_impossible_place(tmp_path: Path, name: str, message: str):
    (tmp_path / "file").touch()
    with pytest.raises(CmcError, match=message), replacing_text(tmp_path / name):
        pass
