# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Images and their classes, from files."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from pathlib import Path

from cmc.accuracy.classes import Labels, check_labels, find_scores
from cmc.accuracy.trials import Inputs
from cmc.files.array_files import read_arrays, read_labels
from cmc.interface import Interface
from cmc.streams import check_enough, count_images


def read_images(
    program: Interface,
    specs: Iterable[str],
    labels: Path,
    images: int | None,
    output: str | None = None,
) -> tuple[Inputs, Labels]:
    """The images in some files, as a command line names them, and their labels.

    All, or as many as are wanted. CmcError where there are not so many, they are not the inputs of
    the program, or labels are no classes of the output: the chosen one, or the only one that has
    scores of classes.
    """
    arrays = read_arrays(specs, program.inputs)
    program.check(arrays)
    streams = {name: array for name, array in arrays.items() if name not in program.states}
    check_enough(count_images(streams), images)
    classes = read_labels(labels, program.inputs)
    if images is not None and len(classes) >= images:
        classes = classes[:images]
    scores = program.outputs[find_scores(program.outputs, output)]
    check_labels(classes, count_images(streams) if images is None else images, prod(scores))
    return arrays | {name: array[:images] for name, array in streams.items()}, classes
