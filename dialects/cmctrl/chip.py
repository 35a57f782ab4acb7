# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Chips: the GCU, the cores, and what these consist of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from enum import auto
from itertools import pairwise

import islpy as isl
from xdsl.dialects.builtin import (
    I64,
    FlatSymbolRefAttrConstr,
    IntegerAttr,
    StringAttr,
    SymbolRefAttr,
    i64,
)
from xdsl.dialects.utils import EnumAttribute
from xdsl.ir import (
    Region,
    SpacedOpaqueSyntaxAttribute,
)
from xdsl.irdl import (
    IRDLOperation,
    irdl_attr_definition,
    irdl_op_definition,
    prop_def,
    region_def,
    traits_def,
)
from xdsl.traits import (
    HasParent,
    IsolatedFromAbove,
    NoTerminator,
    SymbolOpInterface,
    SymbolTable,
)
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum
from xdsl.utils.symbol_table import get_name_if_symbol

from cmc.dialects.cmctrl.points import AwaitOp, EnableOp, ReleaseOp, StartOp
from cmc.dialects.cmpipe import (
    Carrying,
    Channel,
    InputOp,
    ObjectScope,
    OfChannel,
    OutputOp,
    Placed,
    StageOp,
    StageScope,
    StreamsCallable,
    UsesObject,
    Writer,
    channel_properties,
    expect_count,
    expect_no_wait_for_itself,
    expect_own_names,
    expect_partition,
    expect_places,
    expect_ports,
    find_object,
    read_from,
    target_of,
    turns_of,
    writers_of,
)
from cmc.dialects.poly import SetAttr
from cmc.streams import Turn


@irdl_op_definition
class ChipOp(ObjectScope):
    """A configured chip: the objects that travel on it, its GCU and its cores.

    ```mlir
    cmctrl.chip @halve {
      cmpipe.object @a : memref<8xvector<4xf32>>
      cmpipe.object @b : memref<4xvector<4xf32>>
      cmctrl.gcu { ... }
      cmctrl.core @pool { ... }
    }
    ```
    """

    name = "cmctrl.chip"

    traits = traits_def(
        NoTerminator(), IsolatedFromAbove(), SymbolTable(), SymbolOpInterface(), StreamsCallable()
    )

    assembly_format = "$sym_name (`on` qualified($target)^)? $body attr-dict"

    def cores(self) -> Iterator[CoreOp]:
        for op in self.body.ops:
            if isinstance(op, CoreOp):
                yield op

    @property
    def gcu(self) -> GcuOp:
        for op in self.body.ops:
            if isinstance(op, GcuOp):
                return op
        raise VerifyException("a chip has a GCU")

    def writers(self) -> Iterator[Writer]:
        """The streams and stages, each of which writes an object."""
        yield from self.gcu.inputs()
        for core in self.cores():
            yield from core.stages()

    @property
    def turns(self) -> dict[str, Turn]:
        """Which images each stage and each stream of an input takes."""
        stages = (stage for core in self.cores() for stage in core.stages())
        return turns_of(self.gcu.inputs(), self.gcu.outputs(), stages)

    def verify_(self) -> None:
        if sum(isinstance(op, GcuOp) for op in self.body.ops) != 1:
            raise VerifyException("a chip has one GCU")
        stages = [stage for core in self.cores() for stage in core.stages()]
        expect_own_names(self, stages)
        expect_places(self.cores(), target_of(self))
        writers = self._verify_names()
        written = writers_of(writers.values())
        expect_partition(self, written)
        reads = {
            channel: elements
            for stage in stages
            for channel, elements in read_from(stage, written).items()
        }
        expect_no_wait_for_itself(reads, writers)
        read = reads.keys()
        expect_ports(list(self.gcu.inputs()), list(self.gcu.outputs()))
        turns_of(self.gcu.inputs(), self.gcu.outputs(), stages)
        rings = {ring.channel for core in self.cores() for ring in core.rings()}
        for channel in sorted(rings - read):
            raise VerifyException(
                f"there is a ring for {channel}, and @{channel.reader} reads nothing that "
                f"@{channel.writer} writes of @{channel.object}"
            )
        for channel in sorted(read - rings):
            raise VerifyException(
                f"@{channel.reader} reads @{channel.object}, and has no ring for what "
                f"@{channel.writer} writes of it"
            )
        credits: set[Channel] = set()
        sides: list[GcuOp | CoreOp] = [self.gcu, *self.cores()]
        for side in sides:
            for credit in side.credits():
                channel = credit.channel
                writer = writers.get(channel.writer)
                if writer is None or writer.parent_op() is not side:
                    raise VerifyException(
                        f"credits for {channel} are in {side.title}, where @{channel.writer} is not"
                    )
                if channel in credits:
                    raise VerifyException(f"there are two credits for channel {channel}")
                credits.add(channel)
        for channel in sorted(rings ^ credits):
            missing = "credits" if channel in rings else "ring"
            raise VerifyException(f"channel {channel} has no {missing}")

    def _verify_names(self) -> dict[str, Writer]:
        """The writers by name: one of each name."""
        names = {get_name_if_symbol(op) for op in self.body.ops}
        writers: dict[str, Writer] = {}
        for writer in self.writers():
            name = writer.sym_name.data
            if name in names:
                raise VerifyException(f"two things of the chip are named @{name}")
            names.add(name)
            writers[name] = writer
        return writers


class _Side(IRDLOperation):
    """The GCU or a core: a side of a channel, with writers and a program for each."""

    body = region_def("single_block")

    def writers(self) -> Iterator[Writer]:
        for op in self.body.ops:
            if isinstance(op, Writer):
                yield op

    @property
    def title(self) -> str:
        """What this is, for a person."""
        raise NotImplementedError

    def programs(self) -> Iterator[ProgramOp]:
        for op in self.body.ops:
            if isinstance(op, ProgramOp):
                yield op

    def credits(self) -> Iterator[CreditsOp]:
        for op in self.body.ops:
            if isinstance(op, CreditsOp):
                yield op

    def verify_(self) -> None:
        writers = [writer.sym_name.data for writer in self.writers()]
        programs = [program.runs for program in self.programs()]
        for name in programs:
            if programs.count(name) > 1:
                raise VerifyException(f"two programs run @{name}")
        for name in writers:
            if name not in programs:
                raise VerifyException(f"no program runs @{name}")


@irdl_op_definition
class GcuOp(_Side):
    """The global control unit: streams the inputs in, by one program each, and collects outputs.

    ```mlir
    cmctrl.gcu {
      cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x10xf32>
      cmpipe.output "y" @c #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x6xf32>
      cmctrl.credits @a from @a_stream to @conv1 count 3
      cmctrl.program @a_stream {
        affine.for %w = 0 to 10 {
          cmctrl.start [%w]
        }
      }
    }
    ```
    """

    name = "cmctrl.gcu"

    traits = traits_def(NoTerminator(), IsolatedFromAbove(), SymbolTable(), HasParent(ChipOp))

    assembly_format = "$body attr-dict"

    def __init__(self, body: Region):
        super().__init__(regions=[body])

    @property
    def title(self) -> str:
        return "the GCU"

    def inputs(self) -> Iterator[InputOp]:
        for op in self.body.ops:
            if isinstance(op, InputOp):
                yield op

    def outputs(self) -> Iterator[OutputOp]:
        for op in self.body.ops:
            if isinstance(op, OutputOp):
                yield op


@irdl_op_definition
class CoreOp(_Side, StageScope, Placed):
    """One core: the stages that it runs, its SRAM map, its programs and the machines of its LCU.

    It may have its place on the chip: of cores in a grid these count row by row.

    ```mlir
    cmctrl.core @core0 at 5 {
      cmpipe.stage @conv in #poly.set<"{ [w] : 0 <= w < 8 }"> { ... }
      cmctrl.ring @a from @a_stream to @conv at 0 slots 3
      cmctrl.constants @conv at 12
      cmctrl.machine ready @a from @a_stream to @conv { ... }
      cmctrl.machine free @a from @a_stream to @conv { ... }
      cmctrl.credits @b from @conv to @next count 3
      cmctrl.program @conv { ... }
    }
    ```
    """

    name = "cmctrl.core"

    traits = traits_def(
        NoTerminator(), IsolatedFromAbove(), SymbolTable(), SymbolOpInterface(), HasParent(ChipOp)
    )

    assembly_format = "$sym_name (`at` $place^)? $body attr-dict"

    def __init__(self, name: str, body: Region, place: int | None = None):
        at = None if place is None else IntegerAttr(place, i64)
        super().__init__(properties={"sym_name": StringAttr(name), "place": at}, regions=[body])

    @property
    def title(self) -> str:
        return f"core @{self.sym_name.data}"

    def rings(self) -> Iterator[RingOp]:
        for op in self.body.ops:
            if isinstance(op, RingOp):
                yield op

    def constants(self) -> Iterator[ConstantsOp]:
        for op in self.body.ops:
            if isinstance(op, ConstantsOp):
                yield op

    def in_sram(self) -> Iterator[InSram]:
        """Rings and constants."""
        for op in self.body.ops:
            if isinstance(op, InSram):
                yield op

    @property
    def sram_bytes(self) -> int:
        """How much SRAM the core needs."""
        return max((op.end for op in self.in_sram()), default=0)

    def machines(self) -> Iterator[MachineOp]:
        for op in self.body.ops:
            if isinstance(op, MachineOp):
                yield op

    def verify_(self) -> None:
        super().verify_()
        read = {
            (op.object.root_reference.data, stage.sym_name.data)
            for stage in self.stages()
            for op in stage.reads()
            if find_object(op, op.object).value is None
        }
        rings = [ring.channel for ring in self.rings()]
        parts = [("ring", rings)]
        for kind in MachineKind:
            found = [m.channel for m in self.machines() if m.kind.data == kind]
            parts.append((f"{kind} machine", found))
        for what, found in parts:
            for channel in found:
                if (channel.object, channel.reader) not in read or found.count(channel) > 1:
                    raise VerifyException(f"a superfluous {what} for {channel}")
        for what, found in parts[1:]:
            for channel in sorted(set(rings) ^ set(found)):
                raise VerifyException(
                    f"there is a {'ring' if channel in rings else what} for {channel}, and no "
                    f"{what if channel in rings else 'ring'}"
                )
        constants = [op.stage.root_reference.data for op in self.constants()]
        for stage in self.stages():
            name = stage.sym_name.data
            if (count := constants.count(name)) != any(True for _ in stage.constants()):
                raise VerifyException(f"the constants of @{name} have {count} places in SRAM")
        for one, other in pairwise(sorted(self.in_sram(), key=lambda op: op.start)):
            if other.start < one.end:
                raise VerifyException(f"{one.title} and {other.title} overlap in SRAM")


class InSram(IRDLOperation, ABC):
    """What has its place in the SRAM of a core: `at` is an address in bytes."""

    address = prop_def(IntegerAttr[I64])

    @property
    @abstractmethod
    def title(self) -> str:
        """What this is, for a person."""

    @property
    @abstractmethod
    def bytes(self) -> int:
        """Its size."""

    @property
    def start(self) -> int:
        return self.address.value.data

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.start + self.bytes

    def verify_(self) -> None:
        target = target_of(self)
        if self.start % (width := target.element_bytes):
            raise VerifyException(
                f"{self.title} should begin at a multiple of {width} bytes, not at {self.start}"
            )
        if self.start < 0 or self.end > target.sram_capacity:
            raise VerifyException(
                f"{self.title} should lie between 0 and {target.sram_capacity}, and lies from "
                f"{self.start} to {self.end}"
            )


@irdl_op_definition
class RingOp(Carrying, InSram):
    """The slots of a channel in the reader's SRAM, filled in write order, modulo their number.

    A slot holds one vector. Of what the writer writes, no more comes than the ring `carries`, if it
    says so. An object with several writers lies in a ring for each of those of
    which the stage reads something: the element says in which one, and in which of its slots.

    ```mlir
    cmctrl.ring @b from @conv1 to @conv2 at 0 slots 67
    ```
    """

    name = "cmctrl.ring"

    slots = prop_def(IntegerAttr[I64])

    traits = traits_def(HasParent(CoreOp), UsesObject())

    assembly_format = (
        "$object `from` $writer `to` $reader (`carries` qualified($carries)^)? `at` $address "
        "`slots` $slots attr-dict"
    )

    def __init__(self, channel: Channel, address: int, slots: int, carries: SetAttr | None = None):
        super().__init__(
            properties={
                **channel_properties(channel),
                "carries": carries,
                "address": IntegerAttr(address, i64),
                "slots": IntegerAttr(slots, i64),
            }
        )

    @property
    def title(self) -> str:
        return f"the ring of {self.channel}"

    @property
    def bytes(self) -> int:
        vector = find_object(self, self.object).vector
        return self.slots.value.data * vector * target_of(self).element_bytes

    def verify_(self) -> None:
        expect_count("the number of slots", self.slots.value.data)
        self.expect_carried()
        super().verify_()


@irdl_op_definition
class ConstantsOp(InSram):
    """The constants of a stage in its core's SRAM, one behind the other in the order of its body.

    ```mlir
    cmctrl.constants @conv2 at 268
    ```
    """

    name = "cmctrl.constants"

    stage = prop_def(FlatSymbolRefAttrConstr)

    traits = traits_def(HasParent(CoreOp))

    assembly_format = "$stage `at` $address attr-dict"

    def __init__(self, stage: str, address: int):
        super().__init__(
            properties={"stage": SymbolRefAttr(stage), "address": IntegerAttr(address, i64)}
        )

    def find_stage(self) -> StageOp:
        """The stage; VerifyException if its core has none of this name."""
        found = SymbolTable.lookup_symbol(self, self.stage)
        if not isinstance(found, StageOp):
            raise VerifyException(f"there is no stage {self.stage} in this core")
        return found

    @property
    def title(self) -> str:
        return f"the constants of {self.stage}"

    @property
    def bytes(self) -> int:
        floats = self.find_stage().constant_floats
        return floats * target_of(self).element_bytes


@irdl_op_definition
class CreditsOp(OfChannel):
    """The writer's count of free slots in a reader's ring, before the first image.

    ```mlir
    cmctrl.credits @b from @conv1 to @conv2 count 67
    ```
    """

    name = "cmctrl.credits"

    count = prop_def(IntegerAttr[I64])

    traits = traits_def(HasParent(CoreOp, GcuOp), UsesObject())

    assembly_format = "$object `from` $writer `to` $reader `count` $count attr-dict"

    def __init__(self, channel: Channel, count: int):
        super().__init__(
            properties={
                **channel_properties(channel),
                "count": IntegerAttr(count, i64),
            }
        )

    def verify_(self) -> None:
        expect_count("the count of credits", self.count.value.data, least=0)


@irdl_op_definition
class ProgramOp(IRDLOperation):
    """The loop nest that starts the iterations of a stage, or of a stream, image after image.

    The loops are what runs. Which iterations there are, in lexicographic order, is what the domain
    of the stage claims, and for a stream the elements into which its layout puts the tensor.

    ```mlir
    cmctrl.program @conv {
      affine.for %w = 0 to 8 {
        cmctrl.start [%w]
      }
    }
    ```
    """

    name = "cmctrl.program"

    writer = prop_def(FlatSymbolRefAttrConstr)
    body = region_def("single_block")

    traits = traits_def(NoTerminator(), IsolatedFromAbove(), HasParent(CoreOp, GcuOp))

    assembly_format = "$writer $body attr-dict"

    def __init__(self, writer: str, body: Region):
        super().__init__(properties={"writer": SymbolRefAttr(writer)}, regions=[body])

    @property
    def runs(self) -> str:
        """The name of the stage or stream."""
        return self.writer.root_reference.data

    @property
    def title(self) -> str:
        """What this is, for a person."""
        return f"program @{self.runs}"

    def starts(self) -> Iterator[StartOp]:
        for op in self.body.walk():
            if isinstance(op, StartOp):
                yield op

    def find_writer(self) -> StageOp | InputOp:
        """The stage or stream; VerifyException if there is none of this name at its side."""
        found = SymbolTable.lookup_symbol(self, self.writer)
        if not isinstance(found, StageOp | InputOp):
            raise VerifyException(f"there is no stage or input {self.writer} here")
        return found

    def verify_(self) -> None:
        rank = self.find_writer().iterations.dim(isl.dim_type.set)
        starts = list(self.starts())
        if not starts:
            raise VerifyException("a program starts no iteration")
        for op in starts:
            op.expect_rank(rank, f"{self.writer}")


class MachineKind(StrEnum):
    """Which side of a channel a machine drives."""

    READY = auto()
    FREE = auto()


@irdl_attr_definition
class MachineKindAttr(EnumAttribute[MachineKind], SpacedOpaqueSyntaxAttribute):
    """Which side of a channel a machine drives."""

    name = "cmctrl.kind"


@irdl_op_definition
class MachineOp(OfChannel):
    """A state machine of an LCU, in loops and comparisons.

    A `ready` machine awaits elements of the object, in the order in which the writer writes them,
    and enables iterations of the reader. A `free` machine awaits iterations of the reader and
    releases elements. What precedes the first await holds from the start of an image.

    ```mlir
    cmctrl.machine ready @b from @conv1 to @conv2 {
      affine.for %j = 2 to 8 {
        cmctrl.await [%j]
        cmctrl.enable [%j - 2]
      }
    }
    ```
    """

    name = "cmctrl.machine"

    kind = prop_def(MachineKindAttr)
    body = region_def("single_block")

    traits = traits_def(NoTerminator(), IsolatedFromAbove(), HasParent(CoreOp), UsesObject())

    assembly_format = "$kind $object `from` $writer `to` $reader $body attr-dict"

    def __init__(self, kind: MachineKind, channel: Channel, body: Region):
        super().__init__(
            properties={
                "kind": MachineKindAttr(kind),
                **channel_properties(channel),
            },
            regions=[body],
        )

    @property
    def title(self) -> str:
        """What this is, for a person."""
        return f"the {self.kind.data} machine of {self.channel}"

    def verify_(self) -> None:
        object_rank = len(find_object(self, self.object).shape)
        core = self.parent_op()
        assert isinstance(core, CoreOp)
        reader = SymbolTable.lookup_symbol(core, self.reader)
        if not isinstance(reader, StageOp):
            raise VerifyException(f"there is no stage {self.reader} in this core")
        reader_rank = reader.iteration_rank()
        ready = self.kind.data is MachineKind.READY
        for op in self.body.walk():
            match op:
                case AwaitOp():
                    if ready:
                        op.expect_rank(object_rank, f"{self.object}")
                    else:
                        op.expect_rank(reader_rank, f"stage {self.reader}")
                case EnableOp():
                    if not ready:
                        raise VerifyException("a free machine releases, and enables nothing")
                    op.expect_rank(reader_rank, f"stage {self.reader}")
                case ReleaseOp():
                    if ready:
                        raise VerifyException("a ready machine enables, and releases nothing")
                    op.expect_rank(object_rank, f"{self.object}")
                case _:
                    pass
