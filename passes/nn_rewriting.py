# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What the passes on the `nn` dialect have in common."""

import numpy as np
from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter

from cmc.dialects import nn
from cmc.files.weights import ArrayWeights, Float32Array


def replace(
    rewriter: PatternRewriter,
    op: Operation,
    *new_ops: nn.TensorOp,
    origin: Operation | None = None,
) -> None:
    """Replace `op`; errors about `new_ops` will name the ONNX node of `origin`, or of `op`."""
    for new_op in new_ops:
        new_op.location = (origin or op).location
    rewriter.replace(op, new_ops)


def constant_like(array: Float32Array, like: SSAValue | None) -> nn.ConstantOp:
    """A constant under the name of the one whose place it takes."""
    name = None
    if like is not None and isinstance(like.owner, nn.ConstantOp):
        name = like.owner.value.data.name
    constant = nn.ConstantOp(ArrayWeights(array, name))
    constant.result.name_hint = None if like is None else like.name_hint
    return constant


def channel_constant(op: nn.BinaryOp) -> Float32Array | None:
    """The right operand, if it is a constant that has one number for each channel of the left."""
    array, shape = nn.constant_array(op.rhs), nn.shape_of(op.result)
    if array is None or op.lhs.type != op.result.type or len(shape) < 2:
        return None
    aligned = array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
    if aligned.size != aligned.shape[1]:
        return None
    return np.broadcast_to(aligned.reshape(-1), shape[1:2])
