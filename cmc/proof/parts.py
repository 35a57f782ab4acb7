# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Every element of an object is written by one program, and comes into a ring where it is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from math import prod

import islpy as isl

from cmc.dialects.cmpipe import Channel
from cmc.errors import CmcError
from cmc.poly.counting import Iterations
from cmc.poly.extremes import coordinates, first_point
from cmc.proof.points import outside
from cmc.proof.programs import ProvedProgram

Writers = Mapping[str, list[ProvedProgram]]
"""The programs that write each object."""


def prove_parts(programs: Iterable[ProvedProgram]) -> Writers:
    """The writers of all objects: they partition the elements.

    CmcError that names an element that two programs write, or none.
    """
    writers: dict[str, list[ProvedProgram]] = {}
    for program in programs:
        writers.setdefault(program.object.sym_name.data, []).append(program)
    for name, found in writers.items():
        elements = found[0].object.index_space.reset_tuple_id()
        left, count = elements, 0
        for program in sorted(found, key=_first):
            left = left.subtract(program.writes.range()).coalesce()
            count += Iterations(program.iterations).count
        # All are written, and so many are as there are: each is once.
        if not left.is_empty() or count != prod(found[0].object.shape):
            _expect_apart(name, found)
        if not left.is_empty():
            element = f"@{name}{coordinates(first_point(left))}"
            if len(found) == 1:
                raise CmcError(f"program @{found[0].name} never writes {element}", found[0].where)
            names = ", ".join(f"@{program.name}" for program in found)
            raise CmcError(f"none of the programs {names} writes {element}", found[0].where)
    return writers


def _first(program: ProvedProgram) -> list[int]:
    """The least coordinates of the elements that a program writes, so that neighbours follow."""
    written = program.writes.range()
    axes = range(written.dim(isl.dim_type.set))
    return [written.dim_min_val(axis).to_python() for axis in axes]


def _expect_apart(name: str, found: Sequence[ProvedProgram]) -> None:
    """CmcError that names an element of an object that two programs write, if there is one."""
    for one, other in combinations(found, 2):
        if not (both := one.writes.range().intersect(other.writes.range())).is_empty():
            raise CmcError(
                f"program @{other.name} writes @{name}{coordinates(first_point(both))}, and so "
                f"does program @{one.name}",
                other.where,
            )


def prove_found(
    reader: ProvedProgram, writers: Writers, senders: Mapping[Channel, ProvedProgram]
) -> None:
    """A program has a ring for each writer of what it reads: there its windows find the elements.

    `senders` has what a writer does as far as each ring carries it. CmcError that names an element
    for which there is no ring, or that its ring does not carry; or one that a ring says it carries,
    and that is not read.
    """
    for object, reads in reader.reads.items():
        every, others = reads.range(), list[ProvedProgram]()
        read = every
        for writer in writers[object]:
            channel = Channel(object, writer.name, reader.name)
            sender = senders.get(channel)
            if sender is not None:
                read = read.subtract(sender.writes.range())
            if sender is writer:
                continue
            others.append(writer)
            needless = None if sender is None else outside(sender.writes.range(), every)
            if needless is not None:
                raise CmcError(
                    f"the ring of {channel} carries @{object}{coordinates(first_point(needless))}, "
                    f"which @{reader.name} never reads",
                    reader.where,
                )
        # Every element has a writer: what is left has one without a ring, or is not carried.
        for writer in () if read.is_empty() else others:
            if not (found := read.intersect(writer.writes.range())).is_empty():
                channel = Channel(object, writer.name, reader.name)
                element = f"@{object}{coordinates(first_point(found))}"
                why = f"the ring of {channel} does not carry" if channel in senders else None
                raise CmcError(
                    f"program @{reader.name} reads {element}, which "
                    f"{why or f'@{writer.name} writes, and has no ring for that'}",
                    reader.where,
                )
