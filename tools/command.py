# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What the command-line tools share: their argument parser, and errors in one line."""

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from difflib import get_close_matches
from io import TextIOWrapper, UnsupportedOperation
from typing import NoReturn, TextIO

from xdsl.utils.exceptions import ArgSpecParseError

from cmc.accuracy.times import read_time
from cmc.diagnostics import describe_error
from cmc.errors import CmcError
from cmc.files.output import naming
from cmc.tools.interruption import is_interrupted

DEBUG_FLAG = "--debug"

_OUTPUT = "standard output"


class ArgumentParser(argparse.ArgumentParser):
    """An argument parser that takes no abbreviations and reports misuse in one line."""

    def __init__(self, prog: str | None = None, description: str | None = None):
        super().__init__(prog, description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise CmcError(f"{message} (see {self.prog} --help)", self.prog)

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Say what is left of a command line, and what it may have been meant for."""
        known = [flag for action in self._actions for flag in action.option_strings]
        flag = next((one for one in unknown if one.startswith("-")), "")
        close = get_close_matches(flag.partition("=")[0], known, 1)
        meant = f"; did you mean {close[0]}?" if close else ""
        self.error(f"unrecognized arguments: {' '.join(unknown)}{meant}")


def natural(text: str) -> int:
    """An argument that is a number of at least 0."""
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, got '{text}'")
    return int(text)


def positive(text: str) -> int:
    """An argument that is a number of at least 1."""
    if not text.isascii() or not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, got '{text}'")
    return int(text)


def share(text: str) -> float:
    """An argument that is a number from 0 to 1."""
    return _number(text, lambda number: 0 <= number <= 1, "from 0 to 1")


def percentile(text: str) -> float:
    """An argument that is a number above 0 up to 100."""
    return _number(text, lambda number: 0 < number <= 100, "above 0 up to 100")


def _number(text: str, allowed: Callable[[float], bool], which: str) -> float:
    with suppress(ValueError):
        if allowed(number := float(text)):
            return number
    raise argparse.ArgumentTypeError(f"expected a number {which}, got '{text}'")


def time(text: str) -> float:
    """An argument that is a time: in seconds, or `1h`, `2.5d`."""
    try:
        return read_time(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def times(text: str) -> list[float]:
    """An argument that is some times: `1s,1h,1d`."""
    return [time(one) for one in text.split(",")]


def dimension(text: str) -> tuple[str, int]:
    """An argument `NAME=N`."""
    name, equals, size = text.rpartition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"expected NAME=N, got '{text}'")
    return name, positive(size)


def state(text: str) -> tuple[str, str]:
    """An argument `OUTPUT=INPUT`."""
    output, equals, input = text.partition("=")
    if not equals or not output or not input:
        raise argparse.ArgumentTypeError(f"expected OUTPUT=INPUT, got '{text}'")
    return output, input


def run_tool(
    body: Callable[[Sequence[str]], int],
    arguments: Sequence[str] | None,
    *,
    escaping: bool = False,
) -> int:
    """Run `body` on the command line; what goes wrong is one line on stderr and exit code 1.

    With `--debug` among the arguments the exception itself is raised. With `escaping`, what
    standard output has no letters for is written as escapes.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = DEBUG_FLAG in arguments
    try:
        # What is not named by those who open it is what nobody has to open.
        with naming(_OUTPUT), warnings.catch_warnings():
            if not debug:
                warnings.simplefilter("ignore")
            if sys.stdout is None:
                raise CmcError("is closed", _OUTPUT)
            if escaping:
                _escape(sys.stdout)
            try:
                code = body(arguments)
            except SystemExit:  # --help and --version say what they have to say and stop
                code = 0
            sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough: nothing is wrong, and nothing can be said.
        _forget_output()
        return 0
    except (Exception, ArgSpecParseError) as error:
        if debug or is_interrupted():
            raise
        if isinstance(error, OSError) and error.filename == _OUTPUT:
            _forget_output()
        print(describe_error(error), file=sys.stderr)
        return 1


def _escape(stream: TextIO) -> None:
    """Let it write what it has no letters for as escapes."""
    if isinstance(stream, TextIOWrapper):  # and not what another program puts in its place
        stream.reconfigure(errors="backslashreplace")


def _forget_output() -> None:
    """Drop what standard output still holds, which Python would try to write at exit."""
    with suppress(UnsupportedOperation):  # which has no file below it in another's process
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
