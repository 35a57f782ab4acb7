# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""When does every iteration of a stream begin?

No iteration waits for itself through any chain of signals unless the pipeline deadlocks, so the
times are the one solution of max-plus equations: each iteration begins at the largest of the times
at which what it waits for is there. Sequences of times are runs, as what waits for what is: what an
image costs is its number of rows, not of points. Where it has as few points, they are arrays.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from math import ceil

import numpy as np

from cmc.timing.flow import NEVER, Flow, Process, Wait, waits, waits_of
from cmc.timing.runs import Runs, held
from cmc.timing.times import Leap, Times


def memory(flow: Flow) -> int:
    """How many images in a row show all that the equations of an image look back at."""
    whole = (edge.slots // flow.elements(edge) for edge in flow.edges)
    return 2 + max(whole, default=0)


def solve(flow: Flow, images: int, arrivals: bool = True) -> Times:
    """The cycle in which each iteration of a stream of images begins.

    Where vectors wait for links, `Times.arrivals` are true with `arrivals` alone.

    Parts of a flow that share no units or links, and have no channel between them, are solved
    apart.
    """
    if not flow.shared and flow.turns == 1:
        return _solve_part(flow, images, arrivals)
    known: dict[Hashable, Times] = {}
    parts: list[Times] = []
    for part in flow.apart():
        own = tuple(process.turn.images(images) for process in part.processes.values())
        key = part.likeness, own
        if key in known:
            parts.append(_renamed(known[key], part))
        else:
            known[key] = _solve_part(part, images, arrivals)
            parts.append(known[key])
    waiting = {name: part.waits for part in parts for name in part.starts}
    return Times(
        flow,
        images,
        {name: n for part in parts for name, n in part.solved.items()},
        {name: starts for part in parts for name, starts in part.starts.items()},
        lambda name: waiting[name](name),
        {name: leaps for part in parts for name, leaps in part.leaps.items()},
        {name: period for part in parts for name, period in part.periods.items()},
        {edge: arrivals for part in parts for edge, arrivals in part.carried.items()},
        parts[0].crossings if len(parts) == 1 else None,
    )


def _renamed(times: Times, flow: Flow) -> Times:
    """The times of a flow that is like the one whose times these are."""
    names = dict(zip(times.flow.processes, flow.processes, strict=True))
    edges = dict(zip(times.flow.edges, flow.edges, strict=True))
    solved = {names[name]: images for name, images in times.solved.items()}
    return Times(
        flow,
        times.images,
        solved,
        {names[name]: starts for name, starts in times.starts.items()},
        lambda name: waits_of(flow, name, solved[name]),
        {names[name]: leaps for name, leaps in times.leaps.items()},
        {names[name]: period for name, period in times.periods.items()},
        {edges[edge]: arrivals for edge, arrivals in times.carried.items()},
    )


def _solve_part(flow: Flow, images: int, arrivals: bool) -> Times:
    """A part of a flow; where nothing is shared, all processes of it have the same turn."""
    if not flow.shared:
        turn = next(iter(flow.processes.values())).turn
        times = _solve_equations(flow, turn.images(images))
        if times is not None:
            return times
    from cmc.timing.events import simulate

    return simulate(flow, images, arrivals)


def _solve_equations(flow: Flow, images: int) -> Times | None:
    """What is solved where nothing is shared, for so many own images of each process.

    None if going through events takes less time.

    The equations of an image are those of the one before, some images back at most. So once that
    many images in a row were each the one before and a constant later, all others will be; or the
    one some images before. Parts of a flow that never meet have constants of their own.
    """
    if not images:
        nothing = dict.fromkeys(flow.processes, Runs.line(0, 0))
        return Times(flow, 0, dict.fromkeys(nothing, 0), nothing, lambda _: ())
    reach = memory(flow)
    solved = min(images, 2 + reach)
    while True:
        times = _solve(flow, solved, images)
        if times is None or solved == images:
            return times
        if times.complete:
            repeated = _repeated(times, solved, reach)
            if repeated is not None:
                return repeated
        elif not _cut_short(times, solved, min(images, 2 * solved)):
            return times
        solved = min(images, 2 * solved)


def _repeated(times: Times, solved: int, reach: int) -> Times | None:
    """The times of all images, if the last ones that are solved come again as a whole."""
    for span in range(1, solved - reach + 1):
        kept = solved - (solved - times.images) % span
        if kept < span + reach:
            continue
        rises = _rises(times, kept, span, reach)
        if rises is None:
            continue
        counts = {name: p.iterations for name, p in times.flow.processes.items()}
        leaps = {
            name: (Leap(kept * n, span * n, (times.images - kept) // span, rises[name]),)
            for name, n in counts.items()
        }
        periods = {name: Fraction(rise, span) for name, rise in rises.items()}
        if kept == solved:
            return replace(times, leaps=leaps, periods=periods)
        starts = {name: times.starts[name].head(kept * n) for name, n in counts.items()}
        of, waiting = dict.fromkeys(counts, kept), waits(times.flow, kept).__getitem__
        return Times(times.flow, times.images, of, starts, waiting, leaps, periods)
    return None


def _rises(times: Times, solved: int, span: int, reach: int) -> dict[str, int] | None:
    """By how much each of the last images is later than that so many before, if all by the same."""
    rises: dict[str, int] = {}
    for name, starts in times.starts.items():
        count = times.flow.processes[name].iterations
        until = starts.head(solved * count)
        last = until.tail((solved - reach) * count)
        before = until.tail((solved - reach - span) * count).head(last.length)
        rises[name] = last.first - before.first
        if not last.same(before + rises[name]):
            return None
    for name in rises:
        for wait in times.waits(name):
            if wait.waits and rises[name] != rises[wait.on.name]:
                return None
    return rises


def _cut_short(times: Times, solved: int, images: int) -> bool:
    """Whether the same or more would be stuck otherwise in a stream of more images."""
    begun, processes = times.begun, times.flow.processes
    stuck = {n for n, p in processes.items() if begun[n] < solved * p.iterations}
    found = {name: times.waits(name) for name in processes}
    doomed: set[str] = set()
    more = set(stuck)
    while more:
        doomed |= more
        more = {
            name
            for name, waiting in found.items()
            if name not in doomed and any(w.waits and w.on.name in doomed for w in waiting)
        }
    if doomed != stuck:
        return True
    # What is not driven in an image goes with the next one, if there is one.
    later = waits(times.flow, images)
    return any(
        wait.end <= begun[name] < after.end
        for name in stuck
        for wait, after in zip(found[name], later[name], strict=True)
    )


def _solve(flow: Flow, solved: int, images: int) -> Times | None:
    found = waits(flow, solved)
    begun = _possible(flow, found, solved)
    starts = _by_sweeps(flow, found, begun)
    if starts is None:
        if _FEW < sum(begun.values()) <= _MANY:
            return None
        starts = _one_by_one(flow, found, begun)
    return Times(flow, images, dict.fromkeys(starts, solved), starts, found.__getitem__)


def _possible(flow: Flow, found: Mapping[str, Sequence[Wait]], images: int) -> dict[str, int]:
    """How many iterations of each process begin unless they wait for each other."""
    possible = {
        name: min([images * process.iterations, *(wait.end for wait in found[name])])
        for name, process in flow.processes.items()
    }
    while True:
        before = dict(possible)
        for name, waiting in found.items():
            for wait in waiting:
                if wait.need.length and wait.need.last > possible[wait.on.name]:
                    met = int(wait.need.below(np.array([possible[wait.on.name] + 1]))[0])
                    possible[name] = min(possible[name], int(wait.since.at(np.array([met]))[0]))
        if possible == before:
            return possible


_SWEEPS = 8
"""Sweeps over all equations, before they are solved one iteration after the other."""


@dataclass(frozen=True, eq=False)
class _Delays:
    """One wait's share of a process's equations.

    A delay is by how much an iteration begins later than if the process never waited. It does not
    fall from one iteration to the next.
    """

    signal: _Signal
    since: Runs
    need: Runs
    on_time: Runs
    """When the iterations `since` begin if the process never waits, negative."""

    @staticmethod
    def of(process: Process, wait: Wait, begun: int) -> _Delays:
        since, need = wait.until(begun)
        return _Delays((wait.on.name, wait.delay), since, need, since * -process.interval)

    def at(self, came: Runs, length: int) -> Runs:
        arrivals = came.take(self.need)
        return held(self.since, (arrivals + self.on_time).accumulated(0), length, 0)


def _by_sweeps(
    flow: Flow, found: Mapping[str, Sequence[Wait]], begun: Mapping[str, int]
) -> dict[str, Runs] | None:
    """All equations of a process at once, process by process, until nothing changes any more.

    Fast where waiting for room is rare. None if that takes too long, or never ends.
    """
    processes, names = flow.processes, list(flow.processes)
    equations = {
        name: [_Delays.of(processes[name], wait, begun[name]) for wait in waiting]
        for name, waiting in found.items()
    }
    delays = {name: Runs.line(0, 0) for name in names}
    # When each iteration has ended, after a zeroth one that always has, and its signals came.
    late = _signals(found)
    ends = {(name, delay): Runs.line(begun[name] + 1, 0) for name in names for delay in late[name]}
    for sweep in range(_SWEEPS):
        changed = False
        for name in names if sweep % 2 == 0 else reversed(names):
            process, count = processes[name], begun[name]
            every = [one.at(ends[one.signal], count) for one in equations[name]]
            later = reduce(Runs.maximum, every) if every else Runs.line(count, 0)
            if not later.same(delays[name]):
                changed = True
                delays[name] = later
                starts = later + Runs.line(count, 0, process.interval)
                ends |= {(name, n): _came(starts + (process.latency + n)) for n in late[name]}
        if not changed:
            return {n: ends[n, 0].tail(1) - processes[n].latency for n in names}
    return None


_Signal = tuple[str, int]
"""A process, and how long its signals take to come from the end of an iteration."""


def _signals(found: Mapping[str, Sequence[Wait]]) -> dict[str, set[int]]:
    """How long signals of each process take, where it is waited for."""
    signals = {name: {0} for name in found}
    for waiting in found.values():
        for wait in waiting:
            signals[wait.on.name].add(wait.delay)
    return signals


def _came(times: Runs) -> Runs:
    """When signals came, after a zeroth one that always has."""
    return Runs.joined([Runs.line(1, 0), times])


_PAGE = 1 << 10
"""Iterations whose equations are laid out for being solved one by one, together."""


_LaidOut = tuple[list[int], list[int], int, int, "_Cursor"]
"""Of one wait, in a page of iterations: how many of the other process each one waits for.

And when those begin that were solved for lately, after how many others, and after how long their
signals come.
"""


class _Progress:
    """How far one process's share of the equations is solved."""

    def __init__(self, process: Process, begun: int):
        self.process = process
        self.end = begun
        self.waits: list[_Cursor] = []
        self.waiting: dict[str, _Progress] = {}
        self.starts = Runs.line(0, 0)
        self.recent: list[int] = []
        """When the iterations after `starts` begin."""
        self.next = 0
        """When the next iteration begins at the earliest."""
        self.blocked = False
        """Whether that is not known yet."""
        self.page = -1
        self.laid_out: list[_LaidOut] = []

    @property
    def known(self) -> int:
        return self.starts.length + len(self.recent)

    def advance(self, horizon: int) -> bool:
        """Solve for iterations up to a cycle whose signals are known; whether there were any."""
        recent, interval, ready = self.recent, self.process.interval, self.next
        before, known = len(recent), self.known
        self.blocked = False
        while known < self.end and ready <= horizon and not self.blocked:
            page = known // _PAGE
            if page != self.page:
                self.page, self.laid_out = page, [wait.of_page(page) for wait in self.waits]
            waits, first = self.laid_out, page * _PAGE
            for number in range(known - first, min(_PAGE, self.end - first)):
                for needs, ends, solved, latency, wait in waits:
                    if need := needs[number]:
                        if need <= solved:
                            ended = wait.solved(need)
                        elif need <= solved + len(ends):
                            ended = ends[need - solved - 1] + latency
                        else:
                            self.blocked = True
                            break
                        if ended > ready:
                            ready = ended
                if self.blocked or ready > horizon:
                    break
                recent.append(ready)
                ready += interval
            known = self.known
        self.next = ready
        return len(recent) > before

    def settle(self) -> None:
        """Put what was solved for with what was before."""
        if self.recent:
            self.take(Runs.of(np.array(self.recent, np.int64)))
            self.recent.clear()

    def take(self, more: Runs) -> None:
        """Add iterations that follow."""
        if more.length:
            self.starts = Runs.joined([self.starts, more])
            self.next = max(self.next, self.starts.last + self.process.interval)


class _Cursor:
    """What a process waits for on another one, page by page."""

    def __init__(self, wait: Wait, on: _Progress, begun: int):
        self._since, need = wait.until(begun)
        self._need = Runs.joined([Runs.line(1, 0), need])
        self._on, self._latency = on, wait.latency
        self._page, self._needs = -1, list[int]()
        self._first, self._starts = 0, list[int]()

    def of_page(self, page: int) -> _LaidOut:
        if page != self._page:
            iterations = np.arange(page * _PAGE, (page + 1) * _PAGE)
            self._needs = self._need.at(self._since.below(iterations + 1)).tolist()
            self._page = page
        on = self._on
        return self._needs, on.recent, on.starts.length, self._latency, self

    def solved(self, need: int) -> int:
        """When so many signals of the other process have come, of those solved for before."""
        place = need - 1 - self._first
        if not 0 <= place < len(self._starts):
            self._first, place = need - 1, 0
            until = min(need - 1 + _PAGE, self._on.starts.length)
            self._starts = self._on.starts.at(np.arange(need - 1, until)).tolist()
        return self._starts[place] + self._latency


_PHASE = 1 << 14
"""Equations that are solved one by one before it is looked for what comes again."""

_FEW = 1 << 16
"""Equations that are solved one by one without looking for anything."""

_MANY = 1 << 24
"""Equations of which more are best solved with leaps over what comes again, fewer as events."""

_HISTORY = 1 << 10
"""Changes of a process's pace among which it is looked for."""

_TRIED = 4
"""How many periods of a process are tried."""

_LONGEST = 1 << 18
"""Runs in what is guessed of one process."""


def _one_by_one(
    flow: Flow, found: Mapping[str, Sequence[Wait]], begun: Mapping[str, int]
) -> dict[str, Runs]:
    """Each equation when what it needs is known, with leaps over what comes again and again."""
    solving = _Solving.of(flow, found, begun)
    while solving.phase():
        solving.leap()
    return {name: one.starts for name, one in solving.progress.items()}


@dataclass
class _Solving:
    """Equations that are solved up to a cycle: all iterations that begin by then are known."""

    progress: dict[str, _Progress]
    found: Mapping[str, Sequence[Wait]]
    span: int
    """Cycles of one phase."""
    horizon: int = 0
    repeats: int = 16
    """How often what comes again is guessed to do so."""

    @staticmethod
    def of(flow: Flow, found: Mapping[str, Sequence[Wait]], begun: Mapping[str, int]) -> _Solving:
        progress = {name: _Progress(p, begun[name]) for name, p in flow.processes.items()}
        for name, waiting in found.items():
            for wait in waiting:
                on = progress[wait.on.name]
                progress[name].waits.append(_Cursor(wait, on, begun[name]))
                on.waiting[name] = progress[name]
        most = sum(Fraction(1, process.interval) for process in flow.processes.values())
        return _Solving(progress, found, ceil(_PHASE / most))

    @property
    def left(self) -> int:
        """How many equations are not solved."""
        return sum(one.end - one.known for one in self.progress.values())

    def phase(self) -> bool:
        """Solve one by one for some more cycles; whether anything is left that can be solved."""
        pending = [p.next for p in self.progress.values() if p.known < p.end and not p.blocked]
        self.horizon = max([self.horizon + self.span, *([min(pending)] if pending else [])])
        if self.left <= _FEW:
            self.horizon = NEVER
        todo = dict(self.progress)
        while todo:
            one = todo.pop(next(iter(todo)))
            if one.advance(self.horizon):
                todo.update(one.waiting)
        for one in self.progress.values():
            one.settle()
            one.page = -1
        return any(p.known < p.end and not p.blocked for p in self.progress.values())

    def leap(self) -> None:
        """Guess that what came twice comes again, and keep of it what solves the equations.

        In the guess, the first cycle in which anything begins that should not, or does not and
        should, is the first that is wrong: what begins depends on what ended before alone.
        """
        cycles, again = self.period()
        if not cycles:
            return
        most = max(
            -(-(one.end - one.known) // max(again[name].length, 1))
            for name, one in self.progress.items()
        )
        longest = max(len(runs.starts) for runs in again.values())
        repeats = max(1, min(self.repeats, most, _LONGEST // longest))
        guesses = {
            name: (again[name].repeated(repeats, cycles) + cycles).head(
                min(repeats * again[name].length, one.end - one.known)
            )
            for name, one in self.progress.items()
        }
        late = _signals(self.found)
        ends = {
            (name, delay): _came(Runs.joined([one.starts, guesses[name]]) + latency)
            for name, one in self.progress.items()
            for delay in late[name]
            for latency in (one.process.latency + delay,)
        }
        until = self.horizon + repeats * cycles
        for name in self.progress:
            until = min(until, self.first_wrong(name, guesses[name], ends) - 1)
        kept = (until - self.horizon) // cycles
        self.repeats = 4 * repeats if kept == repeats else 1 + 2 * kept
        for name, one in self.progress.items():
            guess = guesses[name]
            one.take(guess.head(int(guess.below(np.array([until + 1]))[0])))
        self.horizon = max(self.horizon, until)

    def first_wrong(self, name: str, guess: Runs, ends: Mapping[_Signal, Runs]) -> int:
        """The first cycle in which a process might begin something else than guessed.

        `ends` has, after 0, when signals come of iterations that are solved or guessed.
        """
        one = self.progress[name]
        known, interval = one.known, one.process.interval
        count = min(guess.length + 1, one.end - known)
        each: list[tuple[Runs, Runs, Runs]] = []
        for wait in self.found[name]:
            ended = ends[wait.on.name, wait.delay]
            since, need = wait.until(known + count)
            first = max(0, int(since.below(np.array([known + 1]))[0]) - 1)
            since, need = since.tail(first) - known, need.tail(first)
            since = since.maximum(Runs.line(since.length, 0))
            sure = int(need.below(np.array([ended.length]))[0])
            if sure < need.length:
                count = min(count, int(since.at(np.array([sure]))[0]))
            each.append((since, need, ended))
        begin = Runs.line(count, one.starts.last + interval if known else 0, interval)
        for since, need, ended in each:
            kept = int(since.below(np.array([count]))[0])
            since, need = since.head(kept), need.head(kept)
            delays = (ended.take(need) + since * -interval).accumulated(0)
            begin = begin.maximum(held(since, delays, count, 0) + Runs.line(count, 0, interval))
        compared = min(count, guess.length)
        wrong = _first_other(begin.head(compared), guess.head(compared))
        if wrong is not None:
            return wrong
        if compared < guess.length:
            return int(guess.at(np.array([compared]))[0])
        return begin.last if compared < count else NEVER

    def period(self) -> tuple[int, dict[str, Runs]]:
        """What comes again: after how many cycles, and the last iterations of each process.

        No cycles if nothing does.
        """
        tried = {cycles for one in self.progress.values() for cycles in _returns(one.starts)}
        for cycles in sorted(tried, reverse=True):
            bounds = self.horizon + 1 - np.array([2, 1]) * cycles
            again: dict[str, Runs] = {}
            for name, one in self.progress.items():
                before, between = one.starts.below(bounds).tolist()
                again[name] = one.starts.tail(between)
                if not again[name].same(one.starts.head(between).tail(before) + cycles):
                    break
            else:
                # Not if all that came lately is that nothing did.
                if any(runs.length for runs in again.values()):
                    return cycles, again
        return 0, {}


def _first_other(one: Runs, other: Runs) -> int | None:
    """The least of the first two members that differ; neither sequence descends."""
    a, b = one.split(other.starts), other.split(one.starts)
    wrong = np.flatnonzero((a.values != b.values) | (a.lasts != b.lasts))
    if not len(wrong):
        return None
    run = wrong[0]
    least = np.minimum(a.values, b.values)[run]
    if a.values[run] == b.values[run]:
        least += min(a.slopes[run], b.slopes[run])
    return int(least)


def _returns(starts: Runs) -> list[int]:
    """After how many cycles the last starts come again, as far as these alone tell."""
    steps, times = (column[: -_HISTORY - 1 : -1].tolist() for column in starts.differences())
    # The last difference may still go on.
    pairs = list(zip(steps, times, strict=True))[1:]
    matched = _matches(pairs)
    found = [p for p in range(1, len(pairs)) if matched[p] >= p]
    found.sort(key=lambda p: (-p - matched[p], p))
    cycles = [sum(step * count for step, count in pairs[:p]) for p in found[:_TRIED]]
    return [*cycles, *steps[:1]]


def _matches(values: Sequence[tuple[int, int]]) -> list[int]:
    """For each place, how many values from there on are those from the start on."""
    count = len(values)
    matched = [0] * count
    left = right = 0
    for place in range(1, count):
        length = min(right - place, matched[place - left]) if place < right else 0
        while place + length < count and values[length] == values[place + length]:
            length += 1
        matched[place] = length
        if place + length > right:
            left, right = place, place + length
    return matched
