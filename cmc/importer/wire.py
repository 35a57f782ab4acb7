"""Separating a model file's large arrays from the rest of it, on protobuf's wire format.

A parsed model would hold the bytes of every array beside the arrays made from them. Without them it
is small, and each array is read once, from its place in the file.
"""

from collections.abc import Iterator
from dataclasses import dataclass

LARGE = 1 << 16
"""Tensors of fewer bytes than this stay in the model."""

_MODEL_GRAPH = 7
_GRAPH_INITIALIZER = 5
_TENSOR_RAW_DATA = 9

_VARINT, _BYTES = 0, 2
_FIXED_SIZES = {1: 8, 5: 4}


@dataclass(frozen=True)
class Place:
    """Where an array's bytes are in the file."""

    offset: int
    size: int


@dataclass(frozen=True)
class _Field:
    """A field of a message: its number, and where it, its payload and their end are."""

    number: int
    begin: int
    payload: int
    end: int


def detach_arrays(data: memoryview) -> tuple[bytes, dict[int, Place]]:
    """A serialised model without its large arrays, and their places by initializer's index.

    ValueError if the model is malformed.
    """
    model = bytearray()
    places: dict[int, Place] = {}
    initializers = 0
    for field in _fields(data, 0, len(data)):
        if field.number != _MODEL_GRAPH:
            model += data[field.begin : field.end]
            continue
        graph = bytearray()
        for part in _fields(data, field.payload, field.end):
            if part.number != _GRAPH_INITIALIZER or part.end - part.begin < LARGE:
                graph += data[part.begin : part.end]
            else:
                tensor, place = _detach_raw_data(data, part)
                graph += _message(_GRAPH_INITIALIZER, tensor)
                if place is not None:
                    places[initializers] = place
            initializers += part.number == _GRAPH_INITIALIZER
        model += _message(_MODEL_GRAPH, graph)
    return bytes(model), places


def _detach_raw_data(data: memoryview, tensor: _Field) -> tuple[bytes, Place | None]:
    """A serialised tensor without its raw data, and where they are if it has any."""
    rest = bytearray()
    place = None
    for field in _fields(data, tensor.payload, tensor.end):
        if field.number == _TENSOR_RAW_DATA:
            place = Place(field.payload, field.end - field.payload)
        else:
            rest += data[field.begin : field.end]
    return bytes(rest), place


def _fields(data: memoryview, begin: int, end: int) -> Iterator[_Field]:
    """The fields of the message between `begin` and `end`."""
    while begin < end:
        tag, payload = _varint(data, begin, end)
        wire = tag & 7
        if wire == _VARINT:
            _, after = _varint(data, payload, end)
        elif wire == _BYTES:
            size, payload = _varint(data, payload, end)
            after = payload + size
        elif wire in _FIXED_SIZES:
            after = payload + _FIXED_SIZES[wire]
        else:
            raise ValueError(f"wire type {wire} is not in use")
        if after > end:
            raise ValueError("a field reaches beyond its message")
        yield _Field(tag >> 3, begin, payload, after)
        begin = after


def _varint(data: memoryview, begin: int, end: int) -> tuple[int, int]:
    """The number at `begin`, and where it ends."""
    value = 0
    for index in range(begin, min(begin + 10, end)):
        value |= (data[index] & 0x7F) << (7 * (index - begin))
        if data[index] < 0x80:
            return value, index + 1
    raise ValueError("a number does not end")


def _message(number: int, payload: bytes | bytearray) -> bytes:
    """A field that holds a message."""
    return _encode(number << 3 | _BYTES) + _encode(len(payload)) + payload


def _encode(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
