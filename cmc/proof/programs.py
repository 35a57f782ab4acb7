# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A program's loops run what they claim to, in order, and write elements of an object once each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce

import islpy as isl
import numpy as np
from xdsl.ir import SSAValue

from cmc.diagnostics import describe_location, operation_error
from cmc.dialects.cmctrl import CoreOp, GcuOp, ProgramOp, RingOp, StartOp
from cmc.dialects.cmpipe import InputOp, ObjectOp, StageOp, find_object
from cmc.errors import CmcError
from cmc.poly.extremes import Point, coordinates, first_point, lexmin
from cmc.poly.order import Order
from cmc.proof.loops import Timeline
from cmc.proof.points import before, beyond, first_descent, first_pair, image, outside
from cmc.simulator.body import is_executable
from cmc.simulator.expand import Visits, visits


@dataclass(frozen=True, eq=False)
class ProvedProgram:
    """What a program was proved to do. Tuples of its relations have no names.

    `iterations` run in lexicographic order; `writes` maps each to the element of `object` that it
    writes, one to one; `reads` maps iterations to elements, by object.
    """

    writer: StageOp | InputOp
    where: str
    iterations: isl.Set
    object: ObjectOp
    writes: isl.Map
    reads: Mapping[str, isl.Map]

    @property
    def name(self) -> str:
        return self.writer.sym_name.data

    @property
    def rank(self) -> int:
        """The number of coordinates of an iteration."""
        return self.iterations.dim(isl.dim_type.set)

    def over(self, ring: RingOp) -> ProvedProgram:
        """What it does as far as it writes what a ring carries, as if that were all."""
        if ring.carries is None:
            return self
        writes = self.writes.intersect_range(ring.carries.data)
        return replace(self, iterations=writes.domain().coalesce(), writes=writes)


ProgramKey = tuple[str, isl.Set, isl.Map, tuple[int, ...]]


def prove_program(op: ProgramOp, side: GcuOp | CoreOp, proved: set[ProgramKey]) -> ProvedProgram:
    """CmcError that names an iteration or element where a program is wrong.

    `proved` holds what was proved before of programs that differ in nothing but names.
    """
    where = describe_location(op) or side.title
    proof = _Proof(f"program @{op.runs}", where)
    timeline = Timeline.of(op.body.block)
    writer = op.find_writer()
    domain = writer.iterations.reset_tuple_id()
    started = timeline.text(StartOp, domain.dim(isl.dim_type.set))
    if isinstance(writer, StageOp):
        _executable(writer)
        (write,) = writer.writes()
        object = find_object(write, write.object)
    else:
        object = find_object(writer, writer.object)
    writes = writer.places.reset_tuple_id(isl.dim_type.in_).reset_tuple_id(isl.dim_type.out)
    key = (started, domain, writes, object.shape)
    if key not in proved:
        if timeline.is_long:
            proof.runs_each(visits(op.body.block), Order.of(domain))
        else:
            proof.runs(isl.Map(started), domain)
        proof.places(writes, domain, object)
        proved.add(key)
    return ProvedProgram(writer, where, domain, object, writes, _reads(writer, domain))


def _executable(stage: StageOp) -> None:
    """CmcError that names an operation that no core can do, or does before it has all it needs."""
    defined: set[SSAValue] = set()
    for op in stage.computed():
        if not is_executable(op):
            raise operation_error(op, "is no operation of a core's digital unit")
        if not defined.issuperset(op.operands):
            raise operation_error(op, "uses a value that nothing before it gives")
        defined.update(op.results)


def _reads(writer: StageOp | InputOp, domain: isl.Set) -> dict[str, isl.Map]:
    relations: dict[str, list[isl.Map]] = {}
    for read in writer.reads() if isinstance(writer, StageOp) else ():
        if find_object(read, read.object).value is None:
            relation = read.relation(domain).reset_tuple_id(isl.dim_type.out)
            relations.setdefault(read.object.root_reference.data, []).append(relation)
    return {
        name: reduce(lambda a, b: a.union(b), parts).coalesce() for name, parts in relations.items()
    }


@dataclass(frozen=True)
class _Proof:
    """What is proved of one program."""

    title: str
    where: str

    def error(self, what: str) -> CmcError:
        return CmcError(f"{self.title} {what}", self.where)

    def runs(self, started: isl.Map, domain: isl.Set) -> None:
        """`started`, from times to iterations, goes through `domain` in lexicographic order."""
        if not started.is_injective():
            twice = started.reverse()
            raise self.twice(first_point(twice.subtract(lexmin(twice)).domain()))
        found = started.range()
        if (extra := outside(found, domain)) is not None:
            raise self.unclaimed(first_point(extra))
        if (missing := outside(domain, found)) is not None:
            raise self.never(first_point(missing))
        order = started.reverse().apply_range(before(started.domain())).apply_range(started)
        if (wrong := beyond(order, before(domain))) is not None:
            raise self.disorder(*first_pair(wrong))

    def runs_each(self, found: list[Visits], claimed: Order) -> None:
        """The same of all visits, one by one."""
        if (total := sum(int(v.counts.sum()) for v in found)) > 2 * claimed.count:
            raise self.error(f"starts {total} iterations, and claims {claimed.count}")
        every = [v.expanded() for v in found]
        points = np.empty((sum(len(v.points) for v in every), claimed.points.shape[1]), np.int64)
        for v in every:
            points[v.times] = v.points

        distinct, starts = np.unique(points, axis=0, return_counts=True)
        numbers = claimed.number(distinct)
        missing = np.bincount(numbers[numbers >= 0], minlength=len(claimed.points)) == 0
        for wrong, where, error in (
            (starts > 1, distinct, self.twice),
            (numbers < 0, distinct, self.unclaimed),
            (missing, claimed.points, self.never),
        ):
            if np.any(wrong):
                raise error(tuple(where[np.argmax(wrong)].tolist()))
        if (pair := first_descent(claimed.number(points))) is not None:
            raise self.disorder(*(tuple(claimed.points[number].tolist()) for number in pair))

    def twice(self, point: Point) -> CmcError:
        return self.error(f"starts iteration {coordinates(point)} twice")

    def unclaimed(self, point: Point) -> CmcError:
        return self.error(f"starts iteration {coordinates(point)}, which it does not claim")

    def never(self, point: Point) -> CmcError:
        return self.error(f"never starts iteration {coordinates(point)}")

    def disorder(self, first: Point, second: Point) -> CmcError:
        return self.error(
            f"starts iteration {coordinates(first)} before {coordinates(second)}, and they run in "
            "lexicographic order"
        )

    def places(self, writes: isl.Map, domain: isl.Set, object: ObjectOp) -> None:
        """`writes`, from iterations to elements of the object, is one to one."""
        name, elements = object.sym_name.data, object.index_space.reset_tuple_id()
        if (idle := outside(domain, writes.domain())) is not None:
            raise self.error(f"writes nothing in iteration {coordinates(first_point(idle))}")
        if (extra := outside(writes.range(), elements)) is not None:
            element = first_point(extra)
            iteration = image(writes.reverse(), element)
            raise self.error(
                f"writes {coordinates(element)} in iteration {coordinates(iteration)}, which is no "
                f"element of @{name}"
            )
        if not writes.is_injective():
            twice = writes.reverse()
            twice = twice.subtract(lexmin(twice)).domain()
            raise self.error(f"writes @{name}{coordinates(first_point(twice))} twice")
