# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""One step of each figure of a target that makes it better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from xdsl.utils.hints import isa

from cmc.errors import CmcError
from cmc.targets import Target, describe
from cmc.targets.files import Description, with_figures
from cmc.targets.keys import KEYS, Key, StepKind
from cmc.targets.kinds import Time


@dataclass(frozen=True)
class Step:
    """Other figures of a target."""

    key: str
    title: str
    target: str
    """As `--target` takes it."""


def steps_of(name: str) -> Iterator[Step]:
    """A step of each figure of a target, but for what is without limit, or at its best."""
    description = describe(name)
    for key in KEYS:
        value = _value(key, description)
        if key.step is None or value is None:
            continue
        changed = _changed(key, key.step, value, description.target)
        if changed:
            step = Step(
                key.name, _title(key, value, changed[key.name]), with_figures(name, changed)
            )
            if _differs(step.target, description.target):
                yield step


def _differs(name: str, target: Target) -> bool:
    """Whether rounded to cycles anything is another; what is no target is told when it is tried."""
    try:
        return replace(describe(name).target, name=target.name) != target
    except CmcError:
        return True


def _value(key: Key, description: Description) -> object:
    """What a file says of a key, or would; None for what it does not and `ideal` neither."""
    figure = description.figures.get(key.name)
    if figure is not None:
        return figure.value
    value = getattr(description.target, key.field)
    if isinstance(key.kind, Time) and isinstance(value, int):
        return Decimal(value) / Decimal(str(description.target.clock_ghz))
    return value


def _changed(key: Key, step: StepKind, value: object, target: Target) -> Mapping[str, object]:
    """The figures of a step; none where there is no better one."""
    match step:
        case "on":
            return {key.name: True} if value is False else {}
        case "column":
            if not isa(value, list[int]) or target.grid is None:
                return {}
            rows, columns = target.grid
            return {key.name: [rows, columns + 1], "cores": rows * (columns + 1)}
        case "more":
            known = isinstance(value, int) and (key.name != "cores" or target.grid is None)
            return {key.name: value + 1} if known and isinstance(value, int) else {}
        case "double" | "halve":
            if isinstance(value, bool) or not isinstance(value, int | Decimal) or not value:
                return {}
            return {key.name: _times(value, step)}


def _times(value: int | Decimal, step: StepKind) -> int | Decimal:
    if step == "double":
        return 2 * value
    return value // 2 if isinstance(value, int) and value % 2 == 0 else Decimal(value) / 2


def _title(key: Key, before: object, after: object) -> str:
    return f"{key.name} {_shown(before)} to {_shown(after)}"


def _shown(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return str(value).lower() if isinstance(value, bool) else str(value)
