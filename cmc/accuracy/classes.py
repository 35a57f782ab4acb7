# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Scores of classes, and which of them are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from cmc.errors import CmcError
from cmc.streams import Shapes

Labels = NDArray[np.int64]
Numbers = NDArray[np.floating]


def is_scores(shape: Sequence[int]) -> bool:
    """Whether what there is of an image may be a score for each class.

    That is more than one number along one axis.
    """
    return -1 not in shape and prod(shape) > 1 and sum(size > 1 for size in shape) == 1


def find_scores(outputs: Shapes, chosen: str | None) -> str:
    """The output that has the scores: the chosen one, or the only one that may have them.

    `outputs` are shapes of what there is of an image. CmcError where there is none, or several.
    """
    listed = ", ".join(f"'{name}' of shape {list(shape)}" for name, shape in outputs.items())
    if chosen is not None:
        if chosen not in outputs:
            raise CmcError(f"the network has no output '{chosen}'; there is {listed}", "--output")
        if not is_scores(outputs[chosen]):
            shape = list(outputs[chosen])
            raise CmcError(
                f"output '{chosen}' has no score for each class: its shape is {shape}", "--output"
            )
        return chosen
    found = [name for name, shape in outputs.items() if is_scores(shape)]
    if not found:
        raise CmcError(
            "no output has a score for each class, several numbers along one axis; there is "
            f"{listed or 'no output'}"
        )
    if len(found) > 1:
        names = ", ".join(f"'{name}'" for name in found)
        raise CmcError(f"which output has the scores: choose one of {names} with --output")
    return found[0]


def check_labels(labels: Labels, images: int, classes: int) -> None:
    """CmcError unless there is a label for each image, and a class for each label."""
    if len(labels) != images:
        raise CmcError(f"there are {images} images, and {len(labels)} labels", "--labels")
    for image in np.flatnonzero((labels < 0) | (labels >= classes))[:1]:
        raise CmcError(
            f"image {image} has label {labels[image]}, and the network has classes 0 to "
            f"{classes - 1}",
            "--labels",
        )


def places(scores: Numbers, labels: Labels) -> Labels:
    """In which place each image's own class is, `[images]`: 0 is the best.

    `scores` are `[images, classes]`. Of equal scores that of the lower class comes first, as in
    `argmax`. An image with a score that is no number has its class in no place: after all others.
    """
    own = scores[np.arange(len(labels)), labels][:, np.newaxis]
    classes: Labels = np.arange(scores.shape[1], dtype=np.int64)
    lower = classes < labels[:, np.newaxis]
    before = (scores > own) | ((scores == own) & lower)
    before |= np.isnan(scores).any(1, keepdims=True)
    return np.count_nonzero(before, 1).astype(np.int64)


def scores_of(outputs: Mapping[str, NDArray[np.generic]], name: str) -> Numbers:
    """The scores of each image, `[images, classes]`. CmcError if they are no numbers."""
    found = outputs[name]
    if found.dtype.kind not in "fiub":
        raise CmcError(f"output '{name}' holds no numbers, but {found.dtype}")
    return found.reshape(len(found), -1).astype(np.float64)
