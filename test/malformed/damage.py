# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Damage to a model: changed, missing and repeated fields of its protobuf, and changed bytes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, MutableSequence
from contextlib import suppress
from typing import cast

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

Scalar = int | float | str | bytes

_INTEGERS = (-1, 0, 1, 2, 3, 7, 255, 65536, 10**12, 2**31 - 1, 2**31, 2**63 - 1, -(2**31), -(2**63))
_FLOATS = (0.0, -1.0, 0.5, 1e30, -1e-30, float("nan"), float("inf"))
_NAMES = ("", "x", "Relu", "Conv", "Reshape", "Loop", "../../weights", "\0")


def damaged_model(model: onnx.ModelProto, draw: random.Random) -> onnx.ModelProto:
    """A copy in which one field is wrong, or a few."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    names = [name for node in model.graph.node[:20] for name in (*node.input, *node.output)]
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        message, field = draw.choice(list(_fields(result)))
        # Protobuf itself refuses what is out of a field's range.
        with suppress(ValueError, TypeError):
            _damage(message, field, draw, names)
    return result


def damaged_bytes(data: bytes, draw: random.Random) -> bytes:
    """A copy in which up to four bytes are others, or whose end is missing."""
    changed = bytearray(data)
    for _ in range(draw.randrange(5)):
        changed[draw.randrange(len(changed))] = draw.randrange(256)
    return bytes(changed if draw.random() < 0.8 else changed[: draw.randrange(len(changed))])


def _fields(message: Message) -> Iterator[tuple[Message, FieldDescriptor]]:
    """All fields that are set, of a message and of those within it."""
    for field, value in message.ListFields():
        yield message, field
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in [value] if isinstance(value, Message) else value:
                yield from _fields(inner)


def _damage(
    message: Message, field: FieldDescriptor, draw: random.Random, names: list[str]
) -> None:
    value = cast(object, getattr(message, field.name))
    if isinstance(value, Message):
        message.ClearField(field.name)
    elif isinstance(value, Scalar):
        setattr(message, field.name, _other(field, value, draw, names))
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        _damage_messages(cast(MutableSequence[Message], value), draw)
    else:
        _damage_scalars(cast(MutableSequence[Scalar], value), field, draw, names)


def _damage_messages(values: MutableSequence[Message], draw: random.Random) -> None:
    index, other = draw.randrange(len(values)), draw.randrange(len(values))
    match draw.randrange(3):
        case 0:
            del values[index]
        case 1:
            values.append(values[index])
        case _:
            copy = type(values[index])()
            copy.CopyFrom(values[index])
            values[index].CopyFrom(values[other])
            values[other].CopyFrom(copy)


def _damage_scalars(
    values: MutableSequence[Scalar], field: FieldDescriptor, draw: random.Random, names: list[str]
) -> None:
    index = draw.randrange(len(values))
    match draw.randrange(4):
        case 0:
            del values[index]
        case 1:
            values.append(_other(field, values[index], draw, names))
        case _:
            values[index] = _other(field, values[index], draw, names)


def _other(field: FieldDescriptor, value: Scalar, draw: random.Random, names: list[str]) -> Scalar:
    """Another value for a field."""
    match value:
        case int() if field.type == FieldDescriptor.TYPE_ENUM:
            return draw.randrange(30)
        case int():
            return draw.choice((*_INTEGERS, value + 1, value - 1, 2 * value, draw.randrange(24)))
        case float():
            return draw.choice(_FLOATS)
        case str():
            return draw.choice((*_NAMES, *names))
        case bytes():
            return draw.choice(_DAMAGES)(value, draw)


_DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    lambda value, draw: value[: draw.randrange(len(value) + 1)],
    lambda value, draw: value + draw.randbytes(3),
    lambda value, draw: value[:-1] + draw.randbytes(1),
    lambda value, draw: b"",
)
