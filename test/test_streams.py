# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Arrays of images are checked before anything is simulated."""

import numpy as np
import pytest
from numpy.typing import ArrayLike

from cmc.errors import CmcError
from cmc.streams import check_stream, random_stream

SHAPES = {"image": (1, 8, 8), "mask": (4,)}


def good() -> dict[str, ArrayLike]:
    return {"image": np.zeros((3, 1, 8, 8)), "mask": np.ones((3, 4), np.int64)}


def test_arrays_become_float32():
    stream = check_stream(SHAPES, good())
    assert {name: (array.dtype, array.shape) for name, array in stream.items()} == {
        "image": (np.float32, (3, 1, 8, 8)),
        "mask": (np.float32, (3, 4)),
    }


def nan_image() -> ArrayLike:
    image = np.zeros((3, 1, 8, 8))
    image[1, 0, 2, 3] = np.nan
    return image


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"imagee": 0.0}, "no input 'imagee'; did you mean 'image'?"),
        ({"zzz": 0.0}, "no input 'zzz'; there is 'image', 'mask'"),
        ({"image": np.zeros((3, 8, 8))}, "expects shape [images, 1, 8, 8], got [3, 8, 8]"),
        ({"image": np.zeros((1, 8, 8))}, "got [1, 8, 8]; the leading axis counts the images"),
        ({"image": 1.0}, "expects shape [images, 1, 8, 8], got []"),
        ({"image": np.zeros((2, 1, 8, 8))}, "number of images: 'image' 2, 'mask' 3"),
        ({"mask": [[1.0, 2.0], [3.0]]}, "input 'mask' is no array: its rows differ in length"),
        ({"image": np.zeros((0, 1, 8, 8))}, "input 'image' holds no image"),
        ({"image": np.array(["a"])}, "not numbers"),
        ({"image": np.zeros((3, 1, 8, 8), complex)}, "input 'image' holds complex128"),
        ({"image": nan_image()}, "input 'image' is NaN in image 1 at [0, 2, 3]"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, ArrayLike], message: str):
    with pytest.raises(CmcError) as error:
        check_stream(SHAPES, good() | change)
    assert message in str(error.value)


def test_missing_input_is_named():
    with pytest.raises(CmcError, match="no array for input 'mask'; there is 'image'"):
        check_stream(SHAPES, {"image": np.zeros((3, 1, 8, 8))})


def test_random_streams_are_reproducible():
    first, again, other = (random_stream(SHAPES, 5, seed) for seed in (1, 1, 2))
    assert first["image"].shape == (5, 1, 8, 8)
    assert all((first[name] == again[name]).all() for name in SHAPES)
    assert (first["image"] != other["image"]).any()
