# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Spaces of designs: what a TOML file says of networks, figures of a target, and options.

```toml
networks = ["digits/digits.onnx"]
objectives = ["interval_ns", "cells"]
designs = [
  { target.rows = 64, target.columns = 64 },
  { target.rows = 128, target.columns = 128 },
]

[target]
base = "pcm-64"
mxv_ns = [66, 133]

[options]
buffers = ["minimal", "throughput"]
```

With `[accuracy]`, which has `inputs` and `labels`, files of images and of their classes, and if
you like `time`, as in "1d", `trials`, `images` and `output`, designs have figures such as
`accuracy.top1` too.

Lists are tried each with each; `designs` are figures that go together, each with all of that. What
is `{ from = 1, to = 8 }` is searched, or taken in steps.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import prod
from pathlib import Path
from typing import NoReturn

from xdsl.utils.hints import isa

from cmc.accuracy.times import read_time
from cmc.errors import CmcError
from cmc.explore.asked import FIGURES, Asked
from cmc.explore.objectives import MOST, Objective, known_figures, read_objective
from cmc.explore.options import OPTIONS
from cmc.spelling import hint
from cmc.targets import IDEAL, describe
from cmc.targets.files import is_there, shown
from cmc.targets.keys import KEYS
from cmc.targets.kinds import Kind, Whole, WrongValue

LARGEST = 1_000_000
"""How many designs there may be where each is tried."""

Number = int | Decimal

NETWORK, BASE, TARGET, OPTION = "network", "target.base", "target.", "options."
"""What axes are called: by their keys in the file."""

_ORDER = (
    NETWORK,
    BASE,
    *(TARGET + key.name for key in KEYS),
    *(OPTION + name for name in OPTIONS),
)

_PARTS = ("networks", "target", "options", "designs", "images", "objectives", "accuracy")

_ASKED = ("inputs", "labels", "time", "trials", "images", "output")

Choices = Mapping[str, object]
"""A value of each axis, by its name."""


@dataclass(frozen=True)
class Range:
    """Numbers from one to another."""

    low: Number
    high: Number
    step: Number | None
    log: bool

    @property
    def whole(self) -> bool:
        return all(isinstance(one, int | None) for one in (self.low, self.high, self.step))

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            return False
        return self.low <= value <= self.high and not (self.whole and value % 1)

    def __len__(self) -> int:
        assert self.step is not None
        return 1 + int((self.high - self.low) / Decimal(self.step))

    def __iter__(self) -> Iterator[Number]:
        """The numbers that it has in steps."""
        assert self.step is not None
        return (self.low + self.step * n for n in range(len(self)))


@dataclass(frozen=True)
class Axis:
    """Something that designs differ in."""

    name: str
    values: tuple[object, ...] | Range

    def __contains__(self, value: object) -> bool:
        return value in self.values


@dataclass(frozen=True)
class Space:
    """All designs that there are to try."""

    path: Path
    axes: Sequence[Axis]
    designs: Sequence[Sequence[Axis]]
    """What goes together, each in place of what `axes` say of it; one at the least."""
    images: int
    objectives: Sequence[Objective]
    accuracy: Asked | None = None

    def axes_of(self, design: int) -> Sequence[Axis]:
        """The axes of some of the designs."""
        axes = {axis.name: axis for axis in (*self.axes, *self.designs[design])}
        return sorted(axes.values(), key=lambda axis: _ORDER.index(axis.name))

    def __len__(self) -> int:
        """How many designs there are. CmcError if a range has no steps, or there are too many."""
        count = 0
        for design in range(len(self.designs)):
            axes = self.axes_of(design)
            for axis in axes:
                if isinstance(axis.values, Range) and axis.values.step is None:
                    message = "a range is tried in steps, { from, to, step }, or with --search N"
                    raise CmcError(f"{axis.name}: {message}", str(self.path))
            count += prod(len(axis.values) for axis in axes)
        if count > LARGEST:
            message = f"these are {count:,} designs, more than {LARGEST:,}: try some, --search N"
            raise CmcError(message, str(self.path))
        return count

    def __iter__(self) -> Iterator[Choices]:
        """Each design, in the order of the file."""
        for design in range(len(self.designs)):
            axes = self.axes_of(design)
            names = [axis.name for axis in axes]
            for values in product(*(axis.values for axis in axes)):
                yield dict(zip(names, values, strict=True))

    @property
    def varied(self) -> Sequence[str]:
        """The names of what designs differ in."""
        values: dict[str, list[object]] = {}
        for design in range(len(self.designs)):
            for axis in self.axes_of(design):
                several = axis.values if isinstance(axis.values, tuple) else (0, 1)
                values.setdefault(axis.name, []).extend(several)
        count = len(self.designs)
        return [
            name
            for name, all in values.items()
            if any(one != all[0] for one in all) or len(all) < count
        ]


def read_space(path: Path) -> Space:
    """The space that a file describes.

    CmcError names the file, the line and the key that is wrong, and says what is allowed.
    """
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        message = f"not UTF-8 text ({error.reason}, byte {error.start})"
        raise CmcError(message, str(path)) from error
    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise CmcError(f"this is not TOML: {error}", str(path)) from error
    return _Reader(path, text).space(table)


@dataclass(frozen=True)
class _Reader:
    path: Path
    text: str

    def space(self, table: Mapping[str, object]) -> Space:
        for key in table:
            self._check_known(key, "", _PARTS)
        axes = self._axes(table, "")
        if not any(axis.name == NETWORK for axis in axes):
            self._fail("networks", 'missing: give ONNX files, such as ["model.onnx"]')
        if not any(axis.name == BASE for axis in axes):
            axes.insert(1, Axis(BASE, (IDEAL.name,)))
        designs: list[Sequence[Axis]] = []
        none: Mapping[str, object] = {}
        given = table.get("designs", [none])
        if not isa(given, list[dict[str, object]]) or not given:
            self._fail("designs", "expected a list of tables, such as { target.rows = 64 }")
        for number, design in enumerate(given, 1):
            for key in design:
                self._check_known(key, f"designs[{number}].", ("networks", "target", "options"))
            designs.append(self._axes(design, f"designs[{number}]."))
        images, accuracy = self._images(table), self._accuracy(table)
        objectives = self._objectives(table, accuracy is not None)
        return Space(self.path, axes, designs, images, objectives, accuracy)

    def _axes(self, table: Mapping[str, object], prefix: str) -> list[Axis]:
        axes: list[Axis] = []
        if "networks" in table:
            axes.append(self._networks(table["networks"], f"{prefix}networks"))
        target = self._table(table, "target", prefix)
        for key, value in target.items():
            name = f"{prefix}{TARGET}{key}"
            self._check_known(key, f"{prefix}{TARGET}", ["base", *(one.name for one in KEYS)])
            if key == "base":
                axes.append(self._bases(value, name))
        for one in KEYS:
            if one.name in target:
                name = TARGET + one.name
                axes.append(Axis(name, self._values(target[one.name], one.kind, prefix + name)))
        options = self._table(table, "options", prefix)
        for key in options:
            self._check_known(key, f"{prefix}{OPTION}", list(OPTIONS))
        for option in OPTIONS.values():
            if option.name in options:
                name = OPTION + option.name
                values = self._values(options[option.name], option.kind, prefix + name)
                if isinstance(values, tuple):
                    values = tuple(
                        self._file(one, prefix + name) if option.names_file(one) else one
                        for one in values
                    )
                axes.append(Axis(name, values))
        return axes

    def _networks(self, given: object, where: str) -> Axis:
        names = [given] if isinstance(given, str) else given
        if not isa(names, list[str]) or not names:
            self._fail(where, 'expected ONNX files, such as ["model.onnx"]')
        return Axis(NETWORK, tuple(self._file(name, where) for name in names))

    def _file(self, name: object, where: str) -> str:
        """A file that is named from where the space's file is."""
        path = self.path.parent / str(name)
        if not path.is_file():
            self._fail(where, f"there is no file {path}")
        return str(path)

    def _bases(self, given: object, where: str) -> Axis:
        names = [given] if isinstance(given, str) else given
        if not isa(names, list[str]) or not names:
            self._fail(where, "expected a preset, which `cmc targets` lists, or a TOML file")
        bases: list[str] = []
        for name in names:
            beside = self.path.parent / name
            base = str(beside) if is_there(beside) else name
            try:
                describe(base)
            except CmcError as error:
                self._fail(where, str(error))
            bases.append(base)
        return Axis(BASE, tuple(bases))

    def _values(self, given: object, kind: Kind, where: str) -> tuple[object, ...] | Range:
        """One value, or several, or a range."""
        if isa(given, dict[str, object]) and "from" in given:
            return self._range(given, kind, where)
        if _fits(given, kind):
            return (given,)
        if not isa(given, list[object]):
            several = ", a list of such, or { from, to }" if _is_number(given) else ", or a list"
            self._fail(where, f"expected {kind.allowed}{several}, not {shown(given)}")
        if not given:
            self._fail(where, f"an empty list: expected {kind.allowed}, once or more")
        for position, one in enumerate(given):
            if not _fits(one, kind):
                self._fail(where, f"expected {kind.allowed}, not {shown(one)}")
            if one in given[:position]:
                self._fail(where, f"{shown(one)} is there twice")
        return tuple(given)

    def _range(self, given: Mapping[str, object], kind: Kind, where: str) -> Range:
        for key in given:
            self._check_known(key, f"{where}.", ("from", "to", "step", "log"))
        low, high, step = (given.get(key) for key in ("from", "to", "step"))
        log = given.get("log", False)
        numbers = [one for one in (low, high, step) if one is not None]
        if high is None or not all(map(_is_number, numbers)) or not isinstance(log, bool):
            form = "{ from = 1, to = 8 }, with a step or log = true if you like"
            self._fail(where, f"expected a range of numbers, {form}")
        assert isinstance(low, Number) and isinstance(high, Number)
        assert isinstance(step, Number | None)
        for one in (low, high):
            if not _fits(one, kind):
                self._fail(where, f"expected {kind.allowed}, not {shown(one)}")
        if not low < high:
            self._fail(where, f"a range from {low} to {high} is empty")
        if step is not None and not 0 < step <= high - low:
            self._fail(where, f"expected a step above 0, and no longer than the range, not {step}")
        if step is not None and log:
            self._fail(where, "a range has steps, or is logarithmic, not both")
        found = Range(low, high, step, log)
        if step is not None and len(found) > LARGEST:
            self._fail(where, f"these are {len(found):,} steps, more than {LARGEST:,}")
        return found

    def _images(self, table: Mapping[str, object]) -> int:
        images = table.get("images", 1)
        if not _fits(images, Whole()) or not isinstance(images, int):
            self._fail("images", f"expected {Whole().allowed}, not {shown(images)}")
        return images

    def _accuracy(self, table: Mapping[str, object]) -> Asked | None:
        if "accuracy" not in table:
            return None
        given = self._table(table, "accuracy", "")
        for key in given:
            self._check_known(key, "accuracy.", _ASKED)
        files = {
            key: self._file(given[key], f"accuracy.{key}") if key in given else None
            for key in ("inputs", "labels")
        }
        for key, file in files.items():
            if file is None:
                self._fail("accuracy", f"no {key}: give a file of numpy, such as {key} = 'x.npz'")
        output, time = given.get("output"), given.get("time", 0)
        if not isinstance(output, str | None):
            self._fail("accuracy.output", f"expected the name of an output, not {shown(output)}")
        try:
            seconds = read_time(str(time))
        except ValueError as error:
            self._fail("accuracy.time", str(error))
        counts = {key: given.get(key) for key in ("trials", "images")}
        for key, count in counts.items():
            if count is not None and not _fits(count, Whole()):
                self._fail(f"accuracy.{key}", f"expected {Whole().allowed}, not {shown(count)}")
        trials, images = counts["trials"], counts["images"]
        return Asked(
            str(files["inputs"]),
            str(files["labels"]),
            seconds,
            trials if isinstance(trials, int) else 10,
            images if isinstance(images, int) else None,
            output,
        )

    def _objectives(self, table: Mapping[str, object], accuracy: bool) -> Sequence[Objective]:
        given = table.get("objectives")
        if not isa(given, list[str]) or not 1 <= len(given) <= MOST:
            form = 'of a report, such as ["interval_ns", "max images_per_second"]'
            self._fail("objectives", f"expected 1 to {MOST} figures {form}")
        objectives = [read_objective(text) for text in given]
        known = [*known_figures(), *(FIGURES if accuracy else ())]
        for position, one in enumerate(objectives):
            if one.name in FIGURES and not accuracy:
                self._fail("objectives", f"{one.name} needs images: give a table [accuracy]")
            if one.name not in known:
                close = hint(one.name, known, quote="")
                self._fail("objectives", f"there is no figure {one.name}; {close}")
            if one.name in (other.name for other in objectives[:position]):
                self._fail("objectives", f"{one.name} is there twice")
        return objectives

    def _table(self, table: Mapping[str, object], key: str, prefix: str) -> Mapping[str, object]:
        given = table.get(key, {})
        if not isa(given, dict[str, object]):
            self._fail(prefix + key, f"expected a table, not {shown(given)}")
        return given

    def _check_known(self, key: str, prefix: str, known: Sequence[str]) -> None:
        if key not in known:
            self._fail(f"{prefix}{key}", f"unknown key; {hint(key, known, quote='')}")

    def _fail(self, key: str, message: str) -> NoReturn:
        line = self._line(key)
        where = str(self.path) if line is None else f"{self.path}:{line}"
        raise CmcError(f"{key}: {message}", where)

    def _line(self, key: str) -> int | None:
        """The line in which a key is given; None if that is not the only one that it may be."""
        last = re.escape(key.rpartition(".")[2])
        found = [
            number
            for number, line in enumerate(self.text.splitlines(), 1)
            if re.search(rf"(?:^|[\s.{{,\[]){last}[\"']?\s*(?:=|\])", line.partition("#")[0])
        ]
        return found[0] if len(found) == 1 else None


def _fits(value: object, kind: Kind) -> bool:
    try:
        kind.read(value, Fraction(1))
    except WrongValue:
        return False
    return True


def _is_number(value: object) -> bool:
    return isinstance(value, Number) and not isinstance(value, bool)
