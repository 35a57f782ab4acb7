# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmc run`: execute a stream of images, show what happened, check what came out.

A chip is simulated; a module of a higher level has values, and no time.
"""

import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

import cmc
from cmc.errors import CmcError
from cmc.files.array_files import read_arrays, write_arrays
from cmc.files.output import replacing_text
from cmc.importer.inputs import inputs_of_text, inputs_of_whole_numbers
from cmc.interface import Interface
from cmc.reference import Deviation, Reference
from cmc.reports.report import Report
from cmc.reports.text import format_report
from cmc.simulator.crossbars import physics_of
from cmc.streams import (
    Stream,
    check_enough,
    check_names,
    check_stream,
    count_images,
    random_stream,
    random_text,
)
from cmc.targets import Target
from cmc.tools.cmc_compile import check_files, is_module, make_program
from cmc.tools.options import Options
from cmc.tools.progress_bar import track

Level = cmc.Program | cmc.Pipeline | cmc.Network | cmc.Hosted
Array = NDArray[np.generic]
Prepared = tuple[Reference | None, Mapping[str, Array]]

TOLERANCE = 1e-4
"""How far an output may be from its reference, in units of the reference's largest magnitude."""


def run_stream(options: Options) -> None:
    """Carry the command out; raises `CmcError` for bad input and for a check that fails."""
    if options.input and options.random is not None:
        raise CmcError("the images come from --input or from --random, not from both")
    check_files(options, options.output, options.report, options.html, options.trace)
    if options.reference is not None and not options.check:
        raise CmcError("--model names the network for --check, which is not given")
    if options.timing and (options.input or options.random is not None):
        raise CmcError("--timing needs no images: control does not depend on what they hold")
    if options.timing and (options.check or options.output or options.mode == "interpret"):
        raise CmcError("--timing computes no values to check, write or interpret")
    if options.timing and _conditions(options):
        raise CmcError("--timing computes no values, which --seed, --time and --first are for")
    network = options.reference if is_module(options) else options.reference or options.model
    program, prepared = _open(options, network)
    if options.check and network is None:
        raise CmcError(
            "a module does not hold its ONNX model: --check needs --model MODEL.onnx",
            str(options.model),
        )
    if options.mapping is not None:
        if not isinstance(program, cmc.Program):
            raise CmcError("this is no chip, which --mapping is for", str(options.model))
        program.save_mapping(options.mapping)
    if not isinstance(program, cmc.Program) and _times(options):
        raise CmcError(
            "this is no chip, and takes no time: --timing, --report, --html, --trace and --mode "
            "interpret are for what -p nn-to-cmctrl makes of it",
            str(options.model),
        )
    if not isinstance(program, cmc.Program) and _conditions(options):
        raise CmcError(
            "this is no chip, which --seed, --time and --first are for: -p nn-to-cmctrl makes one",
            str(options.model),
        )
    if options.timing and isinstance(program, cmc.Program):
        _show(options, program.time(options.images or 1))
        return
    reference, stream = prepared or _prepare(options, program, network)
    images = count_images(stream)
    report: Report | None = None
    if isinstance(program, cmc.Program):
        first = {
            name: array[:1] if name in program.states else array for name, array in stream.items()
        }
        result = program.run(
            first,
            mode=options.mode,
            track=track,
            seed=options.chip or 0,
            time=options.time or 0.0,
            first=options.first or 0,
        )
        outputs, report = result.outputs, result.report
    else:
        outputs = (
            program.run(stream, track)
            if isinstance(program, cmc.Hosted)
            else program.run(check_stream(program.inputs, stream), track)
        )
    # What cannot be evaluated is known before anything is written.
    check: Callable[[], Iterable[Deviation]] | None = None
    if reference is not None and _has_host(program):
        check = _images_expected(reference, stream, outputs, images)
    elif reference is not None:
        check = _expected(reference, check_stream(program.inputs, stream), program.states, outputs)
    if options.output is not None:
        write_arrays(options.output, _stacked(outputs))
    if report is not None:
        _show(options, report)
    else:
        print(f"{images} images computed; this is no chip yet, so that there are no cycles to show")
    if reference is not None and check is not None:
        target = None if report is None else report.target
        _check(reference, check, outputs, "" if target is None else _inexact(target))


def _conditions(options: Options) -> bool:
    return any(given is not None for given in (options.chip, options.time, options.first))


def _times(options: Options) -> bool:
    written = (options.report, options.html, options.trace)
    return options.timing or written != (None, None, None) or options.mode == "interpret"


def _show(options: Options, report: Report) -> None:
    if options.report is not None:
        with replacing_text(options.report) as file:
            file.write(report.to_json() + "\n")
    if options.html is not None:
        report.save_html(options.html, f"{options.model.stem} on {report.target.name}")
    if options.trace is not None:
        report.save_trace(options.trace)
    print(format_report(report, shutil.get_terminal_size((100, 0)).columns))


def _open(options: Options, network: Path | None) -> tuple[Level, Prepared | None]:
    """What is to run, and on what, where that is known before a network is compiled."""
    if is_module(options):
        return cmc.load_level(options.model), None
    prepared: list[Prepared] = []

    def prepare(interface: Interface) -> None:
        if not options.timing:
            prepared.append(_prepare(options, interface, network))

    return make_program(options, prepare), next(iter(prepared), None)


def _prepare(options: Options, program: Level | Interface, network: Path | None) -> Prepared:
    """What outputs are to be compared with, and the images; CmcError for what does not fit."""
    reference = _reference(network, program) if options.check and network is not None else None
    return reference, _read_stream(options, program, network)


def _has_host(program: Level | Interface) -> bool:
    return isinstance(program, cmc.Hosted) or (isinstance(program, Interface) and program.has_host)


def _read_stream(
    options: Options, program: Level | Interface, network: Path | None
) -> Mapping[str, Array]:
    """The images that the command line asks for."""
    if options.random is not None:
        for name, shape in program.inputs.items():
            if -1 in shape:
                raise CmcError(f"input '{name}' is of no fixed shape: give it with --input")
        return _random_stream(options.random, options.images or 1, program, network)
    if not options.input and program.inputs:
        raise CmcError("no images: give --input FILE.npz, NAME=FILE.npy, or --random SEED")
    arrays = read_arrays(options.input, program.inputs)
    if isinstance(program, Interface):
        program.check(arrays)
    else:
        check_names(program.inputs, arrays, program.states)
    stream: Mapping[str, Array] = (
        arrays if _has_host(program) else check_stream(program.inputs, arrays, program.states)
    )
    check_enough(count_images(stream), options.images)
    return {name: array[: options.images] for name, array in stream.items()}


def _random_stream(
    seed: int, images: int, program: Level | Interface, network: Path | None
) -> Mapping[str, Array]:
    """Numbers and words, and integers of which nothing is divided by zero, as far as is known."""
    whole = {} if network is None else inputs_of_whole_numbers(network)
    text = frozenset[str]() if network is None else inputs_of_text(network)
    numbers = {name: shape for name, shape in program.inputs.items() if name not in text}
    stream = random_stream(numbers, images, seed, whole, program.states)
    if not text:
        return check_stream(program.inputs, stream, program.states)
    words = {name: random_text(program.inputs[name], images, seed) for name in program.inputs}
    return words | stream


def _reference(network: Path, program: Level | Interface) -> Reference:
    reference = Reference(network)
    if sorted(reference.inputs) != sorted(program.inputs):
        raise CmcError(
            f"its inputs are {', '.join(sorted(reference.inputs))}, and those of the program "
            f"{', '.join(sorted(program.inputs))}: it is not the network that was compiled",
            str(network),
        )
    return reference


def _expected(
    reference: Reference, stream: Stream, states: Mapping[str, str], outputs: Stream
) -> Callable[[], Iterable[Deviation]]:
    """Compare with what somebody else computes; `CmcError` for outputs of other names or sizes."""
    expected = reference.with_states(stream, states, track) if states else reference(stream, track)
    for name, found in outputs.items():
        if name not in expected:
            raise CmcError(f"{reference.engine} has no output '{name}'", "check")
        if expected[name].size != found.size:
            raise CmcError(
                f"output '{name}' has {found[0].size} numbers an image, of shape "
                f"{list(found.shape[1:])}, and {reference.engine} gives shape "
                f"{list(reference.shapes[name])}: it is another network",
                "check",
            )
    return lambda: (
        Deviation.measure(name, found, expected[name])
        for name, found in outputs.items()
        if name not in reference.doubts
    )


def _images_expected(
    reference: Reference, stream: Mapping[str, Array], outputs: Stream, images: int
) -> Callable[[], Iterable[Deviation]]:
    """The same image by image, in the types of the host."""
    expected = [reference.image(stream, image) for image in track(range(images), "checking")]
    for name in outputs:
        if name not in expected[0]:
            raise CmcError(f"{reference.engine} has no output '{name}'", "check")
    return lambda: (
        Deviation.of_images(name, list(found), [one[name] for one in expected])
        for name, found in outputs.items()
        if name not in reference.doubts
    )


def _inexact(target: Target) -> str:
    """Why outputs on a target may be beyond the tolerance, for a person."""
    if physics_of(target).exact:
        return ""
    return f"; {target.name} does not compute exactly, and what that costs says cmc accuracy"


def _check(
    reference: Reference,
    check: Callable[[], Iterable[Deviation]],
    outputs: Stream,
    inexact: str,
) -> None:
    print(f"\nlargest errors against {reference.engine}:")
    for name in outputs.keys() & reference.doubts.keys():
        print(f"  {name}: not compared, as {reference.doubts[name]}: install onnxruntime")
    wrong: list[str] = []
    for one in check():
        print(f"  {one.output}: {one.absolute:.3g}, {one.relative:.3g} of the largest magnitude")
        if not one.relative <= TOLERANCE:
            wrong.append(f"'{one.output}'")
    sys.stdout.flush()
    if wrong:
        message = f"output {', '.join(wrong)} beyond the tolerance of {TOLERANCE:g}{inexact}"
        raise CmcError(message, "check")
    if reference.doubts.keys() >= outputs.keys():
        raise CmcError("no output could be compared: install onnxruntime", "check")


def _stacked(outputs: Mapping[str, Array]) -> dict[str, Array]:
    """Outputs as arrays for a file: those that differ in shape by image, as `NAME[IMAGE]`."""
    arrays: dict[str, Array] = {}
    for name, array in outputs.items():
        if array.dtype != object or all(isinstance(one, str) for one in array.flat):
            arrays[name] = _text_or_numbers(array)
            continue
        for image, one in enumerate(array):
            arrays[f"{name}[{image}]"] = _text_or_numbers(np.asarray(cast(ArrayLike, one)))
    return arrays


def _text_or_numbers(array: Array) -> Array:
    """What a file can hold: text is no object there."""
    return array.astype(str) if array.dtype == object else array
