# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What an interrupt does to a tool: it ends it in one line, whatever is being imported or done."""

import signal
import sys
from collections.abc import Callable, Sequence
from threading import current_thread, main_thread
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

Tool = Callable[[Sequence[str] | None], int]


class _Interruption:
    """Whether an interrupt has come: within a library it may come out as another exception."""

    has_come = False


def is_interrupted() -> bool:
    """Whether an interrupt is what ends the tool."""
    return _Interruption.has_come


def interruptible(tool: Tool, arguments: Sequence[str] | None) -> int:
    """What `tool` returns, or 130 if an interrupt ended it."""
    if current_thread() is not main_thread():
        return tool(arguments)  # where signals do not arrive
    before = signal.signal(signal.SIGINT, _interrupt)
    before_hook, sys.unraisablehook = sys.unraisablehook, _report
    try:
        code = tool(arguments)
    except BaseException:
        if not is_interrupted():
            raise
        code = 130
    finally:
        signal.signal(signal.SIGINT, before)
        sys.unraisablehook = before_hook
        interrupted, _Interruption.has_come = is_interrupted(), False
    if interrupted:
        print("interrupted", file=sys.stderr)
        return 130
    return code


def _interrupt(number: int, frame: FrameType | None) -> None:
    _Interruption.has_come = True
    raise KeyboardInterrupt


def _report(unraisable: "UnraisableHookArgs") -> None:
    if not is_interrupted():
        sys.__unraisablehook__(unraisable)
