# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Look for garbage less often while much is made that stays: looking at all of it takes a while."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

_OBJECTS = 100_000
"""How many are made, and not yet let go of, before those are looked at."""


@contextmanager
def seldom_collected() -> Generator[None]:
    """Look for garbage each time so many objects were made, or as seldom as before."""
    thresholds = gc.get_threshold()
    if thresholds[0]:  # else it is not looked for at all
        gc.set_threshold(max(_OBJECTS, thresholds[0]), *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
