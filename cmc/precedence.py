# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""In what order things stand of which each reads what others write, or itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter


def in_order(reads: Mapping[str, Iterable[str]]) -> list[str]:
    """All names, each after those that it reads from.

    Those that read from each other in a circle stand together, as they are given: each of them
    after those of the circle that it reads from, as far as these are given before it.
    """
    reads = {name: list(others) for name, others in reads.items()}
    try:
        return list(TopologicalSorter(reads).static_order())
    except CycleError:
        reads = _completed(reads)
        place = {name: number for number, name in enumerate(reads)}
        circle = {name: group[0] for group in circles(reads) for name in group}
        joined: dict[str, list[str]] = {circle.get(name, name): [] for name in reads}
        for name, others in reads.items():
            first = circle.get(name, name)
            joined[first] += [n for o in others if (n := circle.get(o, o)) != first]
        members: dict[str, list[str]] = {}
        for name, first in circle.items():
            members.setdefault(first, []).append(name)
        found: list[str] = []
        for first in TopologicalSorter(joined).static_order():
            group = {name: reads[name] for name in members.get(first, [first])}
            forward = {
                name: [o for o in others if o in group and place[o] < place[name]]
                for name, others in group.items()
            }
            found += TopologicalSorter(forward).static_order()
        return found


def circles(reads: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The names that read from each other, directly or by way of others, in groups, in order.

    One that reads from itself is a group, too.
    """
    reads = _completed(reads)
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []
    for start in reads:
        # Tarjan's algorithm, with a stack of its own: circles may be long.
        work = [(start, iter(reads[start]))] if start not in number else []
        for name, _ in work:
            number[name] = lowest[name] = len(number)
            stack.append(name)
        while work:
            name, others = work[-1]
            other = next(others, None)
            if other is None:
                work.pop()
                if work:
                    lowest[work[-1][0]] = min(lowest[work[-1][0]], lowest[name])
                if lowest[name] == number[name]:
                    group = [stack.pop()]
                    while group[-1] != name:
                        group.append(stack.pop())
                    lowest |= dict.fromkeys(group, len(reads) + len(number))
                    if len(group) > 1 or name in reads[name]:
                        found.append(group)
            elif other not in number:
                number[other] = lowest[other] = len(number)
                stack.append(other)
                work.append((other, iter(reads[other])))
            else:
                lowest[name] = min(lowest[name], lowest[other])
    place = {name: at for at, name in enumerate(reads)}
    return [sorted(group, key=place.__getitem__) for group in found]


def _completed(reads: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """The same with those that are only read from, which read from none."""
    found = {name: list(others) for name, others in reads.items()}
    return {**found, **{o: [] for others in found.values() for o in others if o not in found}}
