"""In what order tasks run through large images, a band of rows at a time.

A task runs as soon as the rows that it needs are made, the tasks nearest to the outputs first: so
few rows of each object wait to be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush


@dataclass(frozen=True)
class Task:
    """What is done in bands, one after the other.

    `rows` has the object's rows that each band makes, `reads` the rows that each band needs of
    other objects. A task that makes no object has the rows that it handles.
    """

    makes: str | None
    rows: Sequence[range]
    reads: Mapping[str, Sequence[range]]


def even_bands(rows: int, height: int) -> list[range]:
    """Rows from 0 on in bands of some height; the last one may be lower."""
    return [range(start, min(start + height, rows)) for start in range(0, rows, height)]


@dataclass(frozen=True)
class Schedule:
    """Bands `(task, number)` in the order in which they run, and how many rows each object keeps.

    Row r lies where row r modulo that number does: it is as many bands as it takes, or all rows.
    """

    order: Sequence[tuple[int, int]]
    kept: Mapping[str, int]


def schedule(tasks: Sequence[Task]) -> Schedule:
    """Each task stands after those that make what it reads."""
    readers: dict[str, list[int]] = {task.makes: [] for task in tasks if task.makes is not None}
    # Up to where each object is made, and from where on each task needs it.
    made = dict.fromkeys(readers, 0)
    wanted = [{object: _from_each(rows) for object, rows in t.reads.items()} for t in tasks]
    for number, task in enumerate(tasks):
        for object in task.reads:
            readers[object].append(number)
    kept = dict.fromkeys(readers, 0)
    done = [0] * len(tasks)
    order: list[tuple[int, int]] = []
    waiting = [-number for number in reversed(range(len(tasks)))]
    while waiting:
        number = -heappop(waiting)
        task, band = tasks[number], done[number]
        if band == len(task.rows) or any(
            max(1, rows[band].stop) > made[object] for object, rows in task.reads.items()
        ):
            continue
        order.append((number, band))
        done[number] += 1
        heappush(waiting, -number)
        if task.makes is not None:
            object = task.makes
            first = min((wanted[r][object][done[r]] for r in readers[object]), default=made[object])
            made[object] = task.rows[band].stop
            kept[object] = max(kept[object], made[object] - min(first, task.rows[band].start))
            for reader in readers[object]:
                heappush(waiting, -reader)
    for task in tasks:
        if task.makes is not None:
            rows, height = task.rows[-1].stop, len(task.rows[0])
            kept[task.makes] = min(rows, -(-kept[task.makes] // height) * height)
    return Schedule(order, kept)


def _from_each(rows: Sequence[range]) -> list[int]:
    """From which row on something is needed from each band on, and after the last one."""
    first = rows[-1].stop if rows else 0
    found = [max([first, *(each.stop for each in rows)])]
    for each in reversed(rows):
        found.append(min(found[-1], each.start))
    return found[::-1]
