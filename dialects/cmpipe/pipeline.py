# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Pipelines: their ports, cores, stages and channels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import islpy as isl
from xdsl.dialects.builtin import (
    I64,
    ArrayAttr,
    FlatSymbolRefAttr,
    FlatSymbolRefAttrConstr,
    IntegerAttr,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    TensorType,
    i64,
)
from xdsl.ir import Attribute, Operation, Region
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    region_def,
    traits_def,
)
from xdsl.traits import (
    CallableOpInterface,
    HasParent,
    IsolatedFromAbove,
    NoTerminator,
    SymbolOpInterface,
    SymbolTable,
)
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.symbol_table import get_name_if_symbol

from cmc.dialects.cmpipe.body import (
    ReadOp,
    WriteOp,
    stored_floats,
)
from cmc.dialects.cmpipe.circles import expect_no_wait_for_itself
from cmc.dialects.cmpipe.objects import (
    Carrying,
    Channel,
    CrossbarOp,
    IterationScope,
    ObjectOp,
    ObjectScope,
    UsesObject,
    channel_properties,
    expect_count,
    expect_dims,
    expect_name,
    find_object,
    target_of,
)
from cmc.dialects.cmpipe.units import Unit, UnitsAttr
from cmc.dialects.poly import MapAttr, SetAttr
from cmc.poly.extremes import coordinates, first_point
from cmc.poly.grids import Grids
from cmc.poly.relations import box, union
from cmc.precedence import in_order
from cmc.streams import Turn
from cmc.targets import Target


class StageScope(IRDLOperation, ABC):
    """An operation in which stages stand: a pipeline, or a core of a chip."""

    body = region_def("single_block")

    def stages(self) -> Iterator[StageOp]:
        for op in self.body.ops:
            if isinstance(op, StageOp):
                yield op


class StreamsCallable(CallableOpInterface):
    """A pipeline or a chip is called with a stream for each input, and returns one an output.

    The ports of a tensor of which pipelines take turns are one input, or one output.
    """

    @classmethod
    def get_callable_region(cls, op: Operation) -> Region:
        return op.regions[0]

    @classmethod
    def get_argument_types(cls, op: Operation) -> tuple[Attribute, ...]:
        return tuple(p.tensor for p in op.walk() if isinstance(p, InputOp) and not p.turn.number)

    @classmethod
    def get_result_types(cls, op: Operation) -> tuple[Attribute, ...]:
        return tuple(p.tensor for p in op.walk() if isinstance(p, OutputOp) and not p.turn.number)


@irdl_op_definition
class PipelineOp(ObjectScope, StageScope):
    """A network as stages that run concurrently, image after image, and the cores they run on.

    If it has `copies`, there are to be so many of it, all alike, that take turns with images.
    Control and sizes are found for one, and then it is replicated.

    ```mlir
    cmpipe.pipeline @halve {
      cmpipe.object @a : memref<8xvector<4xf32>>
      cmpipe.object @b : memref<4xvector<4xf32>>
      cmpipe.input @a_stream "x" @a #poly.map<"{ [n, w, c] -> [w, c] }"> : tensor<1x8x4xf32>
      cmpipe.output "y" @b #poly.map<"{ [n, w, c] -> [w, c] }"> : tensor<1x4x4xf32>
      cmpipe.stage @pool in #poly.set<"{ [w] : 0 <= w < 4 }"> { ... }
      cmpipe.core @core0 runs [@pool]
      cmpipe.channel @a from @a_stream to @pool ...
    }
    ```
    """

    name = "cmpipe.pipeline"

    count = opt_prop_def(IntegerAttr[I64], prop_name="copies")

    traits = traits_def(
        NoTerminator(), IsolatedFromAbove(), SymbolTable(), SymbolOpInterface(), StreamsCallable()
    )

    assembly_format = "$sym_name (`copies` $copies^)? (`on` qualified($target)^)? $body attr-dict"

    @property
    def copies(self) -> int:
        """How many there are to be of it: 1 unless it says so."""
        return 1 if self.count is None else self.count.value.data

    @copies.setter
    def copies(self, copies: int) -> None:
        self.count = None if copies == 1 else IntegerAttr(copies, i64)

    def cores(self) -> Iterator[CoreOp]:
        for op in self.body.ops:
            if isinstance(op, CoreOp):
                yield op

    def writers(self) -> Iterator[Writer]:
        """The streams and stages, each of which writes an object."""
        for op in self.body.ops:
            if isinstance(op, Writer):
                yield op

    def inputs(self) -> Iterator[InputOp]:
        for op in self.body.ops:
            if isinstance(op, InputOp):
                yield op

    def outputs(self) -> Iterator[OutputOp]:
        for op in self.body.ops:
            if isinstance(op, OutputOp):
                yield op

    def channels(self) -> Iterator[ChannelOp]:
        for op in self.body.ops:
            if isinstance(op, ChannelOp):
                yield op

    @property
    def turns(self) -> dict[str, Turn]:
        """Which images each stage and each stream of an input takes."""
        return turns_of(self.inputs(), self.outputs(), self.stages())

    def verify_(self) -> None:
        expect_count("the number of copies of a pipeline", self.copies)
        runs = Counter(name for core in self.cores() for name in core.stages)
        for stage, count in runs.items():
            if count > 1:
                raise VerifyException(
                    f"stage {stage} runs on one core, and is listed {count} times"
                )
        expect_own_names(self, self.stages())
        expect_places(self.cores(), target_of(self))
        writers = writers_of(self.writers())
        expect_partition(self, writers)
        reads = {
            channel: elements
            for stage in self.stages()
            for channel, elements in read_from(stage, writers).items()
        }
        expect_no_wait_for_itself(reads, {w.sym_name.data: w for w in self.writers()})
        expect_ports(list(self.inputs()), list(self.outputs()))
        turns_of(self.inputs(), self.outputs(), self.stages())
        channels = Counter(c.channel for c in self.channels())
        for channel, count in channels.items():
            if count > 1:
                raise VerifyException(f"there are two channels {channel}")
            if channel not in reads:
                raise VerifyException(
                    f"there is a channel {channel}, and @{channel.reader} reads nothing that "
                    f"@{channel.writer} writes of @{channel.object}"
                )


_TURN = "(`turn` $turn^ `of` $turns)?"
"""How it is written which images are those of a port."""


_TIME = "(`latency` $latency^)? (`interval` $interval^)? (`occupies` $occupies^)?"
"""How a writer's time is written."""


class Writer(IRDLOperation, ABC):
    """What writes an object, an element an iteration: a stage, or the stream of an input.

    An object may have several writers, each of which writes some of its elements.

    An iteration's result can be used `latency` cycles after its start; the next one may start
    after `interval` cycles. Both are 1 unless given. From its start on it `occupies` units of its
    core, or of the GCU, which other writers there may have to wait for.
    """

    sym_name = prop_def(SymbolNameConstraint())
    latency = opt_prop_def(IntegerAttr[I64])
    interval = opt_prop_def(IntegerAttr[I64])
    occupies = opt_prop_def(UnitsAttr)

    @property
    @abstractmethod
    def iterations(self) -> isl.Set:
        """Its iterations, which run in lexicographic order, as an isl set named as itself."""

    @property
    @abstractmethod
    def written(self) -> str:
        """The name of the object."""

    @property
    @abstractmethod
    def places(self) -> isl.Map:
        """From each iteration to the element of the object that it writes."""

    @property
    def elements(self) -> isl.Set:
        """What it writes of the object."""
        return self.places.range()

    @property
    def cycles(self) -> tuple[int, int]:
        """Latency and interval: from an iteration's start to its end, and to the next one's."""
        return _cycles(self.latency), _cycles(self.interval)

    @property
    def occupied(self) -> dict[str, int]:
        """The cycles for which an iteration occupies units, by their names."""
        return {} if self.occupies is None else self.occupies.cycles

    def expect_time(self, what: str) -> None:
        """Verify latency and interval of what is called so."""
        for time, count in zip(("latency", "interval"), self.cycles, strict=True):
            expect_count(f"the {time} of {what}", count)


def _cycles(given: IntegerAttr[I64] | None) -> int:
    return 1 if given is None else given.value.data


class _PortOp(IRDLOperation, ABC):
    """Where a tensor of the network lives: element by element, in which vector of which object.

    Where pipelines take turns with images, each has a port of its own for the tensor. Of `turn k of
    K` are images k, k + K, ... of a stream.
    """

    tensor_name = prop_def(StringAttr)
    object = prop_def(FlatSymbolRefAttrConstr)
    layout = prop_def(MapAttr)
    number = opt_prop_def(IntegerAttr[I64], prop_name="turn")
    turns = opt_prop_def(IntegerAttr[I64])
    tensor = prop_def(TensorType)

    @property
    def turn(self) -> Turn:
        """Which images are those of this port: all of them unless it says so."""
        if self.number is None or self.turns is None:
            return Turn()
        return Turn(self.number.value.data, self.turns.value.data)

    @turn.setter
    def turn(self, turn: Turn) -> None:
        self.number, self.turns = (IntegerAttr(n, i64) for n in turn)

    def verify_(self) -> None:
        if (self.number is None) != (self.turns is None):
            raise VerifyException("a turn is one of a number of turns")
        expect_count("the number of turns", self.turn.of)
        if not 0 <= self.turn.number < self.turn.of:
            raise VerifyException(f"turns are counted from 0, and there is no {self.turn}")
        object = find_object(self, self.object)
        rank = self.tensor.get_num_dims()
        expect_dims(self.layout, "the layout", rank, len(object.shape) + 1, "tensor to element")
        if not self.layout.data.is_single_valued():
            raise VerifyException("the layout should give one place to each element of the tensor")
        places = box(self.tensor.get_shape()).apply(self.layout.data)
        if not places.is_subset(box((*object.shape, object.vector))):
            raise VerifyException(f"the layout leaves the object {self.object}")
        if not box(self.tensor.get_shape()).is_subset(self.layout.data.domain()):
            raise VerifyException("the layout does not cover the tensor")


@irdl_op_definition
class InputOp(_PortOp, Writer):
    """An input of the network, streamed into an object by the GCU, one vector at a time.

    The stream writes those elements of the object, in lexicographic order, into which the layout
    puts the tensor. Of the units the GCU has the port.

    ```mlir
    cmpipe.input @a_stream "x" @a #poly.map<"{ [n, c, h, w] -> [h, w, c] }"> occupies <port = 2>
      : tensor<1x3x32x32xf32>
    ```

    A `state` is what an output was for the image before: the GCU sends it back, once all of that
    was collected. What is given for the first image is that of it.

    ```mlir
    cmpipe.input @h_stream "h" @h #poly.map<"{ [n, c] -> [c] }"> state "hn" : tensor<1x16xf32>
    ```
    """

    name = "cmpipe.input"

    state = opt_prop_def(StringAttr)

    traits = traits_def(SymbolOpInterface(), UsesObject())

    assembly_format = (
        f"$sym_name $tensor_name $object qualified($layout) (`state` $state^)? {_TURN} {_TIME} "
        "attr-dict `:` $tensor"
    )

    def __init__(
        self,
        name: str,
        tensor_name: str,
        object: str,
        layout: MapAttr,
        tensor: TensorType,
        state: StringAttr | None = None,
    ):
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "tensor_name": StringAttr(tensor_name),
                "object": SymbolRefAttr(object),
                "layout": layout,
                "tensor": tensor,
                "state": state,
            }
        )

    @property
    def iterations(self) -> isl.Set:
        elements = find_object(self, self.object).index_space
        rank = elements.dim(isl.dim_type.set)
        filled = self._filled.project_out(isl.dim_type.set, rank, 1)
        filled = filled.set_tuple_name(self.written)
        if not filled.is_equal(elements):
            elements = filled.coalesce()
        return elements.set_tuple_name(self.sym_name.data)

    @property
    def _filled(self) -> isl.Set:
        """The elements, and in each its channels, into which the layout puts the tensor."""
        return box(self.tensor.get_shape()).apply(self.layout.data)

    @property
    def written(self) -> str:
        return self.object.root_reference.data

    @property
    def places(self) -> isl.Map:
        return self.iterations.identity().set_tuple_name(isl.dim_type.out, self.written)

    def verify_(self) -> None:
        expect_name(self.sym_name)
        super().verify_()
        object = find_object(self, self.object)
        layout = self.layout.data.intersect_domain(box(self.tensor.get_shape()))
        if not layout.is_injective():
            raise VerifyException("the layout puts two elements of the tensor in one place")
        vectors = self.iterations.reset_tuple_id().product(box((object.vector,))).flatten()
        if not self._filled.is_equal(vectors):
            raise VerifyException(f"the layout fills vectors of {self.object} in part")
        self.expect_time("an input")
        for unit, _ in () if self.occupies is None else self.occupies.data:
            if unit is not Unit.PORT:
                raise VerifyException(f"an input occupies the GCU's port, which has no {unit} unit")


@irdl_op_definition
class OutputOp(_PortOp):
    """An output of the network, collected from an object by the GCU.

    ```mlir
    cmpipe.output "y" @c #poly.map<"{ [n, f] -> [f] }"> : tensor<1x10xf32>
    ```
    """

    name = "cmpipe.output"

    traits = traits_def(UsesObject())

    assembly_format = f"$tensor_name $object qualified($layout) {_TURN} attr-dict `:` $tensor"

    def __init__(self, tensor_name: str, object: str, layout: MapAttr, tensor: TensorType):
        super().__init__(
            properties={
                "tensor_name": StringAttr(tensor_name),
                "object": SymbolRefAttr(object),
                "layout": layout,
                "tensor": tensor,
            }
        )


@irdl_op_definition
class StageOp(Writer, IterationScope):
    """One perfect loop nest with one body, executed in lexicographic order of its domain.

    It is complete in itself: beside the body it holds the crossbars and the constants that the body
    needs. Its `interval` is that of its crossbars. One that shares the work of a slow stage with
    others says of which it is a `copy`, and what its iterations are there.

    ```mlir
    cmpipe.stage @conv in #poly.set<"{ [w] : 0 <= w < 8 }"> latency 3 occupies <digital = 2> {
      cmpipe.crossbar @w #nn.weights<[[1.0], [2.0], [1.0]]> : tensor<3x1xf32>
      %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<3x1xf32>
      %y = cmpipe.mxv @w %v : vector<3x1xf32> -> vector<1xf32>
      cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
    }
    ```
    """

    name = "cmpipe.stage"

    copy_of = opt_prop_def(StringAttr)
    part = opt_prop_def(MapAttr)
    domain = prop_def(SetAttr)

    traits = traits_def(NoTerminator(), IsolatedFromAbove(), SymbolTable(), SymbolOpInterface())

    assembly_format = (
        "$sym_name (`copy` `of` $copy_of^)? (`at` qualified($part)^)? "
        f"`in` qualified($domain) {_TIME} $body attr-dict"
    )

    def __init__(self, name: str, domain: SetAttr, body: Region):
        super().__init__(
            properties={"sym_name": StringAttr(name), "domain": domain}, regions=[body]
        )

    @property
    def origin(self) -> str:
        """The name of the stage that it is a copy of; its own if it is none."""
        return self.sym_name.data if self.copy_of is None else self.copy_of.data

    def iteration_rank(self) -> int:
        return self.domain.data.dim(isl.dim_type.set)

    @property
    def iterations(self) -> isl.Set:
        return self.domain.data.set_tuple_name(self.sym_name.data)

    @property
    def written(self) -> str:
        return next(self.writes()).object.root_reference.data

    @property
    def places(self) -> isl.Map:
        return next(self.writes()).relation(self.iterations)

    def held(self) -> Iterator[ObjectOp | CrossbarOp]:
        """The constants and the crossbars that the stage holds."""
        for op in self.body.ops:
            if isinstance(op, ObjectOp | CrossbarOp):
                yield op

    def crossbars(self) -> Iterator[CrossbarOp]:
        for op in self.body.ops:
            if isinstance(op, CrossbarOp):
                yield op

    def constants(self) -> Iterator[tuple[Operation, int]]:
        """The constants that lie in SRAM, in order, with their floats."""
        for op in self.body.ops:
            if floats := stored_floats(op):
                yield op, floats

    @property
    def constant_floats(self) -> int:
        """The floats of all constants that lie in SRAM."""
        return sum(floats for _, floats in self.constants())

    def computed(self) -> Iterator[Operation]:
        """The operations of an iteration, in order."""
        for op in self.body.ops:
            if not isinstance(op, ObjectOp | CrossbarOp):
                yield op

    def reads(self) -> Iterator[ReadOp]:
        for op in self.body.ops:
            if isinstance(op, ReadOp):
                yield op

    def writes(self) -> Iterator[WriteOp]:
        for op in self.body.ops:
            if isinstance(op, WriteOp):
                yield op

    def verify_(self) -> None:
        if not isinstance(self.parent_op(), StageScope | None):
            raise VerifyException("a stage stands in a pipeline, or in a core of a chip")
        expect_name(self.sym_name)
        domain = self.domain.data
        if domain.get_space().is_wrapping():
            raise VerifyException("the domain of a stage holds tuples of numbers")
        if domain.is_empty() or not domain.is_bounded():
            raise VerifyException("the domain of a stage is finite and not empty")
        if len(list(self.writes())) != 1:
            raise VerifyException("a stage writes exactly one object")
        for write in self.writes():
            object = find_object(write, write.object)
            places = write.relation(self.iterations).set_tuple_name(
                isl.dim_type.out, object.sym_name.data
            )
            if not places.is_injective():
                raise VerifyException(f"two iterations write the same element of {write.object}")
            if not places.domain().is_equal(self.iterations):
                idle = first_point(self.iterations.subtract(places.domain()))
                raise VerifyException(f"iteration {coordinates(idle)} writes nothing")
            if not places.range().is_subset(object.index_space):
                extra = first_point(places.range().subtract(object.index_space))
                raise VerifyException(
                    f"the iterations write {coordinates(extra)}, and {write.object} has the "
                    f"elements {object.index_space}"
                )
        self.expect_time("a stage")
        if self.part is not None:
            rank = self.iteration_rank()
            expect_dims(self.part, "the part", rank, rank, "iteration to that of the whole stage")


def expect_own_names(scope: ObjectScope, stages: Iterable[StageOp]) -> None:
    """Verify that nothing that a stage holds has the name of something outside of it."""
    names = {get_name_if_symbol(op) for op in scope.body.ops}
    for stage in stages:
        for held in stage.held():
            if held.sym_name.data in names:
                raise VerifyException(
                    f"stage @{stage.sym_name.data} holds @{held.sym_name.data}, and outside of it "
                    "something else has that name"
                )


def expect_partition(scope: ObjectScope, writers: Mapping[str, Written]) -> None:
    """Verify that every element of each object is written by one of the object's writers.

    Each writer's own writes are taken to be verified.
    """
    for object in scope.objects():
        written = writers.get(object.sym_name.data)
        if written is None:
            raise VerifyException(
                f"object @{object.sym_name.data} has no writer; every object is written by stages, "
                "or is an input"
            )
        if not written.fill(object):
            _expect_each_once(object, written)


def _expect_each_once(object: ObjectOp, written: Written) -> None:
    """Verify that what writers write leaves nothing of an object, and is nowhere the same."""
    name, left = object.sym_name.data, object.index_space
    names = [f"@{writer.sym_name.data}" for writer in written.writers]
    for number, elements in enumerate(written.elements):
        others = () if elements.is_subset(left) else written.elements[:number]
        for other, before in enumerate(others):
            if not (both := elements.intersect(before)).is_empty():
                element = f"@{name}{coordinates(first_point(both))}"
                raise VerifyException(f"{names[other]} and {names[number]} both write {element}")
        left = left.subtract(elements).coalesce()
    if not left.is_empty():
        raise VerifyException(
            f"nothing writes @{name}{coordinates(first_point(left))}: {' and '.join(names)} "
            f"{'writes' if len(names) == 1 else 'write'} the rest of the object"
        )


def expect_ports(inputs: Sequence[InputOp], outputs: Sequence[OutputOp]) -> None:
    """Verify that each tensor has one port for each of all turns."""
    turns = {port.turn.of: port for port in (*inputs, *outputs)}
    if len(turns) > 1:
        one, other, *_ = (f'"{port.tensor_name.data}" of {port.turn}' for port in turns.values())
        raise VerifyException(f"all ports are of as many turns: there is {one}, and {other}")
    for what, ports in (("input", inputs), ("output", outputs)):
        found: dict[str, list[InputOp | OutputOp]] = {}
        for port in ports:
            found.setdefault(port.tensor_name.data, []).append(port)
        for name, of_tensor in found.items():
            _expect_turns(f'{what} "{name}"', f'{what}s "{name}"', of_tensor)
    _expect_states(inputs, outputs)


def _expect_states(inputs: Sequence[InputOp], outputs: Sequence[OutputOp]) -> None:
    """Verify that states are outputs of the same type, each of one input, in a single pipeline."""
    found = {output.tensor_name.data: output for output in outputs}
    taken: dict[str, str] = {}
    for port in inputs:
        if port.state is None:
            continue
        name, state = port.tensor_name.data, port.state.data
        if state not in found:
            raise VerifyException(f'input "{name}" is the state "{state}", and there is no output')
        if found[state].tensor != port.tensor:
            raise VerifyException(
                f'input "{name}" is of type {port.tensor}, and its state "{state}" of type '
                f"{found[state].tensor}"
            )
        if state in taken:
            raise VerifyException(f'inputs "{taken[state]}" and "{name}" are both "{state}"')
        taken[state] = name
        if port.turn.of > 1:
            raise VerifyException(
                f'input "{name}" is what the image before gave: pipelines cannot take turns'
            )


def states_of(inputs: Iterable[InputOp]) -> dict[str, str]:
    """The outputs of the image before that inputs are, by the names of those inputs."""
    return {i.tensor_name.data: i.state.data for i in inputs if i.state is not None}


def fed_back(
    inputs: Iterable[InputOp], outputs: Iterable[OutputOp], writers: Iterable[Writer]
) -> list[tuple[str, str]]:
    """The writers of states, and the streams that send them for the next image."""
    places = {output.tensor_name.data: output.object.root_reference.data for output in outputs}
    by_object: dict[str, list[str]] = {}
    for writer in writers:
        by_object.setdefault(writer.written, []).append(writer.sym_name.data)
    return [
        (writer, stream.sym_name.data)
        for stream in inputs
        if stream.state is not None
        for writer in by_object[places[stream.state.data]]
    ]


def _expect_turns(one: str, many: str, ports: Sequence[InputOp | OutputOp]) -> None:
    """Verify that ports of one tensor, which are called so, are one for each turn."""
    (_, turns), type = ports[0].turn, ports[0].tensor
    counts = Counter(port.turn.number for port in ports)
    for number, count in counts.items():
        if count > 1:
            of = f" of {Turn(number, turns)}" if turns > 1 else ""
            raise VerifyException(f"there are {count} {many}{of}")
    if len(counts) < turns:
        number = next(number for number in range(turns) if number not in counts)
        raise VerifyException(f"there is no {one} of {Turn(number, turns)}")
    for port in ports:
        if port.tensor != type:
            raise VerifyException(f"the {many} are of the types {type} and {port.tensor}")


def turns_of(
    inputs: Iterable[InputOp], outputs: Iterable[OutputOp], stages: Iterable[StageOp]
) -> dict[str, Turn]:
    """Which images each stage and each stream of an input takes, by its name: those of its ports.

    VerifyException where pipelines that take turns are not apart.
    """
    ports, stages = [*inputs, *outputs], list(stages)
    streams = [port for port in ports if isinstance(port, InputOp)]
    names = [writer.sym_name.data for writer in (*streams, *stages)]
    if all(port.turn.of == 1 for port in ports):
        return dict.fromkeys(names, Turn())
    beside: defaultdict[str, list[str]] = defaultdict(list)
    links = [(writer.sym_name.data, writer.written) for writer in (*streams, *stages)]
    for stage in stages:
        for read in stage.reads():
            if find_object(read, read.object).value is None:
                links.append((stage.sym_name.data, read.object.root_reference.data))
    for one, other in links:
        beside[one].append(other)
        beside[other].append(one)
    turns: dict[str, Turn] = {}
    found = deque((port.object.root_reference.data, port.turn) for port in ports)
    while found:
        name, turn = found.popleft()
        if name not in turns:
            turns[name] = turn
            found.extend((other, turn) for other in beside[name])
        elif turns[name] != turn:
            raise VerifyException(
                f"@{name} is of {turns[name]} and of {turn}: pipelines that take turns have no "
                "stage and no object in common"
            )
    for name in names:
        if name not in turns:
            raise VerifyException(
                f"@{name} takes no turn: nothing leads to it from an input, or from it to an output"
            )
    return {name: turns[name] for name in names}


class Placed(IRDLOperation, ABC):
    """A core, which may have its place on the chip: of cores in a grid these count row by row."""

    sym_name = prop_def(SymbolNameConstraint())
    at = opt_prop_def(IntegerAttr[I64], prop_name="place")

    @property
    def place(self) -> int | None:
        """The place, from 0 on."""
        return None if self.at is None else self.at.value.data

    @place.setter
    def place(self, place: int | None) -> None:
        self.at = None if place is None else IntegerAttr(place, i64)


def expect_places(cores: Iterable[Placed], target: Target) -> None:
    """Verify that cores have places of the target, each its own, as far as they have any."""
    taken: dict[int, str] = {}
    for core in cores:
        if (place := core.place) is None:
            continue
        name = core.sym_name.data
        if place < 0 or (target.cores is not None and place >= target.cores):
            last = "on" if target.cores is None else f"to {target.cores - 1}"
            raise VerifyException(
                f"core @{name} is at {place}, and target {target.name} has places from 0 {last}"
            )
        if place in taken:
            raise VerifyException(f"core @{taken[place]} and core @{name} are both at {place}")
        taken[place] = name


@irdl_op_definition
class CoreOp(Placed):
    """One core: the stages that it runs, in order, and its place on the chip if it has one.

    ```mlir
    cmpipe.core @core0 at 5 runs [@conv, @pool]
    ```
    """

    name = "cmpipe.core"

    stages = prop_def(ArrayAttr[FlatSymbolRefAttr])

    traits = traits_def(SymbolOpInterface(), HasParent(PipelineOp))

    assembly_format = "$sym_name (`at` $place^)? `runs` $stages attr-dict"

    def __init__(self, name: str, stages: Sequence[str], place: int | None = None):
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "place": None if place is None else IntegerAttr(place, i64),
                "stages": ArrayAttr([SymbolRefAttr(stage) for stage in stages]),
            }
        )

    def runs(self) -> Iterator[StageOp]:
        """The stages; VerifyException if there is no stage of a name."""
        pipeline = self.parent_op()
        assert isinstance(pipeline, PipelineOp)
        for name in self.stages:
            stage = pipeline.symbol(name.root_reference)
            if not isinstance(stage, StageOp):
                raise VerifyException(f"there is no stage {name}")
            yield stage

    def verify_(self) -> None:
        if not list(self.runs()):
            raise VerifyException("a core runs at least one stage")


@irdl_op_definition
class ChannelOp(Carrying):
    """The way of an object from a writer to a stage that reads it, and what waits for what there.

    What travels is what this writer writes, in the order in which it does; of that no more than the
    channel `carries`, if it says so. The stage has a channel from each writer of which it reads an
    element.

    `ready` maps an element, once written, to the last iteration of the reader that may then run;
    `free` maps an iteration of the reader, once done, to the last element whose slot is then free.
    Both are tabulated where they grow. What holds before the first step follows `from`. The
    reader keeps what arrives in a ring of `slots` vectors.

    ```mlir
    cmpipe.channel @b from @conv1 to @conv2 slots 3
      ready #poly.map<"{ b[j] -> conv2[j - 2] : 2 <= j <= 7 }">
      free #poly.map<"{ conv2[w] -> b[w] : 0 <= w <= 4; conv2[5] -> b[7] }">
    ```
    """

    name = "cmpipe.channel"

    slots = opt_prop_def(IntegerAttr[I64])
    ready = prop_def(MapAttr)
    ready_from = opt_prop_def(SetAttr)
    free = prop_def(MapAttr)
    free_from = opt_prop_def(SetAttr)

    traits = traits_def(HasParent(PipelineOp), UsesObject())

    assembly_format = (
        "$object `from` $writer `to` $reader (`carries` qualified($carries)^)? "
        "(`slots` $slots^)? "
        "`ready` qualified($ready) (`from` qualified($ready_from)^)? "
        "`free` qualified($free) (`from` qualified($free_from)^)? attr-dict"
    )

    def __init__(
        self,
        channel: Channel,
        ready: MapAttr,
        free: MapAttr,
        *,
        ready_from: SetAttr | None = None,
        free_from: SetAttr | None = None,
        carries: SetAttr | None = None,
        slots: int | None = None,
    ):
        super().__init__(
            properties={
                **channel_properties(channel),
                "carries": carries,
                "slots": None if slots is None else IntegerAttr(slots, i64),
                "ready": ready,
                "ready_from": ready_from,
                "free": free,
                "free_from": free_from,
            }
        )

    def verify_(self) -> None:
        object = find_object(self, self.object)
        if self.slots is not None:
            expect_count("the number of slots", self.slots.value.data)
        self.expect_carried()
        pipeline = self.parent_op()
        assert isinstance(pipeline, PipelineOp)
        writer = pipeline.symbol(self.writer.root_reference)
        if not isinstance(writer, Writer):
            raise VerifyException(f"there is no stage or input {self.writer}")
        if writer.written != self.channel.object:
            raise VerifyException(f"{self.writer} does not write {self.object}")
        reader = pipeline.symbol(self.reader.root_reference)
        if not isinstance(reader, StageOp):
            raise VerifyException(f"there is no stage {self.reader}")
        elements, iterations = object.index_space.get_space(), reader.iterations.get_space()
        self._expect_steps("ready", self.ready, self.ready_from, elements, iterations)
        self._expect_steps("free", self.free, self.free_from, iterations, elements)

    def _expect_steps(
        self,
        what: str,
        steps: MapAttr,
        start: SetAttr | None,
        signals: isl.Space,
        driven: isl.Space,
    ) -> None:
        space = signals.map_from_domain_and_range(driven)
        if not steps.data.get_space().has_equal_tuples(space):
            raise VerifyException(
                f"{what} should be a map of the form {isl.Map.universe(space)}, and is {steps.data}"
            )
        if not steps.data.is_single_valued():
            raise VerifyException(f"{what} gives more than one step for one signal")
        if start is None:
            return
        if not start.data.get_space().has_equal_tuples(driven):
            raise VerifyException(
                f"{what} should start from a point of the form {isl.Set.universe(driven)}, and "
                f"starts from {start.data}"
            )
        if not start.data.is_singleton():
            raise VerifyException(f"{what} should start from one point, not from {start.data}")


@dataclass(frozen=True, eq=False)
class Written:
    """What the writers of one object write of it."""

    writers: Sequence[Writer]

    @cached_property
    def elements(self) -> Sequence[isl.Set]:
        """What each of them writes."""
        return [writer.elements for writer in self.writers]

    @cached_property
    def _grids(self) -> Grids:
        return Grids.of(self.elements, self.elements[0].dim(isl.dim_type.set))

    def fill(self, object: ObjectOp) -> bool:
        """Whether grids and counts tell that they write each element once; else they may."""
        counts = [_box_count(writer.iterations) for writer in self.writers]
        return 0 not in counts and sum(counts) == prod(object.shape) and self._grids.apart

    def read_in(self, reads: isl.Map) -> dict[str, isl.Map]:
        """The part of a relation to elements that each writer writes, by those that have one."""
        near = [0] if len(self.writers) == 1 else self._grids.meeting(reads.range())
        parts = {n: reads.intersect_range(self.elements[n]) for n in near}
        parts = {n: part for n, part in parts.items() if not part.is_empty()}
        if len(parts) == 1:
            parts = {n: reads if part.is_equal(reads) else part for n, part in parts.items()}
        return {self.writers[n].sym_name.data: part for n, part in parts.items()}


def _box_count(points: isl.Set) -> int:
    """How many points there are, if they are a box; 0 if they are none."""
    if not points.is_box():
        return 0
    axes = range(points.dim(isl.dim_type.set))
    return prod(
        points.dim_max_val(d).to_python() - points.dim_min_val(d).to_python() + 1 for d in axes
    )


def writers_of(writers: Iterable[Writer]) -> dict[str, Written]:
    """For each object that is written, those of the writers that write it."""
    found: dict[str, list[Writer]] = {}
    for writer in writers:
        found.setdefault(writer.written, []).append(writer)
    return {name: Written(of_one) for name, of_one in found.items()}


def read_by(stage: StageOp) -> dict[str, isl.Map]:
    """For each object that travels to the stage, the relation from iterations to elements read."""
    reads: dict[str, list[isl.Map]] = {}
    for read in stage.reads():
        if find_object(read, read.object).value is None:
            relations = reads.setdefault(read.object.root_reference.data, [])
            relations.append(read.relation(stage.iterations))
    return {name: union(relations).coalesce() for name, relations in reads.items()}


def read_from(stage: StageOp, writers: Mapping[str, Written]) -> dict[Channel, isl.Map]:
    """The channels to a stage, and the relation from its iterations to the elements read by each.

    `writers` has those of each object. From a writer of which nothing is read there is no channel.
    """
    name = stage.sym_name.data
    return {
        Channel(object, writer, name): part
        for object, reads in read_by(stage).items()
        if object in writers
        for writer, part in writers[object].read_in(reads).items()
    }


def stages_before(pipeline: PipelineOp) -> dict[str, list[str]]:
    """The stages that each stage reads from, by their names; each stage stands after those.

    Stages that read from each other stand together.
    """
    stages = {stage.sym_name.data: stage for stage in pipeline.stages()}
    writers = writers_of(stages.values())
    before = {
        name: [channel.writer for channel in read_from(stage, writers)]
        for name, stage in stages.items()
    }
    return {name: before[name] for name in in_order(before)}
