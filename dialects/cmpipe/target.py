# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The target of a pipeline or a chip, as an attribute."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal
from fractions import Fraction

from xdsl.ir import Data
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from cmc.spelling import hint
from cmc.targets import IDEAL, Target, target_of_values
from cmc.targets.keys import KEYS, SOURCED, misfits
from cmc.targets.kinds import UNLIMITED, Value, WrongValue

_SOURCED = {key.field for key in SOURCED}

_BY_FIELD = {key.field: key for key in KEYS}


@irdl_attr_definition
class TargetAttr(Data[Target]):
    """A target: what differs from `ideal`, with times in cycles and rates in bytes per cycle.

    Figures of energy and area may say where they are from.

    ```mlir
    #cmpipe.target<name = "pcm-64", cores = 64, rows = 256, columns = 256, mxv = 133>
    #cmpipe.target<name = "mine", mxv_pj = 9.5 from "measured", chip_mm2 = 40.0>
    ```
    """

    name = "cmpipe.target"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Target:
        entries = parser.parse_comma_separated_list(
            parser.Delimiter.ANGLE, lambda: _parse_entry(parser), " with the keys of a target"
        )
        values: dict[str, Value] = {}
        sources: dict[str, str] = {}
        for start, field, value, source in entries:
            if field in values:
                parser.raise_error(f"{field} is given twice", start)
            values[field] = value
            if source is not None:
                sources[field] = source
        given = tuple((key.field, sources[key.field]) for key in SOURCED if key.field in sources)
        return replace(target_of_values(values), sources=given)

    def print_parameter(self, printer: Printer) -> None:
        given = ((key.field, getattr(self.data, key.field)) for key in KEYS)
        sources = dict(self.data.sources)
        text = ", ".join(
            f"{field} = {_text(value)}"
            + (f" from {_text(sources[field])}" if field in sources else "")
            for field, value in given
            if value != getattr(IDEAL, field)
        )
        printer.print_string(f"<{text}>")

    def verify(self) -> None:
        for field in fields(Target):
            if field.name not in _BY_FIELD:
                continue
            kind = _BY_FIELD[field.name].kind
            value = getattr(self.data, field.name)
            try:
                if value != getattr(IDEAL, field.name) and kind.normal(value) != value:
                    raise WrongValue
            except WrongValue:
                raise VerifyException(
                    f"{field.name} of a target: expected {kind.held}, not {_text(value)}"
                ) from None
        for key, expected in misfits(self.data):
            raise VerifyException(f"{key.field} of a target: {expected}")


def _parse_entry(parser: AttrParser) -> tuple[int, str, Value, str | None]:
    """`rows = 256`: where it stands, and the field with its value.

    A figure of energy or area may have its source: `mxv_pj = 0.25 from "measured"`.
    """
    start = parser.pos
    field = parser.parse_identifier(" of a target")
    if field not in _BY_FIELD:
        message = f"a target has no {field}; {hint(field, _BY_FIELD, quote='')}"
        parser.raise_error(message, start, start + len(field))
    parser.parse_punctuation("=")
    at = parser.pos
    value = _parse_value(parser)
    kind = _BY_FIELD[field].kind
    try:
        normal = kind.normal(value)
    except WrongValue:
        message = f"{field} of a target: expected {kind.held}, not {_text(value)}"
        parser.raise_error(message, at, parser.pos)
    source = None
    if field in _SOURCED and parser.parse_optional_keyword("from"):
        source = parser.parse_str_literal(" of where a figure is from")
    return start, field, normal, source


def _parse_value(parser: AttrParser) -> Value:
    if (text := parser.parse_optional_str_literal()) is not None:
        return text
    if (word := parser.parse_optional_keyword_in(("true", "false", UNLIMITED))) is not None:
        return None if word == UNLIMITED else word == "true"
    if (number := parser.parse_optional_number()) is not None:
        return number
    return tuple(
        parser.parse_comma_separated_list(
            parser.Delimiter.SQUARE, lambda: _parse_value(parser), " in a target"
        )
    )


def _text(value: Value) -> str:
    """A value as `_parse_value` reads it."""
    match value:
        case None:
            return UNLIMITED
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case tuple():
            return f"[{', '.join(map(_text, value))}]"
        case Fraction():
            return f"{Decimal(value.numerator) / value.denominator:f}"
        case float():
            return f"{Decimal(repr(value)):f}"
        case _:
            return str(value)
