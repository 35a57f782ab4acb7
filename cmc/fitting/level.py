# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Stages of busy cores change places with those of others, as long as that leaves less to do."""

from __future__ import annotations

import numpy as np

from cmc.poly.evaluate import Ints

_ROUNDS = 1 << 12
"""How often stages change places at most."""

_NEVER = 1 << 62


def leveled(sizes: Ints, units: int, hard: Ints, cores: int, of: Ints, enough: int) -> Ints:
    """The core of each stage, where the busiest core has less to do, or no more than `enough`.

    `sizes`, `[stages, resources]`, is what stages need: first the cycles of some `units`, and then
    what a core has no more of than in `hard`. `of` has a core for each stage to begin with.
    """
    of = of.copy()
    used = np.zeros((cores, sizes.shape[1]), np.int64)
    np.add.at(used, of, sizes)
    for _ in range(_ROUNDS):
        loads = used[:, :units].max(axis=1, initial=0)
        core = int(loads.argmax())
        if loads[core] <= enough:
            break
        own, others = np.flatnonzero(of == core), np.flatnonzero(of != core)
        # What its core and another one have with a stage moved there, or exchanged for one there.
        moved = used[core] - sizes[own], used[None] + sizes[own][:, None]
        changes = sizes[own][:, None] - sizes[others][None]
        swapped = used[core] - changes, used[of[others]][None] + changes
        to = _most(moved[0][:, None], moved[1], units, hard)
        to[:, core] = _NEVER
        best = divmod(int(to.argmin()), cores)
        least = int(to[best])
        for_ = _most(*swapped, units, hard)
        if for_.size and for_.min() < least:
            one, number = divmod(int(for_.argmin()), len(others))
            least, stage, other = int(for_[one, number]), int(own[one]), int(others[number])
        else:
            stage, other = int(own[best[0]]), None
        if least >= loads[core]:
            break
        target = int(best[1]) if other is None else int(of[other])
        change = sizes[stage] - (0 if other is None else sizes[other])
        used[core] -= change
        used[target] += change
        of[stage] = target
        if other is not None:
            of[other] = core
    return of


def _most(one: Ints, other: Ints, units: int, hard: Ints) -> Ints:
    """What the busier of two cores has to do; `_NEVER` where one has too much of what is hard."""
    busy = np.maximum(
        one[..., :units].max(axis=-1, initial=0), other[..., :units].max(axis=-1, initial=0)
    )
    fits = (one[..., units:] <= hard).all(axis=-1) & (other[..., units:] <= hard).all(axis=-1)
    return np.where(fits, busy, _NEVER)
