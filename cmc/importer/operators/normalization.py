# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Operators that normalise: over a batch, over channels, to a sum of one."""

from collections.abc import Callable
from math import prod

from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.importer.node import Node
from cmc.importer.operators.reductions import (
    reduce_along,
    reduce_l1,
    reduce_l2,
    reduce_max,
    reduce_sum,
)
from cmc.window import Window


def import_batch_normalization(node: Node) -> SSAValue:
    node.reject(bool(node.get_int("training_mode", 0)), "training")
    node.reject(node.get_int("spatial", 1) != 1, "a mean and variance for each element")
    node.reject_outputs_from(1, "an output of the mean and variance")
    return node.emit(
        nn.BatchNormOp(
            *(node.tensor(index) for index in range(5)), epsilon=node.get_float("epsilon", 1e-5)
        )
    )


def import_instance_normalization(node: Node) -> SSAValue:
    """Each channel without its mean, over its deviation, times `scale`, plus `bias`."""
    tensor, (_, channels, *spatial) = node.tensor(0), node.shape(0)
    scale, bias = (
        node.emit(nn.ReshapeOp(node.tensor(index), (channels, *(1,) * len(spatial))))
        for index in (1, 2)
    )
    everything = Window.of(spatial)
    mean = node.emit(nn.AveragePoolOp(tensor, everything))
    centred = node.emit(nn.SubOp(tensor, mean))
    square = node.emit(nn.MulOp(centred, centred))
    variance = node.emit(nn.AveragePoolOp(square, everything))
    epsilon = node.emit_scalar(node.get_float("epsilon", 1e-5))
    deviation = node.emit(nn.SqrtOp(node.emit(nn.AddOp(variance, epsilon))))
    scaled = node.emit(nn.MulOp(node.emit(nn.DivOp(centred, deviation)), scale))
    return node.emit(nn.AddOp(scaled, bias))


def import_lrn(node: Node) -> SSAValue:
    return node.emit(
        nn.LRNOp(
            node.tensor(0),
            size=node.get_int("size", 0),
            alpha=node.get_float("alpha", 1e-4),
            beta=node.get_float("beta", 0.75),
            bias=node.get_float("bias", 1.0),
        )
    )


def along_axis(node: Node, compute: Callable[[SSAValue, int], SSAValue]) -> SSAValue:
    """`compute` along the axis of the node; before opset 13 along all axes from it on, as one."""
    tensor, shape = node.tensor(0), node.shape(0)
    if node.opset >= 13:
        return compute(tensor, node.axis(node.get_int("axis", -1), len(shape)))
    axis = node.axis(node.get_int("axis", 1), len(shape))
    if prod(shape[axis + 1 :]) == 1:
        return compute(tensor, axis)
    flat = (*(shape[:axis] or (1,)), prod(shape[axis:]))
    result = compute(node.emit(nn.ReshapeOp(tensor, flat)), len(flat) - 1)
    return node.emit(nn.ReshapeOp(result, shape))


def import_softmax(node: Node) -> SSAValue:
    return along_axis(node, lambda tensor, axis: node.emit(nn.SoftmaxOp(tensor, axis)))


def import_log_softmax(node: Node) -> SSAValue:
    def log_softmax(tensor: SSAValue, axis: int) -> SSAValue:
        largest = reduce_along(reduce_max, node, tensor, [axis])
        shifted = node.emit(nn.SubOp(tensor, largest))
        total = reduce_along(reduce_sum, node, node.emit(nn.ExpOp(shifted)), [axis])
        return node.emit(nn.SubOp(shifted, node.emit(nn.LogOp(total))))

    return along_axis(node, log_softmax)


def import_lp_normalization(node: Node) -> SSAValue:
    """Over the norm, and 0 where that is 0."""
    tensor, shape = node.tensor(0), node.shape(0)
    axis, p = node.axis(node.get_int("axis", -1), len(shape)), node.get_int("p", 2)
    node.reject(p not in (1, 2), f"p = {p}")
    norm = reduce_along(reduce_l1 if p == 1 else reduce_l2, node, tensor, [axis])
    none = node.emit(nn.EqualOp(norm, node.emit_scalar(0.0)))
    result = node.emit(nn.DivOp(tensor, norm))
    return node.emit(nn.WhereOp(none, node.emit_scalar(0.0), result))


OPERATORS = {
    "BatchNormalization": import_batch_normalization,
    "InstanceNormalization": import_instance_normalization,
    "LRN": import_lrn,
    "LogSoftmax": import_log_softmax,
    "LpNormalization": import_lp_normalization,
    "Softmax": import_softmax,
}
