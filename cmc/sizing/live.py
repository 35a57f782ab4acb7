# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Whether a pipeline gets through a stream with the slots that it has."""

from __future__ import annotations

from collections.abc import Sequence

from cmc.sizing.minimal import Rings
from cmc.sizing.model import CountedPipeline
from cmc.sizing.throughput import throughput_slots
from cmc.timing.flow import Flow
from cmc.timing.solver import memory, solve


def check_live(model: CountedPipeline) -> None:
    """Deadlock if the pipeline would not get through a stream."""
    if model.flow.complete and is_live(model.flow, model.slots):
        return
    flow = model.flow.with_slots(model.slots)
    times = solve(flow, memory(flow) * flow.turns, arrivals=False)
    if not times.complete:
        raise times.deadlock()


def is_live(flow: Flow, slots: Sequence[int]) -> bool:
    """Whether rings of these sizes let everything happen, where all machines do.

    Rings that are large enough are shrunk to these sizes, one after the other.
    """
    enough = throughput_slots(flow)
    rings = Rings(flow, list(map(max, slots, enough)))
    for edge, count, plenty in zip(flow.edges, slots, enough, strict=True):
        if count < plenty:
            if count < rings.fewest(edge):
                return False
            rings.slots[edge] = count
    return True
