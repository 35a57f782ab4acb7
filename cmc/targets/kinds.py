# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What kinds of values the keys of a target have: how they are read, and what is allowed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import ceil
from re import fullmatch

from xdsl.utils.hints import isa

Value = str | int | float | Fraction | tuple["Value", ...] | None
"""What a field of a target holds."""

LARGEST = (1 << 31) - 1
"""Of what is counted in hardware: things of a target, slots, credits and cycles."""

UNLIMITED = "unlimited"
"""How a file says that there is no limit."""

_MILLION = 10**6


class WrongValue(ValueError):
    """A value that is not one of those that are allowed; its text says why, if that is to be said.

    Of a long value the whole would say less.
    """


class Kind(ABC):
    """A kind of value."""

    @property
    @abstractmethod
    def allowed(self) -> str:
        """What may be given in a file, for a person."""

    @property
    def held(self) -> str:
        """What a target may hold, in cycles where the file has ns."""
        return self.allowed

    def read(self, given: object, clock: Fraction) -> Value:
        """What a file gives, as a target holds it; `clock` in GHz. WrongValue if it is refused."""
        return self.normal(given)

    @abstractmethod
    def normal(self, value: object) -> Value:
        """What a module gives, as a target holds it. WrongValue if it is refused."""


@dataclass(frozen=True)
class Text(Kind):
    """A name."""

    @property
    def allowed(self) -> str:
        return "a name of letters, digits, spaces and . _ + -"

    def normal(self, value: object) -> Value:
        if not isinstance(value, str) or not fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ._+-]*", value):
            raise WrongValue
        return value


@dataclass(frozen=True)
class Choice(Kind):
    """One of some words."""

    options: tuple[str, ...]

    @property
    def allowed(self) -> str:
        *most, last = (f'"{option}"' for option in self.options)
        return f"{', '.join(most)} or {last}"

    def normal(self, value: object) -> Value:
        if not isinstance(value, str) or value not in self.options:
            raise WrongValue
        return value


@dataclass(frozen=True)
class Flag(Kind):
    """Whether something is so."""

    @property
    def allowed(self) -> str:
        return "true or false"

    def normal(self, value: object) -> Value:
        if not isinstance(value, bool):
            raise WrongValue
        return value


@dataclass(frozen=True)
class Whole(Kind):
    """A number of things; of what has `limit`, there may also be as many as are wanted."""

    least: int = 1
    most: int = LARGEST
    limit: bool = False

    @property
    def allowed(self) -> str:
        return f"a whole number from {self.least} to {self.most}{_or_unlimited(self.limit)}"

    def read(self, given: object, clock: Fraction) -> Value:
        return None if self.limit and given == UNLIMITED else self.normal(given)

    def normal(self, value: object) -> Value:
        if self.limit and value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise WrongValue
        if not self.least <= value <= self.most:
            raise WrongValue
        return value


@dataclass(frozen=True)
class Time(Kind):
    """A time, in ns in a file and in cycles in a target: rounded up to whole ones."""

    least: int = 1

    @property
    def allowed(self) -> str:
        return f"a number of ns {'above' if self.least else 'from'} 0, at most {LARGEST} cycles"

    @property
    def held(self) -> str:
        return f"a whole number of cycles from {self.least} to {LARGEST}"

    def read(self, given: object, clock: Fraction) -> Value:
        return self.normal(ceil(_number(given) * clock))

    def normal(self, value: object) -> Value:
        return Whole(self.least).normal(value)


@dataclass(frozen=True)
class Rate(Kind):
    """A rate, in bytes per ns in a file and in bytes per cycle in a target."""

    @property
    def allowed(self) -> str:
        return f"a number of bytes per ns above 0 up to {LARGEST}{_or_unlimited(True)}"

    @property
    def held(self) -> str:
        return f"a number of bytes per cycle above 0 up to {LARGEST}{_or_unlimited(True)}"

    def read(self, given: object, clock: Fraction) -> Value:
        return None if given == UNLIMITED else self.normal(_number(given) / clock)

    def normal(self, value: object) -> Value:
        if value is None:
            return None
        rate = Fraction(round(_number(value) * _MILLION), _MILLION)
        if not 0 < rate <= LARGEST:
            raise WrongValue
        return rate


@dataclass(frozen=True)
class Measure(Kind):
    """A positive quantity in the unit that its key names."""

    @property
    def allowed(self) -> str:
        return f"a number above 0 up to {LARGEST}"

    def normal(self, value: object) -> Value:
        if not 0 < (number := _number(value)) <= LARGEST:
            raise WrongValue
        return float(number)


@dataclass(frozen=True)
class Grid(Kind):
    """Rows and columns."""

    @property
    def allowed(self) -> str:
        return "[rows, columns], two whole numbers from 1"

    def read(self, given: object, clock: Fraction) -> Value:
        return self.normal(tuple(given) if isa(given, list[object]) else None)

    def normal(self, value: object) -> Value:
        return _pair(value, 1)


@dataclass(frozen=True)
class Edges(Kind):
    """Pairs of cores."""

    @property
    def allowed(self) -> str:
        return "[[0, 1], ...], pairs of different cores, which are counted from 0"

    def read(self, given: object, clock: Fraction) -> Value:
        if not isa(given, list[list[object]]):
            raise WrongValue
        return self.normal(tuple(tuple(pair) for pair in given))

    def normal(self, value: object) -> Value:
        if not isa(value, tuple[object, ...]) or not value:
            raise WrongValue
        pairs = [_pair(pair, 0) for pair in value]
        if any(one == other for one, other in pairs) or len(set(pairs)) < len(pairs):
            raise WrongValue
        return tuple(pairs)


@dataclass(frozen=True)
class Table(Kind):
    """Rows of numbers from 0 on, of which the first one grows from 0 to 1."""

    columns: int

    @property
    def allowed(self) -> str:
        return (
            f"[[0, ...], ..., [1, ...]], rows of {self.columns} numbers from 0 to {LARGEST}, of "
            "which the first one grows from 0 to 1"
        )

    def read(self, given: object, clock: Fraction) -> Value:
        if not isa(given, list[list[object]]):
            raise WrongValue
        return self.normal(tuple(tuple(row) for row in given))

    def normal(self, value: object) -> Value:
        if not isa(value, tuple[tuple[object, ...], ...]):
            raise WrongValue
        rows = [self._row(number, row) for number, row in enumerate(value, 1)]
        if len(rows) < 2:
            raise WrongValue(f"there is {len(rows) or 'no'} row")
        first = [row[0] for row in rows]
        for number, (one, next) in enumerate(pairwise(first), 2):
            if one >= next:
                raise WrongValue(f"row {number} begins with {next:g}, after {one:g}")
        for number, wanted in ((1, 0), (len(rows), 1)):
            if first[number - 1] != wanted:
                raise WrongValue(f"row {number} begins with {first[number - 1]:g}, not {wanted}")
        return tuple(rows)

    def _row(self, number: int, row: tuple[object, ...]) -> tuple[float, ...]:
        try:
            found = tuple(float(_number(one)) for one in row)
        except WrongValue:
            raise WrongValue(f"row {number} holds what is no number") from None
        if len(found) != self.columns:
            raise WrongValue(f"row {number} has {len(found)}")
        for one in found:
            if not 0 <= one <= LARGEST:
                raise WrongValue(f"row {number} holds {one:g}")
        return found


def shown_limit(number: int | None) -> str:
    """A number of things, of which there may also be as many as are wanted, for a person."""
    return UNLIMITED if number is None else str(number)


def _or_unlimited(limit: bool) -> str:
    return f' or "{UNLIMITED}"' if limit else ""


def _number(given: object) -> Fraction:
    """A number as it is given; one with a point comes from a file as a Decimal, and is exact."""
    if isinstance(given, bool) or not isinstance(given, int | float | Decimal | Fraction):
        raise WrongValue
    # A number of a billion digits is not to be computed with, and one that is none not at all.
    if given != given or not -LARGEST * _MILLION <= given <= LARGEST * _MILLION:
        raise WrongValue
    if isinstance(given, Decimal):
        return Fraction(round(given, 12))
    return Fraction(given)


def _pair(value: object, least: int) -> tuple[int, int]:
    if not isa(value, tuple[int, int]) or isinstance(value, str):
        raise WrongValue
    one, other = value
    Whole(least).normal(one)
    Whole(least).normal(other)
    return one, other
