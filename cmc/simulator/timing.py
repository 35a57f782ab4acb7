"""When every iteration begins: the max-plus equations of a pipeline, solved over arrays.

An iteration begins as soon as its program has begun the one before, every ready machine has seen
the writes that it awaits for it, and every ring that it writes has a free slot. Each of these is a
signal of another program's iteration, and a signal can be used one cycle after that iteration's
last. No iteration waits for itself through any chain of signals unless the pipeline deadlocks, so
the times are the one solution of these equations.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cmc.poly.evaluate import Ints
from cmc.simulator.faults import Deadlock
from cmc.simulator.load import NEVER, Chip, Link, Program, Steps


@dataclass(frozen=True, eq=False)
class Wait:
    """What the iterations of one program wait for, on another one.

    `need[i]` is the number of iterations of `on` that must have ended before iteration i begins,
    counted over the whole stream; 0 or less for none, NEVER if it can never begin.
    """

    on: Program
    why: str
    need: Ints


def across_images(steps: Steps, driven: int, signals: int, images: int) -> Ints:
    """The signals that each thing driven waits for, counted over a stream of `images`.

    A machine begins an image when it is through with the one before.
    """
    need = steps.needs(driven)
    first = np.arange(images)[:, None] * signals
    restart = first - signals + steps.last
    restart[0] = 0
    table = np.where(need == 0, restart, np.where(need == NEVER, 0, need) + first)
    return np.where(need == NEVER, NEVER, table)


def ready_wait(chip: Chip, link: Link, images: int) -> Wait:
    """What the reader of a channel waits for: writes."""
    writer = chip.writer(link.channel.object)
    reader = chip.programs[link.channel.reader]
    need = across_images(link.ready, reader.iterations, writer.iterations, images)
    return Wait(writer, f"data in {link.channel}", need.reshape(-1))


def room_wait(chip: Chip, link: Link, images: int) -> Wait:
    """What the writer of a channel waits for: slots that the reader frees."""
    writer = chip.writer(link.channel.object)
    reader = chip.programs[link.channel.reader]
    freed = across_images(link.free, writer.iterations, reader.iterations, images)
    # What an image never frees is freed with what the next image frees first.
    later = np.full(images + 1, NEVER)
    first = link.free.awaits[:1] if len(link.free.awaits) else np.array([NEVER])
    if link.free.initial:
        later[:-1] = freed[:, 0]
    elif first[0] != NEVER:
        later[:-1] = np.arange(images) * reader.iterations + first[0]
    freed = np.where(freed == NEVER, later[1:, None], freed).reshape(-1)
    need = np.zeros_like(freed)
    if link.credits == 0:
        need[:] = NEVER
    else:
        need[link.credits :] = freed[: max(0, len(freed) - link.credits)]
    return Wait(reader, f"room in {link.channel}", need)


def waits(chip: Chip, images: int) -> dict[str, list[Wait]]:
    """For each program, everything that its iterations wait for."""
    result: dict[str, list[Wait]] = {name: [] for name in chip.programs}
    for link in chip.links:
        result[link.channel.reader].append(ready_wait(chip, link, images))
        result[chip.writer(link.channel.object).name].append(room_wait(chip, link, images))
    return result


Starts = dict[str, Ints]
"""For each program, the cycle in which each iteration begins, over the whole stream."""


@dataclass
class _Progress:
    """One program's share of the equations, and how much of it is solved."""

    program: Program
    waits: list[Wait]
    starts: Ints
    known: int = 0
    offsets: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.offsets = np.arange(len(self.starts)) * self.program.interval


def solve(chip: Chip, images: int) -> Starts:
    """The cycle in which each iteration of a stream of images begins. Deadlock if one never can."""
    everything = {
        name: _Progress(
            chip.programs[name],
            [Wait(w.on, w.why, np.maximum.accumulate(w.need)) for w in found],
            np.zeros(images * chip.programs[name].iterations, np.int64),
        )
        for name, found in waits(chip, images).items()
    }
    order = list(everything.values())
    while True:
        moved = [_advance(one, everything) for one in order]
        moved += [_advance(one, everything) for one in reversed(order)]
        if not any(moved):
            break
    if any(one.known < len(one.starts) for one in order):
        raise Deadlock(describe_deadlock(everything))
    return {name: one.starts for name, one in everything.items()}


def _advance(one: _Progress, everything: dict[str, _Progress]) -> bool:
    """Solve for all iterations whose signals are known."""
    end = len(one.starts)
    if one.known == end:
        return False
    for wait in one.waits:
        known = everything[wait.on.name].known
        end = min(end, int(np.searchsorted(wait.need, known, "right")))
    if end <= one.known:
        return False
    begin, chunk = one.known, slice(one.known, end)
    ready = np.zeros(end - begin, np.int64)
    if begin:
        ready[0] = one.starts[begin - 1] + one.program.interval
    for wait in one.waits:
        need = wait.need[chunk]
        on = everything[wait.on.name]
        signal = on.starts[need - 1] + on.program.latency
        np.maximum(ready, np.where(need > 0, signal, 0), out=ready)
    offsets = one.offsets[: end - begin]
    one.starts[chunk] = np.maximum.accumulate(ready - offsets) + offsets
    one.known = end
    return True


def describe_deadlock(everything: dict[str, _Progress]) -> str:
    """The cycle of programs that wait for each other, in words."""
    stuck = {name: one for name, one in everything.items() if one.known < len(one.starts)}
    blocked: dict[str, Wait | None] = {}
    for name, one in stuck.items():
        blocked[name] = next(
            w for w in one.waits if w.need[one.known] > everything[w.on.name].known
        )
    chain: list[str] = []
    name = next(iter(stuck))
    words: dict[str, str] = {}
    while name not in chain:
        chain.append(name)
        wait = blocked[name]
        assert wait is not None
        one = stuck[name]
        image, iteration = divmod(one.known, one.program.iterations)
        words[name] = f"{one.program.iteration(iteration)} of image {image} waits for {wait.why}"
        if wait.on.name not in stuck:
            words[name] += ", which no step of the machine ever gives"
            return "nothing can move: " + "; ".join(words[n] for n in chain)
        name = wait.on.name
    cycle = chain[chain.index(name) :]
    return "nothing can move: " + "; ".join(words[n] for n in cycle)
