# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How long work tells how far it is."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Track(Protocol):
    """Goes through the items of some work; whoever gave it may show how many were taken."""

    def __call__(self, items: Sequence[T], what: str, /) -> Iterable[T]: ...


def no_track(items: Sequence[T], what: str) -> Iterable[T]:
    """Go through the items and show nothing."""
    return items
