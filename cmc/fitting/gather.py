# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Stages that send each other much come on one core, as far as the cores have room for that.

What is sent within a core crosses no link. Stages are merged, those that send each other most
first, and cores are filled with what comes of it. Then stages change cores, or change places with
others, whichever gain by it, and sometimes those that lose, less and less so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heapify, heappop, heappush

import numpy as np

from cmc.fitting.turns import Rounds, longest
from cmc.poly.evaluate import Ints, row_starts

HOT, COLD = 0.2, 0.005
"""By what part of a stage's average traffic a change may lose, at first and in the end."""


@dataclass(frozen=True, eq=False)
class Exchanged:
    """What stages send each other."""

    stages: int
    sent: Mapping[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])
    """By pairs of stages, each pair once."""

    @cached_property
    def total(self) -> int:
        """What is sent by all stages."""
        return sum(self.sent.values())

    @cached_property
    def _flat(self) -> tuple[Ints, Ints]:
        """The pairs, `[2, pairs]`, and what each of them sends."""
        pairs = np.array([*self.sent], np.int64).reshape(-1, 2)
        return pairs.T, np.array([*self.sent.values()], np.int64)

    def between(self, of: Ints) -> int:
        """What is sent from core to core, where each stage has such a one."""
        (one, other), sent = self._flat
        return int(sent[of[one] != of[other]].sum())

    @cached_property
    def partners(self) -> Sequence[Mapping[int, int]]:
        """Of each stage, the stages that it exchanges something with, and how much."""
        found: list[dict[int, int]] = [{} for _ in range(self.stages)]
        for (one, other), sent in self.sent.items():
            found[one][other] = found[one].get(other, 0) + sent
            found[other][one] = found[other].get(one, 0) + sent
        return found

    @cached_property
    def partners_flat(self) -> tuple[Ints, Ints, Ints]:
        """The same one after the other: where those of each stage begin, these, and how much."""
        counts = [len(others) for others in self.partners]
        ends = [end for others in self.partners for end in others]
        much = [sent for others in self.partners for sent in others.values()]
        return (
            row_starts(counts),
            np.array(ends, np.int64),
            np.array(much, np.int64),
        )


@dataclass(frozen=True)
class Gathering:
    """Stages, what they send each other, and cores with room for them."""

    sizes: Ints
    """`[stages, resources]`: what a stage needs of each resource."""
    room: Ints
    """`[resources]`: what a core has."""
    cores: int
    exchanged: Exchanged
    rounds: Rounds
    limit: float
    """For how long a core may take for its turns."""

    def fits(self, of: Ints) -> bool:
        """Whether no core has more than there is room for, or takes longer than it may."""
        within = bool((self._used(of) <= self.room).all())
        return within and longest(self.rounds, of) <= self.limit

    def _used(self, of: Ints) -> Ints:
        used = np.zeros((self.cores, len(self.room)), np.int64)
        np.add.at(used, of, self.sizes)
        return used

    def merged(self) -> Ints | None:
        """A core for each stage, as though no two did anything at once.

        None where what is left in the end finds no room.
        """
        sizes, room = self._one_by_one
        groups = self._groups()
        shares = sizes / np.maximum(1, room)
        free = np.tile(room, (self.cores, 1))
        of = np.full(len(sizes), -1, np.int64)

        def put(stages: list[int]) -> bool:
            """Give stages to the emptiest core that has room for them, if there is one."""
            size = sizes[stages].sum(axis=0)
            fits = np.flatnonzero((free >= size).all(axis=1))
            if not len(fits):
                return False
            left = ((free[fits] - size) / np.maximum(1, room)).min(axis=1)
            core = int(fits[left.argmax()])
            free[core] -= size
            of[stages] = core
            return True

        singles: list[int] = []
        for group in sorted(groups, key=lambda group: -float(shares[group].sum(axis=0).max())):
            if not put(group):
                singles += group
        singles.sort(key=lambda stage: -float(shares[stage].max()))
        return of if all(put([stage]) for stage in singles) else None

    @cached_property
    def _one_by_one(self) -> tuple[Ints, Ints]:
        """What stages need and a core has, with the time in which each keeps others away."""
        held = self.rounds.held[:, None]
        return np.hstack([self.sizes, held]), np.append(self.room, int(self.limit))

    def _groups(self) -> list[list[int]]:
        """Stages that fit on a core together, merged in pairs that send each other most."""
        needed, given = self._one_by_one
        sizes: list[list[int]] = needed.tolist()
        room: list[int] = given.tolist()
        groups = [[number] for number in range(len(sizes))]
        sent = [dict(others) for others in self.exchanged.partners]
        pairs = [
            (-much, one, other)
            for one, others in enumerate(sent)
            for other, much in others.items()
            if one < other
        ]
        heapify(pairs)
        while pairs:
            much, one, other = heappop(pairs)
            # What is out of date is no pair any more.
            if sent[one].get(other) != -much:
                continue
            both = [a + b for a, b in zip(sizes[one], sizes[other], strict=True)]
            if any(size > most for size, most in zip(both, room, strict=True)):
                continue
            sizes[one] = both
            groups[one] += groups[other]
            groups[other] = []
            for third, more in sent[other].items():
                del sent[third][other]
                if third != one:
                    sent[one][third] = sent[third][one] = sent[one].get(third, 0) + more
                    heappush(pairs, (-sent[one][third], min(one, third), max(one, third)))
            sent[other].clear()
        return [group for group in groups if group]

    def improved(self, of: Ints, steps: int, seed: int) -> Ints:
        """A core for each stage, with no more between cores, after so many steps.

        In each a stage is to go to the core of one that it exchanges something with, or to change
        places with a stage there. The cores have room for what they have before.
        """
        if not self.exchanged.sent or self.cores < 2:
            return of
        # What is compiled takes a while to load.
        from cmc.fitting.anneal import Stages, annealed

        stages = Stages(self.sizes, *self.exchanged.partners_flat)
        scale = self.exchanged.total / len(of)
        hot, cold = scale * HOT, scale * COLD
        return annealed(
            stages, self.rounds, self.room, self.limit, self.cores, of, steps, seed, hot, cold
        )
