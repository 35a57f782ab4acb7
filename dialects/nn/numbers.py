# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Float32 numbers in text: the shortest decimals that read back as the same bits."""

import numpy as np
from xdsl.dialects.builtin import Float32Type, FloatAttr, f32
from xdsl.irdl import IRDLOperation
from xdsl.irdl.declarative_assembly_format import (
    AttributeVariable,
    CustomDirective,
    ParsingState,
    PrintingState,
    irdl_custom_directive,
)
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer
from xdsl.utils.hints import isa

_TOO_LARGE = 2.0**128 - 2.0**103
"""The least number that rounds to infinity."""


def format_number(value: np.float32) -> str | None:
    """`value` as text, such as `0.1`, `1.0e-05`, `-0.0`, `-inf` or `nan`.

    None for the NaNs that have no text: all but numpy's own.
    """
    text = str(value)
    mantissa, exponent_sign, exponent = text.partition("e")
    if exponent_sign and "." not in mantissa:
        text = f"{mantissa}.0e{exponent}"
    return text if np.float32(float(text)).tobytes() == value.tobytes() else None


def parse_number(parser: AttrParser) -> np.float32:
    """A number, an integer among them, or `inf` or `nan`. ParseError if it is no float32."""
    position = parser.pos
    sign = -1.0 if parser.parse_optional_punctuation("-") else 1.0
    match parser.parse_optional_keyword_in(("inf", "nan")):
        case "inf":
            return np.float32(sign * np.inf)
        case "nan" if sign > 0:
            return np.float32(np.nan)
        case _:
            pass
    number = parser.parse_optional_integer(allow_boolean=False, allow_negative=False)
    if number is None:
        number = parser.parse_optional_float(allow_negative=False)
    if number is None:
        parser.raise_error("expected a number, inf or nan", position)
    if abs(number) >= _TOO_LARGE:
        parser.raise_error(f"{number} does not fit into a float32", position)
    return np.float32(sign * number)


@irdl_custom_directive
class Number(CustomDirective):
    """A property of type f32, without that type.

    xDSL's own syntax for such properties cannot be read back where the number is not finite.
    """

    value: AttributeVariable

    def parse(self, parser: Parser, state: ParsingState) -> None:
        self.value.set(state, FloatAttr(float(parse_number(parser)), f32))

    def print(self, printer: Printer, state: PrintingState, op: IRDLOperation) -> None:
        attribute = self.value.get(op)
        assert isa(attribute, FloatAttr[Float32Type])
        state.print_whitespace(printer)
        text = format_number(np.float32(attribute.value.data))
        printer.print_string("nan" if text is None else text)

    def is_present(self, op: IRDLOperation) -> bool:
        return self.value.is_present(op)

    def is_anchorable(self) -> bool:
        return self.value.is_anchorable()
