# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Where a network is on a chip, as a TOML file: copies of stages, stages of cores, cores' places.

```toml
[copies.conv1]
loops = ["h", "w"]
copies = [2, 3]
pattern = ["interleaved", "blocks"]

[copies.conv2]
parts = ["0:14:2, 0:9", "1:14:2, 0:9", "0:14, 9:14"]

[cores.core0]
place = 5
stages = ["conv1_copy0", "pool1"]
```

A part has the values of each loop that a copy runs: from the first on, up to one that is not among
them, and every how many. Stages have the names that they have once copies are made. A stage without
copies is left out of the first table, and `place` where places make no difference.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from re import ASCII, fullmatch

from xdsl.utils.hints import isa

from cmc.errors import CmcError
from cmc.files.output import replacing_text
from cmc.fitting.parts import PATTERNS, Part


@dataclass(frozen=True)
class Copies:
    """How many copies of a stage there are along some of its loops, or what each copy runs."""

    loops: tuple[str, ...] = ()
    copies: tuple[int, ...] = ()
    pattern: tuple[str, ...] = ()
    """Of each loop `interleaved` or `blocks`."""
    parts: tuple[Part, ...] = ()
    """Iterations of each copy, where no loops are named."""


@dataclass(frozen=True)
class PlacedCore:
    """The stages of a core, and its place on the chip where that is given."""

    stages: tuple[str, ...]
    place: int | None = None


@dataclass(frozen=True)
class MappingFile:
    """What a mapping file says, by the names of stages and of cores."""

    copies: Mapping[str, Copies] = field(default_factory=dict[str, Copies])
    cores: Mapping[str, PlacedCore] = field(default_factory=dict[str, PlacedCore])
    pipelines: int = 1
    """How many pipelines take turns."""


def read_mapping(path: str) -> MappingFile:
    """The mapping in a file; CmcError names the file and the key that is wrong."""
    try:
        text = Path(path).read_bytes().decode()
    except OSError as error:
        reason = error.strerror or str(error)
        raise CmcError(reason[:1].lower() + reason[1:], path) from error
    except UnicodeDecodeError as error:
        raise CmcError(f"not UTF-8 text ({error.reason}, byte {error.start})", path) from error
    return parse_mapping(text, path)


def parse_mapping(text: str, where: str) -> MappingFile:
    """The mapping that TOML text describes; `where` names the file in a CmcError."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise CmcError(f"this is not TOML: {error}", where) from error
    _expect_keys("", table, {"pipelines", "copies", "cores"}, where)
    pipelines = table.get("pipelines", 1)
    if not _is_count(pipelines, 1):
        raise _expected("pipelines", "a whole number from 1", where)
    return MappingFile(
        {
            stage: _copies(f"copies.{stage}", given, where)
            for stage, given in _part(table, "copies", where).items()
        },
        {
            core: _core(f"cores.{core}", given, where)
            for core, given in _part(table, "cores", where).items()
        },
        pipelines,
    )


def write_mapping(mapping: MappingFile, path: Path) -> None:
    """Write a mapping as a file that says the same."""
    with replacing_text(path) as stream:
        stream.write(format_mapping(mapping))


def format_mapping(mapping: MappingFile) -> str:
    """A mapping as the text of its file."""
    parts = [] if mapping.pipelines == 1 else [f"pipelines = {mapping.pipelines}\n"]
    for stage, copies in mapping.copies.items():
        texts = [", ".join(map(_loop_text, part)) for part in copies.parts]
        fields = ("loops", copies.loops), ("copies", copies.copies), ("pattern", copies.pattern)
        fields = (*fields, ("parts", texts))
        lines = "".join(f"{name} = {_toml(values)}\n" for name, values in fields if values)
        parts.append(f"[copies.{_key(stage)}]\n{lines}")
    for name, core in mapping.cores.items():
        place = "" if core.place is None else f"place = {core.place}\n"
        parts.append(f"[cores.{_key(name)}]\n{place}stages = {_toml(core.stages)}\n")
    return "\n".join(parts)


def _part(table: Mapping[str, object], name: str, where: str) -> dict[str, object]:
    given = table.get(name, {})
    if not isa(given, dict[str, object]):
        raise _expected(name, "a table", where)
    return given


def _copies(key: str, given: object, where: str) -> Copies:
    if isa(given, dict[str, object]) and "parts" in given:
        return Copies(parts=_parts(f"{key}.parts", given.pop("parts"), given, where))
    table = _expect_table(key, given, ("loops", "copies", "pattern"), where)
    loops, copies, pattern = (table.get(part) for part in ("loops", "copies", "pattern"))
    if not isa(loops, list[str]) or not loops:
        raise _expected(f"{key}.loops", 'a list of names of loops, ["h", "w"]', where)
    if not isa(copies, list[int]) or not all(_is_count(number, 1) for number in copies):
        raise _expected(f"{key}.copies", "a list of whole numbers from 1", where)
    if not isa(pattern, list[str]) or not set(pattern) <= set(PATTERNS):
        raise _expected(f"{key}.pattern", 'a list of "interleaved" or "blocks"', where)
    for part, values in (("copies", copies), ("pattern", pattern)):
        if len(values) != len(loops):
            raise _expected(f"{key}.{part}", f"{len(loops)} values, one for each loop", where)
    return Copies(tuple(loops), tuple(copies), tuple(pattern))


def _parts(key: str, given: object, rest: Mapping[str, object], where: str) -> tuple[Part, ...]:
    if rest:
        raise CmcError(f"{key}: there is nothing beside the parts, not {', '.join(rest)}", where)
    texts = given if isa(given, list[str]) else []
    parts = [tuple(map(_read_loop, text.split(","))) for text in texts]
    found = [tuple(loop for loop in part if loop) for part in parts]
    if not found or list(map(len, found)) != list(map(len, parts)):
        raise _expected(key, 'a list of parts, ["0:8:2, 0:4"]', where)
    return tuple(found)


def _read_loop(text: str) -> range | None:
    """`0:8:2`, `0:8`, or nothing for what is none of them."""
    match = fullmatch(r"\s*(\d{1,9}):(\d{1,9})(?::(\d{1,9}))?\s*", text, ASCII)
    if match is None:
        return None
    first, stop, step = match.groups()
    return range(int(first), int(stop), int(step or 1)) if step is None or int(step) else None


def _loop_text(loop: range) -> str:
    return f"{loop.start}:{loop.stop}" + (f":{loop.step}" if loop.step > 1 else "")


def _core(key: str, given: object, where: str) -> PlacedCore:
    table = _expect_table(key, given, ("stages", "place"), where)
    stages, place = table.get("stages"), table.get("place")
    if not isa(stages, list[str]) or not stages:
        raise _expected(f"{key}.stages", "a list of names of stages", where)
    if place is not None and not _is_count(place, 0):
        raise _expected(f"{key}.place", "a whole number from 0", where)
    return PlacedCore(tuple(stages), place if isinstance(place, int) else None)


def _expect_table(key: str, given: object, known: Sequence[str], where: str) -> dict[str, object]:
    if not isa(given, dict[str, object]):
        raise _expected(key, f"a table with {' and '.join(known)}", where)
    _expect_keys(f"{key}.", given, set(known), where)
    return given


def _expect_keys(prefix: str, given: Mapping[str, object], known: set[str], where: str) -> None:
    for name in given:
        if name not in known:
            message = f"unknown key {prefix}{name}; there is {', '.join(sorted(known))}"
            raise CmcError(message, where)


def _expected(key: str, what: str, where: str) -> CmcError:
    return CmcError(f"{key}: expected {what}", where)


def _is_count(given: object, least: int) -> bool:
    return isinstance(given, int) and not isinstance(given, bool) and given >= least


def _key(name: str) -> str:
    """A name as a key of TOML: bare where that is allowed."""
    bare = name.replace("_", "").replace("-", "")
    return name if bare.isascii() and bare.isalnum() else json.dumps(name, ensure_ascii=False)


def _toml(values: Sequence[str] | Sequence[int]) -> str:
    return f"[{', '.join(json.dumps(value, ensure_ascii=False) for value in values)}]"
