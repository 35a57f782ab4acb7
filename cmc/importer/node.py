# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""An ONNX node as the importers of operators see it."""

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper
from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.errors import CmcError, Disputed, Malformed
from cmc.files.weights import ArrayWeights, Float32Array
from cmc.importer.load import Array
from cmc.importer.schema import describe_node, malformed, node_name

if TYPE_CHECKING:
    from cmc.importer.graph import Graph

Value: TypeAlias = SSAValue | Array
"""What an ONNX name stands for: a tensor of the network, or an array known now."""


class Node:
    """A node with its attributes, its inputs, and a way to emit operations in its place."""

    def __init__(self, proto: onnx.NodeProto, opset: int, graph: "Graph"):
        self.proto = proto
        self.opset = opset
        self.graph = graph
        self.op_type = proto.op_type
        self.name = node_name(proto)
        self._attributes = {attribute.name: attribute for attribute in proto.attribute}
        self._read: set[str] = set()
        self.kinds: list[int] = []
        """The types of the results' elements, where their operator's importer says them."""

    @property
    def where(self) -> str:
        """The node as an error names it."""
        return describe_node(self.proto)

    def error(self, message: str) -> CmcError:
        """An error about this node."""
        return CmcError(message, self.where, self.name)

    def malformed(self, message: str) -> Malformed:
        """An error about this node for whoever would compute it."""
        return malformed(self.proto, message)

    def disputed(self, message: str) -> Disputed:
        """An error about this node, of which others compute different results."""
        return Disputed(message, self.where, self.name)

    # Attributes

    def get_int(self, name: str, default: int) -> int:
        attribute = self._attribute(name, AttributeProto.INT)
        return default if attribute is None else attribute.i

    def get_float(self, name: str, default: float) -> float:
        attribute = self._attribute(name, AttributeProto.FLOAT)
        return default if attribute is None else attribute.f

    def get_dtype(self, name: str, default: int = TensorProto.UNDEFINED) -> np.dtype[np.generic]:
        """An attribute that names the type of the elements of a tensor."""
        kind = self.get_int(name, default)
        try:
            return helper.tensor_dtype_to_np_dtype(kind)
        except KeyError:
            raise self.error(
                f"attribute {name!r} is {kind}, which is no type of elements"
            ) from None

    def get_string(self, name: str, default: str) -> str:
        attribute = self._attribute(name, AttributeProto.STRING)
        return default if attribute is None else attribute.s.decode(errors="replace")

    def get_ints(self, name: str) -> list[int] | None:
        attribute = self._attribute(name, AttributeProto.INTS)
        return None if attribute is None else list(attribute.ints)

    def get_floats(self, name: str) -> list[float] | None:
        attribute = self._attribute(name, AttributeProto.FLOATS)
        return None if attribute is None else list(attribute.floats)

    def get_strings(self, name: str) -> list[str] | None:
        attribute = self._attribute(name, AttributeProto.STRINGS)
        if attribute is None:
            return None
        return [value.decode(errors="replace") for value in attribute.strings]

    def get_array(self, name: str) -> Array | None:
        attribute = self._attribute(name, AttributeProto.TENSOR)
        return None if attribute is None else self.graph.model.array(attribute.t)

    def get_graph(self, name: str) -> onnx.GraphProto:
        attribute = self._attribute(name, AttributeProto.GRAPH)
        if attribute is None:
            raise self.error(f"attribute {name!r} is missing")
        return attribute.g

    def has(self, name: str) -> bool:
        """Whether the node has an attribute of that name."""
        self._read.add(name)
        return name in self._attributes

    def _attribute(self, name: str, kind: int) -> AttributeProto | None:
        self._read.add(name)
        attribute = self._attributes.get(name)
        if attribute is not None and attribute.type != kind:
            raise self.error(f"attribute {name!r} is of the wrong type")
        return attribute

    def check_all_read(self) -> None:
        """CmcError if no importer asked for an attribute that may say what to compute."""
        for name in self._attributes:
            if name not in self._read and name not in _WITHOUT_EFFECT:
                raise self.error(f"attribute {name!r} is not supported")

    # Inputs

    def __len__(self) -> int:
        return len(self.proto.input)

    def has_input(self, index: int) -> bool:
        """Whether input `index` is there: optional inputs may be absent, or have no name."""
        return index < len(self.proto.input) and self.proto.input[index] != ""

    def value(self, index: int) -> Value:
        """Input `index`, a tensor or an array. CmcError if it is absent."""
        if not self.has_input(index):
            raise self.error(f"input {index} is missing")
        return self.graph.value(self.proto.input[index], self)

    def tensor(self, index: int) -> SSAValue:
        """Input `index` as a tensor of the network; an array becomes a constant of it."""
        value = self.value(index)
        if isinstance(value, SSAValue):
            return value
        return self.graph.constant(self.proto.input[index], value, self)

    def shape(self, index: int) -> tuple[int, ...]:
        """The shape of input `index`."""
        value = self.value(index)
        return nn.shape_of(value) if isinstance(value, SSAValue) else value.shape

    def kind(self, index: int) -> np.dtype[np.generic]:
        """The type of the elements of input `index` in the model."""
        return self.graph.kind(self.proto.input[index])

    def constant(self, index: int) -> Array | None:
        """Input `index` if it is an array; None if it is a tensor of the network."""
        value = self.value(index)
        return None if isinstance(value, SSAValue) else value

    def known(self, index: int, what: str) -> Array | None:
        """Optional input `index`; None if absent. CmcError if it depends on the network's input."""
        if not self.has_input(index):
            return None
        value = self.value(index)
        if isinstance(value, SSAValue):
            raise self.error(
                f"{what} must be known when compiling, but {self.proto.input[index]!r} depends on "
                "the network's input"
            )
        return value

    def known_ints(self, index: int, what: str) -> list[int] | None:
        """Optional input `index` as a list of integers."""
        value = self.known(index, what)
        if value is None:
            return None
        if not np.issubdtype(value.dtype, np.integer) or value.ndim > 1:
            raise self.error(f"{what} must be a list of integers, not {value.dtype} {value.shape}")
        return [int(element) for element in value.reshape(-1)]

    def ints(self, name: str, index: int, input_since: int) -> list[int] | None:
        """The list of integers `name`: an attribute, and since opset `input_since` an input."""
        if self.opset < input_since:
            return self.get_ints(name)
        return self.known_ints(index, f"the {name}")

    # Results

    def emit(self, op: nn.TensorOp) -> SSAValue:
        """Add an operation that this node stands for."""
        return self.graph.emit(op, self.name)

    def emit_constant(self, array: Float32Array, name: str | None = None) -> SSAValue:
        """Add a constant that no name of the model stands for."""
        return self.emit(nn.ConstantOp(ArrayWeights(array, name)))

    def emit_scalar(self, value: float) -> SSAValue:
        """Add a constant of no axes."""
        return self.emit_constant(np.array(value, np.float32))

    # Checks

    def axis(self, axis: int, rank: int) -> int:
        """`axis`, which may count from the end, as an index. CmcError if there is no such axis."""
        if not -rank <= axis < rank:
            raise self.error(f"axis {axis} is not one of the {rank} of the input")
        return axis % rank

    def axes(self, axes: Sequence[int], rank: int) -> list[int]:
        """`axes` as indices. CmcError if one does not exist, or occurs twice."""
        indices = [self.axis(axis, rank) for axis in axes]
        if len(set(indices)) != len(indices):
            raise self.error(f"axes {list(axes)} repeat an axis")
        return indices

    def check_size(self, shape: Sequence[int]) -> None:
        """CmcError if a result of that shape is larger than a tensor may be."""
        if (elements := prod(shape)) > nn.LARGEST:
            raise self.error(nn.too_large(shape, elements))

    def reject(self, condition: bool, what: str) -> None:
        """CmcError that `what` is unsupported if `condition` holds."""
        if condition:
            raise self.error(f"{what} is not supported")

    def reject_outputs_from(self, index: int, what: str) -> None:
        """CmcError if an output from `index` on is used."""
        names = self.proto.output[index:]
        self.reject(any(self.graph.is_used(name) for name in names if name), what)


_WITHOUT_EFFECT = frozenset(
    (
        *("consumed_inputs", "momentum", "ratio", "saturate", "seed", "spatial", "storage_order"),
        *("cubic_coeff_a", "exclude_outside", "extrapolation_value", "keep_aspect_ratio_policy"),
        *("nearest_mode", "value", "then_branch", "else_branch"),
    )
)
"""Attributes that say nothing of what is computed here, of training, of memory, of small types; and
those that matter only where another attribute or input says so."""


def as_float32(array: Array, node: Node, name: str) -> Float32Array:
    """`array` as float32. CmcError where that would not be the same weights."""
    if array.dtype == np.float32:
        return array.astype(np.float32, copy=False)
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise node.error(f"{name!r} holds {array.dtype}: only numbers can be weights")
    with np.errstate(over="ignore"):
        result = array.astype(np.float32)
    if array.dtype.kind in "iu" and not (result.astype(array.dtype) == array).all():
        raise node.error(f"{name!r} holds integers that no float32 equals")
    if array.dtype.kind == "f" and (np.isinf(result) & ~np.isinf(array)).any():
        raise node.error(f"{name!r} holds numbers beyond the range of float32")
    return result
