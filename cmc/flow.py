"""Who waits for whom: a pipeline as counts of iterations, without data, places or loops.

Iterations of a process are counted from 0 in the order in which they run, elements of an object in
the order in which they are written, one an iteration of the writer. A stream is a number of images
that follow each other without a gap.

When does every iteration begin? An iteration begins as soon as its process has begun the one
before, every ready machine has seen the writes that it awaits for it, and every ring that it writes
has a free slot. Each of these is a signal of another process's iteration, and can be used one cycle
after that iteration's last. No iteration waits for itself through any chain of signals unless the
pipeline deadlocks, so the times are the one solution of these max-plus equations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cmc.errors import CmcError
from cmc.poly.evaluate import Ints

NEVER = np.iinfo(np.int64).max
"""A count that is never reached."""


class Deadlock(CmcError):
    """Nothing can move, and work remains."""


@dataclass(frozen=True, eq=False)
class Process:
    """What runs through its iterations once an image: a program, or the GCU's stream of an input.

    An iteration's result can be used `latency` cycles after its start; the next iteration may
    begin after `interval` cycles. `title` names an iteration for a person.
    """

    name: str
    iterations: int
    latency: int = 1
    interval: int = 1
    title: Callable[[int], str] = str


@dataclass(frozen=True, eq=False)
class Steps:
    """A machine as a sequence of steps: what each awaits and where it leads.

    Step i happens when `awaits[i]` signals of the image were seen, and not before step i - 1;
    then `reaches[i]` of what the machine drives may happen. `initial` may happen at the start.
    """

    awaits: Ints
    reaches: Ints
    initial: int
    _needs: dict[int, Ints] = field(default_factory=dict[int, Ints], init=False, repr=False)

    @property
    def last(self) -> int:
        """The number of signals after which the machine begins the next image."""
        return int(self.awaits[-1]) if len(self.awaits) else 0

    def needs(self, count: int) -> Ints:
        """For each of the `count` things driven, the signals needed: 0 at the start, or NEVER."""
        table = self._needs.get(count)
        if table is None:
            awaits = np.append(np.maximum.accumulate(self.awaits), NEVER)
            reached = np.maximum.accumulate(self.reaches)
            table = awaits[np.searchsorted(reached, np.arange(count), "right")]
            table[: self.initial] = 0
            table.flags.writeable = False
            self._needs[count] = table
        return table


@dataclass(frozen=True, eq=False)
class Edge:
    """A channel: `ready` drives the reader's iterations by writes, `free` the slots by its reads.

    `credits` is the number of slots that the writer may fill before any is freed.
    """

    title: str
    writer: str
    reader: str
    ready: Steps
    free: Steps
    credits: int


@dataclass(frozen=True, eq=False)
class Flow:
    """Processes, each after those that write what it reads, and the channels between them."""

    processes: Mapping[str, Process]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, eq=False)
class Wait:
    """What the iterations of one process wait for, on another one.

    `need[i]` is the number of iterations of `on` that must have ended before iteration i begins,
    counted over the whole stream; 0 or less for none, NEVER if it can never begin.
    """

    on: Process
    why: str
    need: Ints


def across_images(steps: Steps, driven: int, signals: int, images: int) -> Ints:
    """The signals that each thing driven waits for, counted over a stream of `images`.

    A machine begins an image when it is through with the one before. What it never drives in an
    image goes with what it drives first in the next.
    """
    need = steps.needs(driven)
    if steps.last == NEVER:
        # It is never through with the first image.
        return np.concatenate([need[None], np.full((images - 1, driven), NEVER)])
    first = np.arange(images)[:, None] * signals
    restart = first - signals + steps.last
    restart[0] = 0
    if not len(steps.awaits):
        # It is through with every image from the start.
        restart[:] = 0
    following = np.full((images, 1), NEVER)
    advances = steps.awaits[steps.reaches > 0]
    if steps.initial:
        # When it begins the next image.
        following[:] = first + steps.last if len(steps.awaits) else 0
    elif len(advances):
        following[:-1] = first[1:] + advances[0]
    later = np.where(need == NEVER, 0, need) + first
    return np.where(need == NEVER, following, np.where(need == 0, restart, later))


def ready_wait(flow: Flow, edge: Edge, images: int) -> Wait:
    """What the reader of a channel waits for: writes."""
    writer, reader = flow.processes[edge.writer], flow.processes[edge.reader]
    need = across_images(edge.ready, reader.iterations, writer.iterations, images)
    return Wait(writer, f"data in {edge.title}", need.reshape(-1))


def room_wait(flow: Flow, edge: Edge, images: int) -> Wait:
    """What the writer of a channel waits for: slots that the reader frees."""
    writer, reader = flow.processes[edge.writer], flow.processes[edge.reader]
    freed = across_images(edge.free, writer.iterations, reader.iterations, images).reshape(-1)
    need = np.zeros_like(freed)
    if edge.credits == 0:
        need[:] = NEVER
    else:
        need[edge.credits :] = freed[: max(0, len(freed) - edge.credits)]
    return Wait(reader, f"room in {edge.title}", need)


def waits(flow: Flow, images: int) -> dict[str, list[Wait]]:
    """For each process, everything that its iterations wait for."""
    result: dict[str, list[Wait]] = {name: [] for name in flow.processes}
    for edge in flow.edges:
        result[edge.reader].append(ready_wait(flow, edge, images))
        result[edge.writer].append(room_wait(flow, edge, images))
    return result


@dataclass(frozen=True)
class Times:
    """When the iterations of a stream begin, as far as they ever do.

    `starts` has the cycle of each iteration of each process, for the first `solved` images of the
    stream; of them the first `begun` ever begin. Where fewer images are solved than there are, each
    later image's iterations begin `period` cycles after those of the image before. `waits` has what
    the iterations of each process wait for, in the images that are solved.
    """

    images: int
    solved: int
    period: int | None
    starts: Mapping[str, Ints]
    begun: Mapping[str, int]
    waits: Mapping[str, Sequence[Wait]]

    @property
    def complete(self) -> bool:
        """Whether every iteration begins; otherwise the pipeline deadlocks."""
        return all(self.begun[name] == len(starts) for name, starts in self.starts.items())

    def of_images(self, process: str, images: int) -> Ints:
        """`[images, iterations]`: when a process's iterations of the first images begin."""
        starts = self.starts[process].reshape(self.solved, -1)[:images]
        later = np.arange(1, images - len(starts) + 1)[:, None] * (self.period or 0)
        return np.concatenate([starts, starts[-1] + later])


def memory(flow: Flow) -> int:
    """How many images in a row show all that the equations of an image look back at."""
    whole = (edge.credits // flow.processes[edge.writer].iterations for edge in flow.edges)
    return 2 + max(whole, default=0)


def solve(flow: Flow, images: int) -> Times:
    """The cycle in which each iteration of a stream of images begins.

    The equations of an image are those of the one before, some images back at most. So once that
    many images in a row were each the one before and a constant later, all others will be.
    """
    reach = memory(flow)
    solved = min(images, 2 + reach)
    while True:
        times = _solve(flow, solved, images)
        if solved == images or not times.complete:
            return times
        period = _period(times, reach)
        if period is not None:
            return replace(times, period=period)
        solved = min(images, 2 * solved)


def _period(times: Times, reach: int) -> int | None:
    """By how much each of the last images is later than the one before, if all by the same."""
    shifts: set[int] = set()
    for starts in times.starts.values():
        by_image = starts.reshape(times.solved, -1)[-reach - 1 :]
        shift = by_image[1:] - by_image[:-1]
        if np.any(shift != shift[0, 0]):
            return None
        shifts.add(int(shift[0, 0]))
    return shifts.pop() if len(shifts) == 1 else None


_SWEEPS = 16
"""Sweeps over all equations, before they are solved one iteration after the other."""


def _solve(flow: Flow, solved: int, images: int) -> Times:
    found = waits(flow, solved)
    starts = _by_sweeps(flow, found, solved)
    if starts is None:
        starts, begun = _one_by_one(flow, found, solved)
    else:
        begun = {name: len(times) for name, times in starts.items()}
    return Times(images, solved, None, starts, begun, found)


def _by_sweeps(flow: Flow, found: dict[str, list[Wait]], images: int) -> dict[str, Ints] | None:
    """All equations of a process at once, process by process, until nothing changes any more.

    Fast where waiting for room is rare. None if that takes too long, or never ends.
    """
    if any(np.any(wait.need == NEVER) for waiting in found.values() for wait in waiting):
        return None
    processes, names = flow.processes, list(flow.processes)
    # When each signal can be used, after a zeroth one that always can.
    signals = {n: np.zeros(images * p.iterations + 1, np.int64) for n, p in processes.items()}
    needs = {name: [np.maximum(w.need, 0) for w in waiting] for name, waiting in found.items()}
    offsets = {n: np.arange(images * p.iterations) * p.interval for n, p in processes.items()}
    for sweep in range(_SWEEPS):
        changed = False
        for name in names if sweep % 2 == 0 else reversed(names):
            ready = np.zeros(len(offsets[name]), np.int64)
            for wait, need in zip(found[name], needs[name], strict=True):
                np.maximum(ready, signals[wait.on.name][need], out=ready)
            ready -= offsets[name]
            times = np.maximum.accumulate(ready, out=ready)
            times += offsets[name]
            times += processes[name].latency
            if not np.array_equal(signals[name][1:], times):
                signals[name][1:] = times
                changed = True
        if not changed:
            return {n: signals[n][1:] - p.latency for n, p in processes.items()}
    return None


@dataclass
class _Progress:
    """One process's share of the equations, and how far it is solved."""

    process: Process
    end: int
    waits: list[tuple[_Progress, list[int]]] = field(
        default_factory=list["tuple[_Progress, list[int]]"]
    )
    waiting: list[_Progress] = field(default_factory=list["_Progress"])
    starts: list[int] = field(default_factory=list[int])

    def advance(self) -> bool:
        """Solve for all iterations whose signals are known; whether there were any."""
        starts, interval = self.starts, self.process.interval
        known = before = len(starts)
        while known < self.end:
            ready = starts[-1] + interval if known else 0
            for on, needs in self.waits:
                need = needs[known]
                if need > 0:
                    if need > len(on.starts):
                        return known > before
                    ready = max(ready, on.starts[need - 1] + on.process.latency)
            starts.append(ready)
            known += 1
        return known > before


def _one_by_one(
    flow: Flow, found: dict[str, list[Wait]], images: int
) -> tuple[dict[str, Ints], dict[str, int]]:
    """Each equation once, when what it needs is known; and how many ever are."""
    everything = {n: _Progress(p, images * p.iterations) for n, p in flow.processes.items()}
    for name, waiting in found.items():
        for wait in waiting:
            on = everything[wait.on.name]
            everything[name].waits.append((on, wait.need.tolist()))
            on.waiting.append(everything[name])
    todo = dict.fromkeys(everything)
    while todo:
        name = next(iter(todo))
        del todo[name]
        if everything[name].advance():
            todo.update(dict.fromkeys(one.process.name for one in everything[name].waiting))
    begun = {name: len(one.starts) for name, one in everything.items()}
    starts = {n: np.array(one.starts, np.int64) for n, one in everything.items()}
    for name, one in everything.items():
        starts[name] = np.pad(starts[name], (0, one.end - begun[name]))
    return starts, begun


def deadlock(flow: Flow, images: int, begun: Mapping[str, int]) -> Deadlock:
    """Why nothing moves once `begun` iterations of each process have run, in words."""
    found = waits(flow, images)
    stuck = [n for n, p in flow.processes.items() if begun[n] < images * p.iterations]
    words: dict[str, str] = {}
    name = stuck[0]
    while name not in words:
        process = flow.processes[name]
        wait = next(w for w in found[name] if w.need[begun[name]] > begun[w.on.name])
        image, iteration = divmod(begun[name], process.iterations)
        words[name] = f"{process.title(iteration)} of image {image} waits for {wait.why}"
        if wait.on.name not in stuck or wait.need[begun[name]] == NEVER:
            words[name] += ", which no step of its machine ever gives"
            return Deadlock(f"deadlock: {words[name]}")
        name = wait.on.name
    cycle = list(words.values())[list(words).index(name) :]
    return Deadlock(f"deadlock: {'; '.join(cycle)}")
