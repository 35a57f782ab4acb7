# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Places of a few cores as a model for a solver of constraints, which proves what it finds."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from ortools.sat.python import cp_model

from cmc.poly.evaluate import Ints


class _Constraint(Protocol):
    """What has no types of its own."""

    def only_enforce_if(self, literal: cp_model.IntVar, /) -> object: ...


def _only_if(literal: cp_model.IntVar, constraint: _Constraint) -> None:
    constraint.only_enforce_if(literal)


def solved(
    traffic: Ints, hops: Ints, places: Ints, bound: int, seed: int, time_limit: float
) -> tuple[Ints, int]:
    """Places that cost no more than those given, and what any cost at the least.

    `bound` is what is known of the latter.
    """
    exchanged = traffic + traffic.T
    pairs = np.argwhere(np.triu(exchanged, 1)).tolist()
    cores, count = len(traffic), len(hops)
    model = cp_model.CpModel()
    at = [[model.new_bool_var("") for _ in range(count)] for _ in range(cores)]
    for core, place in enumerate(places.tolist()):
        model.add_exactly_one(at[core])
        for other in range(count):
            model.add_hint(at[core][other], other == place)
    for place in range(count):
        model.add_at_most_one(one[place] for one in at)
    least, most = int(hops[~np.eye(count, dtype=bool)].min()), int(hops.max())
    far = hops.tolist()
    ways: list[cp_model.IntVar] = []
    for one, other in pairs:
        way = model.new_int_var(least, most, "")
        for place in range(count):
            there = sum(hops * var for hops, var in zip(far[place], at[other], strict=True))
            _only_if(at[one][place], model.add(way >= there))
        model.add_hint(way, int(hops[places[one], places[other]]))
        ways.append(way)
    weights = [int(exchanged[one, other]) for one, other in pairs]
    cost = sum(weight * way for weight, way in zip(weights, ways, strict=True))
    model.add(cost >= bound)
    model.minimize(cost)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    solver.parameters.max_deterministic_time = time_limit
    status = solver.solve(model)
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        chosen = [[solver.boolean_value(variable) for variable in one] for one in at]
        places = np.array(chosen).argmax(axis=1)
    found = solver.best_objective_bound
    return places, max(bound, int(np.ceil(found - 1e-6)))
