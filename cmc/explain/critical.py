# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The circuit of waits that rules the interval, and the path of waits that makes the latency.

Each iteration begins when the last of all that it waits for is there. So from an iteration one can
go back to the one that it waited for, from this to the next, and so on. In steady state, where all
comes again some images and so many cycles later, that leads in circles: to the same iteration of a
former image. Waits are the same ones for each image, so no stream can be faster than any circuit of
them; one that takes as many cycles for its images as the stream does for these is why it is not.
In max-plus algebra it is the circuit with the largest mean, whose mean is the eigenvalue (Baccelli,
Cohen, Olsder, Quadrat: Synchronization and Linearity, chapter 3).
"""

from __future__ import annotations

import numpy as np

from cmc.explain.circuit import Circuit, CriticalPath, Links
from cmc.explain.clocks import Logs
from cmc.explain.kernel import END, Clock, Way
from cmc.explain.last import Lasts
from cmc.poly.evaluate import Ints
from cmc.timing.times import Times


def critical_circuit(times: Times) -> Circuit | None:
    """That of a stream that is long enough, of the first images in steady state.

    Where the same never comes again, it is no circle, but what led from the end of one image to
    that of an earlier one, between which the interval is an average. None where processes share a
    unit or a link, and go on at paces of their own.
    """
    if (pace := times.period) is None:
        return _between_images(times)
    name = next(name for name in times.flow.processes if times.periods[name] == pace)
    logs = Logs.of(times, name)
    clock = logs.steady(pace, name)
    if clock is None or any(times.periods[other] != pace for other in logs.flow.processes):
        return None
    lasts, last = Lasts.of(logs.flow), logs.flow.processes[name].iterations - 1
    for way in lasts.ways(clock, logs.number(name), last):
        passed = np.append(0, np.cumsum(way.cycles))
        image, place = np.divmod(way.number, lasts.sizes[way.log])
        # The same of all that is on a circuit.
        since = passed * pace.denominator + (image - image[0]) * pace.numerator
        circle = _first_again(np.stack([way.log, place, since]))
        if circle is not None:
            first, again = circle
            links = lasts.links(_shifted(_part(way, first, again), clock))
            cycles, images = int(passed[again] - passed[first]), int(image[first] - image[again])
            return Circuit(links, cycles, images * times.flow.turns)
    raise AssertionError(f"{name} waits for nothing")


def _first_again(keys: Ints) -> tuple[int, int] | None:
    """Where in `[parts, keys]` the first key is that was there before, and that."""
    order = np.lexsort(keys)
    same = np.all(keys[:, order[1:]] == keys[:, order[:-1]], axis=0)
    if not np.any(same):
        return None
    place = np.argmin(np.where(same, order[1:], len(order)))
    return int(order[place]), int(order[place + 1])


def _part(way: Way, first: int, last: int) -> Way:
    """The waits of a way from one of its entries to another one."""
    entries, waits = slice(first, last + 1), slice(first, last)
    return Way(way.log[entries], way.number[entries], way.why[waits], way.cycles[waits])


def _shifted(circle: Way, clock: Clock) -> Way:
    """A circuit of images as early as those of steady state are."""
    again = np.diff(clock.place)[circle.log]
    rounds = np.max(-((circle.number - clock.first[circle.log])[1:] // again[1:]))
    return circle._replace(number=circle.number + rounds * again)


def _between_images(times: Times) -> Circuit | None:
    """The waits from the end of an image back to that of an earlier one, in the middle of a stream.

    The last one of them is counted from there on.
    """
    first, last = times.middle()
    if not times.complete or first >= last or any(times.leaps.values()):
        return None
    since, end = np.maximum.accumulate(times.ends(times.images))[[first, last]].tolist()
    links = _back(times, *_last_to_end(times, last), since)
    return Circuit(links, end - since, last - first, closed=False)


def _last_to_end(times: Times, images: int) -> tuple[str, int]:
    """The iteration of all up to an image that is the last one to end, and the process."""
    ends: dict[tuple[str, int], int] = {}
    for name, process in times.flow.processes.items():
        if own := process.turn.images(images + 1):
            number = own * process.iterations - 1
            start = int(times.at(name, np.array([number]))[0])
            ends[name, number] = start + process.latency
    return max(ends, key=lambda one: ends[one])


def critical_path(times: Times) -> CriticalPath:
    """That of the first image of a stream."""
    links = _back(times, *_last_to_end(times, 0), 0)
    return CriticalPath(links, int(links.cycles.sum()))


def _back(times: Times, name: str, number: int, since: int) -> Links:
    """The waits from the end of an iteration back to a cycle, from which on the last one counts.

    That is before anything is left out of the stream.
    """
    logs, start = Logs.of(times, name), int(times.at(name, np.array([number]))[0])
    lasts, log = Lasts.of(logs.flow), logs.number(name)
    *_, way = lasts.ways(logs.beginning(start), log, number, since)
    latency, began = logs.flow.processes[name].latency, start - int(way.cycles.sum())
    cycles = np.append(latency, way.cycles)
    cycles[-1] -= max(0, since - began)
    whole = Way(
        np.append(log, way.log),
        np.append(number, way.number),
        np.append(END, way.why),
        cycles,
    )
    return lasts.links(whole)
