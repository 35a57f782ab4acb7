# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

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

    `rows` has the object's rows of which each band makes a part, or all. `reads` has the rows that
    each band needs of what other tasks make, by their names. A task that makes nothing has the rows
    that it handles.
    """

    name: str
    makes: str | None
    rows: Sequence[range]
    reads: Mapping[str, Sequence[range]]


def even_bands(rows: int, height: int) -> list[range]:
    """Rows from 0 on in bands of some height; the last one may be lower."""
    return [range(start, min(start + height, rows)) for start in range(0, rows, height)]


@dataclass(frozen=True)
class Schedule:
    """Bands `(task, number)` in the order in which they run, and how many rows each object keeps.

    Row r lies where row r modulo that number does: it is as many bands as it takes, or all rows,
    as where several tasks make an object in bands that differ.
    """

    order: Sequence[tuple[int, int]]
    kept: Mapping[str, int]


def schedule(tasks: Sequence[Task]) -> Schedule:
    """Each task stands after those that make what it reads."""
    readers: dict[str, list[int]] = {task.name: [] for task in tasks}
    makers: dict[str, list[Task]] = {}
    for number, task in enumerate(tasks):
        for other in task.reads:
            readers[other].append(number)
        if task.makes is not None:
            makers.setdefault(task.makes, []).append(task)
    # Up to where each task is, and from where on each needs what another makes.
    made = {task.name: 0 for task in tasks}
    wanted = [{other: _from_each(rows) for other, rows in t.reads.items()} for t in tasks]
    kept = dict.fromkeys(makers, 0)
    done = [0] * len(tasks)
    order: list[tuple[int, int]] = []
    waiting = [-number for number in reversed(range(len(tasks)))]
    while waiting:
        number = -heappop(waiting)
        task, band = tasks[number], done[number]
        if band == len(task.rows) or any(
            max(1, rows[band].stop) > made[other] for other, rows in task.reads.items()
        ):
            continue
        order.append((number, band))
        done[number] += 1
        heappush(waiting, -number)
        object = task.makes
        if object is not None:
            # What is still to be made in part, or still to be read.
            names = [maker.name for maker in makers[object]]
            first = [made[name] for name in names]
            first += [wanted[r][name][done[r]] for name in names for r in readers[name]]
            kept[object] = max(kept[object], task.rows[band].stop - min(first))
        made[task.name] = task.rows[band].stop
        for reader in readers[task.name]:
            heappush(waiting, -reader)
    for object, tasks_of_one in makers.items():
        rows = max(task.rows[-1].stop for task in tasks_of_one)
        heights = {len(task.rows[0]) for task in tasks_of_one}
        height = heights.pop() if len(heights) == 1 else rows
        kept[object] = min(rows, -(-kept[object] // height) * height)
    return Schedule(order, kept)


def _from_each(rows: Sequence[range]) -> list[int]:
    """From which row on something is needed from each band on, and after the last one."""
    first = rows[-1].stop if rows else 0
    found = [max([first, *(each.stop for each in rows)])]
    for each in reversed(rows):
        found.append(min(found[-1], each.start))
    return found[::-1]
