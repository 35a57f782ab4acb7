# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Targets from TOML files, and as such files again."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from textwrap import wrap

from xdsl.utils.hints import isa

from cmc.errors import CmcError
from cmc.spelling import hint
from cmc.targets.keys import GROUPS, KEYS, SOURCED, Key, misfits
from cmc.targets.kinds import UNLIMITED, Value, WrongValue
from cmc.targets.target import IDEAL, Target

_SUFFIX = ".toml"

_KEY = "[a-z0-9_]+"
"""What a key may look like, also one that there is not."""

_BASE = "base"
"""What a file says of the preset whose figures it has where it has none itself."""

_UNITS = frozenset(
    (
        *("ps", "ns", "us", "ms", "s", "cycle", "cycles", "hz", "khz", "mhz", "ghz"),
        *("bit", "bits", "b", "byte", "bytes", "kb", "mb", "gb", "kib", "mib", "gib"),
        *("fj", "pj", "nj", "uj", "mj", "j", "uw", "mw", "w", "um2", "mm2", "cm2"),
    )
)
"""Units that somebody may write behind a key, the right one or another."""


@dataclass(frozen=True)
class Figure:
    """What a file gives for a key, and where that is from."""

    value: object
    source: str | None = None


@dataclass(frozen=True)
class Description:
    """A target and the figures of its file, by their keys."""

    target: Target
    figures: Mapping[str, Figure]


def presets() -> tuple[str, ...]:
    """The names of the targets that come with the package, `ideal` first."""
    names = {
        entry.name.removesuffix(_SUFFIX)
        for entry in files("cmc.targets").joinpath("presets").iterdir()
        if entry.name.endswith(_SUFFIX)
    }
    return (IDEAL.name, *sorted(names - {IDEAL.name}))


def find_target(name: str) -> Target:
    """The preset of this name, or the target in the file of this name; CmcError otherwise."""
    return describe(name).target


def describe(name: str) -> Description:
    """The preset or the file of this name, read and checked.

    `NAME:rows=128,columns=128` is that with other figures. CmcError names the file and the key that
    is wrong, and says what is allowed.
    """
    base, figures = split_name(name)
    text, where = _text(base)
    return read(text, where if base == name else f"{where}:{figures}", _changes(figures, name))


def split_name(name: str) -> tuple[str, str]:
    """The preset or the file that a target's name begins with, and the figures behind it."""
    found = re.search(rf":(?=(?:{_KEY})=)", name)
    if found is None or name in presets() or is_there(name):
        return name, ""
    return name[: found.start()], name[found.end() :]


def is_there(name: str | Path) -> bool:
    """Whether there is such a file; no name with figures is, which may be too long for one."""
    return os.path.exists(name)


def with_figures(base: str, figures: Mapping[str, object]) -> str:
    """The name of a target with other figures than its base has, each as TOML has it."""
    name, text = split_name(base)
    given = _changes(text, base)
    if given.keys() & figures.keys():
        return with_figures(name, {**given, **figures})
    changes = ",".join(f"{key}={_toml(value)}" for key, value in figures.items())
    return f"{base}{',' if text else ':'}{changes}" if changes else base


def _changes(text: str, name: str) -> dict[str, object]:
    """Figures such as `rows=128,topology=bus`; words need no quotes."""
    changes: dict[str, object] = {}
    for change in re.split(rf",(?=(?:{_KEY})=)", text) if text else ():
        key, _, value = change.partition("=")
        if key in changes:
            raise CmcError(f"{key} is given twice", f"target {name}")
        try:
            changes[key] = tomllib.loads(f"value = {value}", parse_float=Decimal)["value"]
        except (ValueError, RecursionError):
            changes[key] = value
    return changes


def _text(name: str) -> tuple[str, str]:
    """What the preset or the file of this name holds, and what an error calls it."""
    if name in presets():
        text = files("cmc.targets").joinpath("presets", name + _SUFFIX).read_text("utf-8")
        return text, f"target {name}"
    if not name or (not name.endswith(_SUFFIX) and not is_there(name)):
        message = f"no such target, and no file of this name; {hint(name, presets())}"
        base, colon, figures = name.partition(":")
        if colon and (base in presets() or Path(base).is_file()):
            message = f"expected KEY=VALUE,... after {base}:, got '{figures}'"
        raise CmcError(message, f"target {name}")
    try:
        content = Path(name).read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise CmcError(reason[:1].lower() + reason[1:], name) from error
    try:
        return content.decode(), name
    except UnicodeDecodeError as error:
        raise CmcError(f"not UTF-8 text ({error.reason}, byte {error.start})", name) from error


def read(text: str, where: str, changes: Mapping[str, object] | None = None) -> Description:
    """The target that TOML text describes, but for `changes`, by their keys.

    Figures that a text with a `base` leaves out are those of that preset, but for its name. `where`
    names the file in a CmcError.
    """
    table = _table(text, where)
    if changes:
        named = dict(changes)
        named.setdefault("name", _changed_name(table.get("name"), changes))
        table |= named
    known = {key.name for key in KEYS}
    for name in table:
        if name not in known:
            raise CmcError(_unknown(name), where)
    figures = {name: _figure(name, given, where) for name, given in table.items()}
    for key in KEYS:
        if key.required and key.name not in figures:
            raise CmcError(f"{key.name} is missing: {key.kind.allowed}. {key.meaning}", where)
    clock = Fraction(1)
    values: dict[str, Value] = {}
    for key in sorted(KEYS, key=lambda key: key.name != "clock_ghz"):
        if (figure := figures.get(key.name)) is not None:
            try:
                values[key.field] = key.kind.read(figure.value, clock)
            except WrongValue as wrong:
                found = f": {wrong}" if str(wrong) else f", not {shown(figure.value)}"
                expected = f"expected {key.kind.allowed}{found}"
                raise CmcError(f"{key.name}: {expected}", where) from None
        if key.name == "clock_ghz":
            clock = Fraction(str(values[key.field]))
    sources = tuple(
        (key.field, figure.source)
        for key in SOURCED
        if (figure := figures.get(key.name)) is not None and figure.source is not None
    )
    target = replace(target_of_values(values), sources=sources)
    for key, expected in misfits(target):
        raise CmcError(f"{key.name}: {expected}", where)
    return Description(target, figures)


def _table(text: str, where: str) -> dict[str, object]:
    """What TOML text has for keys, with what it leaves to its base."""
    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise CmcError(f"this is not TOML: {error}", where) from error
    base = table.pop(_BASE, None)
    if base is None:
        return table
    if not isinstance(base, str) or base not in presets():
        message = f"{_BASE}: expected the name of a preset, not {shown(base)}"
        raise CmcError(message, where)
    figures = _table(*_text(base))
    del figures["name"]
    return figures | table


def _changed_name(name: object, changes: Mapping[str, object]) -> object:
    """What reports call a target with other figures: `small with rows 128 and columns 128`."""
    if not isinstance(name, str):
        return name
    shown = " and ".join(f"{key} {_toml(value)}" for key, value in changes.items())
    return f"{name} with {' '.join(re.findall(r'[A-Za-z0-9._+-]+', shown))}"


def target_of_values(values: Mapping[str, Value]) -> Target:
    """The target with these fields, each of the type that its key has."""
    return replace(IDEAL, **values)


def _figure(name: str, given: object, where: str) -> Figure:
    """A figure, given as `133` or as `{ value = 133, source = "..." }`."""
    if not isa(given, dict[str, object]):
        return Figure(given)
    for part in given:
        if part not in ("value", "source"):
            message = f"{name}: unknown '{part}'; a figure has a value, and a source if you like"
            raise CmcError(message, where)
    if "value" not in given:
        raise CmcError(f"{name}: there is no value beside the source", where)
    source = given.get("source")
    if not isinstance(source, str | None):
        raise CmcError(f"{name}: expected text as its source, not {shown(source)}", where)
    return Figure(given["value"], source)


def _unknown(name: str) -> str:
    """What is wrong with a key that there is not, for a person."""
    for key in KEYS:
        unit = name.removeprefix(key.stem).removeprefix("_")
        # A rate is not mistaken for an amount.
        alike = ("_per_" in unit) == ("_per_" in key.unit) and (not unit or _is_unit(unit))
        if key.unit and name.startswith(key.stem) and alike:
            return f"{name}: this is given in {_spelled(key.unit)}, as {key.name}"
    return f"unknown key {name}; {hint(name, (key.name for key in KEYS), quote='')}"


def _is_unit(text: str) -> bool:
    return text in _UNITS or "_per_" in text


def _spelled(unit: str) -> str:
    """A unit for a person."""
    words = {"ghz": "GHz", "pj": "pJ", "mw": "mW", "mm2": "mm²"}
    return " per ".join(words.get(part, part) for part in unit.split("_per_"))


def shown(given: object) -> str:
    """A value as TOML has it, or the beginning of it."""
    text = _toml(given)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _toml(given: object) -> str:
    if isinstance(given, str):
        return json.dumps(given, ensure_ascii=False)
    if isinstance(given, bool):
        return str(given).lower()
    if isa(given, list[object]):
        return f"[{', '.join(map(_toml, given))}]"
    return str(given)


def format_description(description: Description) -> str:
    """The description as a file to start from: every key, with its meaning and what is allowed."""
    return "\n".join(_lines(description)).lstrip("\n") + "\n"


def _lines(description: Description) -> Iterator[str]:
    for heading, keys in GROUPS.items():
        yield from ("", f"# {heading}")
        for key in keys:
            yield ""
            yield from (f"# {line}" for line in wrap(f"{key.meaning} {explained(key)}", 98))
            figure = description.figures.get(key.name)
            if figure is None:
                yield f"# {key.name} = {default(key) or '...'}"
            elif figure.source is None:
                yield f"{key.name} = {_toml(figure.value)}"
            else:
                value, source = _toml(figure.value), _toml(figure.source)
                yield f"{key.name} = {{ value = {value}, source = {source} }}"


def explained(key: Key) -> str:
    """What may be given for a key, and with what else."""
    allowed = f"{key.kind.allowed[:1].upper()}{key.kind.allowed[1:]}"
    parts = [f"{allowed}."]
    if key.of:
        chooser = key.chooser.replace("_", " ")
        parts.append(f"Of {chooser} {' or '.join(key.of)}, and needed there.")
    return " ".join(parts)


def default(key: Key) -> str | None:
    """What a key that is left out says, as a file would; None if it then says nothing."""
    value = getattr(IDEAL, key.field)
    if value is None:
        return f'"{UNLIMITED}"' if UNLIMITED in key.kind.allowed else None
    return _toml(value)
