# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Matrix products."""

import numpy as np
from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.files.weights import Float32Array
from cmc.importer.node import Node, as_float32
from cmc.importer.quantized import Factors, addend, factors


def import_matmul(node: Node) -> SSAValue:
    product = factors(node, len(node.shape(1)) - 1) if len(node.shape(1)) > 1 else None
    if product is None:
        return matrix_product(node, node.tensor(0), node.tensor(1))
    total = matrix_product(node, product.lhs, product.rhs)
    return product.times_factor(node, total, len(nn.shape_of(total)) - 1)


def matrix_product(node: Node, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
    """A vector stands for a matrix of one row, or one column, which the result is without."""
    left, right = nn.shape_of(lhs), nn.shape_of(rhs)
    if len(left) == 1:
        lhs = node.emit(nn.ReshapeOp(lhs, (1, *left)))
    if len(right) == 1:
        rhs = node.emit(nn.ReshapeOp(rhs, (*right, 1)))
    result = node.emit(nn.MatMulOp(lhs, rhs))
    shape = nn.shape_of(result)
    if len(left) == 1:
        shape = (*shape[:-2], shape[-1])
    if len(right) == 1:
        shape = shape[:-1]
    return result if shape == nn.shape_of(result) else node.emit(nn.ReshapeOp(result, shape))


def import_gemm(node: Node) -> SSAValue:
    """`alpha * A' * B' + beta * C`, the factors folded into constants where there are any."""
    for index in (0, 1):
        if len(node.shape(index)) != 2:
            raise node.error(f"input {index} has shape {list(node.shape(index))}, not two axes")
    alpha, beta = node.get_float("alpha", 1.0), node.get_float("beta", 1.0)
    product = factors(node, 0 if node.get_int("transB", 0) else 1)
    if product is not None:
        return _gemm_of_integers(node, product, alpha, beta)
    lhs = _matrix(node, 0, bool(node.get_int("transA", 0)), 1.0)
    scaled = node.constant(1) is not None
    rhs = _matrix(node, 1, bool(node.get_int("transB", 0)), alpha if scaled else 1.0)
    result = node.emit(nn.MatMulOp(lhs, rhs))
    if alpha != 1.0 and not scaled:
        result = node.emit(nn.MulOp(result, node.emit_scalar(alpha)))
    if not node.has_input(2) or beta == 0.0:
        return result
    return node.emit(nn.AddOp(result, _addend(node, beta)))


def _gemm_of_integers(node: Node, product: Factors, alpha: float, beta: float) -> SSAValue:
    """The factors after the sum, and after the addend where that is integers too."""
    lhs, rhs = product.lhs, product.rhs
    if node.get_int("transA", 0):
        lhs = node.emit(nn.TransposeOp(lhs, (1, 0)))
    if node.get_int("transB", 0):
        rhs = node.emit(nn.TransposeOp(rhs, (1, 0)))
    total = node.emit(nn.MatMulOp(lhs, rhs))
    added = node.has_input(2) and beta != 0.0
    whole = addend(node, 2, product) if added and alpha == beta else None
    if whole is not None:
        total = node.emit(nn.AddOp(total, whole))
    result = product.times_factor(node, total, 1, alpha)
    if not added or whole is not None:
        return result
    return node.emit(nn.AddOp(result, _addend(node, beta)))


def _matrix(node: Node, index: int, transposed: bool, factor: float) -> SSAValue:
    array = node.constant(index)
    if array is None or not (transposed or factor != 1.0):
        tensor = node.tensor(index)
        return node.emit(nn.TransposeOp(tensor, (1, 0))) if transposed else tensor
    weights = as_float32(array, node, node.proto.input[index])
    return node.emit_constant(
        _scale(weights.T if transposed else weights, factor), node.proto.input[index]
    )


def _addend(node: Node, beta: float) -> SSAValue:
    if beta == 1.0:
        return node.tensor(2)
    array = node.constant(2)
    if array is None:
        return node.emit(nn.MulOp(node.tensor(2), node.emit_scalar(beta)))
    weights = as_float32(array, node, node.proto.input[2])
    return node.emit_constant(_scale(weights, beta), node.proto.input[2])


def _scale(weights: Float32Array, factor: float) -> Float32Array:
    return weights if factor == 1.0 else weights * np.float32(factor)


OPERATORS = {"Gemm": import_gemm, "MatMul": import_matmul}
