# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Quantisation: into integers, out of them, and products of integers."""

from collections.abc import Callable, Sequence

import numpy as np
from onnx import TensorProto, helper
from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.importer.node import Node, Value
from cmc.importer.operators.linear import matrix_product
from cmc.importer.operators.reductions import reduce_along, reduce_max, reduce_min
from cmc.importer.operators.windows import window_of
from cmc.importer.quantized import (
    NO_ZERO,
    Kind,
    Scaled,
    aligned,
    apply,
    as_tensor,
    centred,
    dequantized,
    divide,
    multiply,
    read,
    reshaped,
    scale_of,
    shape_of,
    subtract,
    write,
    zero_point,
)


def import_quantize(node: Node) -> Value:
    value = node.value(0)
    rank, axis = len(shape_of(value)), _axis(node)
    kind = _kind_of_result(node, 2)
    precision = node.get_int("precision", 0)
    node.reject(precision not in (0, TensorProto.FLOAT), f"a division in type {precision}")
    scale = _spread(node, node.value(1), axis, shape_of(value))
    zero = _spread(node, node.value(2), axis, shape_of(value)) if node.has_input(2) else NO_ZERO
    scaled = node.graph.quantized.scaled(value)
    if scaled is not None and shape_of(scaled.factor) and scaled.axis % rank != axis % rank:
        scaled = scaled if not shape_of(scale) else None
    return write(node, scaled or value, scale, zero, kind)


def import_dequantize(node: Node) -> Value:
    value = node.value(0)
    axis, shape = _axis(node), shape_of(value)
    scale = node.value(1)
    spread = _spread(node, scale, axis, shape)
    zero = _spread(node, node.value(2), axis, shape) if node.has_input(2) else NO_ZERO
    output = node.get_int("output_dtype", 0) or helper.np_dtype_to_tensor_dtype(node.kind(1))
    node.kinds.append(output)
    factor = scale_of(node, scale)
    scaled = None
    if isinstance(value, SSAValue) or isinstance(spread, SSAValue) or isinstance(zero, SSAValue):
        integers = centred(node, value, zero)
        result = multiply(node, integers, spread)
    else:
        integers, real = dequantized(value, spread, zero)
        result = real.astype(helper.tensor_dtype_to_np_dtype(output))
    if factor is not None:
        scaled = Scaled(integers, factor, axis % len(shape) if shape else 0)
        node.graph.quantized.note(result, scaled)
    return result


def _axis(node: Node) -> int:
    """The axis of which each slice may have a scale of its own."""
    return node.get_int("axis", 1)


def _spread(node: Node, value: Value, axis: int, shape: tuple[int, ...]) -> Value:
    """A scale or zero point so that it broadcasts: one, one for each slice, or for each block."""
    block = node.get_int("block_size", 0)
    given = shape_of(value)
    if np.prod(given) == 1:
        return reshaped(node, value, ())
    axis = node.axis(axis, len(shape))
    if len(given) == 1 and not block:
        if given != (shape[axis],):
            raise node.error(f"{given[0]} scales do not fit axis {axis} of {list(shape)}")
        return aligned(node, value, axis, len(shape))
    if not block or len(given) != len(shape) or -(-shape[axis] // block) != given[axis]:
        raise node.error(
            f"scales of shape {list(given)} do not fit {list(shape)} in blocks of {block}"
        )
    places = np.arange(shape[axis]) // block
    if isinstance(value, SSAValue):
        return node.emit(nn.GatherOp(value, axis, [int(place) for place in places]))
    return value.take(places, axis)


def _kind_of_result(node: Node, zero: int) -> Kind:
    """The type that a node rounds to: that of its zero point, or what it says."""
    chosen = node.get_int("output_dtype", 0)
    if node.has_input(zero):
        kind = node.kind(zero)
    else:
        kind = helper.tensor_dtype_to_np_dtype(chosen or TensorProto.UINT8)
    node.kinds.append(helper.np_dtype_to_tensor_dtype(kind))
    return kind


def written(node: Node, real: Scaled | Value, index: int) -> Value:
    """`real` by the scale at input `index` and the zero point after it, one for all of it."""
    scale, zero, kind = scale_to_write(node, index)
    return write(node, real, scale, zero, kind)


def scale_to_write(node: Node, index: int) -> tuple[Value, Value, Kind]:
    """The scale at input `index` and the zero point after it, one for all, and the type."""
    scale, zero = aligned(node, node.value(index), 0, 1), zero_point(node, index + 1, 0, 1)
    if shape_of(scale) or shape_of(zero):
        raise node.error("the result has several scales or zero points, which is not supported")
    return scale, zero, _kind_of_result(node, index + 1)


def import_dynamic_quantize(node: Node) -> Sequence[Value]:
    uint8, float32 = TensorProto.UINT8, TensorProto.FLOAT
    node.kinds += [uint8, float32, uint8]
    return quantized_dynamically(node, node.tensor(0))


def quantized_dynamically(
    node: Node, tensor: SSAValue, axes: Sequence[int] = ()
) -> tuple[Value, Value, Value]:
    """A tensor as uint8, its scale, and its zero point: by the least and the greatest element.

    Of all its axes, which scale and zero point are without, or of some, which stay with size 1.
    """
    shape = nn.shape_of(tensor)
    among = axes or range(len(shape))
    kept = [1 if axis in axes else size for axis, size in enumerate(shape)] if axes else []
    least, greatest = (
        reshaped(node, reduce_along(reduce, node, tensor, among), tuple(kept))
        for reduce in (reduce_min, reduce_max)
    )
    least = apply(node, nn.MinimumOp, np.minimum, least, NO_ZERO)
    greatest = apply(node, nn.MaximumOp, np.maximum, greatest, NO_ZERO)
    width = as_tensor(node, subtract(node, greatest, least))
    flat = node.emit(nn.EqualOp(width, node.emit_scalar(0.0)))
    step = node.emit(nn.DivOp(width, node.emit_scalar(255.0)))
    scale = node.emit(nn.WhereOp(flat, node.emit_scalar(1.0), step))
    place = divide(node, subtract(node, NO_ZERO, least), scale)
    zero = node.emit(nn.ClipOp(node.emit(nn.RoundOp(as_tensor(node, place))), 0.0, 255.0))
    return write(node, tensor, scale, zero, np.dtype(np.uint8)), scale, zero


# Products of integers


def import_qlinear_conv(node: Node) -> Value:
    tensor, weight = read(node, 0), read(node, 3)
    if shape_of(tensor.factor):
        raise node.error("the input has several scales, which is not supported")
    bias = as_tensor(node, node.value(8), node.proto.input[8]) if node.has_input(8) else None
    image = as_tensor(node, tensor.integers)
    last = bool(node.get_int("channels_last", 0))
    total = _convolution(
        node, channels_first(node, image) if last else image, weight.integers, 3, bias
    )
    result = written(node, Scaled(total, multiply(node, tensor.factor, weight.factor), 1), 6)
    return channels_last(node, as_tensor(node, result)) if last else result


def import_conv_integer(node: Node) -> SSAValue:
    tensor = centred(node, node.value(0), zero_point(node, 2, 1, len(node.shape(0))))
    weight = centred(node, node.value(1), zero_point(node, 3, 0, len(node.shape(1))))
    node.kinds.append(TensorProto.INT32)
    return _convolution(node, as_tensor(node, tensor), weight, 1, None)


def _convolution(
    node: Node, tensor: SSAValue, weight: Value, index: int, bias: SSAValue | None
) -> SSAValue:
    kernel = node.get_ints("kernel_shape") or node.shape(index)[2:]
    window = window_of(node, kernel, nn.shape_of(tensor))
    group = node.get_int("group", 1)
    weight = as_tensor(node, weight, node.proto.input[index])
    return node.emit(nn.ConvOp(tensor, weight, bias, window, group=group))


def channels_first(node: Node, tensor: SSAValue) -> SSAValue:
    rank = len(nn.shape_of(tensor))
    return node.emit(nn.TransposeOp(tensor, [0, rank - 1, *range(1, rank - 1)]))


def channels_last(node: Node, tensor: SSAValue) -> SSAValue:
    rank = len(nn.shape_of(tensor))
    return node.emit(nn.TransposeOp(tensor, [0, *range(2, rank), 1]))


def import_qlinear_matmul(node: Node) -> Value:
    return written(node, _product(node, read(node, 0, -2), read(node, 3, -1), 3), 6)


def import_matmul_integer(node: Node) -> SSAValue:
    node.kinds.append(TensorProto.INT32)
    return product_of_integers(node, 2)


def product_of_integers(node: Node, zeros: int) -> SSAValue:
    """The product of two inputs without their zero points, which are inputs `zeros` and the next.

    One for all, or one for each row of the left and each column of the right operand.
    """
    rows, columns = (len(node.shape(index)) for index in (0, 1))
    lhs = centred(node, node.value(0), zero_point(node, zeros, max(rows - 2, 0), rows))
    rhs = centred(node, node.value(1), zero_point(node, zeros + 1, columns - 1, columns))
    names = node.proto.input
    return matrix_product(node, as_tensor(node, lhs, names[0]), as_tensor(node, rhs, names[1]))


def _product(node: Node, lhs: Scaled, rhs: Scaled, index: int) -> Scaled:
    """A product of matrices, the right one of inputs `index` and on, with a scale a column."""
    if shape_of(lhs.factor):
        raise node.error("a scale for each row is not supported")
    matrices = as_tensor(node, lhs.integers), as_tensor(node, rhs.integers, node.proto.input[index])
    total = matrix_product(node, *matrices)
    rank = len(nn.shape_of(total))
    return Scaled(total, multiply(node, lhs.factor, rhs.factor), rank - 1)


VALUE_OPERATORS = {"DequantizeLinear": import_dequantize}

OPERATORS: dict[str, Callable[[Node], Value | Sequence[Value]]] = {
    "ConvInteger": import_conv_integer,
    "DynamicQuantizeLinear": import_dynamic_quantize,
    "MatMulInteger": import_matmul_integer,
    "QLinearConv": import_qlinear_conv,
    "QLinearMatMul": import_qlinear_matmul,
    "QuantizeLinear": import_quantize,
}
"""Operators whose types are not those of their inputs."""
