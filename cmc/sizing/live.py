"""Whether a pipeline gets through a stream with the slots that it has."""

from __future__ import annotations

from cmc.flow import deadlock, memory, solve
from cmc.sizing.minimal import minimal_slots
from cmc.sizing.model import Model


def check_live(model: Model) -> None:
    """Deadlock if the pipeline would not get through a stream."""
    if _surely_live(model):
        return
    flow = model.flow
    images = memory(flow)
    times = solve(flow, images)
    if not times.complete:
        raise deadlock(flow, images, times.begun)


def _surely_live(model: Model) -> bool:
    """Whether no ring is smaller than a minimal one, and all machines go on to their ends.

    Larger rings never stop what gets through smaller ones.
    """
    fewest = minimal_slots(model.counts)
    return model.counts.complete and all(
        slots >= least for slots, least in zip(model.slots, fewest, strict=True)
    )
