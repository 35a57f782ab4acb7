# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What is said of ranks where the crossbars of a chip are too few for a network."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shlex import join

import onnx

from cmc.compression.compress import Compressible
from cmc.compression.fit import error_that_fits
from cmc.compression.spectrum import EXACT
from cmc.errors import CmcError
from cmc.fitting.refusal import TooMuch
from cmc.importer.load import load_model
from cmc.targets import find_target
from cmc.track import Track


@contextmanager
def advising(
    model: Path | onnx.ModelProto, target: str, shapes: Mapping[str, int], track: Track
) -> Generator[None]:
    """Let an error about crossbars say with which error of its matrices a network would fit.

    For that it takes the singular values of every matrix for which a lower rank needs fewer
    crossbars, and compiles the network as far as to its crossbars. `target` is a preset or a file.
    """
    try:
        yield
    except TooMuch as error:
        advice = None if error.resource != "crossbars" else _advice(model, target, shapes, track)
        if advice is None:
            raise
        raise error.or_(advice) from error


def _advice(
    model: Path | onnx.ModelProto, target: str, shapes: Mapping[str, int], track: Track
) -> str | None:
    """None where no rank helps, or no lower one is needed."""
    chip = find_target(target)
    try:
        network = Compressible.of(load_model(model), chip, track)
        error = error_that_fits(network, chip, target, shapes)
    except CmcError:
        # The network was compiled, and so it can be no worse than not to be compressed.
        return None
    if not error:
        return None
    count = len(network.chosen(error))
    matrices = "a lower rank of 1 matrix" if count == 1 else f"lower ranks of {count} matrices"
    exact = "without error" if error == EXACT else f"at a relative error of at most {error:g}"
    sizes = [part for name, size in shapes.items() for part in ("--shape", f"{name}={size}")]
    path = str(model) if isinstance(model, Path) else "MODEL.onnx"
    command = join(["cmc", "compress", path, "--target", target, *sizes])
    return f"{matrices} {exact} ({command})"
