# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Who else computes a network: onnxruntime, and plain numpy."""

from collections.abc import Callable
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp

from cmc.host.evaluator import onnxruntime_session
from cmc.importer import import_model
from cmc.semantics.network import evaluate
from cmc.simulator.blas import one_thread
from cmc.streams import Stream, count_images

Run = Callable[[Stream], object]


def onnxruntime_runner(path: Path) -> Run:
    """onnxruntime at its best: the stream as one batch where the network allows."""
    session = onnxruntime_session(path, optimized=True)
    batch = session.get_inputs()[0].shape[0]

    def run(stream: Stream) -> None:
        images = count_images(stream)
        together = batch if isinstance(batch, int) else images
        for first in range(0, images, together):
            part = slice(first, first + together)
            session.run(None, {name: array[part] for name, array in stream.items()})

    return run


def numpy_evaluator(path: Path) -> Run:
    """Every operator of the imported network as one call of numpy, image by image.

    Products are computed by one thread: where anything else runs, more of them take many times
    longer.
    """
    module: ModuleOp = import_model(path)

    def run(stream: Stream) -> None:
        with one_thread():
            evaluate(module, stream)

    return run
