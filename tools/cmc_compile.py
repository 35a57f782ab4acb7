# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmc compile`: from an ONNX network to a configured chip."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import cmc
from cmc.compiler.standard import AUTO
from cmc.errors import CmcError
from cmc.files.output import check_outputs
from cmc.interface import Interface
from cmc.targets import IDEAL
from cmc.tools.options import Options
from cmc.tools.progress_bar import track

Check = Callable[[Interface], None]

_T = TypeVar("_T")


def compile_network(options: Options) -> None:
    """Carry the command out; raises `CmcError` for what cannot be compiled."""
    assert options.output is not None
    check_files(options, options.output)
    program = make_program(options)
    if options.mapping is not None:
        program.save_mapping(options.mapping)
    program.save(options.output)


def check_files(options: Options, *written: Path | None) -> None:
    """Fail before the work is done where a file could not be read, or written."""
    check_outputs((*written, options.mapping), options.read_files())


def open_program(options: Options) -> cmc.Program:
    """The chip that the command line names, or its network, compiled as it says.

    Its mapping is written if that is wanted.
    """
    return open_reading(options, lambda _: None)[0]


def open_reading(options: Options, read: Callable[[Interface], _T]) -> tuple[cmc.Program, _T]:
    """The same, and what is read for its inputs and outputs, before anything is compiled."""
    found: list[_T] = []

    def check(interface: Interface) -> None:
        found.append(read(interface))

    if is_module(options):
        program = cmc.load(options.model)
        check(program)
    else:
        program = make_program(options, check)
    if options.mapping is not None:
        program.save_mapping(options.mapping)
    return program, found[0]


def is_module(options: Options) -> bool:
    """Whether the command line names a module; CmcError where it says how to compile that."""
    if options.model.suffix != ".mlir":
        return False
    for flag in ("shape", "state", "buffers", "target", "copies", "place", "no_host"):
        if getattr(options, flag):
            message = (
                f"--{flag.replace('_', '-')} is for networks of ONNX; this is a module already"
            )
            raise CmcError(message, str(options.model))
    return True


def make_program(options: Options, check: Check | None = None) -> cmc.Program:
    """The network that the command line names, compiled as it says.

    `check` may refuse its inputs and outputs, before anything is compiled.
    """
    return cmc.compile(
        options.model,
        shapes=dict(options.shape),
        buffers=options.buffers or "throughput",
        target=IDEAL.name if options.target is None else options.target,
        copies=options.copies or AUTO,
        place=options.place or AUTO,
        host=not options.no_host,
        states=states_of(options.state),
        check=check,
        track=track,
    )


def states_of(given: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Inputs by the outputs of the image before that they are."""
    states: dict[str, str] = {}
    for output, input in given:
        if states.get(output, input) != input:
            raise CmcError(f"output '{output}' is the state '{states[output]}' already", "--state")
        states[output] = input
    return states


def chip_options(options: Options) -> dict[str, object]:
    """What is not of the target, by the names that explorations have for it."""
    given: dict[str, object] = {
        "shape": dict(options.shape),
        "state": states_of(options.state),
        "host": not options.no_host,
    }
    named = {"buffers": options.buffers, "copies": options.copies, "place": options.place}
    return given | {name: value for name, value in named.items() if value is not None}
