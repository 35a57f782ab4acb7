# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The command line of `cmc`."""

import argparse
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal, get_args

from cmc.compiler.standard import BufferPolicy
from cmc.files.output import beside
from cmc.targets.files import split_name
from cmc.tools.command import (
    ArgumentParser,
    dimension,
    natural,
    percentile,
    positive,
    share,
    state,
    time,
    times,
)

_DEBUG_HELP = "show the traceback of an error"


class Options(argparse.Namespace):
    """What was given on the command line.

    Of it each command has what its parser is given.
    """

    command: Literal[
        "compile", "run", "compress", "calibrate", "accuracy", "explain", "explore", "targets"
    ]
    model: Path
    output: Path | None
    shape: list[tuple[str, int]]
    state: list[tuple[str, str]]
    buffers: BufferPolicy | None
    target: str | None
    copies: str | None = None
    place: str | None = None
    mapping: Path | None
    no_host: bool
    debug: bool
    input: Sequence[str] = ()
    random: int | None
    images: int | None
    check: bool
    reference: Path | None
    report: Path | None
    html: Path | None
    trace: Path | None
    mode: Literal["bulk", "interpret"]
    chip: int | None
    time: float | None
    first: int | None
    timing: bool
    rank_error: float | None
    labels: Path | None = None
    percentile: float
    name: str | None
    space: Path | None
    jobs: int | None
    scheduler: str | None
    search: int | None
    seed: int
    csv: Path | None
    parquet: Path | None
    only: list[str]
    json: Path | None
    scores: str | None
    times: list[float]
    trials: int
    quick: bool
    advice: bool

    def read_files(self) -> list[Path]:
        """All files that are read. OSError if that of inputs or labels cannot be opened."""
        files = [Path(text.rpartition("=")[2]) for text in self.input]
        files += [] if self.labels is None else [self.labels]
        for path in files:
            path.open("rb").close()
        target = None if self.target is None else split_name(self.target)[0]
        named = (target, self.copies, self.place)
        files += [Path(name) for name in named if name is not None and os.path.isfile(name)]
        return [self.model, beside(self.model, ".safetensors"), *files]


def parse_options(arguments: Sequence[str]) -> Options:
    """Read the command line; raises `CmcError` for misuse."""
    parser = ArgumentParser(
        "cmc", "Compile ONNX networks for chips of computational-memory cores, and run them."
    )
    parser.add_argument("--version", action="version", version=f"cmc {version('cmc')}")
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    compile_ = commands.add_parser("compile", help="from an ONNX network to a configured chip")
    _add_model(compile_)
    compile_.add_argument("-o", dest="output", type=Path, metavar="OUT.mlir", required=True)
    _add_compilation(compile_)

    run = commands.add_parser(
        "run", help="simulate a chip, or compute a module of any level, on a stream of images"
    )
    _add_model(run, "a module of any level")
    _add_images(run, "all, or 1 random")
    run.add_argument(
        "--timing",
        action="store_true",
        help="only how long --images N take, for any N: no values are computed",
    )
    run.add_argument(
        "--check",
        action="store_true",
        help="compare with onnxruntime, or onnx's reference evaluator where it is not installed",
    )
    run.add_argument(
        "--model",
        dest="reference",
        type=Path,
        metavar="MODEL.onnx",
        help="the network to check a MODULE.mlir against",
    )
    run.add_argument("-o", dest="output", type=Path, metavar="OUT.npz", help="write the outputs")
    run.add_argument("--report", type=Path, metavar="FILE.json", help="write the timing")
    run.add_argument(
        "--html", type=Path, metavar="FILE.html", help="write the timing as a page to look at"
    )
    run.add_argument(
        "--trace",
        type=Path,
        metavar="FILE.json.gz",
        help="write the iterations of the first images as a trace, which Perfetto opens",
    )
    run.add_argument(
        "--mode",
        choices=("bulk", "interpret"),
        default="bulk",
        help="whole stages at once (default), or iteration by iteration",
    )
    run.add_argument(
        "--seed",
        dest="chip",
        type=natural,
        metavar="SEED",
        help="which chip, where no two of a target are alike (default: 0)",
    )
    run.add_argument(
        "--time",
        type=time,
        metavar="TIME",
        help="since its crossbars were programmed, as in 30s, 1h, 1d or 1y (default: 0)",
    )
    run.add_argument(
        "--first",
        type=natural,
        metavar="N",
        help="which image of a longer stream the first one is (default: 0)",
    )
    _add_compilation(run)

    compress = commands.add_parser(
        "compress", help="give a network's matrices a lower rank, so that they need less of a chip"
    )
    _add_model(compress)
    compress.add_argument(
        "--rank-error",
        type=share,
        metavar="E",
        help="the largest relative error of a matrix, in the Frobenius norm (default: the least "
        "with which the network fits the target)",
    )
    compress.add_argument(
        "-o", dest="output", type=Path, metavar="OUT.onnx", help="write the network"
    )
    _add_images(compress, "all, or 16 random")
    compress.add_argument(
        "--labels",
        type=Path,
        metavar="FILE.npy|FILE.npz",
        help="the class of each image: how many are right, before and after",
    )
    _add_shape(compress)
    _add_target(compress, "what crossbars are counted on (default: none, only numbers)")
    compress.add_argument("--debug", action="store_true", help=_DEBUG_HELP)

    calibrate = commands.add_parser(
        "calibrate", help="fix the ranges of a chip's converters by what images send through them"
    )
    _add_model(calibrate, "a chip that was compiled")
    _add_input(calibrate, "--inputs", "--input", required=True)
    calibrate.add_argument(
        "-o",
        dest="output",
        type=Path,
        metavar="OUT.mlir",
        required=True,
        help="the chip with these ranges, for run and accuracy",
    )
    calibrate.add_argument(
        "--percentile",
        type=percentile,
        default=100.0,
        metavar="P",
        help="ranges that hold so many %% of what is not 0; the rest is clipped (default: 100)",
    )
    _add_compilation(calibrate)

    accuracy = commands.add_parser(
        "accuracy", help="how many images get their class on chips whose crossbars are not exact"
    )
    _add_model(accuracy, "a chip that was compiled")
    _add_input(accuracy, "--inputs", "--input", required=True)
    accuracy.add_argument(
        "--labels",
        type=Path,
        required=True,
        metavar="FILE.npy|FILE.npz",
        help="the class of each image",
    )
    accuracy.add_argument(
        "--output",
        dest="scores",
        metavar="NAME",
        help="the output that has the scores of the classes (default: the only one that may)",
    )
    accuracy.add_argument(
        "--images", type=positive, metavar="N", help="of the first N images (default: all)"
    )
    accuracy.add_argument(
        "--times",
        type=times,
        default=[0.0],
        metavar="TIME,...",
        help="since crossbars were programmed, as in 1s,1h,1d,1y (default: 0)",
    )
    accuracy.add_argument(
        "--trials",
        type=positive,
        default=10,
        metavar="N",
        help="how many chips, where no two of a target are alike (default: 10)",
    )
    accuracy.add_argument(
        "--seed",
        dest="seed",
        type=natural,
        default=0,
        metavar="SEED",
        help="the first of these chips; the others are those of the seeds after it (default: 0)",
    )
    accuracy.add_argument(
        "--quick",
        action="store_true",
        help="take images in random order, 32 and then twice as many again and again, until at "
        "each time the 95%% confidence interval of top-1 reaches no farther to either side than "
        "its deviation over chips, or than 1%%",
    )
    accuracy.add_argument(
        "--advice",
        action="store_true",
        help="try at the last time what would help: one more bit, half of the rows, one more pair "
        "of devices, for the stages that hurt most, and for all of them",
    )
    accuracy.add_argument("--json", type=Path, metavar="FILE.json", help="write all of it")
    accuracy.add_argument(
        "--html",
        type=Path,
        metavar="FILE.html",
        help="write a page with a plot against time",
    )
    _add_compilation(accuracy)

    explain = commands.add_parser(
        "explain", help="why images take as long as they do, and what of the target would help"
    )
    _add_model(explain, "a chip that was compiled")
    explain.add_argument(
        "--images",
        type=positive,
        metavar="N",
        help="of a stream of how many (default: 1, and 4 with --html)",
    )
    explain.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="KEY",
        help="try a step of this figure of the target, or of `rings` (repeatable; default: all)",
    )
    explain.add_argument("--json", type=Path, metavar="FILE.json", help="write all of it")
    explain.add_argument(
        "--html",
        type=Path,
        metavar="FILE.html",
        help="write the report as a page with figures, and with what would help",
    )
    _add_compilation(explain)

    explore = commands.add_parser(
        "explore", help="try networks, figures of a target and options, each with each"
    )
    explore.add_argument(
        "space",
        type=Path,
        metavar="SPACE.toml",
        help="networks, figures and options, each as a list of what to try",
    )
    explore.add_argument(
        "-o",
        dest="output",
        type=Path,
        metavar="FILE.jsonl",
        help="the results, to which others are added: what is there is not tried again (default: "
        "SPACE.jsonl)",
    )
    explore.add_argument(
        "--jobs",
        type=positive,
        metavar="N",
        help="how many processes try designs (default: one for each processor)",
    )
    explore.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="let the workers of a Dask cluster try them, which read the same files",
    )
    explore.add_argument(
        "--search",
        type=positive,
        metavar="N",
        help="let Optuna choose N of the designs, those in the file among them (default: all)",
    )
    explore.add_argument(
        "--seed", type=natural, default=0, metavar="SEED", help="of --search (default: 0)"
    )
    explore.add_argument("--csv", type=Path, metavar="FILE.csv", help="write a table")
    explore.add_argument(
        "--parquet", type=Path, metavar="FILE.parquet", help="write it as Parquet, with pyarrow"
    )
    explore.add_argument(
        "--html", type=Path, metavar="FILE.html", help="write a page with a plot to look at"
    )
    explore.add_argument("--debug", action="store_true", help=_DEBUG_HELP)

    targets = commands.add_parser("targets", help="what there is to compile for")
    targets.add_argument(
        "name",
        nargs="?",
        metavar="NAME|FILE[:KEY=VALUE,...]",
        help="one of them, or a file, as a file to start from (default: a list)",
    )
    targets.add_argument("--debug", action="store_true", help=_DEBUG_HELP)
    options, unknown = parser.parse_known_args(arguments, Options())
    if unknown:
        commands.choices[options.command].refuse(unknown)
    return options


def _add_model(parser: argparse.ArgumentParser, module: str = "") -> None:
    parser.add_argument(
        "model",
        type=Path,
        metavar="MODEL.onnx|MODULE.mlir" if module else "MODEL.onnx",
        help=f"a network, or {module}" if module else "a network",
    )


def _add_input(parser: argparse.ArgumentParser, *flags: str, required: bool = False) -> None:
    parser.add_argument(
        *flags,
        dest="input",
        action="append",
        default=[],
        required=required,
        metavar="FILE.npz|NAME=FILE.npy",
        help="arrays of images, by the names of the network's inputs (repeatable)",
    )


def _add_images(parser: argparse.ArgumentParser, default: str) -> None:
    _add_input(parser, "--input")
    parser.add_argument(
        "--random", type=natural, metavar="SEED", help="random images, the same ones for one seed"
    )
    parser.add_argument(
        "--images", type=positive, metavar="N", help=f"how many images (default: {default})"
    )


def _add_compilation(parser: argparse.ArgumentParser) -> None:
    _add_shape(parser)
    parser.add_argument(
        "--state",
        action="append",
        type=state,
        default=[],
        metavar="OUTPUT=INPUT",
        help="an input that is what an output was for the image before: zeros, or what --input "
        "gives, for the first (repeatable)",
    )
    parser.add_argument(
        "--buffers",
        choices=get_args(BufferPolicy),
        help="sizes of the ring buffers (default: throughput)",
    )
    _add_target(parser, "what to compile for (default: ideal)")
    parser.add_argument(
        "--copies",
        metavar="auto|none|FILE",
        help="copies of slow stages: auto (default), as many as the target has room for, none, or "
        "those of a mapping file",
    )
    parser.add_argument(
        "--place",
        metavar="auto|FILE",
        help="which cores run which stages, and where they are: auto (default), or as a mapping "
        "file says",
    )
    parser.add_argument(
        "--mapping",
        type=Path,
        metavar="FILE.toml",
        help="write copies, cores and places, to be given back with --copies and --place",
    )
    parser.add_argument(
        "--no-host",
        action="store_true",
        help="refuse what no core can have (default: the host computes it)",
    )
    parser.add_argument("--debug", action="store_true", help=_DEBUG_HELP)


def _add_shape(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--shape",
        action="append",
        type=dimension,
        default=[],
        metavar="NAME=N",
        help="the size of a dimension that the network leaves open (repeatable)",
    )


def _add_target(parser: argparse.ArgumentParser, help: str) -> None:
    parser.add_argument(
        "--target",
        metavar="NAME|FILE[:KEY=VALUE,...]",
        help=f"a preset, which `cmc targets` lists, or a TOML file, with other figures if you like:"
        f" {help}",
    )
