"""Chips: the GCU, the cores, and what these consist of."""

from __future__ import annotations

from collections.abc import Iterator
from enum import auto
from itertools import pairwise

import islpy as isl
from xdsl.dialects.builtin import (
    I64,
    FlatSymbolRefAttrConstr,
    IntegerAttr,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    i64,
)
from xdsl.dialects.utils import EnumAttribute
from xdsl.ir import (
    Attribute,
    Operation,
    Region,
    SpacedOpaqueSyntaxAttribute,
)
from xdsl.irdl import (
    IRDLOperation,
    irdl_attr_definition,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    region_def,
    traits_def,
)
from xdsl.traits import CallableOpInterface, HasParent, NoTerminator, SymbolOpInterface, SymbolTable
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

from cmc.dialects.cmctrl.points import AwaitOp, EnableOp, IterationOp, ReleaseOp, SendOp
from cmc.dialects.cmpipe import (
    InputOp,
    ObjectScope,
    OutputOp,
    ReadOp,
    WriteOp,
    find_object,
)
from cmc.dialects.poly import SetAttr


class _ChipCallable(CallableOpInterface):
    """A chip is called with a stream for each input, and returns one for each output."""

    @classmethod
    def get_callable_region(cls, op: Operation) -> Region:
        return op.regions[0]

    @classmethod
    def get_argument_types(cls, op: Operation) -> tuple[Attribute, ...]:
        assert isinstance(op, ChipOp)
        return tuple(port.tensor for port in op.gcu.inputs())

    @classmethod
    def get_result_types(cls, op: Operation) -> tuple[Attribute, ...]:
        assert isinstance(op, ChipOp)
        return tuple(port.tensor for port in op.gcu.outputs())


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

    traits = traits_def(NoTerminator(), SymbolTable(), SymbolOpInterface(), _ChipCallable())

    assembly_format = "$sym_name $body attr-dict"

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

    def verify_(self) -> None:
        if sum(isinstance(op, GcuOp) for op in self.body.ops) != 1:
            raise VerifyException("a chip has one GCU")
        writers: dict[str, Operation] = {}
        programs: set[str] = set()
        sides: list[GcuOp | CoreOp] = [self.gcu, *self.cores()]
        for side in sides:
            for program in side.programs():
                if program.sym_name.data in programs:
                    raise VerifyException(f"two programs are named @{program.sym_name.data}")
                programs.add(program.sym_name.data)
                object = program.written_object()
                if object in writers:
                    raise VerifyException(f"object @{object} has two writers")
                writers[object] = program
        for object in self.objects():
            if object.sym_name.data not in writers:
                raise VerifyException(f"object @{object.sym_name.data} has no writer")
        rings = {ring.channel for core in self.cores() for ring in core.rings()}
        credits: set[Channel] = set()
        for side in sides:
            written = {p.written_object() for p in side.programs()}
            for credit in side.credits():
                if credit.channel.object not in written:
                    raise VerifyException(
                        f"credits for @{credit.channel.object} are in {side.title}, "
                        "which does not write it"
                    )
                if credit.channel in credits:
                    raise VerifyException(f"there are two credits for channel {credit.channel}")
                credits.add(credit.channel)
        for channel in rings ^ credits:
            missing = "credits" if channel in rings else "ring"
            raise VerifyException(f"channel {channel} has no {missing}")


class Channel(tuple[str, str]):
    """An object on its way to one reader: the object's name and the reading program's."""

    __slots__ = ()

    def __new__(cls, object: str, reader: str) -> Channel:
        return super().__new__(cls, (object, reader))

    @property
    def object(self) -> str:
        return self[0]

    @property
    def reader(self) -> str:
        return self[1]

    def __str__(self) -> str:
        return f"@{self[0]} for @{self[1]}"


class _OfChannel(IRDLOperation):
    object = prop_def(FlatSymbolRefAttrConstr)
    reader = prop_def(FlatSymbolRefAttrConstr)

    @property
    def channel(self) -> Channel:
        return Channel(self.object.root_reference.data, self.reader.root_reference.data)


class _Side(IRDLOperation):
    """The GCU or a core: a side of a channel."""

    body = region_def("single_block")

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


@irdl_op_definition
class GcuOp(_Side):
    """The global control unit: streams the inputs in, by one program each, and collects outputs.

    ```mlir
    cmctrl.gcu {
      cmpipe.input "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x10xf32>
      cmpipe.output "y" @c #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x6xf32>
      cmctrl.credits @a for @conv1 count 3
      cmctrl.program @stream_a over #poly.set<"{ [w] : 0 <= w < 10 }"> {
        affine.for %w = 0 to 10 {
          cmctrl.send @a [%w]
        }
      }
    }
    ```
    """

    name = "cmctrl.gcu"

    traits = traits_def(NoTerminator(), SymbolTable(), HasParent(ChipOp))

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
class CoreOp(_Side):
    """One core: its SRAM map, its crossbar, its programs and the machines of its LCU.

    ```mlir
    cmctrl.core @conv {
      cmpipe.crossbar @w #nn.weights<[[1.0], [2.0], [1.0]]> : tensor<3x1xf32>
      cmctrl.ring @a for @conv at 0 slots 3
      cmctrl.machine ready @a for @conv { ... }
      cmctrl.machine free @a for @conv { ... }
      cmctrl.credits @b for @next count 3
      cmctrl.program @conv over #poly.set<"{ [w] : 0 <= w < 8 }"> { ... }
    }
    ```
    """

    name = "cmctrl.core"

    sym_name = prop_def(SymbolNameConstraint())

    traits = traits_def(NoTerminator(), SymbolTable(), SymbolOpInterface(), HasParent(ChipOp))

    assembly_format = "$sym_name $body attr-dict"

    def __init__(self, name: str, body: Region):
        super().__init__(properties={"sym_name": StringAttr(name)}, regions=[body])

    @property
    def title(self) -> str:
        return f"core @{self.sym_name.data}"

    def rings(self) -> Iterator[RingOp]:
        for op in self.body.ops:
            if isinstance(op, RingOp):
                yield op

    def machines(self) -> Iterator[MachineOp]:
        for op in self.body.ops:
            if isinstance(op, MachineOp):
                yield op

    def verify_(self) -> None:
        programs = {p.sym_name.data: p for p in self.programs()}
        wanted = {
            Channel(read.object.root_reference.data, name)
            for name, program in programs.items()
            for read in program.reads()
            if find_object(read, read.object).value is None
        }
        parts: list[tuple[str, list[Channel]]] = [
            ("ring", [r.channel for r in self.rings()]),
            *(
                (f"{kind} machine", [m.channel for m in self.machines() if m.kind.data == kind])
                for kind in MachineKind
            ),
        ]
        for what, found in parts:
            for channel in wanted - set(found):
                raise VerifyException(
                    f"@{channel.reader} reads @{channel.object}, and has no {what} for it"
                )
            for channel in found:
                if channel not in wanted or found.count(channel) > 1:
                    raise VerifyException(f"a superfluous {what} for {channel}")
        extents = sorted((r.address.value.data, r.end, str(r.channel)) for r in self.rings())
        for (_, end, before), (start, _, after) in pairwise(extents):
            if start < end:
                raise VerifyException(f"the rings {before} and {after} overlap in SRAM")


@irdl_op_definition
class RingOp(_OfChannel):
    """The slots of a channel in the reader's SRAM, filled in write order, modulo their number.

    `at` is an address in bytes; a slot holds one vector of f32.

    ```mlir
    cmctrl.ring @b for @conv2 at 0 slots 67
    ```
    """

    name = "cmctrl.ring"

    address = prop_def(IntegerAttr[I64])
    slots = prop_def(IntegerAttr[I64])

    traits = traits_def(HasParent(CoreOp))

    assembly_format = "$object `for` $reader `at` $address `slots` $slots attr-dict"

    def __init__(self, object: str, reader: str, address: int, slots: int):
        super().__init__(
            properties={
                "object": SymbolRefAttr(object),
                "reader": SymbolRefAttr(reader),
                "address": IntegerAttr(address, i64),
                "slots": IntegerAttr(slots, i64),
            }
        )

    @property
    def end(self) -> int:
        """The first address in bytes after the ring."""
        slot = 4 * find_object(self, self.object).vector
        return self.address.value.data + self.slots.value.data * slot

    def verify_(self) -> None:
        find_object(self, self.object)
        if self.slots.value.data < 1 or self.address.value.data < 0:
            raise VerifyException("a ring has at least 1 slot, at an address of at least 0")


@irdl_op_definition
class CreditsOp(_OfChannel):
    """The writer's count of free slots in a reader's ring, before the first image.

    ```mlir
    cmctrl.credits @b for @conv2 count 67
    ```
    """

    name = "cmctrl.credits"

    count = prop_def(IntegerAttr[I64])

    traits = traits_def(HasParent(CoreOp, GcuOp))

    assembly_format = "$object `for` $reader `count` $count attr-dict"

    def __init__(self, object: str, reader: str, count: int):
        super().__init__(
            properties={
                "object": SymbolRefAttr(object),
                "reader": SymbolRefAttr(reader),
                "count": IntegerAttr(count, i64),
            }
        )

    def verify_(self) -> None:
        find_object(self, self.object)
        if self.count.value.data < 0:
            raise VerifyException("a count of credits is not negative")


@irdl_op_definition
class ProgramOp(IRDLOperation):
    """A loop nest of iterations, run through once an image, image after image.

    `over` claims which iterations there are, in lexicographic order; the loops are what runs.
    `latency` and `interval` are those of the stage that the program was.

    ```mlir
    cmctrl.program @conv over #poly.set<"{ [w] : 0 <= w < 8 }"> latency 3 {
      affine.for %w = 0 to 8 {
        cmctrl.iteration [%w] { ... }
      }
    }
    ```
    """

    name = "cmctrl.program"

    sym_name = prop_def(SymbolNameConstraint())
    domain = prop_def(SetAttr)
    latency = opt_prop_def(IntegerAttr[I64])
    interval = opt_prop_def(IntegerAttr[I64])
    body = region_def("single_block")

    traits = traits_def(NoTerminator(), SymbolOpInterface(), HasParent(CoreOp, GcuOp))

    assembly_format = (
        "$sym_name `over` qualified($domain) (`latency` $latency^)? (`interval` $interval^)? "
        "$body attr-dict"
    )

    def __init__(
        self,
        name: str,
        domain: SetAttr,
        body: Region,
        latency: IntegerAttr[I64] | None = None,
        interval: IntegerAttr[I64] | None = None,
    ):
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "domain": domain,
                "latency": latency,
                "interval": interval,
            },
            regions=[body],
        )

    @property
    def rank(self) -> int:
        return self.domain.data.dim(isl.dim_type.set)

    def points(self) -> list[IterationOp | SendOp]:
        """What the loops start: iterations in a core, sends in the GCU."""
        return [op for op in self.body.walk() if isinstance(op, IterationOp | SendOp)]

    def reads(self) -> Iterator[ReadOp]:
        for op in self.body.walk():
            if isinstance(op, ReadOp):
                yield op

    def written_object(self) -> str:
        """The name of the object that the program writes."""
        names = {
            op.object.root_reference.data
            for op in self.body.walk()
            if isinstance(op, WriteOp | SendOp)
        }
        if len(names) != 1:
            raise VerifyException("a program writes exactly one object")
        return names.pop()

    def verify_(self) -> None:
        in_gcu = isinstance(self.parent_op(), GcuOp)
        if not self.points():
            raise VerifyException("a program starts no iteration")
        for op in self.points():
            if isinstance(op, SendOp) != in_gcu:
                raise VerifyException("a core runs iterations, and the GCU sends")
            if isinstance(op, IterationOp):
                op.expect_rank(self.rank, "the program")
                if sum(isinstance(inner, WriteOp) for inner in op.body.ops) != 1:
                    raise VerifyException("an iteration writes exactly one vector")
        self.written_object()
        for attribute, value in (("latency", self.latency), ("interval", self.interval)):
            if value is not None and value.value.data < 1:
                raise VerifyException(f"the {attribute} of a program is at least 1 cycle")


class MachineKind(StrEnum):
    """Which side of a channel a machine drives."""

    READY = auto()
    FREE = auto()


@irdl_attr_definition
class MachineKindAttr(EnumAttribute[MachineKind], SpacedOpaqueSyntaxAttribute):
    """Which side of a channel a machine drives."""

    name = "cmctrl.kind"


@irdl_op_definition
class MachineOp(_OfChannel):
    """A state machine of an LCU, in loops and comparisons.

    A `ready` machine awaits elements of the object, in the order in which they are written, and
    enables iterations of the reader. A `free` machine awaits iterations of the reader and releases
    elements. What precedes the first await holds from the start of an image.

    ```mlir
    cmctrl.machine ready @b for @conv2 {
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

    traits = traits_def(NoTerminator(), HasParent(CoreOp))

    assembly_format = "$kind $object `for` $reader $body attr-dict"

    def __init__(self, kind: MachineKind, object: str, reader: str, body: Region):
        super().__init__(
            properties={
                "kind": MachineKindAttr(kind),
                "object": SymbolRefAttr(object),
                "reader": SymbolRefAttr(reader),
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
        ranks = {p.sym_name.data: p.rank for p in core.programs()}
        if self.channel.reader not in ranks:
            raise VerifyException(f"there is no program {self.reader} in this core")
        reader_rank = ranks[self.channel.reader]
        ready = self.kind.data is MachineKind.READY
        for op in self.body.walk():
            match op:
                case AwaitOp():
                    if ready:
                        op.expect_rank(object_rank, f"{self.object}")
                    else:
                        op.expect_rank(reader_rank, f"program {self.reader}")
                case EnableOp():
                    if not ready:
                        raise VerifyException("a free machine releases, and enables nothing")
                    op.expect_rank(reader_rank, f"program {self.reader}")
                case ReleaseOp():
                    if ready:
                        raise VerifyException("a ready machine enables, and releases nothing")
                    op.expect_rank(object_rank, f"{self.object}")
                case _:
                    pass
