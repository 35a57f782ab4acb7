# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmpipe-derive-control`: find out what waits for what, and make it the channels of a pipeline.

Only access relations are looked at. For a stage and a writer of something that it reads, iterations
of the stage wait for these writes (`ready`), and the slots that they fill wait for iterations of
the stage (`free`). Both are step functions, computed by the same construction with the roles
swapped. What is written and never read is not sent.
"""

from __future__ import annotations

from dataclasses import dataclass

import islpy as isl
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from cmc.dialects.cmpipe import (
    Channel,
    ChannelOp,
    PipelineOp,
    read_from,
    writers_of,
)
from cmc.dialects.poly import MapAttr, SetAttr
from cmc.poly.moves import Move, back, corner, moved_domain, moved_range, moved_set
from cmc.poly.order import as_box
from cmc.poly.relations import Progress, nameless, progress


@dataclass(frozen=True)
class Control:
    """The control of one channel, in terms of elements of the object and reader's iterations."""

    ready: Progress
    free: Progress
    carries: isl.Set | None = None
    """The elements that are read; None if they are all that are written."""


def derive(reads: isl.Map, writes: isl.Map, reader: isl.Set) -> Control:
    """The control of a channel.

    `reads` maps the reader's iterations to elements, `writes` the writer's iterations to elements;
    both sides run in lexicographic order. `reader` holds all iterations of the reader. What is read
    and comes from other writers is no matter of this channel, nor what is written and not read.
    """
    needs = reads.apply_range(writes.reverse())
    ready = progress(needs, reader)
    sends = needs.range().coalesce()
    whole = writes.domain().is_subset(sends)
    free = progress(needs.reverse(), writes.domain() if whole else sends)
    return Control(
        Progress(ready.steps.apply_domain(writes).coalesce(), ready.initial),
        Progress(free.steps.apply_range(writes).coalesce(), free.initial.apply(writes)),
        None if whole else as_box(sends.apply(writes).coalesce()),
    )


_Key = tuple[isl.Map, isl.Map, isl.Set]


def derive_channels(pipeline: PipelineOp) -> list[ChannelOp]:
    """The channels of a pipeline: one for each stage and each writer of something that it reads."""
    writers = writers_of(pipeline.writers())
    # Layers of one shape have the same relations but for the names, and copies of a stage have
    # them but for the place of what they write: it is looked at from its own corner.
    corners = {w.sym_name.data: corner(w.elements) for w in pipeline.writers()}
    writes = {
        w.sym_name.data: moved_range(nameless(w.places), back(corners[w.sym_name.data]))
        for w in pipeline.writers()
    }
    known: dict[_Key, Control] = {}
    channels: list[ChannelOp] = []
    for stage in pipeline.stages():
        iterations = stage.iterations.reset_tuple_id()
        for channel, read in read_from(stage, writers).items():
            place = corners[channel.writer]
            reads = moved_range(nameless(read), back(place))
            key = (reads, writes[channel.writer], iterations)
            control = known.get(key)
            if control is None:
                control = known[key] = derive(*key)
            channels.append(_channel(channel, control, place))
    return channels


def _channel(channel: Channel, control: Control, place: Move) -> ChannelOp:
    """A channel of this control, with elements moved to their place in the object."""
    object, _, reader = channel

    def named(relation: isl.Map, source: str, target: str) -> MapAttr:
        relation = relation.set_tuple_name(isl.dim_type.in_, source)
        return MapAttr(relation.set_tuple_name(isl.dim_type.out, target))

    def point(initial: isl.Set, name: str) -> SetAttr | None:
        return None if initial.is_empty() else SetAttr(initial.set_tuple_name(name))

    ready, free, carries = control.ready, control.free, control.carries
    if carries is not None:
        carries = moved_set(carries, place)
    return ChannelOp(
        channel,
        named(moved_domain(ready.steps, place), object, reader),
        named(moved_range(free.steps, place), reader, object),
        ready_from=point(ready.initial, reader),
        free_from=point(moved_set(free.initial, place), object),
        carries=None if carries is None else SetAttr(carries),
    )


class CmpipeDeriveControlPass(ModulePass):
    """Compute the control of every channel and insert the channels."""

    name = "cmpipe-derive-control"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for pipeline in [p for p in op.walk() if isinstance(p, PipelineOp)]:
            for channel in list(pipeline.channels()):
                channel.detach()
                channel.erase()
            pipeline.body.block.add_ops(derive_channels(pipeline))
