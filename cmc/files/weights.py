# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Arrays of weights: float32, read-only, bytes from the importer to the simulator.

An array is in memory, or in a safetensors file that is read when it is first needed and checked
against its hash, or elided: known by shape and hash only. How large arrays appear in text is a
matter of the printing policy in force, not of the array.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cmc.errors import CmcError
from cmc.files import output as files

Float32Array: TypeAlias = NDArray[np.float32]

SMALL = 64
"""Arrays of at most this many elements are written out in text under every policy."""


class Weights(ABC):
    """A float32 array that need not be in memory yet. Two are equal when their contents are.

    `name` is a hint (the ONNX name): it becomes the key in a weights file and has no part in
    equality.
    """

    shape: tuple[int, ...]
    name: str | None

    @property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    @abstractmethod
    def array(self) -> Float32Array:
        """The elements, read-only; of zero strides if all are one. CmcError if out of reach."""

    @property
    @abstractmethod
    def sha256(self) -> str:
        """The SHA-256 of the little-endian bytes in C order, as 64 hexadecimal digits."""

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, Weights) and self.shape == other.shape and self.sha256 == other.sha256
        )

    def __hash__(self) -> int:
        # The content's hash would cost a pass over all bytes of every array ever put in a set.
        return hash(self.shape)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.shape)) or "scalar"
        return f"{type(self).__name__}({shape}{'' if self.name is None else ', ' + self.name})"


class ArrayWeights(Weights):
    """Weights in memory. The array is given away: its owner must not write to it any more."""

    def __init__(self, array: Float32Array, name: str | None = None):
        if array.dtype != np.float32:
            raise TypeError(f"weights are float32, not {array.dtype}")
        if not (array.flags.c_contiguous or _has_zero_strides(array)):
            array = np.ascontiguousarray(array)
        # What numpy computes of arrays without axes is none.
        self._array = np.asarray(array).view()
        self._array.flags.writeable = False
        self.shape = array.shape
        self.name = name

    @property
    def array(self) -> Float32Array:
        return self._array

    @cached_property
    def sha256(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride] (cached)
        return _hash(self._array)

    @cached_property
    def is_splat(self) -> bool:
        """Whether there are elements and all have the same bits."""
        if self.size == 0:
            return False
        if _has_zero_strides(self._array):
            return True
        bits = self._array.reshape(-1).view(np.uint32)
        # Most arrays differ within their first elements: look there before reading them all.
        return bool((bits[:SMALL] == bits[0]).all()) and bool((bits == bits[0]).all())


class FileWeights(Weights):
    """Weights in a safetensors file, read and checked against the hash on first use."""

    def __init__(self, path: Path, key: str, shape: tuple[int, ...], sha256: str):
        self.path = path
        self.key = key
        self.shape = shape
        self.name = key
        self._sha256 = sha256

    @cached_property
    def array(self) -> Float32Array:  # pyright: ignore[reportIncompatibleMethodOverride] (cached)
        from cmc.files.weights_file import read_array

        array = read_array(self.path, self.key)
        if array.shape != self.shape:
            raise CmcError(
                f"weights {self.key!r} have shape {list(array.shape)} in the file, but "
                f"{list(self.shape)} here",
                str(self.path),
            )
        if _hash(array) != self._sha256:
            raise CmcError(
                f"weights {self.key!r} are not those that were saved with this program "
                "(SHA-256 differs): compile it again",
                str(self.path),
            )
        return array

    @property
    def sha256(self) -> str:
        return self._sha256


class ElidedWeights(Weights):
    """Weights of which only shape and hash are left."""

    def __init__(self, shape: tuple[int, ...], sha256: str):
        self.shape = shape
        self.name = None
        self._sha256 = sha256

    @property
    def array(self) -> Float32Array:
        raise CmcError(
            f"weights of shape {list(self.shape)} were elided when this program was printed: "
            "print it again with its weights"
        )

    @property
    def sha256(self) -> str:
        return self._sha256


@dataclass(frozen=True)
class FileReference:
    """Where text says that an array is: `file` as written there, and the key in that file."""

    file: str
    key: str


class Elided:
    """What a policy answers when only shape and hash are to be written."""


Placement: TypeAlias = FileReference | Elided | None
"""Where the text has an array's elements: in a file, nowhere, or (None) in the text itself."""


class PrintingPolicy(ABC):
    """Where large arrays go when a module is printed."""

    @abstractmethod
    def place(self, weights: Weights) -> Placement:
        """Where the elements of large `weights` are to be written."""

    def finish(self) -> None:  # noqa: B027 (most policies have nothing to finish)
        """Called when all text has been printed without an error."""


class Keep(PrintingPolicy):
    """Write arrays in memory into the text, and name the file of those that are in one."""

    def place(self, weights: Weights) -> Placement:
        if isinstance(weights, FileWeights):
            return FileReference(str(weights.path.absolute()), weights.key)
        return None


class Inline(PrintingPolicy):
    """Write every array into the text, reading it from its file if need be."""

    def place(self, weights: Weights) -> Placement:
        return None


class Elide(PrintingPolicy):
    """Write only shape and hash of large arrays."""

    def place(self, weights: Weights) -> Placement:
        return Elided()


@dataclass
class ToFile(PrintingPolicy):
    """Collect large arrays in a safetensors file, which should lie beside the printed text.

    The file appears, complete, when printing has ended; none appears if no array is large.
    """

    path: Path
    _keys: dict[Weights, str] = field(default_factory=dict[Weights, str], init=False)

    def place(self, weights: Weights) -> Placement:
        key = self._keys.get(weights)
        if key is None:
            key = self._new_key(weights.name or "weights")
            self._keys[weights] = key
        return FileReference(self.path.name, key)

    def _new_key(self, name: str) -> str:
        used = {*self._keys.values(), "__metadata__"}  # The format keeps this key for itself.
        key, count = name, 1
        while key in used:
            key, count = f"{name}.{count}", count + 1
        return key

    def finish(self) -> None:
        if self._keys:
            from cmc.files.weights_file import write_arrays

            write_arrays(self.path, {key: weights.array for weights, key in self._keys.items()})


def beside(path: Path) -> PrintingPolicy:
    """The policy for text that is written to the file `path`. CmcError if it takes their place."""
    if files.is_special(path):
        return Inline()
    weights = files.beside(path, ".safetensors")
    if weights == path:
        raise CmcError("is where the weights go: give the module another suffix", str(path))
    return ToFile(weights)


_KEEP = Keep()
_policy: ContextVar[PrintingPolicy] = ContextVar("weights printing policy", default=_KEEP)


def printing_policy() -> PrintingPolicy:
    """The policy in force."""
    return _policy.get()


@contextmanager
def printing(policy: PrintingPolicy) -> Generator[None]:
    """Print modules in this context by `policy`."""
    token = _policy.set(policy)
    try:
        yield
    finally:
        _policy.reset(token)
    policy.finish()


def splat(value: float | np.float32, shape: tuple[int, ...]) -> Float32Array:
    """An array of one value, which takes no memory whatever its shape."""
    return np.broadcast_to(np.float32(value), shape)


def _has_zero_strides(array: Float32Array) -> bool:
    return array.size > 0 and all(
        stride == 0 or dim == 1 for stride, dim in zip(array.strides, array.shape, strict=True)
    )


def _hash(array: Float32Array) -> str:
    return sha256(np.ascontiguousarray(array, dtype="<f4").data).hexdigest()
