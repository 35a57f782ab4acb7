# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Progress bars, for work longer than a second and on a terminal only."""

import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import TypeVar

from cmc.compiled import when_compiling

T = TypeVar("T")


def track(items: Sequence[T], what: str) -> Iterable[T]:
    """`items`, with a bar on stderr that says how many of them were taken."""
    from tqdm import tqdm

    # `disable=None` is tqdm's word for "unless stderr is a terminal".
    return tqdm(items, what, leave=False, delay=1, disable=None)


@contextmanager
def counting(total: int, done: int, what: str) -> Generator[Callable[[], object]]:
    """A bar for so many things, of which so many are done: to be called for each one more."""
    from tqdm import tqdm

    with tqdm(
        total=total, initial=done, desc=what, leave=False, delay=1, smoothing=0.1, disable=None
    ) as bar:
        yield bar.update


def say_when_compiling() -> None:
    """Say on a terminal why the first use takes long."""
    if sys.stderr.isatty():
        when_compiling(_say)


def _say() -> None:
    from tqdm import tqdm

    tqdm.write("compiling for this processor, which is kept: the first time takes long", sys.stderr)
