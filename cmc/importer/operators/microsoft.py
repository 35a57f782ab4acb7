# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Operators of the domain `com.microsoft`: what onnxruntime's quantizer and optimizer write.

https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import prod, sqrt

import numpy as np
from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.importer.load import Array
from cmc.importer.node import Node, Value, as_float32
from cmc.importer.operators.linear import import_gemm, matrix_product
from cmc.importer.operators.quantization import (
    channels_first,
    channels_last,
    import_dequantize,
    import_qlinear_conv,
    import_quantize,
    product_of_integers,
    quantized_dynamically,
    scale_to_write,
    written,
)
from cmc.importer.operators.recurrent import import_quantized_lstm
from cmc.importer.operators.reductions import reduce_along, reduce_mean
from cmc.importer.operators.windows import average_pool, import_conv, window_of
from cmc.importer.quantized import (
    NO_ZERO,
    Scaled,
    add,
    as_tensor,
    centred,
    divide,
    multiply,
    read,
    real_of,
    scale_of,
    shape_of,
    write,
    write_together,
    zero_point,
)
from cmc.window import Window

DOMAIN = "com.microsoft"

# Of quantised tensors


def import_qlinear_add(node: Node) -> Value:
    """The sum of both, each by its scale over that of the result."""
    scale, zero, kind = scale_to_write(node, 6)
    parts = [
        multiply(node, one.integers, divide(node, one.factor, scale))
        for one in (read(node, 0), read(node, 3))
    ]
    return write_together(node, add(node, *parts), zero, kind)


def import_qlinear_mul(node: Node) -> Value:
    lhs, rhs = read(node, 0), read(node, 3)
    scale, zero, kind = scale_to_write(node, 6)
    factor = divide(node, multiply(node, lhs.factor, rhs.factor), scale)
    product = multiply(node, lhs.integers, rhs.integers)
    return write_together(node, multiply(node, product, factor), zero, kind)


def import_qlinear_unary(make: Callable[[Node, SSAValue], SSAValue], node: Node) -> Value:
    """A function of the real numbers that are meant."""
    real = as_tensor(node, real_of(node, read(node, 0)))
    return written(node, make(node, real), 3)


def _sigmoid(node: Node, tensor: SSAValue) -> SSAValue:
    return node.emit(nn.SigmoidOp(tensor))


def _leaky_relu(node: Node, tensor: SSAValue) -> SSAValue:
    return node.emit(nn.LeakyReluOp(tensor, node.get_float("alpha", 0.01)))


def _softmax(node: Node, tensor: SSAValue) -> SSAValue:
    """Along an axis, or, as before opset 13, along all axes from it on."""
    shape, opset = nn.shape_of(tensor), node.get_int("opset", 13)
    axis = node.axis(node.get_int("axis", -1 if opset >= 13 else 1), len(shape))
    if opset >= 13 or prod(shape[axis + 1 :]) == 1:
        return node.emit(nn.SoftmaxOp(tensor, axis))
    flat = (*(shape[:axis] or (1,)), prod(shape[axis:]))
    rows = node.emit(nn.SoftmaxOp(node.emit(nn.ReshapeOp(tensor, flat)), len(flat) - 1))
    return node.emit(nn.ReshapeOp(rows, shape))


def import_qlinear_average_pool(node: Node) -> Value:
    """Of the integers themselves where scale and zero point stay: means between two are common."""
    before, after = (_constants(node, range(first, first + 2)) for first in (1, 3))
    if before is None or before != after:
        return import_qlinear_unary(_average_pool, node)
    _, zero, kind = scale_to_write(node, 3)
    mean = _average_pool(node, as_tensor(node, read(node, 0).integers))
    return write_together(node, mean, zero, kind)


def _constants(node: Node, indices: Iterable[int]) -> list[list[float]] | None:
    """The elements of inputs, those that are absent zero; None if one is not known."""
    found: list[list[float]] = []
    for index in indices:
        value = node.value(index) if node.has_input(index) else NO_ZERO
        if isinstance(value, SSAValue):
            return None
        found.append(np.asarray(value, np.float32).reshape(-1).tolist())
    return found


def _average_pool(node: Node, tensor: SSAValue) -> SSAValue:
    last = bool(node.get_int("channels_last", 0))
    tensor = channels_first(node, tensor) if last else tensor
    result = average_pool(node, tensor)
    return channels_last(node, result) if last else result


def _global_average_pool(node: Node, tensor: SSAValue) -> SSAValue:
    last = bool(node.get_int("channels_last", 0))
    tensor = channels_first(node, tensor) if last else tensor
    result = node.emit(nn.AveragePoolOp(tensor, Window.of(nn.shape_of(tensor)[2:])))
    return channels_last(node, result) if last else result


def _reduce_mean(node: Node, tensor: SSAValue) -> SSAValue:
    shape = nn.shape_of(tensor)
    axes = sorted(node.axes(node.get_ints("axes") or range(len(shape)), len(shape)))
    result = reduce_along(reduce_mean, node, tensor, axes)
    kept = [size for axis, size in enumerate(shape) if axis not in axes]
    return result if node.get_int("keepdims", 1) else node.emit(nn.ReshapeOp(result, kept))


def import_nhwc_max_pool(node: Node) -> SSAValue:
    kernel = node.get_ints("kernel_shape")
    if kernel is None:
        raise node.error("kernel_shape is missing")
    tensor = channels_first(node, node.tensor(0))
    node.kinds.append(node.graph.kind_of(node.proto.input[0]))
    window = window_of(node, kernel, nn.shape_of(tensor))
    return channels_last(node, node.emit(nn.MaxPoolOp(tensor, window)))


def import_qlinear_concat(node: Node) -> SSAValue:
    scale, zero, kind = scale_to_write(node, 0)
    parts = [
        as_tensor(node, write(node, read(node, index), scale, zero, kind))
        for index in range(2, len(node), 3)
    ]
    axis = node.axis(node.get_int("axis", 1), len(nn.shape_of(parts[0])))
    return node.emit(nn.ConcatOp(parts, axis))


def import_qlinear_where(node: Node) -> Value:
    lhs, rhs = (as_tensor(node, real_of(node, read(node, index))) for index in (1, 4))
    return written(node, node.emit(nn.WhereOp(node.tensor(0), lhs, rhs)), 7)


def import_qgemm(node: Node) -> Value:
    """The product of integers, real if there is no scale of the result."""
    by_columns = 0 if node.get_int("transB", 0) else 1
    lhs, rhs = read(node, 0), read(node, 3, by_columns)
    if shape_of(lhs.factor):
        raise node.error("a scale for each row is not supported")
    total = node.emit(
        nn.MatMulOp(
            _turned(node, as_tensor(node, lhs.integers), "transA"),
            _turned(node, as_tensor(node, rhs.integers, node.proto.input[3]), "transB"),
        )
    )
    if node.has_input(6):
        total = node.emit(nn.AddOp(total, node.tensor(6)))
    factor = multiply(node, lhs.factor, rhs.factor)
    alpha = node.get_float("alpha", 1.0)
    scaled = Scaled(total, multiply(node, factor, np.array(alpha)) if alpha != 1 else factor, 1)
    return written(node, scaled, 7) if node.has_input(7) else real_of(node, scaled)


def _turned(node: Node, matrix: SSAValue, attribute: str) -> SSAValue:
    """A matrix, transposed where the attribute says so."""
    if not node.get_int(attribute, 0):
        return matrix
    rank = len(nn.shape_of(matrix))
    return node.emit(nn.TransposeOp(matrix, [*range(rank - 2), rank - 1, rank - 2]))


# Products of integers that are real


def import_matmul_integer_to_float(node: Node) -> Value:
    total = product_of_integers(node, 4)
    return _scaled_and_shifted(node, total, node.value(2), 3, 6)


def import_dynamic_quantize_matmul(node: Node) -> Value:
    integers, scale, zero = quantized_dynamically(node, node.tensor(0))
    columns = len(node.shape(1))
    lhs = centred(node, integers, zero)
    rhs = centred(node, node.value(1), zero_point(node, 3, columns - 1, columns))
    matrices = as_tensor(node, lhs), as_tensor(node, rhs, node.proto.input[1])
    return _scaled_and_shifted(node, matrix_product(node, *matrices), scale, 2, 4)


def _scaled_and_shifted(
    node: Node, total: SSAValue, lhs_scale: Value, rhs_scale: int, bias: int
) -> Value:
    """A product of integers by both scales, that of the right operand maybe one a column."""
    left, right = (scale_of(node, one) for one in (lhs_scale, node.value(rhs_scale)))
    if left is None or right is None or shape_of(left):
        raise node.error("scales of such shapes are not supported")
    rank = len(nn.shape_of(total))
    result = real_of(node, Scaled(total, multiply(node, left, right), rank - 1))
    return add(node, result, node.value(bias)) if node.has_input(bias) else result


# What is several operators in one


def import_fused_conv(node: Node) -> SSAValue:
    result = import_conv(node)
    if node.has_input(3):
        result = node.emit(nn.AddOp(result, node.tensor(3)))
    return _activated(node, result, node.get_floats("activation_params") or [])


def import_fused_gemm(node: Node) -> SSAValue:
    names = ("activation_alpha", "activation_beta", "activation_gamma")
    parameters = [node.get_float(name, 0.0) for name in names if node.has(name)]
    return _activated(node, import_gemm(node), parameters)


def _activated(node: Node, tensor: SSAValue, parameters: Sequence[float]) -> SSAValue:
    """The activation of a fused operator, whose parameters are those of its own, in order."""
    name = node.get_string("activation", "")
    first, second = (*parameters, *_PARAMETERS.get(name, ())[len(parameters) :], 0.0, 0.0)[:2]
    match name:
        case "" | "Identity":
            return tensor
        case "Relu":
            return node.emit(nn.ReluOp(tensor))
        case "Tanh":
            return node.emit(nn.TanhOp(tensor))
        case "Sigmoid":
            return node.emit(nn.SigmoidOp(tensor))
        case "LeakyRelu":
            return node.emit(nn.LeakyReluOp(tensor, first))
        case "Clip":
            return node.emit(nn.ClipOp(tensor, first, second))
        case "HardSigmoid":
            scaled = node.emit(nn.MulOp(tensor, node.emit_scalar(first)))
            shifted = node.emit(nn.AddOp(scaled, node.emit_scalar(second)))
            return node.emit(nn.ClipOp(shifted, 0.0, 1.0))
        case _:
            raise node.error(f"activation {name!r} is not supported")


_PARAMETERS = {"LeakyRelu": (0.01,), "HardSigmoid": (0.2, 0.5), "Clip": (-3.4e38, 3.4e38)}
"""What parameters are that are not given."""


def import_fused_matmul(node: Node) -> SSAValue:
    for attribute in ("transBatchA", "transBatchB"):
        node.reject(bool(node.get_int(attribute, 0)), attribute)
    lhs = _turned(node, node.tensor(0), "transA")
    rhs = _turned(node, node.tensor(1), "transB")
    result = matrix_product(node, lhs, rhs)
    alpha = node.get_float("alpha", 1.0)
    return result if alpha == 1.0 else node.emit(nn.MulOp(result, node.emit_scalar(alpha)))


def import_matmul_of_few_bits(node: Node) -> SSAValue:
    """The product with a matrix of few bits, which has a scale for each block of rows."""
    bits, block = node.get_int("bits", 4), node.get_int("block_size", 0)
    rows, columns = node.get_int("K", 0), node.get_int("N", 0)
    # How exactly others multiply.
    node.get_int("accuracy_level", 0)
    node.reject(bits not in (2, 4, 8), f"a matrix of {bits} bits")
    node.reject(node.has_input(4), "an order of the rows")
    node.reject(bool(node.get_int("weight_prepacked", 0)), "a matrix in the order of a processor")
    node.check_size((rows, columns))
    packed, scales = node.known(1, "the matrix"), node.known(2, "the scales")
    assert packed is not None and scales is not None
    blocks = -(-rows // block)
    matrix = _unpacked(packed, bits).reshape(columns, blocks, block).astype(np.float32)
    zeros = node.known(3, "the zero points")
    if zeros is None:
        matrix -= 2 ** (bits - 1)
    elif zeros.dtype == np.uint8:
        points = _unpacked(zeros.reshape(columns, -1), bits)[:, :blocks]
        matrix -= points[..., None].astype(np.float32)
    else:
        matrix -= as_float32(zeros, node, "zero points").reshape(columns, blocks, 1)
    matrix *= as_float32(scales, node, "scales").reshape(columns, blocks, 1)
    whole = np.ascontiguousarray(matrix.reshape(columns, -1)[:, :rows].T)
    product = matrix_product(node, node.tensor(0), node.emit_constant(whole, node.proto.input[1]))
    return node.emit(nn.AddOp(product, node.tensor(5))) if node.has_input(5) else product


def _unpacked(array: Array, bits: int) -> Array:
    """The numbers in bytes along the last axis, the lowest bits first."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    numbers = array[..., None].astype(np.uint8) >> shifts & np.uint8(2**bits - 1)
    return numbers.reshape(*array.shape[:-1], -1)


def import_bias_gelu(node: Node) -> SSAValue:
    return _gelu(node, node.emit(nn.AddOp(node.tensor(0), node.tensor(1))))


def import_gelu(node: Node) -> SSAValue:
    return _gelu(node, node.tensor(0))


def _gelu(node: Node, tensor: SSAValue) -> SSAValue:
    """`x / 2 * (1 + erf(x / sqrt(2)))`."""
    inner = node.emit(nn.ErfOp(node.emit(nn.MulOp(tensor, node.emit_scalar(sqrt(0.5))))))
    return _half_of_both(node, tensor, inner)


def import_fast_gelu(node: Node) -> SSAValue:
    """`x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))`, of the sum with the bias."""
    tensor = node.tensor(0)
    if node.has_input(1):
        tensor = node.emit(nn.AddOp(tensor, node.tensor(1)))
    square = node.emit(nn.MulOp(node.emit(nn.MulOp(tensor, tensor)), node.emit_scalar(0.044715)))
    factor = node.emit(nn.AddOp(square, node.emit_scalar(1.0)))
    argument = node.emit(nn.MulOp(node.emit(nn.MulOp(tensor, factor)), node.emit_scalar(_WIDTH)))
    return _half_of_both(node, tensor, node.emit(nn.TanhOp(argument)))


_WIDTH = sqrt(2 / np.pi)


def _half_of_both(node: Node, tensor: SSAValue, part: SSAValue) -> SSAValue:
    half = node.emit(nn.MulOp(tensor, node.emit_scalar(0.5)))
    return node.emit(nn.MulOp(half, node.emit(nn.AddOp(part, node.emit_scalar(1.0)))))


def import_quick_gelu(node: Node) -> SSAValue:
    """`x * sigmoid(alpha * x)`."""
    tensor, alpha = node.tensor(0), node.emit_scalar(node.get_float("alpha", 1.702))
    gate = node.emit(nn.SigmoidOp(node.emit(nn.MulOp(tensor, alpha))))
    return node.emit(nn.MulOp(tensor, gate))


def import_skip_layer_normalization(node: Node) -> Sequence[SSAValue | None]:
    """Of the sum of two tensors, and a bias: over its deviation from the mean, by row."""
    total = _sum_with(node, (1, 4))
    centre = node.emit(nn.SubOp(total, reduce_along(reduce_mean, node, total, [_last(total)])))
    return _normalized(node, total, centre, 2, 3)


def import_skip_simplified_layer_normalization(node: Node) -> Sequence[SSAValue | None]:
    """The same around zero."""
    total = _sum_with(node, (1, 3))
    return _normalized(node, total, total, 2, None)


def import_layer_normalization(node: Node) -> Sequence[SSAValue | None]:
    """As ONNX has it since opset 17; onnxruntime puts it into models of any."""
    tensor = _along_last(node)
    mean = reduce_along(reduce_mean, node, tensor, [_last(tensor)])
    centre = node.emit(nn.SubOp(tensor, mean))
    return _normalized(node, tensor, centre, 1, 2)[:1]


def import_simplified_layer_normalization(node: Node) -> Sequence[SSAValue | None]:
    """The same around zero, which ONNX calls RMSNormalization."""
    tensor = _along_last(node)
    return _normalized(node, tensor, tensor, 1, None)[:1]


def _along_last(node: Node) -> SSAValue:
    """What is normalised along the last axis."""
    tensor = node.tensor(0)
    axis = node.axis(node.get_int("axis", -1), len(nn.shape_of(tensor)))
    node.reject(axis != _last(tensor), f"a normalisation from axis {axis} on")
    node.get_int("stash_type", 1)
    return tensor


def _last(tensor: SSAValue) -> int:
    return len(nn.shape_of(tensor)) - 1


def _sum_with(node: Node, others: Sequence[int]) -> SSAValue:
    total = node.tensor(0)
    for index in others:
        if node.has_input(index):
            total = node.emit(nn.AddOp(total, node.tensor(index)))
    return total


def _normalized(
    node: Node, total: SSAValue, centre: SSAValue, gamma: int, beta: int | None
) -> Sequence[SSAValue | None]:
    """The result, neither mean nor deviation, and the sum that was normalised."""
    used = [name for name in node.proto.output[1:3] if name and node.graph.is_used(name)]
    node.reject(bool(used), "an output of the mean or the deviation")
    square = node.emit(nn.MulOp(centre, centre))
    variance = reduce_along(reduce_mean, node, square, [_last(total)])
    epsilon = node.emit_scalar(node.get_float("epsilon", 1e-5))
    deviation = node.emit(nn.SqrtOp(node.emit(nn.AddOp(variance, epsilon))))
    result = node.emit(nn.MulOp(node.emit(nn.DivOp(centre, deviation)), node.tensor(gamma)))
    if beta is not None and node.has_input(beta):
        result = node.emit(nn.AddOp(result, node.tensor(beta)))
    return [result, None, None, total]


OPERATORS: dict[str, Callable[[Node], Value | Sequence[Value | None]]] = {
    "BiasGelu": import_bias_gelu,
    "DequantizeLinear": import_dequantize,
    "DynamicQuantizeMatMul": import_dynamic_quantize_matmul,
    "DynamicQuantizeLSTM": import_quantized_lstm,
    "FastGelu": import_fast_gelu,
    "FusedConv": import_fused_conv,
    "FusedGemm": import_fused_gemm,
    "FusedMatMul": import_fused_matmul,
    "Gelu": import_gelu,
    "MatMulNBits": import_matmul_of_few_bits,
    "MatMulIntegerToFloat": import_matmul_integer_to_float,
    "NhwcMaxPool": import_nhwc_max_pool,
    "QGemm": import_qgemm,
    "QLinearAdd": import_qlinear_add,
    "QLinearAveragePool": import_qlinear_average_pool,
    "QLinearConcat": import_qlinear_concat,
    "QLinearConv": import_qlinear_conv,
    "QLinearGlobalAveragePool": partial(import_qlinear_unary, _global_average_pool),
    "QLinearLeakyRelu": partial(import_qlinear_unary, _leaky_relu),
    "QLinearMul": import_qlinear_mul,
    "QLinearReduceMean": partial(import_qlinear_unary, _reduce_mean),
    "QLinearSigmoid": partial(import_qlinear_unary, _sigmoid),
    "QLinearSoftmax": partial(import_qlinear_unary, _softmax),
    "QLinearWhere": import_qlinear_where,
    "QuantizeLinear": import_quantize,
    "QuickGelu": import_quick_gelu,
    "SkipLayerNormalization": import_skip_layer_normalization,
    "SkipSimplifiedLayerNormalization": import_skip_simplified_layer_normalization,
    "TransposeMatMul": import_fused_matmul,
}

WITHIN_ONNX: dict[str, Callable[[Node], Sequence[SSAValue | None]]] = {
    "LayerNormalization": import_layer_normalization,
    "SimplifiedLayerNormalization": import_simplified_layer_normalization,
}
"""Operators that onnxruntime has in the domain of ONNX, which does not have them, or had not."""
