# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A machine lets things happen exactly when they may: neither earlier nor later.

A machine awaits *signals* and *drives* something: a ready machine awaits elements and enables
iterations, a free machine awaits iterations and releases elements. Elements count here as the
iterations of the writer that write them; so both sides are points in lexicographic order. A
relation says which signals each thing driven *needs*: for an iteration, the elements that it reads
of those that the writer writes; for an element, the iterations that read it.

What the machine drives at point i happens when it advances to i or beyond for the first time, and
by then it has awaited a signal `got(i)`, or none. It must hold for all i that

- sound: no signal that i needs comes after `got(i)`;
- tight: `got(i)` is needed by i, or by something before i, which i cannot overtake.

As `got` never decreases, this makes it the one function for which both hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import islpy as isl
import numpy as np

from cmc.diagnostics import describe_location
from cmc.dialects.cmctrl import (
    AwaitOp,
    CoreOp,
    EnableOp,
    MachineKind,
    MachineOp,
    ReleaseOp,
)
from cmc.errors import CmcError
from cmc.poly.counting import Iterations, counted
from cmc.poly.evaluate import Ints, tabulate
from cmc.poly.extremes import Point, coordinates, first_point, lexmax, lexmin
from cmc.proof.loops import Timeline
from cmc.proof.points import as_set, before, beyond, first_descent, first_pair, image, outside, upto
from cmc.proof.programs import ProvedProgram
from cmc.simulator.expand import Visits, visits
from cmc.timing.runs import Runs


@dataclass(frozen=True, eq=False)
class Driven:
    """What a machine was proved to do, in numbers.

    `waits` has, for everything driven in its order, the number of signals that it waits for. What
    waits for none happens from the start.
    """

    waits: Runs


MachineKey = tuple[MachineKind, str, str, isl.Map, isl.Map, isl.Set]


def prove_machine(
    op: MachineOp,
    core: CoreOp,
    writer: ProvedProgram,
    reader: ProvedProgram,
    proved: dict[MachineKey, Driven],
) -> Driven:
    """CmcError that names the iteration or element and the dependence where a machine is wrong.

    `proved` holds what was proved before of machines that differ in nothing but names.
    """
    ready = op.kind.data is MachineKind.READY
    timeline = Timeline.of(op.body.block)
    element_rank, iteration_rank = len(writer.object.shape), reader.rank
    awaits = timeline.text(AwaitOp, element_rank if ready else iteration_rank)
    advances = (
        timeline.text(EnableOp, iteration_rank) if ready else timeline.text(ReleaseOp, element_rank)
    )
    reads = reader.reads[writer.object.sym_name.data]
    key = (op.kind.data, awaits, advances, reads, writer.writes, reader.iterations)
    if key not in proved:
        iterations = _Side(
            reader.iterations,
            reader.iterations.identity(),
            f"iteration of @{reader.name}",
            lambda point: f"@{reader.name}{coordinates(point)}",
        )
        elements = _Side(
            writer.iterations,
            writer.writes,
            f"element of @{writer.object.sym_name.data} that @{writer.name} writes",
            lambda point: f"@{writer.object.sym_name.data}{coordinates(point)}",
        )
        needs = reads.apply_range(writer.writes.reverse())
        where = describe_location(op) or core.title
        proof = (
            _Proof(op.title, where, _READY, elements, iterations, needs)
            if ready
            else _Proof(op.title, where, _FREE, iterations, elements, needs.reverse())
        )
        proved[key] = (
            proof.by_steps(visits(op.body.block))
            if timeline.is_long
            else proof.by_relations(isl.Map(awaits), isl.Map(advances))
        )
    return proved[key]


@dataclass(frozen=True)
class _Side:
    """One side of a machine: points in the order in which they happen, and what they are called.

    `called` maps points to the iterations or elements by which a machine names them, one to one;
    `kind` says what these are, and `title` names one.
    """

    order: isl.Set
    called: isl.Map
    kind: str
    title: Callable[[Point], str]

    def name(self, point: Point) -> str:
        return self.title(image(self.called, point))


@dataclass(frozen=True)
class _Words:
    """How a kind of machine is spoken about."""

    drive: str
    drives: str
    happened: str
    needs: str
    """`{driven}` and `{signal}`: that one needs the other."""
    needless: str
    """That nothing up to what is driven needs the signal."""


_READY = _Words(
    drive="enable",
    drives="enables",
    happened="is written",
    needs="{driven} reads {signal}",
    needless="no iteration up to it reads that",
)
_FREE = _Words(
    drive="release",
    drives="releases",
    happened="is done",
    needs="{signal} reads {driven}",
    needless="that reads neither it nor an element before it",
)


@dataclass(frozen=True)
class _Proof:
    """What is proved of one machine. `needs` maps what is driven to the signals that it needs."""

    title: str
    where: str
    words: _Words
    signals: _Side
    driven: _Side
    needs: isl.Map

    def by_relations(self, awaits: isl.Map, advances: isl.Map) -> Driven:
        """`awaits` and `advances` map times to what is named then."""
        awaits = self.ascending(awaits, self.signals, "awaits")
        advances = self.ascending(advances, self.driven, self.words.drives)
        guards = _last_before(advances.domain(), awaits.domain())
        guarded = advances.reverse().apply_range(guards).apply_range(awaits)
        free = advances.subtract_domain(guards.domain()).range()
        earlier = upto(self.driven.order).intersect_domain(self.driven.order)
        from_start = earlier.intersect_range(free).domain()
        after = earlier.apply_range(guarded)
        if (missing := outside(self.driven.order, after.domain().union(from_start))) is not None:
            raise self.never(first_point(missing))
        self.sound(from_start, after)
        got = lexmin(after.subtract_domain(from_start)).coalesce()
        self.tight(got)
        self.ends(awaits, got)
        for steps, side, verb in (
            (awaits, self.signals, "awaits"),
            (advances, self.driven, self.words.drives),
        ):
            if not steps.is_injective():
                again = steps.reverse()
                raise self.again(first_point(again.subtract(lexmin(again)).domain()), side, verb)
        return Driven(_suffix(got, Iterations(self.driven.order), Iterations(self.signals.order)))

    def ascending(self, steps: isl.Map, side: _Side, verb: str) -> isl.Map:
        """`steps` by points of the side; each is one, and none comes after a later one."""
        if (unknown := outside(steps.range(), side.called.range())) is not None:
            raise self.unknown(first_point(unknown), side, verb)
        steps = steps.apply_range(side.called.reverse())
        order = steps.reverse().apply_range(before(steps.domain())).apply_range(steps)
        if (wrong := beyond(order, upto(side.order))) is not None:
            raise self.disorder(*first_pair(wrong), side, verb)
        return steps

    def sound(self, from_start: isl.Set, after: isl.Map) -> None:
        """No signal is needed by what happens from the start, or comes after one in `after`.

        `after` has, for each point driven, the last signals that were awaited before any advance to
        it or beyond. This does not ask for the first such advance: a proof by emptiness alone.
        """
        unguarded = self.needs.intersect_domain(from_start)
        if not unguarded.is_empty():
            raise self.unguarded(first_point(unguarded.domain()))
        too_early = after.intersect(self.needs.apply_range(before(self.signals.order).reverse()))
        if not too_early.is_empty():
            raise self.too_early(*first_pair(too_early))

    def tight(self, got: isl.Map) -> None:
        # The first of what needs a signal is not after what waits for the signal.
        first = got.apply_range(lexmin(self.needs.reverse()))
        early = first.intersect(upto(self.driven.order).reverse())
        if (held := outside(got.domain(), early.domain())) is not None:
            point = first_point(held)
            raise self.needless(point, image(got, point))

    def ends(self, awaits: isl.Map, got: isl.Map) -> None:
        """The machine awaits nothing after its last advance: that would hold up the next image."""
        useful = got.range().apply(upto(self.signals.order).reverse())
        if (late := outside(awaits.range(), useful)) is not None:
            raise self.late(first_point(late))

    def by_steps(self, found: list[Visits]) -> Driven:
        """The same in numbers, from all visits of a machine."""
        signals, driven = Iterations(self.signals.order), Iterations(self.driven.order)
        times, awaited = self.in_time(found, True, self.signals, signals, "awaits")
        advances, reached = self.in_time(found, False, self.driven, driven, self.words.drives)
        seen = np.append(0, awaited)[np.searchsorted(times, advances)]
        step = np.searchsorted(reached, np.arange(1, driven.count + 1))
        if len(step) and step[-1] == len(reached):
            raise self.never(_point(driven, int(np.argmax(step == len(reached)))))
        got = seen[step]
        needed = _table(lexmax(self.needs), driven, signals)
        if np.any(wrong := needed > got):
            first = int(np.argmax(wrong))
            if got[first] == 0:
                raise self.unguarded(_point(driven, first))
            raise self.too_early(_point(driven, first), _point(signals, int(got[first]) - 1))
        first_needing = _table(lexmin(self.needs.reverse()), signals, driven)
        first_needing = np.append(1, np.where(first_needing, first_needing, driven.count + 1))
        if np.any(held := first_needing[got] > np.arange(1, driven.count + 1)):
            first = int(np.argmax(held))
            raise self.needless(_point(driven, first), _point(signals, int(got[first]) - 1))
        late = awaited > got.max(initial=0)
        if np.any(late):
            raise self.late(_point(signals, int(awaited[late][0]) - 1))
        for counts, points, side, verb in (
            (awaited, signals, self.signals, "awaits"),
            (reached, driven, self.driven, self.words.drives),
        ):
            if np.any(again := np.diff(counts) == 0):
                raise self.again(_point(points, int(counts[np.argmax(again)]) - 1), side, verb)
        return Driven(Runs.of(got))

    def in_time(
        self, found: list[Visits], awaits: bool, side: _Side, points: Iterations, verb: str
    ) -> tuple[Ints, Ints]:
        """The times of awaits, or of advances, and up to how many points of the side each goes."""
        rows = [v for v in found if isinstance(v.op, AwaitOp) is awaits]
        if not rows:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        if (total := sum(int(v.counts.sum()) for v in rows)) > 2 * points.count:
            raise self.error(
                f"{verb} {total} times, and should do so at most once for each of {points.count}"
            )
        chosen = [v.expanded() for v in rows]
        times = np.concatenate([v.times for v in chosen])
        order = np.argsort(times)
        named = np.concatenate([v.points for v in chosen])[order]
        table = tabulate(side.called.reverse(), tuple(named.T))
        defined = np.broadcast_to(table.defined, len(named))
        if not np.all(defined):
            raise self.unknown(tuple(named[np.argmin(defined)].tolist()), side, verb)
        places = np.empty((len(named), len(table.coordinates)), np.int64)
        for axis, column in enumerate(table.coordinates):
            places[:, axis] = column
        counts = points.reached(places)
        if (pair := first_descent(counts)) is not None:
            later, earlier = (_point(points, count - 1) for count in pair)
            raise self.disorder(later, earlier, side, verb)
        return times[order], counts

    def error(self, what: str) -> CmcError:
        return CmcError(f"{self.title} {what}", self.where)

    def unknown(self, named: Point, side: _Side, verb: str) -> CmcError:
        return self.error(f"{verb} {coordinates(named)}, which is no {side.kind}")

    def disorder(self, later: Point, earlier: Point, side: _Side, verb: str) -> CmcError:
        return self.error(f"{verb} {side.name(later)} before {side.name(earlier)}, which is first")

    def again(self, point: Point, side: _Side, verb: str) -> CmcError:
        return self.error(f"{verb} {side.name(point)} twice")

    def never(self, point: Point) -> CmcError:
        return self.error(f"never {self.words.drives} {self.driven.name(point)}")

    def unguarded(self, point: Point) -> CmcError:
        driven = self.driven.name(point)
        signal = self.signals.name(first_point(as_set(point).apply(self.needs)))
        return self.error(
            f"{self.words.drives} {driven} from the start, and "
            f"{self.words.needs.format(driven=driven, signal=signal)}"
        )

    def too_early(self, point: Point, got: Point) -> CmcError:
        driven = self.driven.name(point)
        signal = self.signals.name(image(lexmax(self.needs), point))
        return self.error(
            f"{self.words.drives} {driven} once {self.signals.name(got)} {self.words.happened}, "
            f"and {self.words.needs.format(driven=driven, signal=signal)}, which comes later"
        )

    def needless(self, point: Point, got: Point) -> CmcError:
        return self.error(
            f"does not {self.words.drive} {self.driven.name(point)} until "
            f"{self.signals.name(got)} {self.words.happened}, and {self.words.needless}"
        )

    def late(self, signal: Point) -> CmcError:
        return self.error(
            f"awaits {self.signals.name(signal)} at the end of an image and {self.words.drives} "
            "nothing more: that holds up the next image"
        )


def _point(points: Iterations, number: int) -> Point:
    return tuple(points.coordinates(number))


def _suffix(function: isl.Map, domain: Iterations, image: Iterations) -> Runs:
    """For each point of the domain, how many there are up to its image; 0 before it has one."""
    places, values = counted(function, domain, image)
    before = domain.count - places.length
    if values.length:
        assert places.increasing and places.first == before + 1
    return Runs.joined([Runs.line(before, 0), values]).merged()


def _table(function: isl.Map, domain: Iterations, image: Iterations) -> Ints:
    """For each point of the domain, how many there are up to its image; 0 where it has none."""
    places, values = counted(function, domain, image)
    table = np.zeros(domain.count, np.int64)
    table[places.expanded() - 1] = values.expanded()
    return table


def _last_before(times: isl.Set, others: isl.Set) -> isl.Map:
    """From each of `times` to the last of `others` that is before it, if there is one."""
    earlier = before(times).reverse()
    found = lexmax(earlier.intersect_domain(times).intersect_range(others))
    # Soundness rests on these being awaits that happen before, not on isl's finding the last.
    assert found.domain().is_subset(times) and found.range().is_subset(others)
    assert found.intersect(upto(times)).is_empty()
    return found
