# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a chip has, and what of it an image takes."""

from __future__ import annotations

from collections import Counter

from cmc.dialects.cmctrl import CoreOp, GcuOp
from cmc.dialects.cmpipe import CrossbarOp, StageOp, target_of
from cmc.fitting.bound import Demand, Supply, works
from cmc.reports.report import LinkReport
from cmc.simulator.load import Chip
from cmc.targets import Target
from cmc.timing.load import bound, circle_loads, link_loads, title_of


def bound_by(chip: Chip) -> str:
    """The unit that an image takes most of, for a person."""
    load = bound(chip.flow)
    if load.unit or load.link or load.around:
        return load.title
    (process,) = load.processes
    writer = next(w for w in chip.op.writers() if w.sym_name.data == process.name)
    for unit, cycles in writer.occupied.items():
        if cycles == process.pace:
            return title_of(unit, process.side)
    if isinstance(writer, StageOp) and any(writer.crossbars()):
        return f"the crossbars of {load.title}"
    return load.title


def loads(chip: Chip, side: GcuOp | CoreOp) -> dict[str, int]:
    """For how many cycles an image takes each unit of a core, or of the GCU.

    Of the crossbars that is an average.
    """
    loads: Counter[str] = Counter()
    crossbars = 0
    for writer in side.writers():
        iterations = chip.programs[writer.sym_name.data].iterations
        for unit, cycles in writer.occupied.items():
            loads[unit] += iterations * cycles
        if isinstance(writer, StageOp) and (count := len(list(writer.crossbars()))):
            loads["crossbars"] += iterations * writer.cycles[1] * count
            crossbars += count
    if crossbars:
        loads["crossbars"] = -(-loads["crossbars"] // crossbars)
    return dict(loads)


def links(chip: Chip) -> tuple[LinkReport, ...]:
    """What an image takes of each link that something crosses, the most loaded ones first."""
    reports = [LinkReport(load.link, load.bytes, load.cycles) for load in link_loads(chip.flow)]
    return tuple(sorted(reports, key=lambda link: (-link.cycles, -link.bytes)))


def around(chip: Chip) -> int:
    """How long an image takes of processes that wait for each other in turn, at the most."""
    return max((load.cycles for load in circle_loads(chip.flow)), default=0)


def interval_bound(chip: Chip) -> float:
    """The cycles that no mapping to the target has less of between images, whatever copies it has.

    Where cores have no limit there is none for copies either: it is that of the stages as they are.
    """
    target, turns = target_of(chip.op), chip.flow.turns
    found = None
    if target.cores is not None:
        stages = (stage for core in chip.op.cores() for stage in core.stages())
        streams = (stream for stream in chip.op.gcu.inputs() if stream.turn.number == 0)
        demand = Demand(works(stages, turns), works(streams))
        found = demand.least_of_all(Supply(target.cores, target.cores * target.crossbars))
    return bound(chip.flow).cycles / turns if found is None else float(found)


def copies(chip: Chip) -> dict[str, int]:
    """How many copies there are of each stage that has any, in each pipeline."""
    counts = Counter(stage.origin for core in chip.op.cores() for stage in core.stages())
    each = {name: count // chip.flow.turns for name, count in counts.items()}
    return {name: count for name, count in each.items() if count > 1}


def cells(crossbar: CrossbarOp, target: Target) -> int:
    """The cells of a crossbar: where it has no limit, it is as large as its matrix."""
    rows, columns = crossbar.size
    return (target.rows or rows) * (target.columns or columns)
