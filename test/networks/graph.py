# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""An ONNX graph that is built node by node, each result's shape inferred by onnx at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, TypeProto, helper, numpy_helper, shape_inference

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Attribute = int | float | str | list[int]

IR_VERSION = 10
"""Read by every onnxruntime that the project supports, and covers every opset drawn here."""


@dataclass(frozen=True)
class Value:
    """A tensor of the graph: a stream of images, whose shape here is that of one, [1, ...]."""

    name: str
    shape: tuple[int, ...]

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def spatial(self) -> tuple[int, ...]:
        """The extents after image and channel."""
        return self.shape[2:]


class Graph:
    """Grows by `op`; `undo_to` takes back what was added since `mark`."""

    def __init__(self, seed: int, opset: int, constant_nodes: bool):
        """Weights follow from `seed`; they become Constant nodes or else initializers."""
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.trail: list[Value] = []
        """What the steps made, in order: the values that a later step may join in again."""
        self._seed = seed
        self._opset = opset
        self._constant_nodes = constant_nodes
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, TensorProto] = {}
        self._names = 0

    @property
    def size(self) -> int:
        """The number of nodes."""
        return len(self._nodes)

    @property
    def opset(self) -> int:
        return self._opset

    def input(self, shape: tuple[int, ...]) -> Value:
        value = Value(f"input{len(self.inputs)}", shape)
        self.inputs.append(value)
        return value

    def output(self, value: Value) -> None:
        """Make `value` an output, unless it is one already."""
        if value not in self.outputs:
            self.outputs.append(value)

    def constant(self, array: Floats | Integers) -> Value:
        name = self._name("constant")
        self._constants[name] = numpy_helper.from_array(array, name)
        return Value(name, array.shape)

    def integers(self, values: Sequence[int]) -> Value:
        """The constant vector that an operator takes for its axes, starts, pads or shape."""
        return self.constant(np.array(values, np.int64))

    def normal(self, shape: tuple[int, ...], deviation: float) -> Value:
        """A constant of normally distributed weights."""
        return self.constant(self._rng().normal(0, deviation, shape).astype(np.float32))

    def uniform(self, shape: tuple[int, ...], low: float, high: float) -> Value:
        """A constant of evenly distributed weights."""
        return self.constant(self._rng().uniform(low, high, shape).astype(np.float32))

    def op(self, op_type: str, *inputs: Value | None, **attributes: Attribute) -> Value:
        """Add a node with one output; None stands for an optional input that is left out."""
        name = self._name(op_type.lower())
        operands = [operand for operand in inputs if operand is not None]
        names = ["" if operand is None else operand.name for operand in inputs]
        node = helper.make_node(op_type, names, [name], name)
        node.attribute.extend(helper.make_attribute(key, attributes[key]) for key in attributes)
        types = {operand.name: self._type_of(operand) for operand in operands}
        result = shape_inference.infer_node_outputs(
            onnx.defs.get_schema(op_type, self._opset),
            node,
            types,
            {key: self._constants[key] for key in types if key in self._constants},
            opset_imports=[helper.make_opsetid("", self._opset)],
            ir_version=IR_VERSION,
        )[name]
        self._nodes.append(node)
        shape = tuple(dimension.dim_value for dimension in result.tensor_type.shape.dim)
        return Value(name, shape)

    def mark(self) -> tuple[int, ...]:
        """A point in the graph's growth to come back to."""
        lists = (self.inputs, self.outputs, self.trail, self._nodes)
        return (*(len(entries) for entries in lists), len(self._constants))

    def undo_to(self, mark: tuple[int, ...]) -> None:
        """Take back everything that was added since `mark`."""
        *lengths, constants = mark
        lists = (self.inputs, self.outputs, self.trail, self._nodes)
        for entries, length in zip(lists, lengths, strict=True):
            del entries[length:]
        for name in list(self._constants)[constants:]:
            del self._constants[name]

    def model(self, open_batch: bool) -> onnx.ModelProto:
        """The graph as a model, whose batch dimension is `N` or else 1."""
        batch = "N" if open_batch else 1
        nodes, initializers = self._nodes, list(self._constants.values())
        if self._constant_nodes:
            constants = [
                helper.make_node("Constant", [], [tensor.name], f"{tensor.name}_node")
                for tensor in initializers
            ]
            for node, tensor in zip(constants, initializers, strict=True):
                node.attribute.append(helper.make_attribute("value", tensor))
            nodes, initializers = constants + nodes, []
        return helper.make_model(
            helper.make_graph(
                nodes,
                "random",
                [_value_info(value, batch) for value in self.inputs],
                [_value_info(value, batch) for value in self.outputs],
                initializers,
            ),
            opset_imports=[helper.make_opsetid("", self._opset)],
            ir_version=IR_VERSION,
        )

    def _name(self, stem: str) -> str:
        self._names += 1
        return f"{stem}{self._names}"

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng((self._seed, len(self._constants)))

    def _type_of(self, value: Value) -> TypeProto:
        tensor = self._constants.get(value.name)
        element = TensorProto.FLOAT if tensor is None else tensor.data_type
        return helper.make_tensor_type_proto(element, value.shape)


def _value_info(value: Value, batch: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(value.name, TensorProto.FLOAT, [batch, *value.shape[1:]])
