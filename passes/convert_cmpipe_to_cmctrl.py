"""`convert-cmpipe-to-cmctrl`: configure a chip for a pipeline whose channels have their slots.

Stages become programs, channels become rings, credits and the two machines of each: loops that
isl generates from the channel's relations. The bodies of the stages stay what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import islpy as isl
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region
from xdsl.ir.affine import AffineExpr, AffineMap
from xdsl.passes import ModulePass
from xdsl.rewriter import Rewriter

from cmc.dialects.cmctrl import (
    AwaitOp,
    ChipOp,
    CoreOp,
    CreditsOp,
    EnableOp,
    GcuOp,
    IterationOp,
    MachineKind,
    MachineOp,
    ProgramOp,
    ReleaseOp,
    RingOp,
    SendOp,
)
from cmc.dialects.cmpipe import ChannelOp, ObjectOp, PipelineOp, StageOp, written_by
from cmc.dialects.cmpipe import CoreOp as PipelineCoreOp
from cmc.dialects.poly import SetAttr
from cmc.errors import CmcError
from cmc.poly.loops import Step, loops, loops_over
from cmc.poly.relations import nameless

_Advance = type[EnableOp] | type[ReleaseOp]
_Key = tuple[isl.Map, isl.Map, isl.Set | None, _Advance]


@dataclass
class _Machines:
    """Makes machine bodies; machines that differ only in names are generated once."""

    known: dict[_Key, Region] = field(default_factory=dict["_Key", Region])

    def body(
        self, order: isl.Map, steps: isl.Map, initial: SetAttr | None, advance: _Advance
    ) -> Region:
        """Loops over the domain of `steps` in the time that `order` gives; await, then advance."""
        start = None if initial is None else initial.data.reset_tuple_id()
        key = (nameless(order), nameless(steps), start, advance)
        body = self.known.get(key)
        if body is None:
            ops: list[Operation] = []
            if start is not None:
                point = start.sample_point()
                ops.append(advance((), _constant_map(point)))
            ops += loops(
                key[0], key[1], lambda at, to: [AwaitOp(*at.affine()), advance(*to.affine())]
            )
            body = self.known[key] = Region(Block(ops))
        return body.clone()


def _constant_map(point: isl.Point) -> AffineMap:
    dims = point.get_space().dim(isl.dim_type.set)
    values = [point.get_coordinate_val(isl.dim_type.set, i).to_python() for i in range(dims)]
    return AffineMap(0, 0, tuple(AffineExpr.constant(v) for v in values))


def lower(op: PipelineOp, sram: int) -> ChipOp:
    """The chip that runs a pipeline, with `sram` bytes for rings in a core, or any number if 0."""
    channels = list(op.channels())
    readers: dict[str, list[ChannelOp]] = {}
    writers: dict[str, list[ChannelOp]] = {}
    for channel in channels:
        if channel.slots is None:
            raise CmcError(
                f"channel {channel.object} for {channel.reader} has no slots: "
                "size the buffers first",
            )
        readers.setdefault(channel.reader.root_reference.data, []).append(channel)
        writers.setdefault(channel.object.root_reference.data, []).append(channel)
    objects = {o.sym_name.data: o for o in op.objects()}
    order = {name: relation.reverse() for name, relation in written_by(op).items()}
    machines = _Machines()

    def credits(object: str) -> list[Operation]:
        return [
            CreditsOp(object, c.reader.root_reference.data, _slots(c))
            for c in writers.get(object, ())
        ]

    def core(source: PipelineCoreOp) -> CoreOp:
        ops: list[Operation] = []
        programs: list[Operation] = []
        address = 0
        for inner in source.body.ops:
            if not isinstance(inner, StageOp):
                ops.append(inner.clone())
                continue
            for channel in readers.get(inner.sym_name.data, ()):
                object = channel.object.root_reference.data
                ring = RingOp(object, inner.sym_name.data, address, _slots(channel))
                address += _slots(channel) * objects[object].vector * 4
                ops.append(ring)
            for channel in readers.get(inner.sym_name.data, ()):
                programs += _channel_machines(channel, order, inner.iterations, machines)
            for write in inner.writes():
                programs += credits(write.object.root_reference.data)
            programs.append(_program(inner))
        if sram and address > sram:
            raise CmcError(
                f"its rings need {address} bytes of SRAM, and it has {sram}: use smaller "
                "rings or a target with more SRAM",
                f"core @{source.sym_name.data}",
            )
        return CoreOp(source.sym_name.data, Region(Block([*ops, *programs])))

    gcu: list[Operation] = []
    streamed: dict[str, None] = {}
    for port in (*op.inputs(), *op.outputs()):
        gcu.append(port.clone())
    for port in op.inputs():
        streamed[port.object.root_reference.data] = None
    for name in streamed:
        gcu += [*credits(name), _stream(objects[name])]
    chip: list[Operation] = [o.clone() for o in objects.values()]
    chip.append(GcuOp(Region(Block(gcu))))
    chip += [core(c) for c in op.cores()]
    return ChipOp(op.sym_name.data, Region(Block(chip)))


def _slots(channel: ChannelOp) -> int:
    assert channel.slots is not None
    return channel.slots.value.data


def _channel_machines(
    channel: ChannelOp, order: dict[str, isl.Map], reader: isl.Set, machines: _Machines
) -> list[Operation]:
    object = channel.object.root_reference.data
    name = channel.reader.root_reference.data
    ready = machines.body(order[object], channel.ready.data, channel.ready_from, EnableOp)
    free = machines.body(reader.identity(), channel.free.data, channel.free_from, ReleaseOp)
    return [
        MachineOp(MachineKind.READY, object, name, ready),
        MachineOp(MachineKind.FREE, object, name, free),
    ]


def _program(stage: StageOp) -> ProgramOp:
    def iteration(at: Step) -> Sequence[Operation]:
        return [IterationOp(*at.affine(), stage.body.clone())]

    body = Region(Block(loops_over(stage.domain.data, iteration)))
    return ProgramOp(stage.sym_name.data, stage.domain, body, stage.latency, stage.interval)


def _stream(object: ObjectOp) -> ProgramOp:
    """The GCU's program that streams an input object in, in lexicographic order."""
    elements = object.index_space.reset_tuple_id()
    name = object.sym_name.data
    body = Region(Block(loops_over(elements, lambda at: [SendOp(name, *at.affine())])))
    return ProgramOp(f"{name}_stream", SetAttr(elements), body)


@dataclass(frozen=True)
class ConvertCmpipeToCmctrlPass(ModulePass):
    """Lower pipelines to chips; `sram` is the capacity of a core in bytes, 0 for no limit."""

    name = "convert-cmpipe-to-cmctrl"

    sram: int = 0

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for pipeline in [p for p in op.walk() if isinstance(p, PipelineOp)]:
            Rewriter.replace_op(pipeline, lower(pipeline, self.sram))
