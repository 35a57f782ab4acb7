# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Functions over flat arrays as machine code; modules of such are imported where they run."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import ParamSpec, TypeVar

_A = ParamSpec("_A")
_R = TypeVar("_R")

_waiting: list[Callable[[], object]] = []
"""Called when something is compiled that is not kept from before."""


def when_compiling(call: Callable[[], object]) -> None:
    """Call this once, as soon as this process compiles something: that takes seconds."""
    _waiting.append(call)


def compiled(function: Callable[_A, _R]) -> Callable[_A, _R]:
    """The function as machine code, as a part of those that call it: calls hand on many arrays."""
    return _compiler(inline="always")(function)


def loose(function: Callable[_A, _R]) -> Callable[_A, _R]:
    """The same with sums in any order, which is for what need not be the same to the bit."""
    return _compiler(fastmath={"reassoc", "nsz"})(function)


def kept(function: Callable[_A, _R]) -> Callable[_A, _R]:
    """The same, kept in a file for other processes, with what it calls; if there is a place."""
    try:
        return _compiler(cache=True)(function)
    except RuntimeError:
        return _compiler()(function)


def _compiler(
    **options: bool | str | set[str],
) -> Callable[[Callable[_A, _R]], Callable[_A, _R]]:
    if _waiting:
        _listen(_waiting.pop())
    # Divisions that are not tested for zeros are done several at once, as all else.
    return import_module("numba").njit(nogil=True, error_model="numpy", **options)


def _listen(call: Callable[[], object]) -> None:
    events = import_module("numba.core.event")

    def start(listener: object, event: object) -> None:
        events.unregister("numba:compile", listener)
        call()

    def end(listener: object, event: object) -> None:
        """It is all the same when that is done."""

    listener = type("Listener", (events.Listener,), {"on_start": start, "on_end": end})()
    events.register("numba:compile", listener)
