# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmpipe-size-buffers`: give every channel the slots of its ring.

Slots that a channel already has stay as they are; if there are any, or machines that do not go on
to their ends, the pipeline is checked not to deadlock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.passes import ModulePass

from cmc.compiler.standard import BufferPolicy
from cmc.dialects.cmpipe import PipelineOp, find_object
from cmc.sizing.live import check_live
from cmc.sizing.minimal import minimal_slots
from cmc.sizing.model import CountedPipeline
from cmc.sizing.shared import roomy_slots
from cmc.sizing.sram import Sram
from cmc.sizing.throughput import throughput_slots
from cmc.sizing.trim import trimmed


def slots_by_policy(model: CountedPipeline, policy: BufferPolicy) -> list[int]:
    """The slots of each of the pipeline's channels, in order."""
    flow = model.flow
    slots = throughput_slots(flow)
    match policy:
        case "throughput":
            slots = trimmed(flow, slots)
            sram = Sram(model, lambda: _minimal(model, slots))
            if flow.shared:
                return roomy_slots(flow, slots, _rows(model), sram.fitted)
            return sram.fitted(slots, slots)
        case "minimal":
            return _minimal(model, trimmed(flow, slots))
        case "whole":
            wholes = [flow.elements(edge) for edge in flow.edges]
            return [-(-count // whole) * whole for count, whole in zip(slots, wholes, strict=True)]


def _rows(model: CountedPipeline) -> list[int]:
    """How many elements of each channel lie in a row of its object, on average."""
    flow = model.flow
    shapes = [find_object(op, op.object).shape or (1,) for op in model.channels]
    edges = zip(flow.edges, shapes, strict=True)
    return [-(-flow.elements(edge) // shape[0]) for edge, shape in edges]


def _minimal(model: CountedPipeline, live: Sequence[int]) -> list[int]:
    """So few slots that none can lose one, and on no ring more than of those that are live."""
    # Where a machine stops early, the pipeline may deadlock with rings of any size.
    if not model.flow.complete:
        return list(live)
    return minimal_slots(model.flow, live, model.vectors)


@dataclass(frozen=True)
class CmpipeSizeBuffersPass(ModulePass):
    """Size the rings.

    `minimal`: so few slots that with one less on any ring it deadlocks, and on no ring more than
    with `throughput`; the sum of all is not claimed to be the least. `throughput`: what one
    schedule needs with an image every iterations-of-the-slowest-stage cycles; in small pipelines,
    so few that with one less on any ring some image comes later; some rows more where stages share
    units and wait for their turns; fewer, down to minimal ones, on cores whose SRAM has no room for
    so many. `whole`: whole images, as many as the schedule takes.
    """

    name = "cmpipe-size-buffers"

    policy: BufferPolicy = "throughput"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for pipeline in [p for p in op.walk() if isinstance(p, PipelineOp)]:
            model = CountedPipeline(pipeline)
            given = [c for c in model.channels if c.slots is not None]
            slots = slots_by_policy(model, self.policy)
            for channel, count in zip(model.channels, slots, strict=True):
                if channel.slots is None:
                    channel.properties["slots"] = IntegerAttr(count, i64)
            if given or not model.flow.complete:
                check_live(model)
