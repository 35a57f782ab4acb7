"""Safetensors files of float32 arrays: written whole, read by mapping.

The format: the header's size in eight little-endian bytes; the header, a JSON object that gives
each array's type, shape and place; the arrays' bytes, to which the places are relative.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import cast

import numpy as np
from numpy.typing import NDArray

from cmc.errors import CmcError

_HEADER_LIMIT = 100_000_000
"""The format's own bound on the size of its header, in bytes."""


def write_arrays(path: Path, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Write `arrays` to `path`; whoever reads it finds the old file or the whole new one."""
    header: dict[str, object] = {}
    end = 0
    for key, array in arrays.items():
        begin, end = end, end + array.nbytes
        header[key] = {"dtype": "F32", "shape": array.shape, "data_offsets": (begin, end)}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(len(text).to_bytes(8, "little"))
            file.write(text)
            for array in arrays.values():
                file.write(np.ascontiguousarray(array, dtype="<f4").data)
            file.close()
            temporary.chmod(0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def map_array(path: Path, key: str) -> NDArray[np.float32]:
    """The array `key` of the file at `path`, mapped read-only. CmcError if it is not there."""
    try:
        with path.open("rb") as file:
            header_size = int.from_bytes(file.read(8), "little")
            header = file.read(min(header_size, _HEADER_LIMIT))
            file_size = file.seek(0, os.SEEK_END)
    except OSError as error:
        raise CmcError(f"cannot read weights {key!r}: {error.strerror}", str(path)) from None
    entry = _find_entry(header, key, path)
    offset = 8 + header_size + entry.begin
    if offset + 4 * prod(entry.shape) > file_size:
        raise CmcError(f"the weights file is cut short: it ends within {key!r}", str(path))
    if not prod(entry.shape):
        return np.empty(entry.shape, np.float32)
    return np.memmap(path, np.dtype("<f4"), "r", offset=offset, shape=entry.shape)


@dataclass(frozen=True)
class _Entry:
    """What the header says of an array: its shape, and its place in bytes."""

    shape: tuple[int, ...]
    begin: int


def _find_entry(header: bytes, key: str, path: Path) -> _Entry:
    try:
        entries: object = json.loads(header)
    except ValueError:
        entries = None
    if not isinstance(entries, dict):
        raise CmcError("not a safetensors file", str(path))
    entry = cast(dict[str, object], entries).get(key)
    if entry is None:
        raise CmcError(f"the weights file has no array named {key!r}", str(path))
    try:
        return _parse_entry(cast(dict[str, object], entry))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise CmcError(f"weights {key!r} are not a float32 array in this file", str(path)) from None


def _parse_entry(entry: dict[str, object]) -> _Entry:
    shape = tuple(int(size) for size in cast(list[int], entry["shape"]))
    begin, end = cast(list[int], entry["data_offsets"])
    if entry["dtype"] != "F32" or min((*shape, begin)) < 0 or end - begin != 4 * prod(shape):
        raise ValueError
    return _Entry(shape, begin)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
