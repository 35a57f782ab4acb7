"""The target of a pipeline or a chip, as an attribute."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction

from xdsl.ir import Data
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from cmc.targets import IDEAL, Target, target_of_values
from cmc.targets.keys import KEYS, misfits
from cmc.targets.kinds import UNLIMITED, Value, WrongValue

_BY_FIELD = {key.field: key for key in KEYS}


@irdl_attr_definition
class TargetAttr(Data[Target]):
    """A target: what differs from `ideal`, with times in cycles and rates in bytes per cycle.

    ```mlir
    #cmpipe.target<name = "pcm-64", cores = 64, rows = 256, columns = 256, mxv = 133>
    ```
    """

    name = "cmpipe.target"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Target:
        entries = parser.parse_comma_separated_list(
            parser.Delimiter.ANGLE, lambda: _parse_entry(parser), " with the keys of a target"
        )
        values: dict[str, Value] = {}
        for start, field, value in entries:
            if field in values:
                parser.raise_error(f"{field} is given twice", start)
            values[field] = value
        return target_of_values(values)

    def print_parameter(self, printer: Printer) -> None:
        given = ((key.field, getattr(self.data, key.field)) for key in KEYS)
        text = ", ".join(
            f"{field} = {_text(value)}" for field, value in given if value != getattr(IDEAL, field)
        )
        printer.print_string(f"<{text}>")

    def verify(self) -> None:
        for field in fields(Target):
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


def _parse_entry(parser: AttrParser) -> tuple[int, str, Value]:
    """`rows = 256`: where it stands, and the field with its value."""
    start = parser.pos
    field = parser.parse_identifier(" of a target")
    if field not in _BY_FIELD:
        close = get_close_matches(field, _BY_FIELD, 1)
        hint = f"did you mean {close[0]}?" if close else f"there is {', '.join(_BY_FIELD)}"
        parser.raise_error(f"a target has no {field}; {hint}", start, start + len(field))
    parser.parse_punctuation("=")
    at = parser.pos
    value = _parse_value(parser)
    kind = _BY_FIELD[field].kind
    try:
        return start, field, kind.normal(value)
    except WrongValue:
        message = f"{field} of a target: expected {kind.held}, not {_text(value)}"
        parser.raise_error(message, at, parser.pos)


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
