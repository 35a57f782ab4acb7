# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Streams of images: one float32 array per input of a network, images along the leading axis."""

from collections.abc import Container, Mapping, Sized
from difflib import get_close_matches
from itertools import product
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cmc.errors import CmcError

Shapes = Mapping[str, tuple[int, ...]]
"""The shape of one image by the name of the input, without an axis for the images."""

Stream = dict[str, NDArray[np.float32]]

EXACT = 2**24
"""Up to here float32 has every integer."""

_T = TypeVar("_T", bound=np.generic)


class Turn(NamedTuple):
    """Which images of a stream a pipeline takes: one of every so many, counted from 0."""

    number: int = 0
    of: int = 1

    def __str__(self) -> str:
        return f"turn {self.number} of {self.of}"

    def images(self, stream: int) -> int:
        """How many of a stream of so many images."""
        return -((self.number - stream) // self.of)

    def image(self, own: int) -> int:
        """Which image of the stream one is that the pipeline takes."""
        return self.number + own * self.of

    def share(self, images: NDArray[_T]) -> NDArray[_T]:
        """Its images of those of a stream, `[images, ...]`, as a view."""
        return images[self.number :: self.of]


def image_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of one image of a tensor: without the batch axis, if there is one.

    A network may squeeze it out of an output, or move it away from the front.
    """
    return shape[1:] if shape[:1] == (1,) else shape


def count_images(stream: Mapping[str, Sized]) -> int:
    """The length of a stream. That of a network without inputs is one image."""
    return next(map(len, stream.values()), 1)


def check_enough(found: int, wanted: int | None) -> None:
    """CmcError if a command line wants more images than there are; None wants all."""
    if wanted is not None and found < wanted:
        raise CmcError(f"--images asks for {wanted}, and there are {found}")


def check_stream(
    shapes: Shapes, arrays: Mapping[str, ArrayLike], states: Container[str] = ()
) -> Stream:
    """`arrays` as float32, `[images, ...]` each; `CmcError` for what does not fit `shapes`.

    Of `states` there is the one of the first image, zeros if none is given; zeros for the others.
    """
    check_names(shapes, arrays, states)
    stream = {
        name: _check_array(name, shape, arrays[name])
        for name, shape in shapes.items()
        if name in arrays
    }
    for name in stream:
        if name in states and len(stream[name]) > 1:
            raise CmcError(
                f"input '{name}' is a state, which the image before gives: give that of the first "
                f"image alone, not {len(stream[name])}"
            )
    counts = {name: len(array) for name, array in stream.items() if name not in states}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"'{name}' {count}" for name, count in counts.items())
        raise CmcError(f"the inputs differ in their number of images: {listed}")
    images = next(iter(counts.values()), 1)
    for name, shape in shapes.items():
        if name in states:
            first = stream.get(name, np.zeros((1, *shape), np.float32))
            rest = np.zeros((images - 1, *shape), np.float32)
            stream[name] = np.concatenate([first, rest])
    return {name: stream[name] for name in shapes}


def check_names(
    shapes: Shapes, arrays: Mapping[str, ArrayLike], states: Container[str] = ()
) -> None:
    """`CmcError` unless there is one array for each input that is no state."""
    if not hasattr(arrays, "keys"):
        example = f"{{'{next(iter(shapes), 'x')}': images}}"
        raise CmcError(f"inputs are arrays by their names, such as {example}")
    for name in arrays:
        if name not in shapes:
            close = get_close_matches(name, shapes, 1)
            hint = f"did you mean '{close[0]}'?" if close else f"there is {_list(shapes)}"
            raise CmcError(f"the network has no input '{name}'; {hint}")
    for name in shapes:
        if name not in arrays and name not in states:
            raise CmcError(f"no array for input '{name}'; there is {_list(arrays)}")


def check_magnitudes(stream: Stream, largest: Mapping[str, int]) -> None:
    """`CmcError` for inputs that are larger than the network takes or can compute with."""
    for name, most in largest.items():
        if np.abs(stream[name]).max() > most:
            raise CmcError(
                f"input '{name}' holds integers beyond {most}, the largest that this network "
                "takes: larger ones name no element, or make integers beyond those of float32"
            )


def random_stream(
    shapes: Shapes,
    images: int,
    seed: int,
    whole: Mapping[str, int] = MappingProxyType({}),
    states: Container[str] = (),
) -> Stream:
    """`images` images of standard normal values, the same ones for the same seed.

    Inputs whose names are in `whole` are the number that stands there, which is zero for truth
    values, and one more. Of `states` there are none.
    """
    generator = np.random.default_rng(seed)
    return {
        name: (generator.integers(0, 2, (images, *shape)) + whole[name]).astype(np.float32)
        if name in whole
        else generator.standard_normal((images, *shape), np.float32)
        for name, shape in shapes.items()
        if name not in states
    }


def random_text(shape: tuple[int, ...], images: int, seed: int) -> NDArray[np.object_]:
    """Words for `images` images, of one letter to three each."""
    generator = np.random.default_rng(seed)
    words = np.array(["".join(word) for n in (1, 2, 3) for word in product("ab", repeat=n)], object)
    return words[generator.integers(0, len(words), (images, *shape))]


def _check_array(name: str, shape: tuple[int, ...], given: ArrayLike) -> NDArray[np.float32]:
    array = _as_array(name, given)
    if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
        raise CmcError(f"input '{name}' holds {array.dtype}, not numbers")
    array = check_images(name, shape, array)
    check_exact(array, f"input '{name}'")
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(array).all():
        image, *index = (int(i) for i in np.argwhere(~np.isfinite(array))[0])
        value = "NaN" if np.isnan(array[image, *index]) else "infinite"
        raise CmcError(f"input '{name}' is {value} in image {image} at {_format_shape(index)}")
    return array


def _as_array(name: str, given: ArrayLike) -> NDArray[np.generic]:
    try:
        return np.asarray(given)
    except ValueError as error:
        raise CmcError(f"input '{name}' is no array: its rows differ in length") from error


def check_images(name: str, shape: tuple[int, ...], given: ArrayLike) -> NDArray[np.generic]:
    """An array of images of one shape, in which -1 is any size; `CmcError` if it is none."""
    array = _as_array(name, given)
    sizes = array.shape[1:]
    fits = len(sizes) == len(shape) and all(map(_fits, sizes, shape))
    if array.ndim == 0 or not (fits or -1 in shape):
        expected = _format_shape(("images", *shape))
        hint = "; the leading axis counts the images" if array.shape == shape else ""
        raise CmcError(
            f"input '{name}' expects shape {expected}, got {_format_shape(array.shape)}{hint}"
        )
    if len(array) == 0:
        raise CmcError(f"input '{name}' holds no image")
    return array


def _fits(size: int, wanted: int) -> bool:
    return wanted in (size, -1)


def check_exact(array: NDArray[np.generic], what: str) -> None:
    """`CmcError` for integers that float32 does not hold."""
    if array.dtype.kind in "iu" and (np.abs(array.astype(np.float64)) > EXACT).any():
        raise CmcError(f"{what} holds integers beyond 2^24, which float32 cannot count to")


def _format_shape(shape: tuple[int | str, ...] | list[int]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _list(names: Mapping[str, object]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"
