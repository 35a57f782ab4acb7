# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""One form for what can be said in several ways, and nothing that has no effect.

All rewrites are exact: none rounds otherwise than what it replaces.
"""

from dataclasses import dataclass

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.traits import Commutative
from xdsl.transforms.dead_code_elimination import dce

from cmc.dialects import nn
from cmc.files.weights import ArrayWeights
from cmc.passes.nn_rewriting import channel_constant, constant_like, replace
from cmc.semantics.elementwise import ELEMENTWISE
from cmc.semantics.operators import compute
from cmc.semantics.stages import STAGES
from cmc.window import Window


class FoldConstants(RewritePattern):
    """Evaluate what has only constants as operands."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: nn.TensorOp, rewriter: PatternRewriter) -> None:
        if op.regions:
            return
        arrays = [nn.constant_array(operand) for operand in op.operands]
        known = [array for array in arrays if array is not None]
        if known and len(known) == len(arrays):
            weights = ArrayWeights(compute(op, known), op.result.name_hint)
            replace(rewriter, op, nn.ConstantOp(weights))


class DropNoOps(RewritePattern):
    """Drop what returns its operand as it is."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: nn.TensorOp, rewriter: PatternRewriter) -> None:
        if _is_no_op(op):
            rewriter.replace(op, [], [op.operands[0]])


def _is_no_op(op: nn.TensorOp) -> bool:
    match op:
        case nn.ReshapeOp():
            return op.input.type == op.result.type
        case nn.TransposeOp():
            perm = op.perm.get_values()
            return perm == tuple(sorted(perm))
        case nn.SliceOp():
            sizes = nn.shape_of(op.result)
            return op.input.type == op.result.type and all(
                step == 1 or size == 1 for step, size in zip(op.step_values, sizes, strict=True)
            )
        case nn.PadOp():
            return not any(op.low.get_values() + op.high.get_values())
        case nn.DilateOp():
            return set(op.steps.get_values()) <= {1}
        case nn.GatherOp():
            extent = nn.shape_of(op.input)[op.axis.value.data]
            return op.indices.get_values() == tuple(range(extent))
        case nn.ConcatOp():
            return len(op.inputs) == 1
        case nn.ClipOp():
            return op.min is None and op.max is None
        case _:
            return False


class DropNeutralOperand(RewritePattern):
    """`x + 0`, `x - 0`, `x * 1`, `x / 1` and `x ** 1` are `x`, where broadcasting adds nothing."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: nn.BinaryOp, rewriter: PatternRewriter) -> None:
        match op:
            case nn.AddOp() | nn.SubOp():
                neutral = 0.0
            case nn.MulOp() | nn.DivOp() | nn.PowOp():
                neutral = 1.0
            case _:
                return
        if op.lhs.type == op.result.type and _is_splat(op.rhs, neutral):
            rewriter.replace(op, [], [op.lhs])


class ConstantOnTheRight(RewritePattern):
    """Swap the operands of a commutative operation whose left one is the constant."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: nn.BinaryOp, rewriter: PatternRewriter) -> None:
        if (
            op.has_trait(Commutative)
            and isinstance(op.lhs.owner, nn.ConstantOp)
            and not isinstance(op.rhs.owner, nn.ConstantOp)
        ):
            replace(rewriter, op, type(op)(op.rhs, op.lhs))


class UseRelu(RewritePattern):
    """A clip at zero from below, and a maximum with zero, are `nn.relu`."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: nn.ClipOp | nn.MaximumOp, rewriter: PatternRewriter) -> None:
        match op:
            case nn.ClipOp():
                input = op.input
                is_relu = op.max is None and op.min is not None and op.min.value.data == 0.0
            case nn.MaximumOp():
                input = op.lhs
                is_relu = op.lhs.type == op.result.type and _is_splat(op.rhs, 0.0)
        if is_relu:
            replace(rewriter, op, nn.ReluOp(input))


class MergeReshapes(RewritePattern):
    """A reshape of a reshape needs only the last shape."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: nn.ReshapeOp, rewriter: PatternRewriter) -> None:
        if isinstance(op.input.owner, nn.ReshapeOp):
            reshape = nn.ReshapeOp(op.input.owner.input, nn.shape_of(op.result))
            replace(rewriter, op, reshape)


class MergeTransposes(RewritePattern):
    """A transposition of a transposition is one, of the composed permutation."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: nn.TransposeOp, rewriter: PatternRewriter) -> None:
        inner = op.input.owner
        if isinstance(inner, nn.TransposeOp):
            inner_perm = inner.perm.get_values()
            perm = [inner_perm[axis] for axis in op.perm.get_values()]
            replace(rewriter, op, nn.TransposeOp(inner.input, perm))


class TransposeToReshape(RewritePattern):
    """A transposition that keeps the order of all axes but those of size one is a reshape."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: nn.TransposeOp, rewriter: PatternRewriter) -> None:
        shape = nn.shape_of(op.input)
        moved = [axis for axis in op.perm.get_values() if shape[axis] != 1]
        if moved == sorted(moved):
            replace(rewriter, op, nn.ReshapeOp(op.input, nn.shape_of(op.result)))


class FoldBiasIntoConv(RewritePattern):
    """A constant for each channel, added to a convolution that nothing else reads, is its bias."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: nn.AddOp, rewriter: PatternRewriter) -> None:
        conv, bias = op.lhs.owner, channel_constant(op)
        if (
            not isinstance(conv, nn.ConvOp)
            or conv.bias is not None
            or not op.lhs.has_one_use()
            or bias is None
        ):
            return
        constant = constant_like(bias, op.rhs)
        replace(rewriter, op, constant, _conv_like(conv, conv.input, constant.result, conv.window))


class FoldPadIntoConv(RewritePattern):
    """Zeros around the input of a convolution are padding of its own."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: nn.ConvOp, rewriter: PatternRewriter) -> None:
        pad = op.input.owner
        if isinstance(pad, nn.PadOp) and pad.value.value.data == 0.0:
            window = _padded_window(op.window, pad)
            if window is not None:
                replace(rewriter, op, _conv_like(op, pad.input, op.bias, window))


class FoldPadIntoMaxPool(RewritePattern):
    """Minus infinity around the input of a max pool is padding of its own."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: nn.MaxPoolOp, rewriter: PatternRewriter) -> None:
        pad = op.input.owner
        if isinstance(pad, nn.PadOp) and pad.value.value.data == -np.inf:
            window = _padded_window(op.window, pad)
            if window is not None:
                replace(rewriter, op, nn.MaxPoolOp(pad.input, window))


class FoldPadIntoAveragePool(RewritePattern):
    """Zeros around the input of an average pool are padding of its own, which counts.

    A pool with padding that does not count cannot have both.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: nn.AveragePoolOp, rewriter: PatternRewriter) -> None:
        pad = op.input.owner
        if not isinstance(pad, nn.PadOp) or pad.value.value.data != 0.0:
            return
        if any(op.window.pads) and op.count_include_pad is None:
            return
        window = _padded_window(op.window, pad)
        if window is not None:
            replace(rewriter, op, nn.AveragePoolOp(pad.input, window, count_include_pad=True))


class ActivateParts(RewritePattern):
    """An activation of what is concatenated is one of each part, where all of them are computed.

    It joins the stages that compute them, if nothing else wants them as they are.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: nn.TensorOp, rewriter: PatternRewriter) -> None:
        if type(op) not in ELEMENTWISE or len(op.operands) != 1:
            return
        concat = op.operands[0].owner
        if not isinstance(concat, nn.ConcatOp) or not concat.result.has_one_use():
            return
        if not all(type(v.owner) in _COMPUTING and v.has_one_use() for v in concat.inputs):
            return
        parts = [
            type(op).create(operands=[part], result_types=[part.type], properties=op.properties)
            for part in concat.inputs
        ]
        together = nn.ConcatOp([part.result for part in parts], concat.axis.value.data)
        replace(rewriter, op, *parts, together)


_COMPUTING = {*ELEMENTWISE, *STAGES, nn.BatchNormOp}


def _padded_window(window: Window, pad: nn.PadOp) -> Window | None:
    """`window` with the pads of `pad` as well, if these are constants around spatial axes only.

    None too if there would be fewer windows then: with ceil_mode, none begins in the high padding.
    """
    low, high = pad.low.get_values(), pad.high.get_values()
    if (
        pad.mode.data is not nn.PadMode.CONSTANT
        or any(low[:2] + high[:2])
        or min(low + high, default=0) < 0
    ):
        return None
    padded = window.with_pads(
        tuple(a + b for a, b in zip(window.low, low[2:], strict=True)),
        tuple(a + b for a, b in zip(window.high, high[2:], strict=True)),
    )
    before, after = nn.shape_of(pad.result)[2:], nn.shape_of(pad.input)[2:]
    return padded if padded.output_shape(after) == window.output_shape(before) else None


def _conv_like(
    conv: nn.ConvOp, input: SSAValue, bias: SSAValue | None, window: Window
) -> nn.ConvOp:
    """`conv` of another input, with another bias and other pads."""
    return nn.ConvOp(input, conv.weight, bias, window, group=conv.group.value.data)


def _is_splat(value: SSAValue, number: float) -> bool:
    """Whether `value` is a constant of which every element is `number`."""
    array = nn.constant_array(value)
    return array is not None and bool((array == number).all())


PATTERNS: tuple[RewritePattern, ...] = (
    FoldConstants(),
    DropNoOps(),
    ConstantOnTheRight(),
    DropNeutralOperand(),
    UseRelu(),
    MergeReshapes(),
    MergeTransposes(),
    TransposeToReshape(),
    FoldBiasIntoConv(),
    FoldPadIntoConv(),
    FoldPadIntoMaxPool(),
    FoldPadIntoAveragePool(),
    ActivateParts(),
)
"""In the order in which they are tried."""


@dataclass(frozen=True)
class NnCanonicalizePass(ModulePass):
    """Simplify a graph of tensor operations without changing its results."""

    name = "nn-canonicalize"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        applier = GreedyRewritePatternApplier(list(PATTERNS))
        PatternRewriteWalker(applier).rewrite_module(op)
        dce(op)
