"""Whether a pipeline gets through a stream with the slots that it has."""

from __future__ import annotations

from collections.abc import Sequence

from cmc.sizing.counts import Counts
from cmc.sizing.minimal import Rings
from cmc.sizing.model import Model
from cmc.sizing.throughput import throughput_slots
from cmc.timing.solver import memory, solve


def check_live(model: Model) -> None:
    """Deadlock if the pipeline would not get through a stream."""
    if model.counts.complete and is_live(model.counts, model.slots):
        return
    flow = model.flow
    times = solve(flow, memory(flow))
    if not times.complete:
        raise times.deadlock()


def is_live(counts: Counts, slots: Sequence[int]) -> bool:
    """Whether rings of these sizes let everything happen, where all machines do.

    Rings that are large enough are shrunk to these sizes, one after the other.
    """
    enough = throughput_slots(counts)
    rings = Rings(counts, list(map(max, slots, enough)))
    for link, count, plenty in zip(counts.links, slots, enough, strict=True):
        if count < plenty:
            if count < rings.fewest(link):
                return False
            rings.slots[link] = count
    return True
