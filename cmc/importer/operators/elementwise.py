"""Operators on each element."""

from collections.abc import Callable
from functools import partial

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
    "Ceil": nn.CeilOp,
    "Erf": nn.ErfOp,
    "Exp": nn.ExpOp,
    "Floor": nn.FloorOp,
    "Log": nn.LogOp,
    "Neg": nn.NegOp,
    "Relu": nn.ReluOp,
    "Round": nn.RoundOp,
    "Sigmoid": nn.SigmoidOp,
    "Sign": nn.SignOp,
    "Sqrt": nn.SqrtOp,
    "Tanh": nn.TanhOp,
}

_BINARY: dict[str, Binary] = {
    "Add": nn.AddOp,
    "And": nn.MinimumOp,
    "Div": nn.DivOp,
    "Equal": nn.EqualOp,
    "Less": nn.LessOp,
    "LessOrEqual": nn.LessEqualOp,
    "Mul": nn.MulOp,
    "Or": nn.MaximumOp,
    "Pow": nn.PowOp,
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
    "Clip": import_clip,
    "Greater": partial(import_greater, nn.LessOp),
    "GreaterOrEqual": partial(import_greater, nn.LessEqualOp),
    "HardSigmoid": import_hard_sigmoid,
    "HardSwish": import_hard_swish,
    "IsNaN": import_is_nan,
    "LeakyRelu": import_leaky_relu,
    "Mean": import_mean,
    "Not": import_not,
    "PRelu": import_prelu,
    "Reciprocal": import_reciprocal,
    "Softplus": import_softplus,
    "Where": import_where,
    "Xor": import_xor,
}
