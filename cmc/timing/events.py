# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""When iterations begin where units or links are shared: event after event, until states repeat.

What happens depends on the state alone: on where each process is, what is in flight, when units and
links are free, and whose turn it is. A stream whose state is that of some images before goes on as
from there, until one of its processes comes to its end. So that many images are left out, and what
is simulated is a shorter stream, as exact at its end as at its beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from cmc.poly.evaluate import Ints, spans
from cmc.timing.flow import NEVER, Edge, Flow, connected, waits_of
from cmc.timing.kernel import run
from cmc.timing.layout import Hop, Layout
from cmc.timing.runs import Runs
from cmc.timing.times import Crossings, Leap, Times

LOOKED_AT = 1 << 28
"""Bytes of states among which one is looked for that comes again; then all are forgotten."""


def simulate(flow: Flow, images: int, arrivals: bool = True) -> Times:
    """The times of a stream: of all images but those that are found to be as others before.

    Those of vectors that wait for links on their way are found with `arrivals`.
    """
    simulation = _Simulation(flow, images, arrivals)
    simulation.run()
    return simulation.times()


class _Simulation:
    """A stream, as far as it is simulated."""

    def __init__(self, flow: Flow, images: int, crossings: bool):
        layout = Layout.of(flow, images, crossings)
        self.flow, self.images = flow, images
        self.processes = list(flow.processes.values())
        self.plan, self.state, self.room, self.late = (
            layout.plan, layout.state, layout.room, layout.late
        )  # fmt: skip
        self.limits = layout.limits
        """The iterations of each process that are simulated."""
        self.layout = layout
        self.kept = len(self.room) if crossings else len(self.processes)
        """How many of the logs are put into runs."""
        self.parts = connected(flow.processes, flow.pairs)
        part = {name: number for number, names in enumerate(self.parts) for name in names}
        self.part = np.array([part[process.name] for process in self.processes])
        """The part that each process is in."""
        self.lead: Ints = np.unique(self.part, return_index=True)[1]
        """A process of each part, at whose images the state is looked at."""
        lead: list[int] = self.lead.tolist()
        self.solved = [self.processes[number].turn.images(images) for number in lead]
        """The images of each part that are simulated."""
        self.logs: list[list[Runs]] = [[] for _ in range(self.kept)]
        self.leaps: list[list[Leap]] = [[] for _ in self.room]
        self.periods: dict[str, Fraction] = {}
        self.seen: dict[bytes, tuple[int, Ints]] = {}

    def run(self) -> None:
        """Go on to the end of the stream, or until nothing can move."""
        lead, images = self.lead, self.plan.iterations
        marks = images[lead] + 1
        now = 0
        while True:
            state, room = self.state, self.room
            state.limit[:] = [min(limit, NEVER) for limit in self.limits]
            state.stop[:] = state.first + room
            state.stop[lead] = np.minimum(state.stop[lead], marks)
            now = run(self.plan, state, now)
            if now == NEVER:
                break
            if len(self.plan.link):
                self._make_room()
            if np.any((state.begun - state.first == room)[: self.kept]):
                self._put_into_runs()
            if np.any(state.begun[lead] == marks):
                marks = ((state.begun[lead] - 1) // images[lead] + 1) * images[lead] + 1
                self._compare(now)
        self._put_into_runs()

    def _put_into_runs(self) -> None:
        """Make room for more starts: only those that signals or hops follow stay as they are."""
        state, followed = self.state, self._followed()
        for number, runs in enumerate(self.logs):
            place, through = int(state.place[number]), int(followed[number])
            count, flying = through - int(state.first[number]), int(state.begun[number]) - through
            kept = state.starts[place : place + count + flying]
            runs.append(Runs.of(kept[:count].copy()))
            kept[:flying] = kept[count:].copy()
            state.first[number] = through

    def _followed(self) -> Ints:
        """How many entries of each log all have followed that do so."""
        followed = self.state.begun.copy()
        np.minimum.at(followed, self.plan.follows, self.state.seen)
        return followed

    def _make_room(self) -> None:
        """Make more room for vectors between two links where what there is is half full of them."""
        state, before = self.state, self.state.place
        crowded = 2 * (state.begun - self._followed()) > self.room
        crowded[: len(self.processes)] = False
        if not np.any(crowded):
            return
        self.room *= 1 + crowded
        place = np.append(0, np.cumsum(self.room))
        starts = np.zeros(place[-1], np.int64)
        kept, number = spans(state.begun - state.first)
        starts[place[kept] + number] = state.starts[before[kept] + number]
        self.state = state._replace(place=place[:-1], starts=starts)

    def _compare(self, now: int) -> None:
        """Whether the state after this cycle was there before; leap if it was."""
        key = self._snapshot(now)
        if key not in self.seen:
            if len(key) * len(self.seen) >= LOOKED_AT:
                self.seen.clear()
            else:
                self.seen[key] = now, self.state.begun.copy()
            return
        before, begun = self.seen[key]
        again: list[int] = (self.state.begun - begun).tolist()
        done: list[int] = self._begun.tolist()
        most: list[int] = []
        for process, limit, count, so_far in zip(
            self.processes, self.limits, again, done, strict=False
        ):
            if count:
                pace = Fraction((now - before) * process.iterations, count)
                self.periods.setdefault(process.name, pace)
                most.append((limit - so_far) // count - 1)
        if min(most) > 0:
            self._leap(min(most), again, now - before)

    def _leap(self, times: int, again: list[int], rise: int) -> None:
        """Leave out what comes again that many times, and once more.

        That once is simulated: of its first iterations is known how long they waited.
        """
        self.seen.clear()
        begun: list[int] = self.state.begun.tolist()
        for log, count in enumerate(again):
            self.leaps[log].append(Leap(begun[log] + min(count, 1), count, times, rise))
        for number in range(len(self.processes)):
            self.limits[number] -= times * again[number]
        lead: list[int] = self.lead.tolist()
        for part, number in enumerate(lead):
            self.solved[part] -= times * again[number] // self.processes[number].iterations

    def _snapshot(self, now: int) -> bytes:
        """All that the future depends on, relative to this cycle and to the image of each part."""
        plan, state, log = self.plan, self.state, self.plan.follows
        image = (state.begun[self.lead] // plan.iterations[self.lead])[self.part]
        ahead = state.begun[log] - state.seen
        flying, number = spans(ahead)
        starts = state.starts[(state.place[log] + state.seen - state.first[log])[flying] + number]
        facts = (
            self._begun - image * plan.iterations,
            ahead,
            starts - now,
            np.maximum(state.next - now, 0),
            np.maximum(state.free - now, 0),
            state.served % np.diff(plan.member_of),
            state.skip[self.late],
        )
        return np.concatenate(facts).tobytes()

    @property
    def _begun(self) -> Ints:
        """How many iterations of each process have begun."""
        return self.state.begun[: len(self.processes)]

    def times(self) -> Times:
        """What was found."""
        count, hops = len(self.processes), self.layout.hops
        logs = [Runs.joined(parts) for parts in self.logs]
        names = [process.name for process in self.processes]
        starts, begins = dict(zip(names, logs[:count], strict=True)), logs[count:]
        leaps = {n: of for n, of in zip(names, self.leaps, strict=False) if of}
        solved = self._solved(starts)
        return Times(
            self.flow,
            self.images,
            solved,
            starts,
            lambda name: waits_of(self.flow, name, solved[name]),
            leaps,
            self.periods,
            self._arrivals(dict(zip(hops.all, begins, strict=True))) if begins else {},
            Crossings(begins, self.leaps[count:]) if begins else None,
        )

    def _solved(self, starts: Mapping[str, Runs]) -> dict[str, int]:
        """How many images there are of each process."""
        solved: dict[str, int] = {}
        for part, names in enumerate(self.parts):
            images = self.solved[part]
            counts = {name: self.flow.processes[name].iterations for name in names}
            if any(starts[name].length < images * count for name, count in counts.items()):
                # What is stuck is not followed any further.
                begun = max(-(-starts[name].length // count) for name, count in counts.items())
                images = min(images, begun + 2)
            solved.update(dict.fromkeys(names, images))
        return solved

    def _arrivals(self, begins: Mapping[Hop, Runs]) -> dict[Edge, Runs]:
        """When the vectors of each edge have arrived that waited for links."""
        hops, arrivals = self.layout.hops, dict[Edge, Runs]()
        for edge, (hop, after) in hops.last.items():
            came = begins[hop] + after
            count, own = hops.places(edge, self.flow.processes[edge.writer].iterations)
            if own is not None:
                places = Runs.of(own).repeated(-(-came.length // count), count)
                came = came.take(places.head(int(places.below(np.array([came.length]))[0])))
            arrivals[edge] = came
        return arrivals
