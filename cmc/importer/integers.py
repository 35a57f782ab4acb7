# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Integers of the model among numbers of float32: which operators compute with them as they are.

They are exact up to 2^24. Those of 8 and of 16 bits wrap around, as they do in the model.
"""

import numpy as np
from numpy.typing import NDArray
from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.importer.node import Node

Kind = np.dtype[np.generic]

_ALIKE = frozenset(
    (
        *("Abs", "Add", "And", "Clip", "Equal", "Greater", "GreaterOrEqual", "Less"),
        *("LessOrEqual", "Max", "Min", "Mul", "Neg", "Not", "Or", "Relu", "Sign", "Sub", "Sum"),
        *("Where", "Xor", "ArgMax", "ArgMin", "TopK", "OneHot", "Hardmax", "MaxPool"),
        *("ReduceMax", "ReduceMin", "ReduceSum", "ReduceSumSquare", "ReduceL1", "ReduceProd"),
        *("CumSum", "CumProd", "MatMul", "Gemm", "Einsum", "Cast", "CastLike"),
        *("Concat", "DepthToSpace", "Expand", "Gather", "Pad", "Slice", "SpaceToDepth", "Split"),
        *("Tile", "Transpose", "Trilu", "GatherElements", "GatherND", "ScatterElements"),
        *("ScatterND", "TensorScatter", "Compress", "ReverseSequence", "MaxUnpool", "Identity"),
        *("Resize", "Upsample"),
        *("Div", "Mod", "Pow", "BitShift"),
    )
)
"""Operators that are exact on integers; the last line does something else for them."""

_WRAPPING = frozenset(("Abs", "Add", "Div", "Mul", "Neg", "Sub", "Sum", "BitShift"))
"""Those whose results may leave the range of a small type, and wrap."""

_GROWING = frozenset(
    (
        *("CumProd", "CumSum", "Einsum", "Gemm", "MatMul", "Pow"),
        *("ReduceL1", "ReduceProd", "ReduceSum", "ReduceSumSquare"),
    )
)
"""Those whose results may be so large that float32 no longer knows where they wrap to."""


def kind_of_integers(node: Node) -> Kind | None:
    """The type of the integers that a node computes with, if it does; CmcError if it cannot."""
    kinds = [
        node.kind(index)
        for index in range(len(node))
        if node.has_input(index) and isinstance(node.value(index), SSAValue)
    ]
    kind = next((kind for kind in kinds if kind.kind in "iu"), None)
    if kind is None:
        return None
    node.reject(node.op_type not in _ALIKE, f"{node.op_type} of {kind}")
    if node.op_type in ("Resize", "Upsample"):
        mode = node.get_string("mode", "nearest")
        node.reject(mode != "nearest", f"{node.op_type} of {kind} in mode {mode!r}, which rounds,")
    small = kind.itemsize <= 2
    grows = node.op_type in _GROWING or (node.op_type == "Mul" and kind.itemsize == 2)
    node.reject(small and grows, f"{node.op_type} of {kind}, which may wrap around,")
    wraps = node.op_type in ("Neg", "Sub") and kind.kind == "u" and not small
    node.reject(wraps, f"{node.op_type} of {kind}, which wraps around beyond what float32 counts,")
    return kind


def as_in_model(node: Node, value: SSAValue, kind: Kind) -> SSAValue:
    """A result of the node, wrapped as integers of that type are."""
    return wrap(node, value, kind) if node.op_type in _WRAPPING else value


def wrap(node: Node, value: SSAValue, kind: Kind) -> SSAValue:
    """What is kept of an integer by a type of a few bits."""
    if kind.itemsize > 2:
        return value
    count = 2.0 ** (8 * kind.itemsize)
    low = -count / 2 if kind.kind == "i" else 0.0
    shifted = node.emit(nn.SubOp(value, node.emit_scalar(low))) if low else value
    turns = node.emit(nn.FloorOp(node.emit(nn.MulOp(shifted, node.emit_scalar(1 / count)))))
    return node.emit(nn.SubOp(value, node.emit(nn.MulOp(turns, node.emit_scalar(count)))))


def cast(node: Node, value: SSAValue, source: Kind, target: Kind) -> SSAValue:
    """`value`, whose elements are of type `source` in the model, as those of type `target`."""
    if target.kind == "b":
        zero = node.emit(nn.EqualOp(value, node.emit_scalar(0.0)))
        return value if source.kind == "b" else node.emit(nn.SubOp(node.emit_scalar(1.0), zero))
    if target.name in ("float16", "bfloat16"):
        if target.name == "bfloat16" or not node.graph.is_of_halves:
            raise node.error(
                f"it rounds to {target}, and cores compute in float32: export the model in float32"
            )
        return value
    if target.kind == "f" and target.itemsize >= 4:
        return value
    node.reject(target.kind not in "iu", f"a cast of the network's values to {target}")
    if source.kind == "b" or np.can_cast(source, target):
        return value
    if source.kind not in "iu":
        return wrap(node, node.emit(nn.TruncOp(value)), target)
    negative = source.kind == "i" and target.kind == "u" and target.itemsize > 2
    node.reject(negative, f"a cast of negative integers to {target}")
    return wrap(node, value, target)


def places(shape: tuple[int, ...], axis: int) -> NDArray[np.float32]:
    """0, 1, 2… along an axis, as a tensor that broadcasts to `shape`."""
    result = np.arange(shape[axis], dtype=np.float32)
    return result.reshape([size if a == axis else 1 for a, size in enumerate(shape)])


def one_hot(node: Node, indices: SSAValue, shape: tuple[int, ...], axis: int) -> SSAValue:
    """1 where the index, which has size 1 along the axis, is the place along it."""
    below = node.emit(nn.LessOp(indices, node.emit_scalar(0.0)))
    shift = node.emit(nn.MulOp(below, node.emit_scalar(float(shape[axis]))))
    indices = node.emit(nn.AddOp(indices, shift))
    return node.emit(nn.EqualOp(indices, node.emit_constant(places(shape, axis))))
