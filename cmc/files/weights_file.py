"""Safetensors files of float32 arrays."""

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
            ordered = {key: np.asarray(array, order="C") for key, array in arrays.items()}
            save_file(ordered, temporary)
        except SafetensorError as error:
            raise CmcError(f"cannot write the weights: {error}", str(path)) from None
        # It makes a file of its own, which nobody else may read.
        temporary.chmod(mode)


def read_array(path: Path, key: str) -> NDArray[np.float32]:
    """The array `key` of the file at `path`, read-only. CmcError if it is not there."""
    try:
        path.open("rb").close()  # Of a file that cannot be opened, safetensors does not say why.
        with safe_open(path, framework="np") as file:
            if key not in file.keys():  # noqa: SIM118 (it is no mapping)
                raise CmcError(f"the weights file has no array named {key!r}", str(path))
            if file.get_slice(key).get_dtype() != "F32":
                raise CmcError(f"weights {key!r} are not a float32 array in this file", str(path))
            array = file.get_tensor(key)
    except OSError as error:
        raise CmcError(f"cannot read weights {key!r}: {error.strerror}", str(path)) from None
    except SafetensorError as error:
        raise CmcError(
            f"not a safetensors file, or one that is cut short: {error}", str(path)
        ) from None
    array.flags.writeable = False
    return array
