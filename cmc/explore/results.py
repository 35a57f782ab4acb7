# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The file of results: a line of JSON for each design, of which only whole ones count."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from xdsl.utils.hints import isa

from cmc.errors import CmcError
from cmc.explore.objectives import Figures
from cmc.explore.outcome import Outcome
from cmc.explore.point import Point
from cmc.explore.space import Choices
from cmc.files.output import check_output, is_special, naming

_START = b'{"id": "'
"""How each line begins."""


@dataclass(frozen=True)
class Result:
    """A design that was tried, and what came of it."""

    id: str
    choices: Choices
    command: str
    outcome: Outcome


class Results:
    """The results that a file holds, to which others are added."""

    def __init__(self, descriptor: int, found: Mapping[str, Result]):
        self._descriptor = descriptor
        self._found = dict(found)

    @property
    def found(self) -> Mapping[str, Result]:
        """All of them by the designs' hashes, in the order in which they came."""
        return self._found

    def add(self, point: Point, outcome: Outcome) -> Result:
        """Write what came of a design: when this returns, it is on the disk."""
        result = Result(point.id, point.choices, point.command, outcome)
        fields = {
            "id": result.id,
            "network": point.network,
            "target": point.target,
            "options": point.options,
            "images": point.images,
            "command": result.command,
            "choices": result.choices,
            "seconds": outcome.seconds,
            "figures": outcome.figures,
            "reason": outcome.reason,
        }
        line = memoryview(f"{json.dumps(fields, default=_as_json)}\n".encode())
        while line:
            line = line[os.write(self._descriptor, line) :]
        os.fsync(self._descriptor)
        self._found[result.id] = result
        return result


@contextmanager
def results_in(path: Path) -> Generator[Results]:
    """The results in a file, which is made if there is none, and is this process's alone.

    What is left of a line whose writing was interrupted is cut off. CmcError for a file that holds
    something else, or that another process adds to.
    """
    check_output(path)
    if is_special(path):
        raise CmcError("is a device or a pipe, from which results cannot be read again", str(path))
    with naming(str(path)):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                message = "another cmc explore adds to this file: wait for it, or give -o another"
                raise CmcError(message, str(path)) from None
            content = path.read_bytes()
            *lines, torn = content.split(b"\n")
            found = [_read(line, number, path) for number, line in enumerate(lines, 1)]
            if torn:
                if not (torn.startswith(_START) or _START.startswith(torn)):
                    raise _no_results(len(lines) + 1, path)
                os.ftruncate(descriptor, len(content) - len(torn))
            yield Results(descriptor, {result.id: result for result in found})
        finally:
            os.close(descriptor)


def _read(line: bytes, number: int, path: Path) -> Result:
    try:
        fields: object = json.loads(line, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise _no_results(number, path) from None
    if not isa(fields, dict[str, object]):
        raise _no_results(number, path)
    one, choices, command, seconds, figures, reason = (
        fields.get(key) for key in ("id", "choices", "command", "seconds", "figures", "reason")
    )
    if not (
        isinstance(one, str)
        and isa(choices, dict[str, object])
        and isinstance(command, str)
        and isinstance(seconds, int | Decimal)
        and isinstance(reason, str | None)
        and isa(figures, dict[str, object] | None)
    ):
        raise _no_results(number, path)
    known = None if figures is None else _figures(figures)
    return Result(one, choices, command, Outcome(known, reason, float(seconds)))


def _figures(given: Mapping[str, object]) -> Figures:
    read = {name: float(one) if isinstance(one, Decimal) else one for name, one in given.items()}
    return {name: one for name, one in read.items() if isinstance(one, float | int | str | None)}


def _no_results(number: int, path: Path) -> CmcError:
    return CmcError(
        "this is no result of cmc explore: give another file with -o", f"{path}:{number}"
    )


def _as_json(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{value!r} has no JSON")
