# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a mapping file says of a chip, from which the same one comes again."""

from __future__ import annotations

from re import match

from cmc.dialects.cmctrl import ChipOp
from cmc.dialects.cmpipe import StageOp
from cmc.fitting.mapping import MappingFile, PlacedCore
from cmc.passes.cmpipe_replicate_stage import copies_of


def mapping_of(chip: ChipOp) -> MappingFile:
    """Copies, cores and places.

    Where pipelines take turns, it is that of the first one, and how many there are.
    """
    pipelines = max((stream.turn.of for stream in chip.gcu.inputs()), default=1)
    first = {name for name, turn in chip.turns.items() if not turn.number}
    cores: dict[str, PlacedCore] = {}
    stages: list[StageOp] = []
    for core in chip.cores():
        own = [stage for stage in core.stages() if stage.sym_name.data in first]
        if own:
            names = tuple(stage.sym_name.data for stage in own)
            cores[core.sym_name.data] = PlacedCore(names, core.place)
        stages += own
    return MappingFile(copies_of(sorted(stages, key=_number)), cores, pipelines)


def _number(copy: StageOp) -> int:
    """The number of a copy, by its name: in this order they get their names again."""
    found = match(r"_copy(\d+)", copy.sym_name.data.removeprefix(copy.origin))
    return 0 if found is None else int(found[1])
