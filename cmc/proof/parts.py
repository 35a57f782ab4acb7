"""Every element of an object is written by one program, and comes into a ring where it is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from itertools import combinations

from cmc.dialects.cmpipe import Channel
from cmc.errors import CmcError
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
        for one, other in combinations(found, 2):
            if not (both := one.writes.range().intersect(other.writes.range())).is_empty():
                raise CmcError(
                    f"program @{other.name} writes @{name}{coordinates(first_point(both))}, and so "
                    f"does program @{one.name}",
                    other.where,
                )
        written = found[0].writes.range()
        for program in found[1:]:
            written = written.union(program.writes.range()).coalesce()
        elements = found[0].object.index_space.reset_tuple_id()
        if (missing := outside(elements, written)) is not None:
            element = f"@{name}{coordinates(first_point(missing))}"
            if len(found) == 1:
                raise CmcError(f"program @{found[0].name} never writes {element}", found[0].where)
            names = ", ".join(f"@{program.name}" for program in found)
            raise CmcError(f"none of the programs {names} writes {element}", found[0].where)
    return writers


def prove_found(reader: ProvedProgram, writers: Writers, rings: Set[Channel]) -> None:
    """A program has a ring for each writer of what it reads: there its windows find the elements.

    CmcError that names an element for which there is none.
    """
    for object, reads in reader.reads.items():
        for writer in writers[object]:
            found = reads.range().intersect(writer.writes.range())
            if Channel(object, writer.name, reader.name) not in rings and not found.is_empty():
                element = f"@{object}{coordinates(first_point(found))}"
                raise CmcError(
                    f"program @{reader.name} reads {element}, which @{writer.name} writes, and has "
                    "no ring for that",
                    reader.where,
                )
