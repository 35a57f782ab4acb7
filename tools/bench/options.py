# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The command line of the benchmarks."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from cmc.tools.command import ArgumentParser, positive

Section = Literal[
    "startup",
    "scale",
    "large",
    "networks",
    "interpreter",
    "events",
    "compilation",
    "field",
    "designs",
    "physics",
]


class Options(argparse.Namespace):
    """What was given on the command line."""

    networks: list[str]
    section: list[Section]
    images: int
    budget: float
    json: Path | None
    debug: bool


def parse_options(arguments: Sequence[str]) -> Options:
    """Read the command line; raises `CmcError` for misuse."""
    parser = ArgumentParser(
        "python -m cmc.tools.bench",
        "Measure compilation and simulation, beside onnxruntime and plain numpy.",
    )
    parser.add_argument(
        "networks",
        nargs="*",
        metavar="NETWORK",
        help="names of networks, or ONNX files (default: all that there are)",
    )
    parser.add_argument(
        "--section",
        action="append",
        choices=get_args(Section),
        default=[],
        help="what to measure (repeatable; default: all)",
    )
    parser.add_argument(
        "--images", type=positive, default=32, metavar="N", help="images of a stream (default: 32)"
    )
    parser.add_argument(
        "--budget",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="for how long to repeat one measurement (default: 1)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser.parse_args(arguments, Options())
