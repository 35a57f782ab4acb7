# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Small ONNX models for tests."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[np.generic]
Dims = Sequence[int | str | None]
Attribute = int | float | str | Sequence[int] | Sequence[float] | Sequence[str] | onnx.TensorProto


def normal(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    """Normally distributed numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def int64(*values: int) -> NDArray[np.int64]:
    """A list of integers as operators take it."""
    return np.array(values, np.int64)


def float_type(name: str, shape: Dims | None) -> onnx.ValueInfoProto:
    """The declaration of a float32 tensor; None stands for what is not known."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def graph_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: Mapping[str, Array] | None = None,
    opset: int = 13,
) -> onnx.ModelProto:
    """A model of `nodes`, whose `constants` are initializers."""
    initializers = [
        numpy_helper.from_array(array, name) for name, array in (constants or {}).items()
    ]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def one_node_model(
    op_type: str,
    shape: Dims,
    operands: Sequence[Array | tuple[int, ...] | None] = (),
    opset: int = 13,
    outputs: int = 1,
    **attributes: Attribute | None,
) -> onnx.ModelProto:
    """A model of one node `node`: of input `x`, and then `operands`.

    Those are constants `c1`, `c2`…, shapes of further inputs `x1`, `x2`…, or None where an optional
    one is absent. The outputs are `y0`, `y1`….
    """
    names, inputs, constants = ["x"], [float_type("x", shape)], dict[str, Array]()
    for index, operand in enumerate(operands, 1):
        if operand is None:
            names.append("")
        elif isinstance(operand, tuple):
            names.append(f"x{index}")
            inputs.append(float_type(f"x{index}", operand))
        else:
            names.append(f"c{index}")
            constants[f"c{index}"] = operand
    results = [f"y{index}" for index in range(outputs)]
    node = helper.make_node(op_type, names, results, "node")
    node.attribute.extend(
        helper.make_attribute(name, value)
        for name, value in attributes.items()
        if value is not None
    )
    types = [float_type(name, None) for name in results]
    return graph_model([node], inputs, types, constants, opset)


def chain_model(
    shape: Dims,
    *nodes: onnx.NodeProto,
    constants: Mapping[str, Array] | None = None,
    opset: int = 13,
) -> onnx.ModelProto:
    """A model of `nodes` from input `x` of that shape to output `y`."""
    return graph_model(nodes, [float_type("x", shape)], [float_type("y", None)], constants, opset)
