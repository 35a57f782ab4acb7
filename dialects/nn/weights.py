# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`#nn.weights`: the attribute that holds an array of weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
from xdsl.ir import Data
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer

from cmc.dialects.nn.numbers import format_number, parse_number
from cmc.files.weights import (
    SMALL,
    ArrayWeights,
    Elided,
    ElidedWeights,
    FileReference,
    FileWeights,
    Float32Array,
    Weights,
    printing_policy,
    splat,
)


@irdl_attr_definition
class WeightsAttr(Data[Weights]):
    """A float32 array. It has no type of its own: the operation that holds it gives one.

    Small arrays are written out. Larger ones are one value repeated, the hexadecimal digits of
    their little-endian bytes, a place in a safetensors file beside this text, or elided.

    Examples:

    ```mlir
    #nn.weights<1.5>
    #nn.weights<[[1.0, 2.0], [-inf, nan]]>
    #nn.weights<splat 0.02 shape [1000, 2048]>
    #nn.weights<hex "0x0000803F00000040" shape [2]>
    #nn.weights<file "model.safetensors" key "conv1" shape [64, 3, 7, 7] sha256 "90ab…">
    #nn.weights<elided shape [64, 3, 7, 7] sha256 "90ab…">
    ```
    """

    name = "nn.weights"

    @staticmethod
    def from_array(array: Float32Array, name: str | None = None) -> "WeightsAttr":
        """Hold `array`, which must not be written to any more; `name` is a hint for its key."""
        return WeightsAttr(ArrayWeights(array, name))

    @property
    def array(self) -> Float32Array:
        """The elements, read-only. CmcError if they were elided or their file is gone."""
        return self.data.array

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def sha256(self) -> str:
        """The hash of the elements' bytes, computed when first asked for."""
        return self.data.sha256

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> Weights:
        with parser.in_angle_brackets():
            match parser.parse_optional_keyword_in(("splat", "hex", "file", "elided")):
                case "splat":
                    value = parse_number(parser)
                    return ArrayWeights(splat(value, _parse_shape(parser)))
                case "hex":
                    return ArrayWeights(_parse_hex(parser))
                case "file":
                    return _parse_file(parser)
                case "elided":
                    return ElidedWeights(_parse_shape(parser), _parse_sha256(parser))
                case _:
                    return ArrayWeights(_parse_nested(parser))

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            _print(printer, self.data)


# Printing


def _print(printer: Printer, weights: Weights) -> None:
    if isinstance(weights, ElidedWeights):
        return _print_elided(printer, weights)
    if isinstance(weights, ArrayWeights):
        if weights.size <= SMALL and (text := _decimals(weights.array)) is not None:
            return printer.print_string(text)
        if weights.is_splat and (text := format_number(weights.array.reshape(-1)[0])) is not None:
            printer.print_string(f"splat {text}")
            return _print_shape(printer, weights)
    match printing_policy().place(weights):
        case FileReference(file, key):
            printer.print_string("file ")
            printer.print_string_literal(file)
            printer.print_string(" key ")
            printer.print_string_literal(key)
            _print_shape(printer, weights)
            _print_sha256(printer, weights)
        case Elided():
            _print_elided(printer, weights)
        case None:
            printer.print_string('hex "0x')
            for part in _parts(weights.array):
                printer.print_string(part.astype("<f4").tobytes().hex().upper())
            printer.print_string('"')
            _print_shape(printer, weights)


def _parts(array: Float32Array) -> Iterator[Float32Array]:
    """All elements of `array` in order, a few at a time: their text takes more memory than they."""
    flat = array.reshape(-1)
    for start in range(0, flat.size, _PART):
        yield flat[start : start + _PART]


_PART = 2**16
"""How many elements are printed at a time."""


def _print_elided(printer: Printer, weights: Weights) -> None:
    printer.print_string("elided")
    _print_shape(printer, weights)
    _print_sha256(printer, weights)


def _print_shape(printer: Printer, weights: Weights) -> None:
    printer.print_string(f" shape [{', '.join(map(str, weights.shape))}]")


def _print_sha256(printer: Printer, weights: Weights) -> None:
    printer.print_string(f' sha256 "{weights.sha256}"')


def _decimals(array: Float32Array) -> str | None:
    """Nested lists of decimals; None where they could not say every bit, or the shape."""
    if array.size == 0:
        return "[]" if array.shape == (0,) else None
    if array.ndim == 0:
        return format_number(np.float32(array))
    parts = [_decimals(part) for part in array]
    present = [part for part in parts if part is not None]
    return f"[{', '.join(present)}]" if len(present) == len(parts) else None


# Parsing


def _parse_shape(parser: AttrParser) -> tuple[int, ...]:
    parser.parse_keyword("shape")
    return tuple(
        parser.parse_comma_separated_list(
            parser.Delimiter.SQUARE,
            lambda: parser.parse_integer(allow_boolean=False, allow_negative=False),
        )
    )


def _parse_sha256(parser: AttrParser) -> str:
    parser.parse_keyword("sha256")
    position = parser.pos
    text = parser.parse_str_literal()
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        parser.raise_error("a SHA-256 is 64 lower-case hexadecimal digits", position)
    return text


def _parse_hex(parser: AttrParser) -> Float32Array:
    position = parser.pos
    text = parser.parse_str_literal(" of hexadecimal digits")
    try:
        data = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        parser.raise_error("not a string of hexadecimal digits", position)
    shape = _parse_shape(parser)
    expected = 4 * int(np.prod(shape, dtype=np.int64))
    if len(data) != expected:
        parser.raise_error(
            f"shape {list(shape)} takes {expected} bytes, but {len(data)} are given", position
        )
    return np.frombuffer(data, "<f4").reshape(shape)


def _parse_file(parser: AttrParser) -> FileWeights:
    file = parser.parse_str_literal(" that names a weights file")
    parser.parse_keyword("key")
    key = parser.parse_str_literal(" that names an array in the weights file")
    shape = _parse_shape(parser)
    folder = Path(parser.lexer.input.name).parent
    return FileWeights(folder / file, key, shape, _parse_sha256(parser))


_Nested: TypeAlias = "float | list[_Nested]"


def _parse_nested(parser: AttrParser) -> Float32Array:
    position = parser.pos
    nested = _parse_list_or_element(parser)
    try:
        return np.array(nested, np.float32)
    except ValueError:
        parser.raise_error("the lists in an array must all have the same length", position)


def _parse_list_or_element(parser: AttrParser) -> _Nested:
    elements = parser.parse_optional_comma_separated_list(
        parser.Delimiter.SQUARE, lambda: _parse_list_or_element(parser)
    )
    return float(parse_number(parser)) if elements is None else elements
