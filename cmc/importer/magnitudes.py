# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How large the integers of a network can get, which float32 counts to 2^24 only.

Every integer that is computed has a largest magnitude, which follows from those of what it is
computed from. Inputs of few bits are as large as their type; those of 32 and of 64 bits may be as
large as all results allow, and those that number elements as there are such: that is part of the
program, which refuses larger ones when it is run.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, prod

import numpy as np
from onnx import TensorProto, helper
from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.errors import CmcError
from cmc.importer.node import Node, Value
from cmc.streams import EXACT

Grow = Callable[[Sequence[float]], float]
"""The largest magnitude of a result, given those of the operands."""


@dataclass(frozen=True)
class _Magnitude:
    """What is known of one tensor: how it follows from others, and the most that its type has."""

    value: SSAValue
    where: str
    operands: Sequence[int | float]
    """Others by their numbers; of what is known the magnitude itself, a float."""
    grow: Grow
    most: float
    checked: bool
    """Whether it must not be larger than `EXACT`."""


class Magnitudes:
    """Those of all integers of a graph, in the order in which they are computed."""

    def __init__(self) -> None:
        self._all: list[_Magnitude] = []
        self._least: list[float] = []
        """Each where all inputs are one at most."""
        self._numbers: dict[int, int] = {}
        self._inputs: dict[int, str] = {}
        self._input_of: dict[int, int] = {}
        """The inputs that tensors hold as they are."""
        self._limits: dict[int, float] = {}
        """The largest numbers of elements that inputs name."""

    def add_input(self, name: str, value: SSAValue, kind: int) -> None:
        """An input of the network."""
        most = _most(kind)
        if most is None:
            return
        self._inputs[len(self._all)] = name
        self._input_of[id(value)] = len(self._all)
        self._add(_Magnitude(value, f"input {name!r}", (), lambda _: most, most, False))

    def follow(self, node: Node, value: SSAValue, kind: int) -> None:
        """A result of a node, if it holds integers. What was followed before is known.

        CmcError if it is too large even of the smallest inputs.
        """
        if node.op_type in _KEEPING and (number := self._input(node.value(0))) is not None:
            self._input_of[id(value)] = number
        if node.op_type == "Gather" and (number := self._input(node.value(1))) is not None:
            shape = node.shape(0)
            last = shape[node.axis(node.get_int("axis", 0), len(shape))] - 1
            self._limits[number] = min(last, self._limits.get(number, last))
        most = _most(kind)
        if most is None or id(value) in self._numbers:
            return
        present = [index for index in range(len(node)) if node.has_input(index)]
        operands = [self._of(node.value(index)) for index in present]
        rule = _RULES.get(node.op_type, _first)
        checked = most > EXACT and node.op_type not in _OF_QUANTIZED
        self._add(_Magnitude(value, node.where, operands, rule(node, value), most, checked))

    def bounds(self, outputs: Mapping[str, Value]) -> dict[str, int]:
        """How large inputs may be, where that is less than `EXACT` and than their type allows.

        `outputs` are integers too. CmcError if one is too large even of the smallest inputs.
        """
        for name, value in outputs.items():
            number = self._numbers.get(id(value))
            if isinstance(value, SSAValue) and number is not None:
                most = self._all[number].most
                where = f"output {name!r}"
                self._all.append(_Magnitude(value, where, (number,), max, most, most > EXACT))
        wide = (number for number in self._inputs if self._all[number].most > EXACT)
        largest: dict[int, float] = dict.fromkeys(wide, float(EXACT)) | self._limits
        while (number := self._too_large(largest)) is not None:
            self._narrow(number, largest)
        return {
            self._inputs[n]: int(most)
            for n, most in largest.items()
            if most < min(EXACT, self._all[n].most)
        }

    def _input(self, value: Value) -> int | None:
        """The input that a tensor holds as it is."""
        return self._input_of.get(id(value)) if isinstance(value, SSAValue) else None

    def _add(self, one: _Magnitude) -> None:
        is_bounded = len(self._all) in self._inputs and one.most > EXACT
        least = self._evaluate_one(one, self._least, 1.0 if is_bounded else inf)
        if one.checked and EXACT < least < inf:
            raise _too_large(one, least)
        self._numbers[id(one.value)] = len(self._all)
        self._all.append(one)
        self._least.append(least)

    def _of(self, value: Value) -> int | float:
        if isinstance(value, SSAValue):
            return self._numbers.get(id(value), inf)
        if value.dtype.kind not in "iufb":
            return inf
        return float(np.abs(value.astype(np.float64)).max(initial=0.0))

    def _evaluate(self, largest: Mapping[int, float]) -> list[float]:
        """All magnitudes, given those of the inputs; of what comes from real numbers, infinite."""
        found: list[float] = []
        for number, one in enumerate(self._all):
            found.append(self._evaluate_one(one, found, largest.get(number, inf)))
        return found

    @staticmethod
    def _evaluate_one(one: _Magnitude, found: Sequence[float], bound: float) -> float:
        """A magnitude, given those before it."""
        known = [found[o] if isinstance(o, int) else o for o in one.operands]
        reached = one.grow(known)
        if one.most <= EXACT:
            reached = min(reached, one.most)
        elif reached < inf:
            reached = min(reached, _HUGE)
        return min(reached, bound)

    def _too_large(self, largest: Mapping[int, float]) -> int | None:
        """The first tensor that is."""
        found = self._evaluate(largest)
        beyond = (
            number
            for number, (one, reached) in enumerate(zip(self._all, found, strict=True))
            if one.checked and EXACT < reached < inf
        )
        return next(beyond, None)

    def _narrow(self, number: int, largest: dict[int, float]) -> None:
        """Let all inputs that a tensor depends on be as small as it needs them."""
        needed = [n for n in self._sources(number) if n in largest]

        def reached(bound: int) -> float:
            return self._evaluate(largest | {n: min(bound, largest[n]) for n in needed})[number]

        if not needed or reached(1) > EXACT:
            raise _too_large(self._all[number], reached(1))
        low, high = 1, EXACT
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if reached(middle) > EXACT else (middle, high)
        largest.update((n, min(low, largest[n])) for n in needed)

    def _sources(self, number: int) -> set[int]:
        """The tensors that one depends on, itself among them."""
        found, waiting = set[int](), [number]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += [o for o in self._all[one].operands if isinstance(o, int)]
        return found


def _too_large(one: _Magnitude, reached: float) -> CmcError:
    return CmcError(
        f"it may reach {reached:.4g}, and integers are exact up to 2^24 on the cores: compute it "
        "outside the network, or with real numbers",
        one.where,
    )


_KEEPING = frozenset(
    ("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
)
"""Operators whose results hold what their first operands do."""

_HUGE = 2.0**100
"""What is as large as this is too large, whatever it is."""


def _most(kind: int) -> float | None:
    """The largest magnitude of a type of integers; None if it is none."""
    if kind == TensorProto.BOOL:
        return 1.0
    dtype = helper.tensor_dtype_to_np_dtype(kind or TensorProto.FLOAT)
    if dtype.kind not in "iu":
        return None
    info = np.iinfo(dtype.name)
    return float(max(-int(info.min), int(info.max)))


# What operators make of magnitudes

Rule = Callable[[Node, SSAValue], Grow]


def _first(node: Node, value: SSAValue) -> Grow:
    return lambda known: known[0] if known else inf


def _widest(node: Node, value: SSAValue) -> Grow:
    return lambda known: max(known)


def _places(node: Node, value: SSAValue) -> Grow:
    """Of an element, or an element."""
    count = float(prod(node.shape(0)))
    return lambda known: max([count, *(one for one in known[:1] if one < inf)])


def _clipped(node: Node, value: SSAValue) -> Grow:
    return lambda known: known[0] if len(known) < 3 else min(known[0], max(known[1:]))


def _remainder(node: Node, value: SSAValue) -> Grow:
    return lambda known: known[1]


def _sum(node: Node, value: SSAValue) -> Grow:
    return lambda known: sum(known)


def _product(node: Node, value: SSAValue) -> Grow:
    return lambda known: 0.0 if 0 in known else prod(known)


def _shift(node: Node, value: SSAValue) -> Grow:
    left = node.get_string("direction", "") == "LEFT"
    return lambda known: known[0] * (2.0 ** min(known[1], 64) if left else 1)


def _power(node: Node, value: SSAValue) -> Grow:
    def grow(known: Sequence[float]) -> float:
        base, exponent = known
        return inf if inf in known else max(1.0, min(base, 2.0**64)) ** min(exponent, 15)

    return grow


def _terms(node: Node, value: SSAValue) -> float:
    """How many elements of the first operand go into one of the result, at most."""
    if node.op_type in ("CumSum", "CumProd"):
        return max(node.shape(0), default=1)
    return prod(node.shape(0)) / max(1, prod(nn.shape_of(value)))


def _total(node: Node, value: SSAValue) -> Grow:
    terms = _terms(node, value)
    return lambda known: known[0] * terms


def _total_of_squares(node: Node, value: SSAValue) -> Grow:
    terms = _terms(node, value)
    return lambda known: known[0] * known[0] * terms


def _product_of_all(node: Node, value: SSAValue) -> Grow:
    terms = min(_terms(node, value), 15)
    return lambda known: known[0] if known[0] <= 1 else min(known[0], 2.0**64) ** terms


def _sum_of_products(node: Node, value: SSAValue) -> Grow:
    """Of as many terms as the left operand has columns; or rows, which Gemm may transpose."""
    shape = node.shape(0)
    terms = prod(shape) if node.op_type == "Einsum" else max(shape) if len(shape) < 3 else shape[-1]
    return lambda known: prod(known[:2]) * terms + sum(known[2:])


def _sum_of_products_of_bytes(node: Node, value: SSAValue) -> Grow:
    """Each no more than 255 from its zero point."""
    weight = node.shape(1)
    terms = prod(weight[1:]) if node.op_type == "ConvInteger" else weight[-2:][0]
    return lambda known: 255.0 * 255.0 * terms


_OF_QUANTIZED = frozenset(("ConvInteger", "MatMulInteger"))
"""Sums that become real numbers next, which are off by their last bits where they are large."""

_RULES: Mapping[str, Rule] = {
    "Add": _sum,
    "ArgMax": _places,
    "ArgMin": _places,
    "BitShift": _shift,
    "Clip": _clipped,
    "Concat": _widest,
    "ConvInteger": _sum_of_products_of_bytes,
    "CumProd": _product_of_all,
    "CumSum": _total,
    "Einsum": _sum_of_products,
    "Gemm": _sum_of_products,
    "MatMul": _sum_of_products,
    "MatMulInteger": _sum_of_products_of_bytes,
    "Max": _widest,
    "MaxPool": _places,
    "Min": _widest,
    "Mod": _remainder,
    "Mul": _product,
    "OneHot": _widest,
    "Pad": _widest,
    "Pow": _power,
    "ReduceL1": _total,
    "ReduceProd": _product_of_all,
    "ReduceSum": _total,
    "ReduceSumSquare": _total_of_squares,
    "ScatterElements": _widest,
    "ScatterND": _widest,
    "Sub": _sum,
    "Sum": _sum,
    "TopK": _places,
    "Where": _widest,
}
"""Operators whose results are not bounded by their first operands alone."""
