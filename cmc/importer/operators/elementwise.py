# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Operators on each element."""

from collections.abc import Callable
from functools import partial

import numpy as np
from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.importer.node import Node

Unary = Callable[[SSAValue], nn.TensorOp]
Binary = Callable[[SSAValue, SSAValue], nn.TensorOp]


def import_unary(make: Unary, node: Node) -> SSAValue:
    return node.emit(make(node.tensor(0)))


def import_binary(make: Binary, node: Node) -> SSAValue:
    return node.emit(make(node.tensor(0), node.tensor(1)))


def import_variadic(make: Binary, node: Node) -> SSAValue:
    """A chain of binary operations, from the first input on."""
    result = node.tensor(0)
    for index in range(1, len(node)):
        result = node.emit(make(result, node.tensor(index)))
    return result


def import_mean(node: Node) -> SSAValue:
    total = import_variadic(nn.AddOp, node)
    return node.emit(nn.MulOp(total, node.emit_scalar(1 / len(node))))


def import_leaky_relu(node: Node) -> SSAValue:
    return node.emit(nn.LeakyReluOp(node.tensor(0), node.get_float("alpha", 0.01)))


def import_clip(node: Node) -> SSAValue:
    if node.opset < 11:
        low = node.get_float("min", 0.0) if node.has("min") else None
        high = node.get_float("max", 0.0) if node.has("max") else None
        return node.emit(nn.ClipOp(node.tensor(0), low, high))
    bounds = [node.known(index, "the bounds") for index in (1, 2)]
    low, high = (None if bound is None else float(bound.reshape(-1)[0]) for bound in bounds)
    return node.emit(nn.ClipOp(node.tensor(0), low, high))


def import_hard_sigmoid(node: Node) -> SSAValue:
    return _hard_sigmoid(node, node.get_float("alpha", 0.2), node.get_float("beta", 0.5))


def import_hard_swish(node: Node) -> SSAValue:
    return node.emit(nn.MulOp(node.tensor(0), _hard_sigmoid(node, 1 / 6, 0.5)))


def _hard_sigmoid(node: Node, alpha: float, beta: float) -> SSAValue:
    scaled = node.emit(nn.MulOp(node.tensor(0), node.emit_scalar(alpha)))
    return node.emit(nn.ClipOp(node.emit(nn.AddOp(scaled, node.emit_scalar(beta))), 0.0, 1.0))


def import_prelu(node: Node) -> SSAValue:
    """`max(x, 0) + slope * min(x, 0)`."""
    tensor, slope = node.tensor(0), node.tensor(1)
    axes = zip(node.shape(1)[::-1], node.shape(0)[::-1], strict=False)
    if any(own not in (1, size) for own, size in axes):
        shapes = f"{list(node.shape(1))} and {list(node.shape(0))}"
        raise node.malformed(f"slopes and an input of shapes {shapes} do not broadcast")
    negative = node.emit(nn.MulOp(slope, node.emit(nn.ClipOp(tensor, None, 0.0))))
    return node.emit(nn.AddOp(node.emit(nn.ReluOp(tensor)), negative))


def import_reciprocal(node: Node) -> SSAValue:
    return node.emit(nn.DivOp(node.emit_scalar(1.0), node.tensor(0)))


def import_softplus(node: Node) -> SSAValue:
    """`max(x, 0) + log(1 + exp(-|x|))`, where nothing overflows."""
    tensor = node.tensor(0)
    power = node.emit(nn.ExpOp(node.emit(nn.NegOp(node.emit(nn.AbsOp(tensor))))))
    rest = node.emit(nn.LogOp(node.emit(nn.AddOp(power, node.emit_scalar(1.0)))))
    return node.emit(nn.AddOp(node.emit(nn.ReluOp(tensor)), rest))


def import_greater(make: Binary, node: Node) -> SSAValue:
    return node.emit(make(node.tensor(1), node.tensor(0)))


def import_div(node: Node) -> SSAValue:
    """Of integers, the quotient without its fraction."""
    quotient = import_binary(nn.DivOp, node)
    whole = node.kind(0).kind in "iu"
    return node.emit(nn.TruncOp(quotient)) if whole else quotient


def import_pow(node: Node) -> SSAValue:
    """Of integers, the whole part; exact where the exponent is whole."""
    power = import_binary(nn.PowOp, node)
    if node.kind(0).kind not in "iu":
        return power
    whole = node.kind(1).kind in "iu"
    return node.emit(nn.RoundOp(power) if whole else nn.TruncOp(power))


def import_mod(node: Node) -> SSAValue:
    """The remainder has the sign of the dividend with `fmod`, else that of the divisor."""
    rest = import_binary(nn.RemainderOp, node)
    if node.get_int("fmod", 0):
        return rest
    divisor = node.tensor(1)
    product = node.emit(nn.MulOp(node.emit(nn.SignOp(rest)), node.emit(nn.SignOp(divisor))))
    differ = node.emit(nn.LessOp(product, node.emit_scalar(0.0)))
    return node.emit(nn.WhereOp(differ, node.emit(nn.AddOp(rest, divisor)), rest))


def import_bit_shift(node: Node) -> SSAValue:
    """By a known number of bits, a product with a power of two, or its whole part."""
    bits = node.known(1, "the number of bits")
    direction = node.get_string("direction", "")
    if bits is None or direction not in ("LEFT", "RIGHT"):
        raise node.error(f"direction {direction!r} is neither LEFT nor RIGHT")
    width = 8 * node.kind(0).itemsize
    if bits.size and not 0 <= int(bits.min()) <= int(bits.max()) < width:
        raise node.error(f"shifts by {bits.min()} to {bits.max()} are not all within {width} bits")
    left = direction == "LEFT"
    factor = np.ldexp(np.float32(1), (1 if left else -1) * bits.astype(np.int64))
    shifted = node.emit(nn.MulOp(node.tensor(0), node.emit_constant(factor.astype(np.float32))))
    return shifted if left else node.emit(nn.FloorOp(shifted))


def import_is_inf(node: Node) -> SSAValue:
    found = [
        node.emit(nn.EqualOp(node.tensor(0), node.emit_scalar(value)))
        for name, value in (("detect_positive", np.inf), ("detect_negative", -np.inf))
        if node.get_int(name, 1)
    ]
    if not found:
        return node.emit(nn.LessOp(node.tensor(0), node.tensor(0)))
    return found[0] if len(found) == 1 else node.emit(nn.MaximumOp(*found))


def import_where(node: Node) -> SSAValue:
    return node.emit(nn.WhereOp(*(node.tensor(index) for index in range(3))))


def import_not(node: Node) -> SSAValue:
    return _not(node, node.tensor(0))


def import_xor(node: Node) -> SSAValue:
    return _not(node, node.emit(nn.EqualOp(node.tensor(0), node.tensor(1))))


def import_is_nan(node: Node) -> SSAValue:
    return _not(node, node.emit(nn.EqualOp(node.tensor(0), node.tensor(0))))


def _not(node: Node, truth: SSAValue) -> SSAValue:
    return node.emit(nn.SubOp(node.emit_scalar(1.0), truth))


_UNARY: dict[str, Unary] = {
    "Abs": nn.AbsOp,
    "Acos": nn.AcosOp,
    "Acosh": nn.AcoshOp,
    "Asin": nn.AsinOp,
    "Asinh": nn.AsinhOp,
    "Atan": nn.AtanOp,
    "Atanh": nn.AtanhOp,
    "Ceil": nn.CeilOp,
    "Cos": nn.CosOp,
    "Cosh": nn.CoshOp,
    "Erf": nn.ErfOp,
    "Exp": nn.ExpOp,
    "Floor": nn.FloorOp,
    "Log": nn.LogOp,
    "Neg": nn.NegOp,
    "Relu": nn.ReluOp,
    "Round": nn.RoundOp,
    "Sigmoid": nn.SigmoidOp,
    "Sign": nn.SignOp,
    "Sin": nn.SinOp,
    "Sinh": nn.SinhOp,
    "Sqrt": nn.SqrtOp,
    "Tan": nn.TanOp,
    "Tanh": nn.TanhOp,
}

_BINARY: dict[str, Binary] = {
    "Add": nn.AddOp,
    "And": nn.MinimumOp,
    "Equal": nn.EqualOp,
    "Less": nn.LessOp,
    "LessOrEqual": nn.LessEqualOp,
    "Mul": nn.MulOp,
    "Or": nn.MaximumOp,
    "Sub": nn.SubOp,
}

_VARIADIC: dict[str, Binary] = {
    "Max": nn.MaximumOp,
    "Min": nn.MinimumOp,
    "Sum": nn.AddOp,
}

OPERATORS: dict[str, Callable[[Node], SSAValue]] = {
    **{name: partial(import_unary, make) for name, make in _UNARY.items()},
    **{name: partial(import_binary, make) for name, make in _BINARY.items()},
    **{name: partial(import_variadic, make) for name, make in _VARIADIC.items()},
    "BitShift": import_bit_shift,
    "Clip": import_clip,
    "Div": import_div,
    "Greater": partial(import_greater, nn.LessOp),
    "GreaterOrEqual": partial(import_greater, nn.LessEqualOp),
    "HardSigmoid": import_hard_sigmoid,
    "HardSwish": import_hard_swish,
    "IsInf": import_is_inf,
    "IsNaN": import_is_nan,
    "LeakyRelu": import_leaky_relu,
    "Mean": import_mean,
    "Mod": import_mod,
    "Not": import_not,
    "PRelu": import_prelu,
    "Pow": import_pow,
    "Reciprocal": import_reciprocal,
    "Softplus": import_softplus,
    "Where": import_where,
    "Xor": import_xor,
}
