"""A network as a pipeline of cores: objects, crossbars, stages and channels.

```mlir
cmpipe.pipeline @two_convolutions {
  cmpipe.object @a : memref<10xvector<1xf32>>
  cmpipe.object @b : memref<8xvector<1xf32>>
  cmpipe.input "x" @a #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x10xf32>
  cmpipe.output "y" @b #poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x8xf32>
  cmpipe.core @conv1 {
    cmpipe.crossbar @w #nn.weights<[[1.0], [2.0], [1.0]]> : tensor<3x1xf32>
    cmpipe.stage @conv1 in #poly.set<"{ [w] : 0 <= w < 8 }"> {
      %v = cmpipe.read @a #poly.map<"{ [w, k, c] -> [w + k, c] }"> : vector<3x1xf32>
      %y = cmpipe.mxv @w %v : vector<3x1xf32> -> vector<1xf32>
      cmpipe.write %y, @b #poly.map<"{ [w] -> [w] }"> : vector<1xf32>
    }
  }
}
```

An *object* is an array of vectors. A *stage* is one perfect loop nest, executed in lexicographic
order of its domain; its body reads windows of objects and writes one vector an iteration. A
*channel* joins an object to one of its readers and says what waits for what.

The operations of a body (`read`, `mxv`, `reduce`, `constant`, `write`) stay as they are when a
pipeline is lowered to `cmctrl`: what changes is who starts an iteration, not what it computes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from enum import auto
from math import prod

import islpy as isl
from xdsl.dialects.builtin import (
    I64,
    FlatSymbolRefAttrConstr,
    FloatAttr,
    IntegerAttr,
    MemRefType,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    TensorType,
    VectorType,
    f32,
    i64,
)
from xdsl.dialects.utils import EnumAttribute
from xdsl.ir import (
    Attribute,
    Dialect,
    Operation,
    Region,
    SpacedOpaqueSyntaxAttribute,
    SSAValue,
)
from xdsl.irdl import (
    IRDLOperation,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    region_def,
    result_def,
    traits_def,
)
from xdsl.traits import (
    HasParent,
    NoTerminator,
    Pure,
    SymbolOpInterface,
    SymbolTable,
)
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.hints import isa
from xdsl.utils.str_enum import StrEnum

from cmc.dialects.nn.numbers import Number
from cmc.dialects.nn.weights import WeightsAttr
from cmc.dialects.poly import MapAttr, SetAttr
from cmc.poly.relations import box, union

ObjectType = MemRefType[VectorType]
"""An array of vectors: `memref<28x28xvector<16xf32>>` is 28 by 28 vectors of 16 channels."""


def object_type(shape: tuple[int, ...], length: int) -> ObjectType:
    """The type of an object with the index space `shape` and vectors of `length` floats."""
    return MemRefType(VectorType(f32, [length]), shape)


def vector_length(type: Attribute) -> int:
    """The number of floats in one vector of an object of this type."""
    assert isa(type, ObjectType)
    return prod(type.get_element_type().get_shape())


def vector_shape(type: Attribute) -> tuple[int, ...]:
    """The extents of a vector; none for a scalar."""
    return type.get_shape() if isa(type, VectorType) else ()


class ObjectScope(IRDLOperation, ABC):
    """An operation whose body declares objects: a pipeline, or the chip that it is lowered to."""

    sym_name = prop_def(SymbolNameConstraint())
    body = region_def("single_block")

    def __init__(self, name: str, body: Region):
        super().__init__(properties={"sym_name": StringAttr(name)}, regions=[body])

    def objects(self) -> Iterator[ObjectOp]:
        """The objects that travel between stages."""
        for op in self.body.ops:
            if isinstance(op, ObjectOp):
                yield op


class IterationScope(ABC):
    """An operation around a body that runs once an iteration."""

    @abstractmethod
    def iteration_rank(self) -> int:
        """The number of coordinates of an iteration."""


def find_object(op: Operation, name: SymbolRefAttr) -> ObjectOp:
    """The object that `op` refers to: one of its own core (a constant) or of the whole pipeline."""
    parent = op.parent_op()
    while parent is not None:
        if parent.has_trait(SymbolTable):
            for candidate in parent.regions[0].ops:
                if isinstance(candidate, ObjectOp) and candidate.sym_name == name.root_reference:
                    return candidate
        parent = parent.parent_op()
    raise VerifyException(f"there is no object {name}")


def find_crossbar(op: Operation, name: SymbolRefAttr) -> CrossbarOp:
    """The crossbar of `op`'s core that has this name."""
    parent = op.parent_op()
    while parent is not None:
        if parent.has_trait(SymbolTable):
            for candidate in parent.regions[0].ops:
                if isinstance(candidate, CrossbarOp) and candidate.sym_name == name.root_reference:
                    return candidate
            break
        parent = parent.parent_op()
    raise VerifyException(f"there is no crossbar {name} in this core")


def iteration_scope(op: Operation) -> IterationScope:
    """The stage or iteration that `op` belongs to."""
    parent = op.parent_op()
    while parent is not None:
        if isinstance(parent, IterationScope):
            return parent
        parent = parent.parent_op()
    raise VerifyException("expected to be in the body of a stage")


def _expect_dims(access: MapAttr, what: str, inputs: int, outputs: int, meaning: str) -> None:
    found = (access.data.dim(isl.dim_type.in_), access.data.dim(isl.dim_type.out))
    if found != (inputs, outputs):
        raise VerifyException(
            f"{what} should map {inputs} to {outputs} dimensions ({meaning}), "
            f"and maps {found[0]} to {found[1]}"
        )


@irdl_op_definition
class PipelineOp(ObjectScope):
    """A network as cores that run concurrently, each its stage, image after image."""

    name = "cmpipe.pipeline"

    traits = traits_def(NoTerminator(), SymbolTable(), SymbolOpInterface())

    assembly_format = "$sym_name $body attr-dict"

    def cores(self) -> Iterator[CoreOp]:
        for op in self.body.ops:
            if isinstance(op, CoreOp):
                yield op

    def stages(self) -> Iterator[StageOp]:
        for core in self.cores():
            yield from core.stages()

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

    def verify_(self) -> None:
        writers = {name: 0 for name in (o.sym_name.data for o in self.objects())}
        for op in self.inputs():
            writers[find_object(op, op.object).sym_name.data] += 1
        stages: set[str] = set()
        for stage in self.stages():
            if stage.sym_name.data in stages:
                raise VerifyException(f"two stages are named @{stage.sym_name.data}")
            stages.add(stage.sym_name.data)
            for write in stage.writes():
                writers[find_object(write, write.object).sym_name.data] += 1
        for object, count in writers.items():
            if count != 1:
                raise VerifyException(
                    f"object @{object} has {count} writers; every object is written by exactly "
                    "one stage, or is an input"
                )
        for channel in self.channels():
            if channel.reader.root_reference.data not in stages:
                raise VerifyException(f"a channel names {channel.reader}, which is no stage")


@irdl_op_definition
class ObjectOp(IRDLOperation):
    """An array of vectors, written once an image, one vector at a time.

    In a pipeline or a chip it travels: from the stage that writes it, or the input, to every stage
    that reads it. In a core it is a constant, with its `value` in the core's own SRAM.

    ```mlir
    cmpipe.object @b : memref<28x28xvector<8xf32>>
    cmpipe.object @scale #nn.weights<splat 0.25 shape [7, 7, 1]> : memref<7x7xvector<1xf32>>
    ```
    """

    name = "cmpipe.object"

    sym_name = prop_def(SymbolNameConstraint())
    value = opt_prop_def(WeightsAttr)
    type = prop_def(MemRefType)

    traits = traits_def(SymbolOpInterface())

    assembly_format = "$sym_name (qualified($value)^)? attr-dict `:` $type"

    def __init__(self, name: str, type: ObjectType, value: WeightsAttr | None = None):
        super().__init__(properties={"sym_name": StringAttr(name), "type": type, "value": value})

    @property
    def shape(self) -> tuple[int, ...]:
        """The extents of the index space."""
        return self.type.get_shape()

    @property
    def vector(self) -> int:
        """The number of floats in one vector."""
        return vector_length(self.type)

    @property
    def index_space(self) -> isl.Set:
        """All elements, as an isl set named as the object."""
        return box(self.shape, self.sym_name.data)

    def verify_(self) -> None:
        element = self.type.get_element_type()
        if not (
            isa(element, VectorType) and element.get_num_dims() == 1 and element.element_type == f32
        ):
            raise VerifyException(f"an object holds vectors of f32, not {element}")
        if any(extent < 1 for extent in (*self.shape, self.vector)):
            raise VerifyException("the extents of an object are fixed and at least 1")
        in_core = isinstance(self.parent_op(), ObjectScope) is False
        if in_core != (self.value is not None):
            raise VerifyException(
                "an object in a core is a constant and has a value; outside it travels and has none"
            )
        if self.value is not None and self.value.shape != (*self.shape, self.vector):
            raise VerifyException(
                f"the value has the shape {list(self.value.shape)}, "
                f"expected {[*self.shape, self.vector]}"
            )


class _InterfaceOp(IRDLOperation, ABC):
    """Where a tensor of the network lives: element by element, in which vector of which object."""

    tensor_name = prop_def(StringAttr)
    object = prop_def(FlatSymbolRefAttrConstr)
    layout = prop_def(MapAttr)
    tensor = prop_def(TensorType)

    assembly_format = "$tensor_name $object qualified($layout) attr-dict `:` $tensor"

    def __init__(self, tensor_name: str, object: str, layout: MapAttr, tensor: TensorType):
        super().__init__(
            properties={
                "tensor_name": StringAttr(tensor_name),
                "object": SymbolRefAttr(object),
                "layout": layout,
                "tensor": tensor,
            }
        )

    def verify_(self) -> None:
        object = find_object(self, self.object)
        rank = self.tensor.get_num_dims()
        _expect_dims(self.layout, "the layout", rank, len(object.shape) + 1, "tensor to element")
        if not self.layout.data.is_single_valued():
            raise VerifyException("the layout should give one place to each element of the tensor")
        places = box(self.tensor.get_shape()).apply(self.layout.data)
        if not places.is_subset(box((*object.shape, object.vector))):
            raise VerifyException(f"the layout leaves the object {self.object}")
        if not box(self.tensor.get_shape()).is_subset(self.layout.data.domain()):
            raise VerifyException("the layout does not cover the tensor")


@irdl_op_definition
class InputOp(_InterfaceOp):
    """An input of the network, streamed into an object by the GCU, one vector at a time.

    ```mlir
    cmpipe.input "x" @a #poly.map<"{ [n, c, h, w] -> [h, w, c] }"> : tensor<1x3x32x32xf32>
    ```
    """

    name = "cmpipe.input"


@irdl_op_definition
class OutputOp(_InterfaceOp):
    """An output of the network, collected from an object by the GCU.

    ```mlir
    cmpipe.output "y" @c #poly.map<"{ [n, f] -> [f] }"> : tensor<1x10xf32>
    ```
    """

    name = "cmpipe.output"


@irdl_op_definition
class CoreOp(IRDLOperation):
    """One core: at most one crossbar stage, any number of digital ones, and what they hold."""

    name = "cmpipe.core"

    sym_name = prop_def(SymbolNameConstraint())
    body = region_def("single_block")

    traits = traits_def(NoTerminator(), SymbolTable(), SymbolOpInterface(), HasParent(PipelineOp))

    assembly_format = "$sym_name $body attr-dict"

    def __init__(self, name: str, body: Region):
        super().__init__(properties={"sym_name": StringAttr(name)}, regions=[body])

    def stages(self) -> Iterator[StageOp]:
        for op in self.body.ops:
            if isinstance(op, StageOp):
                yield op

    def verify_(self) -> None:
        driving = [s for s in self.stages() if any(isinstance(o, MxvOp) for o in s.body.ops)]
        if len(driving) > 1:
            names = " and ".join(f"@{s.sym_name.data}" for s in driving)
            raise VerifyException(f"a core has one crossbar stage, and {names} both drive it")


@irdl_op_definition
class CrossbarOp(IRDLOperation):
    """A matrix, programmed into a crossbar before the first image.

    The tensor is K x M: an input vector of K floats gives an output vector of M. A tensor of
    G x K x M lies on the diagonal as G blocks: an input of G rows of K gives G rows of M.

    ```mlir
    cmpipe.crossbar @w #nn.weights<[[1.0], [2.0], [1.0]]> : tensor<3x1xf32>
    ```
    """

    name = "cmpipe.crossbar"

    sym_name = prop_def(SymbolNameConstraint())
    value = prop_def(WeightsAttr)
    type = prop_def(TensorType)

    traits = traits_def(SymbolOpInterface())

    assembly_format = "$sym_name qualified($value) attr-dict `:` $type"

    def __init__(self, name: str, value: WeightsAttr):
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "value": value,
                "type": TensorType(f32, value.shape),
            }
        )

    def verify_(self) -> None:
        if self.value.shape != self.type.get_shape():
            raise VerifyException(
                f"the matrix has the shape {list(self.value.shape)}, "
                f"and its type says {list(self.type.get_shape())}"
            )
        if len(self.value.shape) not in (2, 3):
            raise VerifyException("a crossbar holds a matrix, or several on its diagonal")


@irdl_op_definition
class StageOp(IRDLOperation, IterationScope):
    """One perfect loop nest with one body, executed in lexicographic order of its domain.

    An iteration's result can be used `latency` cycles after its start; the next one may start
    after `interval` cycles. Both are 1 unless given.

    ```mlir
    cmpipe.stage @relu in #poly.set<"{ [h, w] : 0 <= h < 8 and 0 <= w < 8 }"> latency 3 {
      ...
    }
    ```
    """

    name = "cmpipe.stage"

    sym_name = prop_def(SymbolNameConstraint())
    domain = prop_def(SetAttr)
    latency = opt_prop_def(IntegerAttr[I64])
    interval = opt_prop_def(IntegerAttr[I64])
    body = region_def("single_block")

    traits = traits_def(NoTerminator(), SymbolOpInterface(), HasParent(CoreOp))

    assembly_format = (
        "$sym_name `in` qualified($domain) (`latency` $latency^)? (`interval` $interval^)? "
        "$body attr-dict"
    )

    def __init__(
        self, name: str, domain: SetAttr, body: Region, latency: int = 1, interval: int = 1
    ):
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "domain": domain,
                "latency": IntegerAttr(latency, i64) if latency != 1 else None,
                "interval": IntegerAttr(interval, i64) if interval != 1 else None,
            },
            regions=[body],
        )

    def iteration_rank(self) -> int:
        return self.domain.data.dim(isl.dim_type.set)

    @property
    def iterations(self) -> isl.Set:
        """The domain, as an isl set named as the stage."""
        return self.domain.data.set_tuple_name(self.sym_name.data)

    def reads(self) -> Iterator[ReadOp]:
        for op in self.body.ops:
            if isinstance(op, ReadOp):
                yield op

    def writes(self) -> Iterator[WriteOp]:
        for op in self.body.ops:
            if isinstance(op, WriteOp):
                yield op

    def verify_(self) -> None:
        domain = self.domain.data
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
            if not places.range().is_equal(object.index_space):
                raise VerifyException(
                    f"the iterations write {places.range()}, and {write.object} has the elements "
                    f"{object.index_space}"
                )
        for attribute, value in (("latency", self.latency), ("interval", self.interval)):
            if value is not None and value.value.data < 1:
                raise VerifyException(f"the {attribute} of a stage is at least 1 cycle")


@irdl_op_definition
class ReadOp(IRDLOperation):
    """Read a window of an object.

    `access` maps an iteration and a place in the window to an element of the object and a channel
    in its vector; the result's type gives the window's extents. What lies outside the object, or
    outside of the map's domain, is neither stored nor waited for: it reads as `pad`, or 0.

    ```mlir
    %v = cmpipe.read @b #poly.map<"{ [h, w, kh, kw, c] -> [h + kh - 1, w + kw - 1, c] }">
      : vector<3x3x16xf32>
    ```
    """

    name = "cmpipe.read"

    object = prop_def(FlatSymbolRefAttrConstr)
    access = prop_def(MapAttr)
    pad = opt_prop_def(FloatAttr)
    window = result_def(VectorType)

    custom_directives = (Number,)
    assembly_format = (
        "$object qualified($access) (`pad` custom<Number>($pad)^)? attr-dict `:` type($window)"
    )

    def __init__(
        self, object: str, access: MapAttr, window: tuple[int, ...], pad: float | None = None
    ):
        super().__init__(
            properties={
                "object": SymbolRefAttr(object),
                "access": access,
                "pad": None if pad is None else FloatAttr(pad, f32),
            },
            result_types=[VectorType(f32, window)],
        )

    @property
    def window_shape(self) -> tuple[int, ...]:
        type = self.window.type
        return vector_shape(type)

    def relation(self, iterations: isl.Set) -> isl.Map:
        """The access relation: from each iteration to the elements of the object that it reads."""
        object = find_object(self, self.object)
        rank = iterations.dim(isl.dim_type.set)
        points = iterations.reset_tuple_id().product(box(self.window_shape)).flatten()
        access = self.access.data.intersect_domain(points)
        access = access.intersect_range(box((*object.shape, object.vector)))
        access = access.project_out(isl.dim_type.out, len(object.shape), 1)
        access = access.project_out(isl.dim_type.in_, rank, len(self.window_shape))
        access = access.set_tuple_name(isl.dim_type.out, object.sym_name.data)
        if iterations.has_tuple_name():
            access = access.set_tuple_name(isl.dim_type.in_, iterations.get_tuple_name())
        return access

    def verify_(self) -> None:
        object = find_object(self, self.object)
        rank = iteration_scope(self).iteration_rank()
        _expect_dims(
            self.access,
            f"the access to {self.object}",
            rank + len(self.window_shape),
            len(object.shape) + 1,
            "iteration and window to element and channel",
        )
        if not self.access.data.is_single_valued():
            raise VerifyException(
                f"the access to {self.object} gives several elements for one place in the window"
            )


@irdl_op_definition
class MxvOp(IRDLOperation):
    """Drive a crossbar: multiply a vector with the matrix that it holds.

    The input is taken as one row of K floats (or G rows, for a matrix in G blocks), the result as
    M floats (or G times M), whatever the shapes of their types.

    ```mlir
    %y = cmpipe.mxv @w %v : vector<3x3x16xf32> -> vector<32xf32>
    ```
    """

    name = "cmpipe.mxv"

    crossbar = prop_def(FlatSymbolRefAttrConstr)
    vector = operand_def(VectorType)
    product = result_def(VectorType)

    assembly_format = "$crossbar $vector attr-dict `:` type($vector) `->` type($product)"

    def __init__(self, crossbar: str, vector: SSAValue, length: int):
        super().__init__(
            operands=[vector],
            properties={"crossbar": SymbolRefAttr(crossbar)},
            result_types=[VectorType(f32, [length])],
        )

    def verify_(self) -> None:
        *blocks, inputs, outputs = find_crossbar(self, self.crossbar).value.shape
        for what, value, expected in (
            ("input", self.vector, prod(blocks) * inputs),
            ("result", self.product, prod(blocks) * outputs),
        ):
            if prod(vector_shape(value.type)) != expected:
                raise VerifyException(
                    f"the {what} of {self.crossbar} has {expected} floats, and {value.type} has "
                    f"{prod(vector_shape(value.type))}"
                )


class ReductionKind(StrEnum):
    """How a reduction combines two numbers."""

    ADD = auto()
    MAX = auto()


@irdl_attr_definition
class ReductionKindAttr(EnumAttribute[ReductionKind], SpacedOpaqueSyntaxAttribute):
    """How a reduction combines two numbers."""

    name = "cmpipe.reduction"


@irdl_op_definition
class ReduceOp(IRDLOperation):
    """Reduce a window to one vector: the input is taken as rows of the result's length.

    ```mlir
    %m = cmpipe.reduce max %v : vector<2x2x16xf32> -> vector<16xf32>
    ```
    """

    name = "cmpipe.reduce"

    kind = prop_def(ReductionKindAttr)
    vector = operand_def(VectorType)
    result = result_def(VectorType)

    traits = traits_def(Pure())

    assembly_format = "$kind $vector attr-dict `:` type($vector) `->` type($result)"

    def __init__(self, kind: ReductionKind, vector: SSAValue, length: int):
        super().__init__(
            operands=[vector],
            properties={"kind": ReductionKindAttr(kind)},
            result_types=[VectorType(f32, [length])],
        )

    def verify_(self) -> None:
        inputs, outputs = (prod(vector_shape(v.type)) for v in (self.vector, self.result))
        if inputs % outputs:
            raise VerifyException(f"{inputs} floats are not rows of {outputs}")


@irdl_op_definition
class ConstantOp(IRDLOperation):
    """A constant vector in the core's SRAM, such as a bias.

    ```mlir
    %b = cmpipe.constant #nn.weights<[1.0, 2.0]> : vector<2xf32>
    ```
    """

    name = "cmpipe.constant"

    value = prop_def(WeightsAttr)
    result = result_def(VectorType)

    traits = traits_def(Pure())

    assembly_format = "qualified($value) attr-dict `:` type($result)"

    def __init__(self, value: WeightsAttr):
        super().__init__(
            properties={"value": value}, result_types=[VectorType(f32, list(value.shape))]
        )

    def verify_(self) -> None:
        if self.value.shape != vector_shape(self.result.type):
            raise VerifyException(
                f"the value has the shape {list(self.value.shape)}, and its type is "
                f"{self.result.type}"
            )


@irdl_op_definition
class WriteOp(IRDLOperation):
    """Write one vector of an object, and send it to every core that reads the object.

    ```mlir
    cmpipe.write %y, @c #poly.map<"{ [h, w] -> [h, w] }"> : vector<16xf32>
    ```
    """

    name = "cmpipe.write"

    vector = operand_def(VectorType)
    object = prop_def(FlatSymbolRefAttrConstr)
    access = prop_def(MapAttr)

    assembly_format = "$vector `,` $object qualified($access) attr-dict `:` type($vector)"

    def __init__(self, vector: SSAValue, object: str, access: MapAttr):
        super().__init__(
            operands=[vector],
            properties={"object": SymbolRefAttr(object), "access": access},
        )

    def relation(self, iterations: isl.Set) -> isl.Map:
        """The access relation: from each iteration to the element of the object that it writes."""
        access = self.access.data.intersect_domain(iterations.reset_tuple_id())
        access = access.set_tuple_name(isl.dim_type.out, self.object.root_reference.data)
        if iterations.has_tuple_name():
            access = access.set_tuple_name(isl.dim_type.in_, iterations.get_tuple_name())
        return access

    def verify_(self) -> None:
        object = find_object(self, self.object)
        if object.value is not None:
            raise VerifyException(f"{self.object} is a constant")
        rank = iteration_scope(self).iteration_rank()
        _expect_dims(
            self.access,
            f"the access to {self.object}",
            rank,
            len(object.shape),
            "iteration to element",
        )
        if not self.access.data.is_single_valued():
            raise VerifyException("an iteration writes one element")
        if prod(vector_shape(self.vector.type)) != object.vector:
            raise VerifyException(
                f"{self.object} holds vectors of {object.vector} floats, not {self.vector.type}"
            )


@irdl_op_definition
class ChannelOp(IRDLOperation):
    """The way of an object to one stage that reads it, and what waits for what on it.

    `ready` maps an element, once written, to the last iteration of the reader that may then run;
    `free` maps an iteration of the reader, once done, to the last element whose slot is then free.
    Both are tabulated where they grow. What holds before the first step follows `from`. The
    reader keeps the object in a ring of `slots` vectors.

    ```mlir
    cmpipe.channel @b for @conv2 slots 3
      ready #poly.map<"{ b[j] -> conv2[j - 2] : 2 <= j <= 7 }">
      free #poly.map<"{ conv2[w] -> b[w] : 0 <= w <= 4; conv2[5] -> b[7] }">
    ```
    """

    name = "cmpipe.channel"

    object = prop_def(FlatSymbolRefAttrConstr)
    reader = prop_def(FlatSymbolRefAttrConstr)
    slots = opt_prop_def(IntegerAttr[I64])
    ready = prop_def(MapAttr)
    ready_from = opt_prop_def(SetAttr)
    free = prop_def(MapAttr)
    free_from = opt_prop_def(SetAttr)

    traits = traits_def(HasParent(PipelineOp))

    assembly_format = (
        "$object `for` $reader (`slots` $slots^)? "
        "`ready` qualified($ready) (`from` qualified($ready_from)^)? "
        "`free` qualified($free) (`from` qualified($free_from)^)? attr-dict"
    )

    def __init__(
        self,
        object: str,
        reader: str,
        ready: MapAttr,
        free: MapAttr,
        *,
        ready_from: SetAttr | None = None,
        free_from: SetAttr | None = None,
        slots: int | None = None,
    ):
        super().__init__(
            properties={
                "object": SymbolRefAttr(object),
                "reader": SymbolRefAttr(reader),
                "slots": None if slots is None else IntegerAttr(slots, i64),
                "ready": ready,
                "ready_from": ready_from,
                "free": free,
                "free_from": free_from,
            }
        )

    def verify_(self) -> None:
        find_object(self, self.object)
        if self.slots is not None and self.slots.value.data < 1:
            raise VerifyException("a ring has at least 1 slot")


def written_by(pipeline: PipelineOp) -> dict[str, isl.Map]:
    """For each object, the relation from its writer's iterations to the elements they write.

    The GCU writes an input in lexicographic order of its elements.
    """
    writes: dict[str, isl.Map] = {}
    for op in pipeline.inputs():
        object = find_object(op, op.object)
        writes[object.sym_name.data] = object.index_space.identity()
    for stage in pipeline.stages():
        for write in stage.writes():
            writes[write.object.root_reference.data] = write.relation(stage.iterations)
    return writes


def read_by(stage: StageOp) -> dict[str, isl.Map]:
    """For each object that travels to the stage, the relation from iterations to elements read."""
    reads: dict[str, list[isl.Map]] = {}
    for read in stage.reads():
        if find_object(read, read.object).value is None:
            relations = reads.setdefault(read.object.root_reference.data, [])
            relations.append(read.relation(stage.iterations))
    return {name: union(relations).coalesce() for name, relations in reads.items()}


Cmpipe = Dialect(
    "cmpipe",
    [
        PipelineOp,
        ObjectOp,
        InputOp,
        OutputOp,
        CoreOp,
        CrossbarOp,
        StageOp,
        ReadOp,
        MxvOp,
        ReduceOp,
        ConstantOp,
        WriteOp,
        ChannelOp,
    ],
    [ReductionKindAttr],
)
