# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Images and their classes, from files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cmc.accuracy.classes import Labels
from cmc.accuracy.trials import Inputs
from cmc.api import Program
from cmc.files.array_files import read_arrays, read_labels
from cmc.streams import check_enough, check_names, count_images


def read_images(
    program: Program, specs: Iterable[str], labels: Path, images: int | None
) -> tuple[Inputs, Labels]:
    """The images in some files, as a command line names them, and their labels.

    All, or as many as are wanted. CmcError where there are not so many, or they are not the inputs
    of the program.
    """
    arrays = read_arrays(specs, program.inputs)
    check_names(program.inputs, arrays, program.states)
    streams = {name: array for name, array in arrays.items() if name not in program.states}
    check_enough(count_images(streams), images)
    classes = read_labels(labels, program.inputs)
    if images is not None and len(classes) >= images:
        classes = classes[:images]
    return arrays | {name: array[:images] for name, array in streams.items()}, classes
