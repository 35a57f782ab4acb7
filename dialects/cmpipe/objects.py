# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a stage holds and what travels between stages: objects, crossbars and channels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import islpy as isl
from xdsl.dialects.builtin import (
    FlatSymbolRefAttrConstr,
    MemRefType,
    StringAttr,
    SymbolNameConstraint,
    SymbolRefAttr,
    TensorType,
    VectorType,
    f32,
)
from xdsl.ir import (
    Attribute,
    Operation,
    Region,
)
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    region_def,
    traits_def,
)
from xdsl.traits import SymbolOpInterface, SymbolUserOpInterface
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.hints import isa
from xdsl.utils.symbol_table import SymbolTable as SymbolTableOf
from xdsl.utils.symbol_table import get_name_if_symbol

from cmc.dialects.cmpipe.target import TargetAttr
from cmc.dialects.nn.weights import WeightsAttr
from cmc.dialects.poly import MapAttr, SetAttr, is_name
from cmc.poly.relations import box
from cmc.targets import IDEAL, Target
from cmc.targets.kinds import LARGEST

ObjectType = MemRefType[VectorType]
"""An array of vectors: `memref<28x28xvector<16xf32>>` is 28 by 28 vectors of 16 channels."""


def object_type(shape: tuple[int, ...], length: int) -> ObjectType:
    """The type of an object with the index space `shape` and vectors of `length` floats."""
    return MemRefType(VectorType(f32, [length]), shape)


def vector_length(type: Attribute) -> int:
    """The number of floats in one vector of an object of this type."""
    assert isa(type, MemRefType)
    return prod(vector_shape(type.get_element_type()))


def vector_shape(type: Attribute) -> tuple[int, ...]:
    """The extents of a vector; none for a scalar."""
    return type.get_shape() if isa(type, VectorType) else ()


class ObjectScope(IRDLOperation, ABC):
    """An operation whose body declares objects: a pipeline, or the chip that it is lowered to."""

    sym_name = prop_def(SymbolNameConstraint())
    target = opt_prop_def(TargetAttr)
    body = region_def("single_block")

    def __init__(self, name: str, body: Region, target: TargetAttr | None = None):
        super().__init__(
            properties={"sym_name": StringAttr(name), "target": target}, regions=[body]
        )

    def objects(self) -> Iterator[ObjectOp]:
        """The objects that travel between stages."""
        for op in self.body.ops:
            if isinstance(op, ObjectOp):
                yield op

    def symbol(self, name: StringAttr) -> Operation | None:
        """The operation of this name, as `SymbolTable.lookup_symbol` finds it."""
        known: SymbolTableOf | None = vars(self).get("_table")
        found = None if known is None else known.lookup(name)
        if found is None or found.parent_op() is not self or get_name_if_symbol(found) != name.data:
            # Every access asks, so a table is made only where the last answer is out of date.
            known = vars(self)["_table"] = SymbolTableOf(self)
            found = known.lookup(name)
        return found


class UsesObject(SymbolUserOpInterface):
    """Names an object, which is there."""

    def verify(self, op: Operation) -> None:
        name = op.properties["object"]
        assert isinstance(name, SymbolRefAttr)
        find_object(op, name)


class Channel(NamedTuple):
    """The way of an object from one of its writers to one of its readers, all by their names."""

    object: str
    writer: str
    reader: str

    def __str__(self) -> str:
        return f"@{self.object} from @{self.writer} to @{self.reader}"


class OfChannel(IRDLOperation):
    """An operation that belongs to a channel."""

    object = prop_def(FlatSymbolRefAttrConstr)
    writer = prop_def(FlatSymbolRefAttrConstr)
    reader = prop_def(FlatSymbolRefAttrConstr)

    @property
    def channel(self) -> Channel:
        names = (self.object, self.writer, self.reader)
        return Channel(*(name.root_reference.data for name in names))


class Carrying(OfChannel):
    """What a channel is on one side of it. Of what the writer writes it may carry some alone.

    These are those that `carries` has; without it, all. The reader reads no others.
    """

    carries = opt_prop_def(SetAttr)

    def expect_carried(self) -> None:
        """Verify that what is carried are elements of the object."""
        if self.carries is None:
            return
        rank, carried = len(find_object(self, self.object).shape), self.carries.data
        if carried.has_tuple_name() or carried.dim(isl.dim_type.set) != rank:
            raise VerifyException(
                f"what {self.channel} carries should be tuples of {rank} without a name, and is "
                f"{carried}"
            )
        if carried.is_empty():
            raise VerifyException(f"{self.channel} carries nothing")


def channel_properties(channel: Channel) -> dict[str, Attribute]:
    """The properties that say to which channel an operation belongs."""
    return {part: SymbolRefAttr(name) for part, name in channel._asdict().items()}


class IterationScope(IRDLOperation, ABC):
    """An operation around a body that runs once an iteration."""

    body = region_def("single_block")

    @abstractmethod
    def iteration_rank(self) -> int:
        """The number of coordinates of an iteration."""

    def holds(self, name: StringAttr) -> ObjectOp | CrossbarOp | None:
        """The constant or the crossbar of this name that the body holds."""
        op = self.body.block.first_op
        while op is not None:
            # Most have no name, which is told sooner than what they are.
            own = op.properties.get("sym_name")
            if own is not None and own == name and isinstance(op, ObjectOp | CrossbarOp):
                return op
            op = op.next_op
        return None


def target_of(op: Operation) -> Target:
    """What the pipeline or the chip in which `op` stands is for: `ideal` unless it says so."""
    scope: Operation | None = op
    while scope is not None and not isinstance(scope, ObjectScope):
        scope = scope.parent_op()
    return IDEAL if scope is None or scope.target is None else scope.target.data


def find_object(op: Operation, name: SymbolRefAttr) -> ObjectOp:
    """The object that `op` refers to: a constant of its own stage, or one that travels."""
    scope = op.parent_op()
    while scope is not None:
        found: Operation | None = None
        if isinstance(scope, ObjectScope):
            found = scope.symbol(name.root_reference)
        elif isinstance(scope, IterationScope):
            found = scope.holds(name.root_reference)
        if isinstance(found, ObjectOp):
            return found
        scope = scope.parent_op()
    raise VerifyException(f"there is no object {name}")


def find_crossbar(op: Operation, name: SymbolRefAttr) -> CrossbarOp:
    """The crossbar of `op`'s stage that has this name."""
    found = iteration_scope(op).holds(name.root_reference)
    if not isinstance(found, CrossbarOp):
        raise VerifyException(f"there is no crossbar {name} in this stage")
    return found


def iteration_scope(op: Operation) -> IterationScope:
    """The stage or iteration that `op` belongs to."""
    parent = op.parent_op()
    while parent is not None:
        if isinstance(parent, IterationScope):
            return parent
        parent = parent.parent_op()
    raise VerifyException("expected to be in the body of a stage")


def expect_dims(access: MapAttr, what: str, inputs: int, outputs: int, meaning: str) -> None:
    found = (access.data.dim(isl.dim_type.in_), access.data.dim(isl.dim_type.out))
    if found != (inputs, outputs):
        raise VerifyException(
            f"{what} should map {inputs} to {outputs} dimensions ({meaning}), "
            f"and maps {found[0]} to {found[1]}"
        )

    space = access.data.get_space()
    if any(
        tuple.has_tuple_name(isl.dim_type.set) or tuple.is_wrapping()
        for tuple in (space.domain(), space.range())
    ):
        raise VerifyException(f"{what} should map tuples without names, and is {access.data}")


def expect_count(what: str, given: int, least: int = 1) -> None:
    """Verify that hardware can count so far."""
    if not least <= given <= LARGEST:
        raise VerifyException(f"{what} should be from {least} to {LARGEST}, and is {given}")


def expect_name(name: StringAttr) -> None:
    """Verify that a symbol can be the name of a tuple in the relations that isl prints."""
    if not is_name(name.data):
        raise VerifyException(
            f'isl cannot read "{name.data}" as a name: use letters, digits and _, and no word of '
            "its notation"
        )


@irdl_op_definition
class ObjectOp(IRDLOperation):
    """An array of vectors, written once an image, one vector at a time.

    In a pipeline or a chip it travels: from the stages or inputs that write it to all stages that
    read it. In a stage it is a constant, with its `value` in the SRAM of the stage's core.

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
        expect_name(self.sym_name)
        element = self.type.get_element_type()
        if not (
            isa(element, VectorType) and element.get_num_dims() == 1 and element.element_type == f32
        ):
            raise VerifyException(f"an object holds vectors of f32, not {element}")
        if any(extent < 1 for extent in (*self.shape, self.vector)):
            raise VerifyException("the extents of an object are fixed and at least 1")
        place = ObjectScope if self.value is None else IterationScope
        if not isinstance(self.parent_op(), place | None):
            raise VerifyException(
                "an object with a value is a constant of a stage, and one without travels"
            )
        if self.value is not None and self.value.shape != (*self.shape, self.vector):
            raise VerifyException(
                f"the value has the shape {list(self.value.shape)}, "
                f"expected {[*self.shape, self.vector]}"
            )


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

    @property
    def size(self) -> tuple[int, int]:
        """The rows and columns that are taken; blocks on the diagonal lie apart in both."""
        *blocks, rows, columns = self.value.shape
        return prod(blocks) * rows, prod(blocks) * columns

    def verify_(self) -> None:
        if not isinstance(self.parent_op(), IterationScope | None):
            raise VerifyException("a crossbar belongs to a stage")
        if self.value.shape != self.type.get_shape():
            raise VerifyException(
                f"the matrix has the shape {list(self.value.shape)}, "
                f"and its type says {list(self.type.get_shape())}"
            )
        if len(self.value.shape) not in (2, 3):
            raise VerifyException("a crossbar holds a matrix, or several on its diagonal")
