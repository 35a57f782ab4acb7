# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmc compress`: give a network's matrices a lower rank, and say what that costs."""

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from cmc.accuracy.classes import is_scores
from cmc.compression.compress import Compressible, Cut
from cmc.compression.fit import crossbars_of_stages, error_that_fits, fits
from cmc.errors import CmcError
from cmc.files.array_files import read_arrays, read_labels
from cmc.files.onnx_file import data_file, tensors_of, write_model
from cmc.files.output import check_output
from cmc.importer.inputs import resolve_inputs
from cmc.importer.load import Model, load_model
from cmc.reference import Deviation, Reference
from cmc.streams import Shapes, Stream, check_enough, check_stream, count_images, random_stream
from cmc.targets import Target, find_target
from cmc.tools.bench.table import format_table
from cmc.tools.options import Options
from cmc.tools.progress_bar import track

IMAGES = 16
"""How many random images there are where none are given."""


def compress_network(options: Options) -> None:
    """Carry the command out; raises `CmcError` for what cannot be compressed, or does not fit."""
    target = None if options.target is None else find_target(options.target)
    if options.rank_error is None and (target is None or target.cores is None):
        raise CmcError("give --rank-error E, or a --target with so many cores to fit")
    source = load_model(options.model)
    _check_output(options, source)
    shapes = _shapes(options, source)
    stream, images = _images(options, shapes)
    labels = _labels(options, shapes, count_images(stream))
    reference = Reference(options.model)
    network = Compressible.of(source, target, track)
    error = options.rank_error
    if error is None:
        error = _error_that_fits(options, network, target)
    model, cuts = network.cut(error, track)
    print("\n".join(_described(network, cuts, target)))
    if target is not None:
        print(_crossbars(options, source.proto, model, target))
    before, now = reference(stream, track), Reference(model)(stream, track)
    print(f"\nerrors of {images}, by {reference.engine}:")
    for name, expected in before.items():
        print(f"  {name}: {_compared(name, now[name], expected, reference)}")
        if is_scores(reference.shapes[name][1:]):
            print(f"    {_classes(now[name], expected, labels)}")
    if options.output is not None:
        write_model(options.output, model, network.apart)


def _check_output(options: Options, source: Model) -> None:
    if options.output is None:
        return
    read = options.read_files()
    apart = [
        options.model.parent / ExternalDataInfo(tensor).location
        for tensor in tensors_of(source.proto.graph)
        if uses_external_data(tensor)
    ]
    check_output(options.output, [*read, *apart])
    if apart:
        check_output(data_file(options.output), [*read, *apart, options.output])


# Images


def _shapes(options: Options, source: Model) -> Shapes:
    """The shape of an image of each input."""
    inputs = [info for info in source.proto.graph.input if info.name not in source.initializers]
    resolved = resolve_inputs(inputs, dict(options.shape))
    return {input.name: input.shape[1:] for input in resolved.inputs}


def _images(options: Options, shapes: Shapes) -> tuple[Stream, str]:
    """The images to compare on, and what they are."""
    if options.input:
        if options.random is not None:
            raise CmcError("the images come from --input or from --random, not from both")
        stream = check_stream(shapes, read_arrays(options.input, shapes))
        found = min(map(len, stream.values()))
        check_enough(found, options.images)
        count = options.images or found
        return {name: array[:count] for name, array in stream.items()}, f"{count} images"
    seed, count = options.random or 0, options.images or IMAGES
    what = f"{count} random images of seed {seed} (--input gives others)"
    return random_stream(shapes, count, seed), what


def _labels(options: Options, shapes: Shapes, count: int) -> NDArray[np.int64] | None:
    if options.labels is None:
        return None
    if not options.input:
        raise CmcError("--labels are those of images, which --input gives")
    labels = read_labels(options.labels, shapes)
    if len(labels) < count:
        raise CmcError(f"there are {count} images, and {len(labels)} labels", str(options.labels))
    return labels[:count]


# Ranks


def _error_that_fits(options: Options, network: Compressible, target: Target | None) -> float:
    assert target is not None and options.target is not None
    shapes = dict(options.shape)
    error = error_that_fits(network, target, options.target, shapes)
    if error is None:
        least = crossbars_of_stages(network.sketched(1.0), options.target, shapes)
        raise CmcError(
            f"no rank of its matrices makes it fit: with the lowest it takes {sum(least.values())} "
            f"crossbars, and target {target.name} has {(target.cores or 0) * target.crossbars}",
            str(options.model),
        )
    print(
        f"the least error with which it fits target {target.name}: --rank-error {error:g}\n"
        if error
        else f"it fits target {target.name} as it is\n"
    )
    return error


def _described(network: Compressible, cuts: Sequence[Cut], target: Target | None) -> Iterator[str]:
    """The matrices that were cut, what stays, and numbers in all."""
    what = "numbers" if target is None else "crossbars"
    if cuts:
        head = ("layer", "rows x columns", "rank", "kernels", "relative error", what, "now")
        rows = [
            (
                ", ".join(cut.nodes),
                _size(cut.shape),
                cut.rank,
                ", ".join("x".join(map(str, kernel)) for kernel in cut.kernels if kernel),
                f"{cut.error:.3g}",
                f"{cut.before:,}",
                f"{cut.now:,}",
            )
            for cut in cuts
        ]
        yield format_table(head, rows)
    if stay := len(network.matrices) - len(cuts):
        yield f"{stay} of {len(network.matrices)} matrices stay as they are"
    for where, reason in network.found.skipped.items():
        yield f"{where} stays: {reason}"


def _size(shape: tuple[int, int, int]) -> str:
    count, rows, columns = shape
    return f"{rows}x{columns}" if count == 1 else f"{count} of {rows}x{columns}"


def _crossbars(
    options: Options, before: onnx.ModelProto, now: onnx.ModelProto, target: Target
) -> str:
    """The crossbars in all, as the compiler cuts matrices to them."""
    assert options.target is not None
    shapes = dict(options.shape)
    old, new = (crossbars_of_stages(one, options.target, shapes) for one in (before, now))
    text = f"crossbars in all: {sum(old.values()):,}, now {sum(new.values()):,}"
    if target.cores is None:
        return text
    there = f"{text}, of {target.cores * target.crossbars:,} on target {target.name}"
    return there if fits(new, target) else f"{there}, which they do not fit"


# What it costs


def _compared(
    name: str, now: NDArray[np.float32], before: NDArray[np.float32], reference: Reference
) -> str:
    deviation = Deviation.measure(name, now, before)
    mean = float(np.abs(now.astype(np.float64) - before).mean())
    doubt = f" ({reference.doubts[name]})" if name in reference.doubts else ""
    return (
        f"{deviation.absolute:.3g} at most, {deviation.relative:.3g} of the largest magnitude, "
        f"{mean:.3g} on average{doubt}"
    )


def _classes(
    now: NDArray[np.float32], before: NDArray[np.float32], labels: NDArray[np.int64] | None
) -> str:
    found, expected = now.argmax(1), before.argmax(1)
    count = len(now)
    text = f"the same class for {int((found == expected).sum())} of {count} images"
    if labels is None:
        return text
    right = [int((classes == labels).sum()) for classes in (expected, found)]
    return f"{text}; right for {right[0]} before, {right[1]} now"
