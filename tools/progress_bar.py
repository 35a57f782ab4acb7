"""Progress bars, for work longer than a second and on a terminal only."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def track(items: Sequence[T], what: str) -> Iterable[T]:
    """`items`, with a bar on stderr that says how many of them were taken."""
    from tqdm import tqdm

    # `disable=None` is tqdm's word for "unless stderr is a terminal".
    return tqdm(items, what, leave=False, delay=1, disable=None)
