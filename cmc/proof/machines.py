"""A machine lets things happen exactly when they may: neither earlier nor later.

A machine awaits *signals* and *drives* something: a ready machine awaits elements and enables
iterations, a free machine awaits iterations and releases elements. Elements count here as the
iterations of the writer that write them; so both sides are points in lexicographic order. A
relation says which signals each thing driven *needs*: for an iteration, the elements that it reads;
for an element, the iterations that read it.

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
from cmc.poly.extremes import lexmax, lexmin
from cmc.proof.loops import Timeline
from cmc.proof.points import (
    Point,
    before,
    beyond,
    coordinates,
    first_pair,
    first_point,
    image,
    outside,
    upto,
)
from cmc.proof.programs import Program


@dataclass(frozen=True, eq=False)
class Driven:
    """What a machine was proved to do: the signal that everything driven waits for, if any.

    `got` maps iterations of the driven side to iterations of the signalling side.
    """

    got: isl.Map


MachineKey = tuple[MachineKind, str, str, isl.Map, isl.Map, isl.Set]


def prove_machine(
    op: MachineOp, core: CoreOp, writer: Program, reader: Program, proved: dict[MachineKey, Driven]
) -> Driven:
    """CmcError that names the iteration or element and the dependence where a machine is wrong.

    `proved` holds what was proved before of machines that differ in nothing but names.
    """
    ready = op.kind.data is MachineKind.READY
    timeline = Timeline.of(op.body.block)
    element_rank, iteration_rank = len(writer.object.shape), reader.op.rank
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
            f"element of @{writer.object.sym_name.data}",
            lambda point: f"@{writer.object.sym_name.data}{coordinates(point)}",
        )
        needs = reads.apply_range(writer.writes.reverse())
        where = describe_location(op) or core.title
        proof = (
            _Proof(op.title, where, _READY, elements, iterations, needs)
            if ready
            else _Proof(op.title, where, _FREE, iterations, elements, needs.reverse())
        )
        proved[key] = proof.prove(isl.Map(awaits), isl.Map(advances))
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

    def error(self, what: str) -> CmcError:
        return CmcError(f"{self.title} {what}", self.where)

    def prove(self, awaits: isl.Map, advances: isl.Map) -> Driven:
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
            raise self.error(f"never {self.words.drives} {self.driven.name(first_point(missing))}")
        self.sound(from_start, after)
        got = lexmin(after.subtract_domain(from_start)).coalesce()
        self.tight(got)
        self.ends(awaits, got)
        return Driven(got)

    def ascending(self, steps: isl.Map, side: _Side, verb: str) -> isl.Map:
        """`steps` by points of the side; each is one, and none comes after a later one."""
        if (unknown := outside(steps.range(), side.called.range())) is not None:
            point = coordinates(first_point(unknown))
            raise self.error(f"{verb} {point}, which is no {side.kind}")
        steps = steps.apply_range(side.called.reverse())
        order = steps.reverse().apply_range(before(steps.domain())).apply_range(steps)
        if (wrong := beyond(order, upto(side.order))) is not None:
            later, earlier = first_pair(wrong)
            raise self.error(
                f"{verb} {side.name(later)} before {side.name(earlier)}, which is first"
            )
        return steps

    def sound(self, from_start: isl.Set, after: isl.Map) -> None:
        """No signal is needed by what happens from the start, or comes after one in `after`.

        `after` has, for each point driven, the last signals that were awaited before any advance to
        it or beyond. This does not ask for the first such advance: a proof by emptiness alone.
        """
        words = self.words
        unguarded = self.needs.intersect_domain(from_start)
        if not unguarded.is_empty():
            point, needed = first_pair(unguarded)
            driven, signal = self.driven.name(point), self.signals.name(needed)
            raise self.error(
                f"{words.drives} {driven} from the start, and "
                f"{words.needs.format(driven=driven, signal=signal)}"
            )
        too_early = after.intersect(self.needs.apply_range(before(self.signals.order).reverse()))
        if not too_early.is_empty():
            point, got = first_pair(too_early)
            needed = image(lexmax(self.needs), point)
            driven, signal = self.driven.name(point), self.signals.name(needed)
            raise self.error(
                f"{words.drives} {driven} once {self.signals.name(got)} {words.happened}, and "
                f"{words.needs.format(driven=driven, signal=signal)}, which comes later"
            )

    def tight(self, got: isl.Map) -> None:
        # The first of what needs a signal is not after what waits for the signal.
        first = got.apply_range(lexmin(self.needs.reverse()))
        early = first.intersect(upto(self.driven.order).reverse())
        if (held := outside(got.domain(), early.domain())) is not None:
            point = first_point(held)
            driven, signal = self.driven.name(point), self.signals.name(image(got, point))
            raise self.error(
                f"does not {self.words.drive} {driven} until {signal} {self.words.happened}, and "
                f"{self.words.needless}"
            )

    def ends(self, awaits: isl.Map, got: isl.Map) -> None:
        """The machine awaits nothing after its last advance: that would hold up the next image."""
        useful = got.range().apply(upto(self.signals.order).reverse())
        if (late := outside(awaits.range(), useful)) is not None:
            signal = self.signals.name(first_point(late))
            raise self.error(
                f"awaits {signal} at the end of an image and {self.words.drives} nothing more: "
                "that holds up the next image"
            )


def _last_before(times: isl.Set, others: isl.Set) -> isl.Map:
    """From each of `times` to the last of `others` that is before it, if there is one."""
    earlier = before(times).reverse()
    found = lexmax(earlier.intersect_domain(times).intersect_range(others))
    # Soundness rests on these being awaits that happen before, not on isl's finding the last.
    assert found.domain().is_subset(times) and found.range().is_subset(others)
    assert found.intersect(upto(times)).is_empty()
    return found
