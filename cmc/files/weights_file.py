# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Safetensors files of float32 arrays, of which integers of a few bits are kept as such."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from cmc.errors import CmcError
from cmc.files.output import replacing


def write_arrays(path: Path, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Write `arrays` to `path`; whoever reads it finds the old file or the whole new one."""
    with replacing(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        try:
            # It takes the bytes as they lie in memory, whatever the strides.
            save_file({key: _ordered(array) for key, array in arrays.items()}, temporary)
        except SafetensorError as error:
            raise CmcError(f"cannot write the weights: {error}", str(path)) from None
        # It makes a file of its own, which nobody else may read.
        temporary.chmod(mode)


def _ordered(array: NDArray[np.float32]) -> NDArray[np.float32] | NDArray[np.signedinteger]:
    """The array in C order; as integers of 8 or 16 bits, where these hold it to the bit.

    So the matrices of quantised networks take as much in the file as they do in their models.
    """
    for kind in (np.int8, np.int16):
        least, greatest = np.iinfo(kind).min, np.iinfo(kind).max
        if array.size and least <= array.min() and array.max() <= greatest:
            integers = array.astype(kind)
            same = np.array_equal(integers.astype(np.float32), array)
            # Zeros of different sign are equal, but not the same.
            if same and not np.signbit(array[array == 0]).any():
                return np.asarray(integers, order="C")
    return np.asarray(array, order="C")


def read_array(path: Path, key: str) -> NDArray[np.float32]:
    """The array `key` of the file at `path`, read-only, as float32. CmcError if it is not there."""
    try:
        path.open("rb").close()  # Of a file that cannot be opened, safetensors does not say why.
        with safe_open(path, framework="np") as file:
            if key not in file.keys():  # noqa: SIM118 (it is no mapping)
                raise CmcError(f"the weights file has no array named {key!r}", str(path))
            if file.get_slice(key).get_dtype() not in ("F32", "I8", "I16"):
                raise CmcError(f"weights {key!r} are not a float32 array in this file", str(path))
            array = file.get_tensor(key).astype(np.float32, copy=False)
    except OSError as error:
        raise CmcError(f"cannot read weights {key!r}: {error.strerror}", str(path)) from None
    except SafetensorError as error:
        raise CmcError(
            f"not a safetensors file, or one that is cut short: {error}", str(path)
        ) from None
    array.flags.writeable = False
    return array
