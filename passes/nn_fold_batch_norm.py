# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Batch normalisation goes into the weights before it, or becomes arithmetic with constants.

So do the multiplications and additions of a constant for each channel that follow it: some
exporters write a normalisation in such parts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.transforms.dead_code_elimination import dce

from cmc.dialects import nn
from cmc.passes.nn_rewriting import channel_constant, constant_like, replace

Float64Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Affine:
    """`factor * x + shift`, each per channel; in double precision, so that folding rounds once."""

    factor: Float64Array
    shift: Float64Array
    bias: SSAValue | None = None
    """A constant of the network that shifts: the folded one is named after it."""

    def then(self, next: "_Affine") -> "_Affine":
        """What `next` of this is."""
        shift = self.shift * next.factor + next.shift
        return _Affine(self.factor * next.factor, shift, self.bias or next.bias)


def _affine(op: Operation) -> _Affine | None:
    """What `op` does to its first operand, if that is known when compiling."""
    match op:
        case nn.BatchNormOp():
            return _batch_norm(op)
        case nn.MulOp():
            factor = channel_constant(op)
            if factor is None:
                return None
            return _Affine(factor.astype(np.float64), np.zeros(factor.shape))
        case nn.AddOp():
            shift = channel_constant(op)
            if shift is None:
                return None
            return _Affine(np.ones(shift.shape), shift.astype(np.float64), op.rhs)
        case _:
            return None


def _batch_norm(op: nn.BatchNormOp) -> _Affine | None:
    arrays = [nn.constant_array(operand) for operand in op.operands[1:]]
    known = [array.astype(np.float64) for array in arrays if array is not None]
    if len(known) != len(arrays):
        return None
    scale, bias, mean, variance = known
    factor = scale / np.sqrt(variance + op.epsilon.value.data)
    return _Affine(factor, bias - mean * factor, op.bias)


@dataclass(frozen=True)
class _Chain:
    """Operations one after the other, none read but by the next, and what they do together."""

    affine: _Affine
    last: Operation

    @staticmethod
    def from_first(first: Operation) -> "_Chain | None":
        """The longest chain that begins with `first`. None if that is not known, or not read."""
        affine, last = _affine(first), first
        if affine is None or first.results[0].first_use is None:
            return None
        while (use := last.results[0].get_user_of_unique_use()) is not None:
            next = _affine(use)
            if next is None or use.operands[0] is not last.results[0]:
                break
            affine, last = affine.then(next), use
        return _Chain(affine, last)


class FoldIntoWeights(RewritePattern):
    """Scale the weights of a convolution or matrix product, and shift what is added to it.

    Nothing else may read the product, and nothing but the addition of a constant for each channel
    may lie between. Weights that are integers stay so where a multiplication follows: they are
    those of a quantised network, and it is their scale.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: nn.BatchNormOp | nn.MulOp, rewriter: PatternRewriter) -> None:
        chain = _Chain.from_first(op)
        if chain is None:
            return
        affine, product = chain.affine, op.operands[0]
        if isinstance(product.owner, nn.AddOp) and product.has_one_use():
            before = _affine(product.owner)
            if before is not None:
                affine, product = before.then(affine), product.owner.lhs
        if not product.has_one_use():
            return
        if isinstance(op, nn.MulOp) and _is_of_integers(product.owner):
            return
        match product.owner:
            case nn.ConvOp() as conv:
                new_ops = _fold_into_conv(conv, affine)
            case nn.MatMulOp() as matmul:
                new_ops = _fold_into_matmul(matmul, affine)
            case _:
                return
        if new_ops:
            replace(rewriter, chain.last, *new_ops, origin=product.owner)


def _is_of_integers(product: Operation | Block) -> bool:
    """Whether a product has weights that are integers, and not all the same: quantised ones."""
    match product:
        case nn.ConvOp() | nn.MatMulOp():
            weight = nn.constant_array(product.operands[1])
        case _:
            return False
    if weight is None or weight.size == 0 or weight.min() == weight.max():
        return False
    return bool((weight == np.rint(weight)).all())


def _fold_into_conv(conv: nn.ConvOp, affine: _Affine) -> list[nn.TensorOp]:
    """The convolution with `affine` after it; nothing if its weights are not known."""
    weight = nn.constant_array(conv.weight)
    bias = np.zeros((), np.float32) if conv.bias is None else nn.constant_array(conv.bias)
    if weight is None or bias is None:
        return []
    factor = affine.factor.reshape(-1, *(1,) * (weight.ndim - 1))
    new_weight = _constant(weight * factor, conv.weight)
    new_bias = _constant(bias * affine.factor + affine.shift, conv.bias or affine.bias)
    folded = nn.ConvOp(conv.input, new_weight, new_bias, conv.window, group=conv.group.value.data)
    return [new_weight, new_bias, folded]


def _fold_into_matmul(matmul: nn.MatMulOp, affine: _Affine) -> list[nn.TensorOp]:
    """The product with `affine` after it; nothing if its columns are not known, or not channels."""
    weight = nn.constant_array(matmul.rhs)
    if weight is None or weight.ndim != 2 or len(nn.shape_of(matmul.result)) != 2:
        return []
    new_weight = _constant(weight * affine.factor, matmul.rhs)
    product = nn.MatMulOp(matmul.lhs, new_weight)
    shift = _constant(affine.shift, affine.bias)
    return [new_weight, product, shift, nn.AddOp(product, shift)]


class ExpandIntoArithmetic(RewritePattern):
    """A multiplication and an addition by constants, where there are no weights to fold into."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: nn.BatchNormOp, rewriter: PatternRewriter) -> None:
        chain = _Chain.from_first(op)
        if chain is None:
            return
        shape = (-1, *(1,) * (len(nn.shape_of(op.input)) - 2))
        factor = _constant(chain.affine.factor.reshape(shape), op.scale)
        scaled = nn.MulOp(op.input, factor)
        shift = _constant(chain.affine.shift.reshape(shape), chain.affine.bias)
        added = nn.AddOp(scaled, shift)
        replace(rewriter, chain.last, factor, scaled, shift, added, origin=op)


def _constant(array: Float64Array, like: SSAValue | None) -> nn.ConstantOp:
    return constant_like(array.astype(np.float32), like)


@dataclass(frozen=True)
class NnFoldBatchNormPass(ModulePass):
    """Remove batch normalisations whose parameters are constants."""

    name = "nn-fold-batch-norm"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        PatternRewriteWalker(
            GreedyRewritePatternApplier([FoldIntoWeights(), ExpandIntoArithmetic()])
        ).rewrite_module(op)
        dce(op)
