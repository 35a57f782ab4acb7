# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Presburger sets and relations as attributes.

```mlir
#poly.set<"{ conv2[w] : 0 <= w < 6 }">
#poly.map<"{ b[j] -> conv2[j - 2] : 2 <= j <= 7 }">
```

The text is isl's notation. An attribute is parsed by isl, printed in isl's canonical form, and
equal to another one that means the same, however it was written.
"""

from __future__ import annotations

from typing import TypeVar

import islpy as isl
from xdsl.ir import Data, Dialect
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

_Isl = TypeVar("_Isl", isl.Set, isl.Map)


def read_isl(text: str, kind: type[_Isl]) -> _Isl:
    """The set or relation that `text` describes. ValueError if it describes none."""
    name = kind.__name__.lower()
    # isl prints its own account of a syntax error on standard error.
    context = isl.Context()
    context.set_on_error(isl.on_error.CONTINUE)
    try:
        probe = kind(text, context)
    except isl.Error:
        raise ValueError(f"not an isl {name}: {text}") from None
    if probe.dim(isl.dim_type.param):
        raise ValueError(f"an isl {name} here has no parameters: {text}")
    return kind(text)


def is_name(text: str) -> bool:
    """Whether isl can read `text` as the name of a tuple."""
    try:
        return read_isl(f"{{ {text}[] }}", isl.Set).get_tuple_name() == text
    except (ValueError, isl.Error):
        return False


def _parse_isl(parser: AttrParser, kind: type[_Isl]) -> _Isl:
    with parser.in_angle_brackets():
        start = parser.pos
        text = parser.parse_str_literal(f" with an isl {kind.__name__.lower()}")
        try:
            return read_isl(text, kind)
        except ValueError as error:
            parser.raise_error(str(error), start, parser.pos)


def _print_isl(printer: Printer, value: isl.Set | isl.Map) -> None:
    with printer.in_angle_brackets():
        printer.print_string_literal(text_of(value))


def _same(one: _Isl, other: _Isl) -> bool:
    return one is other or (one.has_equal_space(other) and one.is_equal(other))


_Extent = tuple[str | None, tuple[tuple[str, str], ...]]


def _extent(points: isl.Set) -> _Extent:
    """What is the same of sets that mean the same, however they are written."""
    kind = isl.dim_type.set
    name = points.get_tuple_name() if points.has_tuple_name() else None
    if points.is_empty():
        return name, ()
    dims = range(points.dim(kind))
    ends = ((points.dim_min_val(d).to_str(), points.dim_max_val(d).to_str()) for d in dims)
    return name, tuple(ends)


def text_of(value: isl.Set | isl.Map) -> str:
    """`value` in isl's notation; a function is written as expressions, `{ [i] -> [1 + i] }`.

    The text is the same when it was read and is written again.
    """
    # isl orders what it read in another way than what it computed.
    return _isl_text(type(value)(_isl_text(value)))


def _isl_text(value: isl.Set | isl.Map) -> str:
    if isinstance(value, isl.Map) and value.is_single_valued():
        return _in_order(_without_parentheses(str(isl.PwMultiAff.from_map(value))))
    return str(value)


def _in_order(text: str) -> str:
    """`text` with its pieces `{ one : here; other : there }` in the order of their conditions."""
    pieces = text.removeprefix("{ ").removesuffix(" }").split("; ")
    pieces.sort(key=lambda piece: piece.partition(" : ")[::-1])
    return f"{{ {'; '.join(pieces)} }}"


def _without_parentheses(text: str) -> str:
    """`text` where a tuple's entries are `[w + 1, 0]` and not `[(w + 1), (0)]`."""
    opened: list[tuple[int, bool]] = []
    dropped: set[int] = set()
    for position, character in enumerate(text):
        if character == "(":
            opened.append((position, text[position - 1] == "[" or text[position - 2] == ","))
        elif character == ")":
            start, entry = opened.pop()
            if entry and text[position + 1] in ",]":
                dropped |= {start, position}
    return "".join(c for position, c in enumerate(text) if position not in dropped)


@irdl_attr_definition
class SetAttr(Data[isl.Set]):
    """A set of integer tuples."""

    name = "poly.set"

    @classmethod
    def from_text(cls, text: str) -> SetAttr:
        """The set that isl reads from `text`; ValueError if it reads none."""
        return cls(read_isl(text, isl.Set))

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> isl.Set:
        return _parse_isl(parser, isl.Set)

    def print_parameter(self, printer: Printer) -> None:
        _print_isl(printer, self.data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SetAttr) and _same(self.data, other.data)

    def __hash__(self) -> int:
        return hash((self.name, _extent(self.data)))


@irdl_attr_definition
class MapAttr(Data[isl.Map]):
    """A relation between integer tuples."""

    name = "poly.map"

    @classmethod
    def from_text(cls, text: str) -> MapAttr:
        """The relation that isl reads from `text`; ValueError if it reads none."""
        return cls(read_isl(text, isl.Map))

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> isl.Map:
        return _parse_isl(parser, isl.Map)

    def print_parameter(self, printer: Printer) -> None:
        _print_isl(printer, self.data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MapAttr) and _same(self.data, other.data)

    def __hash__(self) -> int:
        # The coefficients of a linear function are the digits of its value at this point.
        point = isl.Set.universe(self.data.domain().get_space())
        for axis in range(self.data.dim(isl.dim_type.in_)):
            point = point.fix_val(isl.dim_type.set, axis, isl.Val(1000 ** (axis + 1)))
        parts = (self.data.domain(), self.data.range(), point.apply(self.data))
        return hash((self.name, *map(_extent, parts)))


Poly = Dialect("poly", [], [SetAttr, MapAttr])
