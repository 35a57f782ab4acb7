# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Functions over flat arrays as machine code; modules of such are imported where they run."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import ParamSpec, TypeVar

_A = ParamSpec("_A")
_R = TypeVar("_R")


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


def _compiler(**options: bool | str | set[str]) -> Callable[[Callable[_A, _R]], Callable[_A, _R]]:
    # Divisions that are not tested for zeros are done several at once, as all else.
    return import_module("numba").njit(nogil=True, error_model="numpy", **options)
