# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The operations of a stage's body that only this machine has."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from enum import auto
from functools import lru_cache
from math import inf, prod
from typing import ClassVar

import islpy as isl
from xdsl.dialects import arith, math
from xdsl.dialects.builtin import (
    I64,
    DenseIntOrFPElementsAttr,
    FlatSymbolRefAttrConstr,
    FloatAttr,
    IntegerAttr,
    SymbolRefAttr,
    VectorType,
    f32,
    i64,
)
from xdsl.dialects.utils import EnumAttribute
from xdsl.ir import (
    Operation,
    SpacedOpaqueSyntaxAttribute,
    SSAValue,
)
from xdsl.irdl import (
    IRDLOperation,
    VarConstraint,
    base,
    irdl_attr_definition,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import MemoryReadEffect, MemoryWriteEffect, Pure, SymbolUserOpInterface
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

from cmc.dialects.cmpipe.objects import (
    ObjectOp,
    UsesObject,
    expect_dims,
    find_crossbar,
    find_object,
    iteration_scope,
    vector_shape,
)
from cmc.dialects.nn.numbers import Number
from cmc.dialects.nn.weights import WeightsAttr
from cmc.dialects.poly import MapAttr
from cmc.poly.relations import box

_SET = isl.dim_type.set

_WINDOW = VarConstraint("Window", base(VectorType))


def _names(access: isl.Map, iterations: isl.Set) -> tuple[str | None, ...]:
    """The names of dimensions, which are no difference to isl, and are to who prints a relation."""
    inputs, rank = access.dim(isl.dim_type.in_), iterations.dim(_SET)
    return (
        *(access.get_dim_name(isl.dim_type.in_, axis) for axis in range(inputs)),
        *(iterations.get_dim_name(_SET, axis) for axis in range(rank)),
    )


@lru_cache(maxsize=1 << 12)
def _elements_read(
    access: isl.Map,
    iterations: isl.Set,
    window: tuple[int, ...],
    extents: tuple[int, ...],
    names: tuple[str | None, ...],
) -> isl.Map:
    """From iterations to the elements that an access reads, whose dimensions have these names.

    Asked for again and again, of a stage and of those that are like it. `extents` has those of the
    object and of its vectors.
    """
    points = iterations.product(box(window)).flatten()
    read = access.intersect_domain(points).intersect_range(box(extents))
    read = read.project_out(isl.dim_type.out, len(extents) - 1, 1)
    read = read.project_out(isl.dim_type.in_, iterations.dim(_SET), len(window))
    return read


@irdl_op_definition
class ReadOp(IRDLOperation):
    """Read a window of an object.

    `access` maps an iteration and a place in the window to an element of the object and a channel
    in its vector; the result's type gives the window's extents. What lies outside the object, or
    outside of the map's domain, is neither stored nor waited for: it reads as `pad`, or 0, or as
    what the vector that is read `over` holds in that place.

    ```mlir
    %v = cmpipe.read @b #poly.map<"{ [h, w, kh, kw, c] -> [h + kh - 1, w + kw - 1, c] }">
      : vector<3x3x16xf32>
    ```

    A window over two objects, the one below the other:

    ```mlir
    %u = cmpipe.read @a #poly.map<"{ [h, k, c] -> [h + k, c] }"> : vector<3x16xf32>
    %v = cmpipe.read @b #poly.map<"{ [h, k, c] -> [h + k - 8, c] }"> over %u : vector<3x16xf32>
    ```
    """

    name = "cmpipe.read"

    object = prop_def(FlatSymbolRefAttrConstr)
    access = prop_def(MapAttr)
    pad = opt_prop_def(FloatAttr)
    under = opt_operand_def(_WINDOW)
    window = result_def(_WINDOW)

    traits = traits_def(MemoryReadEffect(), UsesObject())

    custom_directives = (Number,)
    assembly_format = (
        "$object qualified($access) (`pad` custom<Number>($pad)^)? (`over` $under^)? attr-dict "
        "`:` type($window)"
    )

    def __init__(
        self,
        object: str,
        access: MapAttr,
        window: tuple[int, ...],
        pad: float | None = None,
        under: SSAValue | None = None,
    ):
        super().__init__(
            operands=[under],
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
        shapes = self.window_shape, (*object.shape, object.vector)
        names = _names(self.access.data, iterations)
        access = _elements_read(self.access.data, iterations.reset_tuple_id(), *shapes, names)
        access = access.set_tuple_name(isl.dim_type.out, object.sym_name.data)
        if iterations.has_tuple_name():
            access = access.set_tuple_name(isl.dim_type.in_, iterations.get_tuple_name())
        return access

    def verify_(self) -> None:
        object = find_object(self, self.object)
        rank = iteration_scope(self).iteration_rank()
        expect_dims(
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
        if self.pad is not None and self.under is not None:
            raise VerifyException(
                f"what lies outside of {self.object} is either padding, or what it is read over"
            )


class _UsesCrossbar(SymbolUserOpInterface):
    """Names a crossbar of its stage, which is there."""

    def verify(self, op: Operation) -> None:
        assert isinstance(op, MxvOp)
        find_crossbar(op, op.crossbar)


@irdl_op_definition
class MxvOp(IRDLOperation):
    """Drive a crossbar: multiply a vector with the matrix that it holds.

    The input is taken as one row of K floats (or G rows, for a matrix in G blocks), the result as
    M floats (or G times M), whatever the shapes of their types. The input may come in several
    vectors, flattened one after the other.

    Where inputs and sums are converted, the largest input that its DAC takes may be a `range`
    instead of the largest one of each vector, and the largest sum that its ADC takes a `bound`
    instead of the target's, in products of its largest weight with the largest input.

    ```mlir
    %y = cmpipe.mxv @w %v : vector<3x3x16xf32> -> vector<32xf32>
    %z = cmpipe.mxv @u %a, %b : vector<3x3x4xf32>, vector<3x3x8xf32> -> vector<32xf32>
    %c = cmpipe.mxv @w %v range 1.5 bound 7.25 : vector<3x3x16xf32> -> vector<32xf32>
    ```
    """

    name = "cmpipe.mxv"

    crossbar = prop_def(FlatSymbolRefAttrConstr)
    range = opt_prop_def(FloatAttr)
    bound = opt_prop_def(FloatAttr)
    vectors = var_operand_def(VectorType)
    product = result_def(VectorType)

    # What a crossbar holds never changes: the product follows from the vectors.
    traits = traits_def(Pure(), _UsesCrossbar())

    custom_directives = (Number,)
    assembly_format = (
        "$crossbar $vectors (`range` custom<Number>($range)^)? (`bound` custom<Number>($bound)^)? "
        "attr-dict `:` type($vectors) `->` type($product)"
    )

    def __init__(
        self,
        crossbar: str,
        vectors: Sequence[SSAValue],
        length: int,
        like: MxvOp | None = None,
    ):
        """Converters have the ranges of those of another one, if it is `like` that."""
        super().__init__(
            operands=[vectors],
            properties={
                "crossbar": SymbolRefAttr(crossbar),
                "range": None if like is None else like.range,
                "bound": None if like is None else like.bound,
            },
            result_types=[VectorType(f32, [length])],
        )

    def set_ranges(self, range: float | None, bound: float | None) -> None:
        """Give its converters ranges, or take them away."""
        self.range = None if range is None else FloatAttr(range, f32)
        self.bound = None if bound is None else FloatAttr(bound, f32)

    def verify_(self) -> None:
        rows, columns = find_crossbar(self, self.crossbar).size
        for what, values, expected in (
            ("input", self.vectors, rows),
            ("result", (self.product,), columns),
        ):
            found = sum(prod(vector_shape(value.type)) for value in values)
            if found != expected:
                types = " and ".join(str(value.type) for value in values)
                there = f"{types} has {found}" if values else "there is none"
                raise VerifyException(
                    f"the {what} of {self.crossbar} has {expected} floats, and {there}"
                )
        for what, given in (("range", self.range), ("bound", self.bound)):
            if given is not None and not (0 < given.value.data < inf):
                raise VerifyException(
                    f"the {what} of {self.crossbar} is a finite number above 0, not "
                    f"{given.value.data}"
                )


@irdl_op_definition
class JoinOp(IRDLOperation):
    """Join vectors along their last axis, one after the other.

    ```mlir
    %v = cmpipe.join %a, %b : vector<3x4xf32>, vector<3x8xf32> -> vector<3x12xf32>
    ```
    """

    name = "cmpipe.join"

    vectors = var_operand_def(VectorType)
    result = result_def(VectorType)

    traits = traits_def(Pure())

    assembly_format = "$vectors attr-dict `:` type($vectors) `->` type($result)"

    def __init__(self, vectors: Sequence[SSAValue]):
        shapes = [vector_shape(value.type) for value in vectors]
        length = sum(shape[-1] for shape in shapes)
        super().__init__(
            operands=[vectors], result_types=[VectorType(f32, [*shapes[0][:-1], length])]
        )

    def verify_(self) -> None:
        values = (self.result, *self.vectors)
        if not all(vector_shape(value.type) for value in values):
            raise VerifyException("vectors without axes cannot be joined")
        (*outer, length), *shapes = (vector_shape(value.type) for value in values)
        for value, shape in zip(self.vectors, shapes, strict=True):
            if shape[:-1] != tuple(outer):
                raise VerifyException(
                    f"{self.result.type} differs in more than its last axis from {value.type}"
                )
        if (found := sum(shape[-1] for shape in shapes)) != length:
            raise VerifyException(
                f"{self.result.type} has {length} places along its last axis, and what it is "
                f"joined of has {found}"
            )


@irdl_op_definition
class SliceOp(IRDLOperation):
    """Take the places of a vector along its last axis from one on.

    ```mlir
    %v = cmpipe.slice %u from 2 : vector<3x8xf32> -> vector<3x4xf32>
    ```
    """

    name = "cmpipe.slice"

    vector = operand_def(VectorType)
    start = prop_def(IntegerAttr[I64])
    result = result_def(VectorType)

    traits = traits_def(Pure())

    assembly_format = "$vector `from` $start attr-dict `:` type($vector) `->` type($result)"

    def __init__(self, vector: SSAValue, start: int, length: int):
        *outer, _ = vector_shape(vector.type)
        super().__init__(
            operands=[vector],
            properties={"start": IntegerAttr(start, i64)},
            result_types=[VectorType(f32, [*outer, length])],
        )

    @property
    def places(self) -> range:
        """Which places of the vector it takes."""
        start = self.start.value.data
        return range(start, start + vector_shape(self.result.type)[-1])

    def verify_(self) -> None:
        source, result = (vector_shape(value.type) for value in (self.vector, self.result))
        if not source or not result:
            raise VerifyException("vectors without axes have no places to take")
        if source[:-1] != result[:-1]:
            raise VerifyException(
                f"{self.result.type} differs in more than its last axis from {self.vector.type}"
            )
        if self.places.start < 0 or self.places.stop > source[-1]:
            raise VerifyException(
                f"{self.vector.type} has no places {self.places.start} to {self.places.stop - 1} "
                "along its last axis"
            )


class ElementwiseOp(IRDLOperation, ABC):
    """An operation on each place of vectors of one type."""

    TYPE: ClassVar = VarConstraint("Type", base(VectorType))

    traits = traits_def(Pure())


class CompareOp(ElementwiseOp, ABC):
    """1.0 where two vectors compare so, 0.0 elsewhere, and where either is not a number."""

    lhs = operand_def(ElementwiseOp.TYPE)
    rhs = operand_def(ElementwiseOp.TYPE)
    result = result_def(ElementwiseOp.TYPE)

    assembly_format = "$lhs `,` $rhs attr-dict `:` type($result)"

    def __init__(self, lhs: SSAValue, rhs: SSAValue):
        super().__init__(operands=[lhs, rhs], result_types=[lhs.type])


@irdl_op_definition
class LessOp(CompareOp):
    """1.0 where `lhs < rhs`.

    ```mlir
    %c = cmpipe.less %a, %b : vector<16xf32>
    ```
    """

    name = "cmpipe.less"


@irdl_op_definition
class LessEqualOp(CompareOp):
    """1.0 where `lhs <= rhs`.

    ```mlir
    %c = cmpipe.less_equal %a, %b : vector<16xf32>
    ```
    """

    name = "cmpipe.less_equal"


@irdl_op_definition
class EqualOp(CompareOp):
    """1.0 where `lhs == rhs`.

    ```mlir
    %c = cmpipe.equal %a, %b : vector<16xf32>
    ```
    """

    name = "cmpipe.equal"


@irdl_op_definition
class RemainderOp(ElementwiseOp):
    """What division of `lhs` by `rhs` to a whole number leaves, with the sign of `lhs`: C's `fmod`.

    ```mlir
    %c = cmpipe.remainder %a, %b : vector<16xf32>
    ```
    """

    name = "cmpipe.remainder"

    lhs = operand_def(ElementwiseOp.TYPE)
    rhs = operand_def(ElementwiseOp.TYPE)
    result = result_def(ElementwiseOp.TYPE)

    assembly_format = "$lhs `,` $rhs attr-dict `:` type($result)"

    def __init__(self, lhs: SSAValue, rhs: SSAValue):
        super().__init__(operands=[lhs, rhs], result_types=[lhs.type])


@irdl_op_definition
class SelectOp(ElementwiseOp):
    """`lhs` where the condition is not 0, `rhs` elsewhere.

    `arith.select` has one condition for a whole vector.

    ```mlir
    %v = cmpipe.select %c, %a, %b : vector<16xf32>
    ```
    """

    name = "cmpipe.select"

    condition = operand_def(ElementwiseOp.TYPE)
    lhs = operand_def(ElementwiseOp.TYPE)
    rhs = operand_def(ElementwiseOp.TYPE)
    result = result_def(ElementwiseOp.TYPE)

    assembly_format = "$condition `,` $lhs `,` $rhs attr-dict `:` type($result)"

    def __init__(self, condition: SSAValue, lhs: SSAValue, rhs: SSAValue):
        super().__init__(operands=[condition, lhs, rhs], result_types=[lhs.type])


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


_ARITHMETIC = (*arith.Arith.operations, *math.Math.operations, ElementwiseOp)


def computed_elements(op: Operation) -> int:
    """How many elements an operation of a body computes in the digital unit.

    A reduction computes as many as it is given; constants are computed nowhere, and what only moves
    numbers is no arithmetic.
    """
    if isinstance(op, ReduceOp):
        return prod(vector_shape(op.vector.type))
    if op.operands and isinstance(op, _ARITHMETIC):
        return sum(prod(vector_shape(result.type)) for result in op.results)
    return 0


def stored_floats(op: Operation) -> int:
    """How many floats of a constant an operation of a body keeps in SRAM; a splat needs none."""
    match op:
        case ObjectOp() | ConstantOp() if op.value is not None:
            return prod(op.value.shape)
        case arith.ConstantOp(value=DenseIntOrFPElementsAttr() as value) if not value.is_splat():
            return prod(vector_shape(op.result.type))
        case _:
            return 0


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

    traits = traits_def(MemoryWriteEffect(), UsesObject())

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
        expect_dims(
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
