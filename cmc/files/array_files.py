# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Arrays in files: images in, outputs out."""

import zipfile
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from cmc.errors import CmcError
from cmc.files.output import replacing
from cmc.streams import Shapes

Arrays = dict[str, NDArray[np.generic]]


def read_arrays(specs: Iterable[str], shapes: Shapes) -> Arrays:
    """The arrays that the command line names: `FILE.npz`, `NAME=FILE.npy`, or `FILE.npy` alone.

    Of an archive the inputs among its arrays are taken. An array without a name is that of the
    network's only input. Raises `CmcError` for a file that cannot be read or an input given twice.
    """
    arrays: Arrays = {}
    for spec in specs:
        for name, array in _read_spec(spec, shapes).items():
            if name in arrays:
                raise CmcError(f"input '{name}' is given twice", f"--input {spec}")
            arrays[name] = array
    return arrays


def read_labels(path: Path, shapes: Shapes) -> NDArray[np.int64]:
    """The class of each image: an array file, or the array of an archive that is no input.

    CmcError if it is none, or not one whole number an image.
    """
    with path.open("rb") as stream:
        try:
            loaded = np.load(stream, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                found: Arrays = {path.name: loaded}
            else:
                with loaded:
                    found = {name: loaded[name] for name in loaded.files if name not in shapes}
        except Exception as error:  # of many types, for damages of many kinds
            raise CmcError(_NO_ARRAYS, str(path)) from error
    if len(found) != 1:
        raise CmcError(f"holds {_list(found)} beside inputs: give one array of labels", str(path))
    (array,) = found.values()
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise CmcError(
            f"labels are one whole number an image, not {array.dtype} of shape {list(array.shape)}",
            str(path),
        )
    return array.astype(np.int64)


_NO_ARRAYS = "not an array file of numpy (.npy, .npz), or damaged"


def write_arrays(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Write an `.npz` archive, whole or not at all."""
    # An archive is written out of order, which a pipe does not allow, nor does `/dev/null`.
    content = BytesIO()
    # numpy's savez takes the names as keywords, and so cannot write an array named "file".
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def _read_spec(spec: str, shapes: Shapes) -> Arrays:
    name, equals, file = spec.partition("=")
    if not equals or Path(spec).exists():
        name, file = "", spec
    with Path(file).open("rb") as stream:
        try:
            return _load(stream, name, spec, file, shapes)
        except CmcError:
            raise
        except Exception as error:  # of many types, for damages of many kinds
            raise CmcError(_NO_ARRAYS, file) from error


def _load(stream: IO[bytes], name: str, spec: str, file: str, shapes: Shapes) -> Arrays:
    loaded = np.load(stream, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return {name or _only_input(spec, shapes): loaded}
    with loaded:
        if name:
            raise CmcError("NAME= goes with one array (.npy); this is an archive", file)
        found = {name: loaded[name] for name in loaded.files if name in shapes}
        if not found:
            raise CmcError(
                f"holds {_list(loaded.files)}, and the network's inputs are {_list(shapes)}", file
            )
        return found


def _only_input(spec: str, shapes: Shapes) -> str:
    if len(shapes) != 1:
        raise CmcError(f"say which of the inputs it is: NAME={spec}", f"--input {spec}")
    return next(iter(shapes))


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "nothing"
