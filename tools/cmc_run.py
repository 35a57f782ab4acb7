"""`cmc run`: execute a stream of images, show what happened, check what came out.

A chip is simulated; a module of a higher level has values, and no time.
"""

import shutil
import sys
from pathlib import Path

import cmc
from cmc.errors import CmcError
from cmc.files.output import beside, check_output, replacing_text
from cmc.importer.inputs import inputs_of_whole_numbers
from cmc.reference import Deviation, Reference
from cmc.reports.report import Report
from cmc.reports.text import format_report
from cmc.streams import Stream, check_stream, count_images, random_stream
from cmc.tools.array_files import read_arrays, write_arrays
from cmc.tools.cmc_compile import check_mapping, make_program
from cmc.tools.options import Options
from cmc.tools.progress_bar import track

Level = cmc.Program | cmc.Pipeline | cmc.Network

TOLERANCE = 1e-4
"""How far an output may be from its reference, in units of the reference's largest magnitude."""


def run_stream(options: Options) -> None:
    """Carry the command out; raises `CmcError` for bad input and for a check that fails."""
    written = [path for path in (options.output, options.report) if path is not None]
    read = [
        options.model,
        beside(options.model, ".safetensors"),
        *(Path(text.rpartition("=")[2]) for text in options.input),
    ]
    for position, path in enumerate(written):
        check_output(path, [*read, *written[:position]])
    if options.reference is not None and not options.check:
        raise CmcError("--model names the network for --check, which is not given")
    if options.timing and (options.input or options.random is not None):
        raise CmcError("--timing needs no images: control does not depend on what they hold")
    if options.timing and (options.check or options.output or options.mode == "interpret"):
        raise CmcError("--timing computes no values to check, write or interpret")
    check_mapping(options, written)
    program, network = _open(options)
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
            "this is no chip, and takes no time: --timing, --report and --mode interpret are for "
            "what -p nn-to-cmctrl makes of it",
            str(options.model),
        )
    if options.timing and isinstance(program, cmc.Program):
        _show(options, program.time(options.images or 1))
        return
    reference = _reference(network, program) if options.check and network is not None else None
    stream = _read_stream(options, program, network)
    report: Report | None = None
    if isinstance(program, cmc.Program):
        result = program.run(stream, mode=options.mode, track=track)
        outputs, report = result.outputs, result.report
    else:
        outputs = program.run(stream, track)
    # What cannot be evaluated is known before anything is written.
    expected = None if reference is None else _expected(reference, stream, outputs)
    if options.output is not None:
        write_arrays(options.output, outputs)
    if report is not None:
        _show(options, report)
    else:
        images = count_images(stream)
        print(f"{images} images computed; this is no chip yet, so that there are no cycles to show")
    if reference is not None and expected is not None:
        _check(reference, expected, outputs)


def _times(options: Options) -> bool:
    return options.timing or options.report is not None or options.mode == "interpret"


def _show(options: Options, report: Report) -> None:
    if options.report is not None:
        with replacing_text(options.report) as file:
            file.write(report.to_json() + "\n")
    print(format_report(report, shutil.get_terminal_size((100, 0)).columns))


def _open(options: Options) -> tuple[Level, Path | None]:
    """What is to run, and the ONNX model that it was made of where that is known."""
    if options.model.suffix != ".mlir":
        return make_program(options), options.reference or options.model
    for flag in ("shape", "buffers", "target", "copies", "place"):
        if getattr(options, flag):
            message = f"--{flag} is for networks of ONNX; this is a module already"
            raise CmcError(message, str(options.model))
    return cmc.load_level(options.model), options.reference


def _read_stream(options: Options, program: Level, network: Path | None) -> Stream:
    """The images that the command line asks for."""
    if options.random is not None:
        if options.input:
            raise CmcError("the images come from --input or from --random, not from both")
        whole = () if network is None else inputs_of_whole_numbers(network)
        return random_stream(program.inputs, options.images or 1, options.random, whole)
    if not options.input and program.inputs:
        raise CmcError("no images: give --input FILE.npz, NAME=FILE.npy, or --random SEED")
    stream = check_stream(program.inputs, read_arrays(options.input, program.inputs))
    found = count_images(stream)
    if options.images is not None and found < options.images:
        raise CmcError(f"--images asks for {options.images}, and there are {found}")
    return {name: array[: options.images] for name, array in stream.items()}


def _reference(network: Path, program: Level) -> Reference:
    reference = Reference(network)
    if reference.inputs != program.inputs.keys():
        raise CmcError(
            f"its inputs are {', '.join(sorted(reference.inputs))}, and those of the program "
            f"{', '.join(sorted(program.inputs))}: it is not the network that was compiled",
            str(network),
        )
    return reference


def _expected(reference: Reference, stream: Stream, outputs: Stream) -> Stream:
    """What somebody else computes of the stream; `CmcError` for outputs of other names or sizes."""
    expected = reference(stream, track)
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
    return expected


def _check(reference: Reference, expected: Stream, outputs: Stream) -> None:
    print(f"\nlargest errors against {reference.engine}:")
    wrong: list[str] = []
    for name, found in outputs.items():
        if name in reference.doubts:
            print(f"  {name}: not compared, as {reference.doubts[name]}: install onnxruntime")
            continue
        deviation = Deviation.measure(name, found, expected[name])
        print(
            f"  {name}: {deviation.absolute:.3g}, {deviation.relative:.3g} of the largest magnitude"
        )
        if not deviation.relative <= TOLERANCE:
            wrong.append(f"'{name}'")
    sys.stdout.flush()
    if wrong:
        raise CmcError(f"output {', '.join(wrong)} beyond the tolerance of {TOLERANCE:g}", "check")
    if reference.doubts.keys() >= outputs.keys():
        raise CmcError("no output could be compared: install onnxruntime", "check")
