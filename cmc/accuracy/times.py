# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Times after programming, for people."""

from __future__ import annotations

SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "y": 365 * 86400.0}
"""What units are, the smallest first."""


def read_time(text: str) -> float:
    """A time in seconds: a number of these, or `1h`, `2.5d`. ValueError says what is wrong."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    try:
        seconds = float(number) * SECONDS[text[len(number) :] or "s"]
    except (ValueError, KeyError):
        seconds = float("inf")
    if seconds < 0:
        raise ValueError(f"{text} is before the crossbars are programmed")
    if not seconds < float("inf"):
        units = ", ".join(SECONDS)
        raise ValueError(f"expected a time as in 1h, in one of {units}, got '{text}'")
    return seconds


def format_time(time: float) -> str:
    """A number of seconds in the largest unit of which it is a whole number."""
    for unit, size in reversed(SECONDS.items()):
        if time >= size and time % size == 0:
            return f"{time / size:g}{unit}"
    return f"{time:g}s"
