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
from cmc.dialects.cmpipe import (
    ChannelOp,
    CrossbarOp,
    ObjectOp,
    PipelineOp,
    StageOp,
    read_by,
    written_by,
)
from cmc.dialects.cmpipe import CoreOp as PipelineCoreOp
from cmc.dialects.poly import SetAttr
from cmc.errors import CmcError
from cmc.poly.loops import Step, loops, loops_over
from cmc.poly.relations import nameless
from cmc.sizing.live import check_live
from cmc.sizing.model import Model

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


@dataclass
class _Lowering:
    """One pipeline on its way to a chip, with `sram` bytes for rings in a core, 0 for no limit."""

    pipeline: PipelineOp
    sram: int
    machines: _Machines = field(default_factory=_Machines)

    def __post_init__(self) -> None:
        self.objects = {o.sym_name.data: o for o in self.pipeline.objects()}
        self.order = {name: w.reverse() for name, w in written_by(self.pipeline).items()}
        self.channels = {
            (c.object.root_reference.data, c.reader.root_reference.data): c
            for c in self.pipeline.channels()
        }

    def chip(self) -> ChipOp:
        parts: list[Operation] = [o.clone() for o in self.objects.values()]
        parts.append(GcuOp(Region(Block(self._gcu()))))
        placed = {name.root_reference for c in self.pipeline.cores() for name in c.stages}
        for stage in self.pipeline.stages():
            if stage.sym_name not in placed:
                raise CmcError(
                    "it runs on no core: list it in a cmpipe.core", f"stage @{stage.sym_name.data}"
                )
        parts += [self._core(core) for core in self.pipeline.cores()]
        return ChipOp(self.pipeline.sym_name.data, Region(Block(parts)))

    def _gcu(self) -> list[Operation]:
        inputs, outputs = list(self.pipeline.inputs()), list(self.pipeline.outputs())
        ops: list[Operation] = [port.clone() for port in (*inputs, *outputs)]
        for name in dict.fromkeys(port.object.root_reference.data for port in inputs):
            ops += [*self._credits(name), _stream(self.objects[name])]
        return ops

    def _core(self, core: PipelineCoreOp) -> CoreOp:
        stages = list(core.runs())
        held = [op.clone() for stage in stages for op in stage.held()]
        rings: list[Operation] = []
        programs: list[Operation] = []
        address = 0
        for stage in stages:
            name = stage.sym_name.data
            reads = read_by(stage)
            for object in reads:
                slots = self._slots(object, name)
                rings.append(RingOp(object, name, address, slots))
                address += slots * self.objects[object].vector * 4
            for object in reads:
                programs += self._machines(object, stage)
            for write in stage.writes():
                programs += self._credits(write.object.root_reference.data)
            programs.append(_program(stage))
        if self.sram and address > self.sram:
            raise CmcError(
                f"its rings need {address} bytes of SRAM, and it has {self.sram}: use smaller "
                "rings (--buffers minimal), or cores with more SRAM",
                f"core @{core.sym_name.data}",
            )
        return CoreOp(core.sym_name.data, Region(Block([*held, *rings, *programs])))

    def _channel(self, object: str, reader: str) -> ChannelOp:
        channel = self.channels.get((object, reader))
        if channel is None:
            raise CmcError(
                f"stage @{reader} reads @{object}, and there is no channel for it: derive the "
                "control first, with cmpipe-derive-control"
            )
        return channel

    def _slots(self, object: str, reader: str) -> int:
        slots = self._channel(object, reader).slots
        if slots is None:
            raise CmcError(
                f"channel @{object} for @{reader} has no slots: size the buffers first, with "
                "cmpipe-size-buffers"
            )
        return slots.value.data

    def _credits(self, object: str) -> list[Operation]:
        readers = [reader for written, reader in self.channels if written == object]
        return [CreditsOp(object, reader, self._slots(object, reader)) for reader in readers]

    def _machines(self, object: str, stage: StageOp) -> list[Operation]:
        name = stage.sym_name.data
        channel = self._channel(object, name)
        ready, free = (
            self.machines.body(
                self.order[object], channel.ready.data, channel.ready_from, EnableOp
            ),
            self.machines.body(
                stage.iterations.identity(), channel.free.data, channel.free_from, ReleaseOp
            ),
        )
        return [
            MachineOp(MachineKind.READY, object, name, ready),
            MachineOp(MachineKind.FREE, object, name, free),
        ]


def _program(stage: StageOp) -> ProgramOp:
    def iteration(at: Step) -> Sequence[Operation]:
        body = stage.body.clone()
        for op in list(body.ops):
            if isinstance(op, ObjectOp | CrossbarOp):
                op.detach()
                op.erase()
        return [IterationOp(*at.affine(), body)]

    body = Region(Block(loops_over(stage.domain.data, iteration)))
    program = ProgramOp(stage.sym_name.data, stage.domain, body, stage.latency, stage.interval)
    program.location = stage.location
    return program


def _stream(object: ObjectOp) -> ProgramOp:
    """The GCU's program that streams an input object in, in lexicographic order."""
    elements = object.index_space.reset_tuple_id()
    name = object.sym_name.data
    body = Region(Block(loops_over(elements, lambda at: [SendOp(name, *at.affine())])))
    return ProgramOp(f"{name}_stream", SetAttr(elements), body)


@dataclass(frozen=True)
class ConvertCmpipeToCmctrlPass(ModulePass):
    """Lower pipelines to chips.

    `sram` is the capacity of a core in bytes, 0 for no limit. `check` refuses slots that would
    end in a deadlock; those of `cmpipe-size-buffers` never do.
    """

    name = "convert-cmpipe-to-cmctrl"

    sram: int = 0
    check: bool = True

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for pipeline in [p for p in op.walk() if isinstance(p, PipelineOp)]:
            chip = _Lowering(pipeline, self.sram).chip()
            if self.check:
                check_live(Model(pipeline))
            Rewriter.replace_op(pipeline, chip)
