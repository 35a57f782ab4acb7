# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Chains of what each iteration of a stream waited for last, and each vector on its way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cmc.explain.circuit import Kind, Links
from cmc.explain.kernel import END, NOT_SEEN, Back, Clock, Seen, Way, find_senders, go_back
from cmc.poly.evaluate import Ints, as_ints
from cmc.timing.flow import Flow
from cmc.timing.kernel import Plan
from cmc.timing.layout import Layout
from cmc.timing.load import unit_title

_STEPS = 1 << 8
"""Waits up to which one goes back at first; then four times as many, and so on."""


@dataclass(frozen=True)
class Lasts:
    """Goes back through the waits of a flow.

    Its logs are those of a plan: iterations of processes, and then vectors at hops.
    """

    flow: Flow
    sizes: Ints
    """How many entries of each log an image has."""
    _plan: Plan
    _back: Back
    _whys: Sequence[tuple[Kind, str]]
    """What is waited for, for a person: by its number, from END on."""

    @staticmethod
    def of(flow: Flow) -> Lasts:
        layout = Layout.of(flow, 1, crossings=False)
        plan, hops = layout.plan, layout.hops
        vectors = [hops.vectors(hop, flow) for hop in hops.all]
        sizes = np.concatenate([plan.iterations, as_ints(vectors)])
        waits = list(_waits(flow, layout))
        whys: list[tuple[Kind, str]] = [("end", ""), ("pace", ""), *waits, *_shared(flow, layout)]
        return Lasts(flow, sizes, plan, _backwards(layout, sizes, waits), whys)

    def ways(self, clock: Clock, log: int, number: int, since: int = -NOT_SEEN) -> Iterator[Way]:
        """Longer and longer ways from an entry of a log back to a cycle, or until nothing waits."""
        entries, waits = np.zeros((2, 1), np.int64), np.zeros((2, 0), np.int64)
        entries[:, 0] = log, number
        user = self._back.user
        seen = Seen(user.copy(), np.zeros_like(user), np.full_like(user, NOT_SEEN))
        steps, most = 0, _STEPS
        while steps == waits.shape[1]:
            entries, waits = (np.pad(one, ((0, 0), (0, most - steps))) for one in (entries, waits))
            way = Way(*entries, *waits)
            steps = go_back(self._plan, self._back, clock, seen, way, steps, since)
            yield Way(*entries[:, : steps + 1], *waits[:, :steps])
            most *= 4

    def links(self, way: Way) -> Links:
        """The links of a chain, for a person."""
        stage, number = way.log.copy(), way.number.copy()
        find_senders(self._plan, self._back, stage, number)
        own, iteration = np.divmod(number, self.sizes[stage])
        turns = [process.turn for process in self.flow.processes.values()]
        every, first = as_ints(turn.of for turn in turns), as_ints(turn.number for turn in turns)
        image = first[stage] + own * every[stage]
        passed, waits = np.stack([stage, iteration, image]), np.stack([way.why - END, way.cycles])
        return Links(list(self.flow.processes), self._whys, passed, waits)


def _waits(flow: Flow, layout: Layout) -> Iterator[tuple[Kind, str]]:
    """What each wait of a plan is for."""
    names = list(flow.processes)
    for channel, on in zip(layout.channels, layout.plan.on.tolist(), strict=True):
        if channel is None:
            yield "data", f"the state that @{names[int(layout.plan.follows[on])]} writes"
        elif channel[1]:
            yield "data" if flow.processes[channel[0].writer].side else "input", channel[0].title
        else:
            yield "room", channel[0].title


def _shared(flow: Flow, layout: Layout) -> Iterator[tuple[Kind, str]]:
    """The units that processes share, and then the links that are waited for."""
    plan = layout.plan
    units = [unit for process in flow.processes.values() for unit in process.occupies]
    known = dict(zip(plan.unit.tolist(), units, strict=True))
    for number in sorted(known):
        yield "unit", unit_title(known[number])
    links = dict(zip(plan.link.tolist(), layout.hops.all, strict=True))
    for number in sorted(links):
        yield "link", flow.link_title(links[number].link)


def _backwards(layout: Layout, sizes: Ints, waits: Sequence[tuple[Kind, str]]) -> Back:
    """A plan the other way."""
    plan = layout.plan
    room = np.array([kind == "room" for kind, _ in waits], bool)
    own = (channel[0].slots if channel and not channel[1] else 0 for channel in layout.channels)
    signals, processes = len(plan.follows) - len(plan.link), len(plan.core)
    # What is one of some, by its place among these.
    length, known, some = 0, {-1: -1}, [as_ints([])]
    rows = np.append(plan.waits, plan.passes[signals:]).tolist()
    among = np.append(plan.iterations[plan.owner], plan.entries[signals:]).tolist()
    for row, count in zip(rows, among, strict=True):
        if row not in known:
            known[row] = length
            some.append(np.flatnonzero(plan.some[row : row + count]))
            length += len(some[-1])
    of_rows = as_ints(known[row] for row in rows)
    shared = np.append(plan.unit, plan.link)
    users = np.append(
        np.repeat(np.arange(processes), np.diff(plan.unit_of)), np.arange(processes, len(sizes))
    )
    by_unit = np.argsort(shared, kind="stable")
    return Back(
        order=np.lexsort((room, plan.owner)),
        slots=as_ints(own),
        rank_of=of_rows[: len(plan.owner)],
        passed_of=of_rows[len(plan.owner) :],
        some=np.concatenate(some),
        vectors=sizes[processes:],
        user_of=np.searchsorted(shared[by_unit], np.arange(int(shared.max(initial=-1)) + 2)),
        user=users[by_unit],
    )
