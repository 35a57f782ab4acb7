# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Recurrent operators: LSTM, GRU, RNN.

What all steps need of their inputs is one product. A step adds what it needs of the state, and
computes the next state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.files.weights import Float32Array
from cmc.importer.node import Node, as_float32
from cmc.importer.operators.quantization import quantized_dynamically
from cmc.importer.quantized import as_tensor, centred, multiply

Activation = Callable[[SSAValue], SSAValue]

_Read = Callable[[Node, int, str], Float32Array | None]


@dataclass
class _Cell(ABC):
    """One direction of an operator: G gates of H numbers each.

    `weights` (I x G*H) are for the input, `recurrent` (H x G*H) for the hidden state; `bias` has
    G*H numbers for either.
    """

    node: Node
    weights: Float32Array
    recurrent: Float32Array
    bias: tuple[Float32Array, Float32Array]
    peepholes: Float32Array | None
    activations: Sequence[Activation]
    number: int
    """Which of the directions it is."""

    GATES: ClassVar[int]
    ACTIVATIONS: ClassVar[Sequence[str]]
    STATES: ClassVar[int] = 1

    @property
    def size(self) -> int:
        """H, the numbers of the hidden state."""
        return len(self.recurrent)

    def inputs(self, sequence: SSAValue) -> SSAValue:
        """What steps need of their inputs: [steps, N, I] to [steps, N, G*H]."""
        return self.affine(sequence, self.weights, self.input_bias)

    @property
    def input_bias(self) -> Float32Array:
        """What is added to the product with the input."""
        return self.bias[0] + self.bias[1]

    @abstractmethod
    def step(self, given: SSAValue, states: Sequence[SSAValue]) -> list[SSAValue]:
        """The states after a step, of `inputs` of that step and the states before it."""

    # What steps are made of.

    def affine(
        self, tensor: SSAValue, matrix: Float32Array, bias: Float32Array | None = None
    ) -> SSAValue:
        product = self.node.emit(nn.MatMulOp(tensor, self.node.emit_constant(matrix)))
        return product if bias is None or not bias.any() else self.plus(product, bias)

    def plus(self, tensor: SSAValue, other: SSAValue | Float32Array) -> SSAValue:
        value = other if isinstance(other, SSAValue) else self.node.emit_constant(other)
        return self.node.emit(nn.AddOp(tensor, value))

    def times(self, tensor: SSAValue, other: SSAValue | Float32Array) -> SSAValue:
        value = other if isinstance(other, SSAValue) else self.node.emit_constant(other)
        return self.node.emit(nn.MulOp(tensor, value))

    def one_minus(self, tensor: SSAValue) -> SSAValue:
        return self.node.emit(nn.SubOp(self.node.emit_scalar(1.0), tensor))

    def gates(self, tensor: SSAValue, first: int, count: int = 1) -> SSAValue:
        """Some gates of [steps, N, G*H]."""
        *lead, _ = nn.shape_of(tensor)
        return self.node.emit(
            nn.SliceOp(tensor, (0, 0, first * self.size), (*lead, count * self.size))
        )

    def columns(self, matrix: Float32Array, first: int, count: int = 1) -> Float32Array:
        """The same of a matrix, or a bias."""
        return matrix[..., first * self.size : (first + count) * self.size]


class _Rnn(_Cell):
    GATES = 1
    ACTIVATIONS = ("Tanh",)

    def step(self, given: SSAValue, states: Sequence[SSAValue]) -> list[SSAValue]:
        (hidden,) = states
        (f,) = self.activations
        return [f(self.plus(self.affine(hidden, self.recurrent), given))]


class _Gru(_Cell):
    """Gates z, r and h. The reset gate acts on the hidden state before its product."""

    GATES = 3
    ACTIVATIONS = ("Sigmoid", "Tanh")

    def step(self, given: SSAValue, states: Sequence[SSAValue]) -> list[SSAValue]:
        (hidden,) = states
        f, g = self.activations
        product = self.affine(hidden, self.columns(self.recurrent, 0, 2))
        both = f(self.plus(product, self.gates(given, 0, 2)))
        kept = self.times(self.gates(both, 1), hidden)
        product = self.affine(kept, self.columns(self.recurrent, 2))
        new = g(self.plus(product, self.gates(given, 2)))
        return [self.mixed(self.gates(both, 0), new, hidden)]

    def mixed(self, z: SSAValue, new: SSAValue, hidden: SSAValue) -> SSAValue:
        """`(1 - z) * new + z * hidden`."""
        return self.plus(self.times(self.one_minus(z), new), self.times(z, hidden))


class _LinearGru(_Gru):
    """The reset gate acts after the product, and its bias."""

    @property
    def input_bias(self) -> Float32Array:
        given, recurrent = self.bias
        return given + np.concatenate([self.columns(recurrent, 0, 2), 0 * self.columns(given, 2)])

    def step(self, given: SSAValue, states: Sequence[SSAValue]) -> list[SSAValue]:
        (hidden,) = states
        f, g = self.activations
        bias = np.concatenate([0 * self.columns(self.bias[1], 0, 2), self.columns(self.bias[1], 2)])
        product = self.affine(hidden, self.recurrent, bias)
        z, r = (f(self.plus(self.gates(product, n), self.gates(given, n))) for n in (0, 1))
        kept = self.times(r, self.gates(product, 2))
        return [self.mixed(z, g(self.plus(kept, self.gates(given, 2))), hidden)]


class _Lstm(_Cell):
    """Gates i, o, f and c; peepholes of i, o and f."""

    GATES = 4
    ACTIVATIONS = ("Sigmoid", "Tanh", "Tanh")
    STATES = 2

    def step(self, given: SSAValue, states: Sequence[SSAValue]) -> list[SSAValue]:
        hidden, cell = states
        f, g, h = self.activations
        gates = self.plus(self.affine(hidden, self.recurrent), given)
        new = g(self.gates(gates, 3))
        i = f(self._seen(self.gates(gates, 0), cell, 0))
        coupled = bool(self.node.get_int("input_forget", 0))
        forget = self.one_minus(i) if coupled else f(self._seen(self.gates(gates, 2), cell, 2))
        after = self.plus(self.times(forget, cell), self.times(i, new))
        o = f(self._seen(self.gates(gates, 1), after, 1))
        return [self.times(o, h(after)), after]

    def _seen(self, gate: SSAValue, cell: SSAValue, number: int) -> SSAValue:
        """A gate with what it sees of the cell through its peephole."""
        if self.peepholes is None:
            return gate
        peephole = self.columns(self.peepholes, number)
        return self.plus(gate, self.times(cell, peephole)) if peephole.any() else gate


class _QuantizedLstm(_Lstm):
    """Matrices hold integers. What they are multiplied with becomes bytes: that of all steps, by
    its least and greatest element, and the hidden state of each step."""

    def affine(
        self, tensor: SSAValue, matrix: Float32Array, bias: Float32Array | None = None
    ) -> SSAValue:
        of_input = matrix is self.weights
        axes = (0, 1, 2) if of_input else (1, 2)
        integers, scale, zero = quantized_dynamically(self.node, tensor, axes)
        bytes_ = as_tensor(self.node, centred(self.node, integers, zero))
        scales = self.node.known(_WEIGHT_SCALES if of_input else _RECURRENT_SCALES, "the scales")
        assert scales is not None
        factor = multiply(self.node, scale, scales[self.number].astype(np.float32))
        product = self.times(super().affine(bytes_, matrix), as_tensor(self.node, factor))
        return product if bias is None or not bias.any() else self.plus(product, bias)


# Activations


def _affine(node: Node, x: SSAValue, alpha: float, beta: float) -> SSAValue:
    scaled = node.emit(nn.MulOp(x, node.emit_scalar(alpha)))
    return node.emit(nn.AddOp(scaled, node.emit_scalar(beta)))


def _hard_sigmoid(node: Node, x: SSAValue, alpha: float, beta: float) -> SSAValue:
    return node.emit(nn.ClipOp(_affine(node, x, alpha, beta), 0.0, 1.0))


def _scaled_tanh(node: Node, x: SSAValue, alpha: float, beta: float) -> SSAValue:
    inner = node.emit(nn.MulOp(x, node.emit_scalar(beta)))
    return node.emit(nn.MulOp(node.emit(nn.TanhOp(inner)), node.emit_scalar(alpha)))


def _leaky_relu(node: Node, x: SSAValue, alpha: float, _: float) -> SSAValue:
    return node.emit(nn.LeakyReluOp(x, alpha))


def _thresholded_relu(node: Node, x: SSAValue, alpha: float, _: float) -> SSAValue:
    above = node.emit(nn.LessOp(node.emit_scalar(alpha), x))
    return node.emit(nn.WhereOp(above, x, node.emit_scalar(0.0)))


def _elu(node: Node, x: SSAValue, alpha: float, _: float) -> SSAValue:
    power = node.emit(nn.ExpOp(node.emit(nn.ClipOp(x, None, 0.0))))
    below = node.emit(nn.SubOp(power, node.emit_scalar(1.0)))
    scaled = node.emit(nn.MulOp(below, node.emit_scalar(alpha)))
    return node.emit(nn.AddOp(node.emit(nn.ReluOp(x)), scaled))


def _softsign(node: Node, x: SSAValue, _: float, __: float) -> SSAValue:
    size = node.emit(nn.AddOp(node.emit(nn.AbsOp(x)), node.emit_scalar(1.0)))
    return node.emit(nn.DivOp(x, size))


def _softplus(node: Node, x: SSAValue, _: float, __: float) -> SSAValue:
    """`max(x, 0) + log(1 + exp(-|x|))`, where nothing overflows."""
    power = node.emit(nn.ExpOp(node.emit(nn.NegOp(node.emit(nn.AbsOp(x))))))
    rest = node.emit(nn.LogOp(node.emit(nn.AddOp(power, node.emit_scalar(1.0)))))
    return node.emit(nn.AddOp(node.emit(nn.ReluOp(x)), rest))


@dataclass(frozen=True)
class _Kind:
    """A kind of activation: which constants it takes, and those it has where none are given.

    Where runtimes do not agree on these, there are none.
    """

    emit: Callable[[Node, SSAValue, float, float], SSAValue]
    takes: int = 0
    """How many of alpha and beta."""
    default: Sequence[float] = ()


_ACTIVATIONS = {
    "affine": _Kind(_affine, 2),
    "elu": _Kind(_elu, 1, (1.0,)),
    "hardsigmoid": _Kind(_hard_sigmoid, 2, (0.2, 0.5)),
    "leakyrelu": _Kind(_leaky_relu, 1, (0.01,)),
    "relu": _Kind(lambda node, x, _, __: node.emit(nn.ReluOp(x))),
    "scaledtanh": _Kind(_scaled_tanh, 2),
    "sigmoid": _Kind(lambda node, x, _, __: node.emit(nn.SigmoidOp(x))),
    "softplus": _Kind(_softplus),
    "softsign": _Kind(_softsign),
    "tanh": _Kind(lambda node, x, _, __: node.emit(nn.TanhOp(x))),
    "thresholdedrelu": _Kind(_thresholded_relu, 1),
}


_CONSTANTS = ("alpha", "beta")
"""Of each there is a list: an activation that takes one takes the next."""


def _activations(node: Node, default: Sequence[str], directions: int) -> list[list[Activation]]:
    """The activations of each direction; gates are clipped before theirs."""
    wanted = node.get_strings("activations")
    names = [*default] * directions if wanted is None else wanted
    if len(names) != len(default) * directions:
        raise node.malformed(
            f"{directions} directions have {len(default) * directions} activations, not "
            f"{len(names)}"
        )
    given = [iter(node.get_floats(f"activation_{name}") or []) for name in _CONSTANTS]
    clip = node.get_float("clip", 0.0) if node.has("clip") else None
    each = len(default)
    # The third one, of the cell, is within what gates let through.
    found = [
        _activation(node, name, given, None if number % each == 2 else clip)
        for number, name in enumerate(names)
    ]
    return [found[first : first + each] for first in range(0, len(found), each)]


def _activation(
    node: Node, name: str, given: Sequence[Iterator[float]], clip: float | None
) -> Activation:
    kind = _ACTIVATIONS.get(name.lower())
    if kind is None:
        raise node.malformed(f"activation {name!r} is not known")
    constants = [0.0, 0.0]
    for number, values in enumerate(given[: kind.takes]):
        value = next(values, kind.default[number] if kind.default else None)
        if value is None:
            raise node.malformed(
                f"activation {name!r} takes activation_{_CONSTANTS[number]}, which is not given"
            )
        constants[number] = value
    alpha, beta = constants

    def apply(x: SSAValue) -> SSAValue:
        within = x if clip is None else node.emit(nn.ClipOp(x, -clip, clip))
        return kind.emit(node, within, alpha, beta)

    return apply


# The operators

_SEQUENCE, _WEIGHTS, _RECURRENT, _BIAS, _LENGTHS, _HIDDEN, _CELL, _PEEPHOLES = range(8)
"""The inputs."""

_WEIGHT_SCALES, _RECURRENT_SCALES = 8, 10
"""Further ones of an LSTM whose matrices hold integers; a zero point comes after each."""


def _weights(node: Node, index: int, name: str) -> Float32Array | None:
    array = node.known(index, name)
    return None if array is None else as_float32(array, node, node.proto.input[index])


def _integers(node: Node, index: int, name: str) -> Float32Array | None:
    """The same where both matrices hold integers: without their zero points, and turned."""
    array = _weights(node, index, name)
    if index not in (_WEIGHTS, _RECURRENT):
        return array
    scale = _WEIGHT_SCALES if index == _WEIGHTS else _RECURRENT_SCALES
    zero = _weights(node, scale + 1, "the zero points")
    assert array is not None and zero is not None
    return np.moveaxis(array - zero.reshape(len(zero), 1, -1), 1, 2)


def import_recurrent(
    kind: type[_Cell], node: Node, read: _Read = _weights
) -> Sequence[SSAValue | None]:
    """All hidden states, [steps, directions, N, H], and the last ones, [directions, N, H].

    With `layout` 1, N stands first. `read` gives weights by their input.
    """
    batch_first = bool(node.get_int("layout", 0))
    if len(node.shape(_SEQUENCE)) != 3:
        raise node.error(f"its input has shape {list(node.shape(_SEQUENCE))}, not three axes")
    sequence = node.tensor(_SEQUENCE)
    if batch_first:
        sequence = node.emit(nn.TransposeOp(sequence, (1, 0, 2)))
    steps = nn.shape_of(sequence)[0]
    sequence = _of_given_lengths(node, sequence)
    cells = _cells(kind, node, nn.shape_of(sequence)[2], read)
    direction = node.get_string("direction", "forward")
    hidden: list[SSAValue] = []
    last: list[list[SSAValue]] = []
    for number, cell in enumerate(cells):
        backwards = direction == "reverse" or number == 1
        initial = [
            _initial(node, _HIDDEN + state, number, sequence, cell.size, batch_first)
            for state in range(cell.STATES)
        ]
        states, final = _all_steps(cell, sequence, initial, backwards)
        hidden.append(states)
        last.append(final)
    results = [_all_states(node, hidden, steps, batch_first)]
    for state in range(kind.STATES):
        joined = _concat(node, [of_one[state] for of_one in last], 0)
        results.append(node.emit(nn.TransposeOp(joined, (1, 0, 2))) if batch_first else joined)
    return results


def _cells(kind: type[_Cell], node: Node, inputs: int, read: _Read) -> list[_Cell]:
    """One for each direction. CmcError if what the node is given does not fit together."""
    direction = node.get_string("direction", "forward")
    if direction not in ("forward", "reverse", "bidirectional"):
        raise node.malformed(f"direction {direction!r} is none of forward, reverse, bidirectional")
    directions = 2 if direction == "bidirectional" else 1
    recurrent = read(node, _RECURRENT, "R")
    assert recurrent is not None
    size = node.get_int("hidden_size", recurrent.shape[-1])
    rows = kind.GATES * size
    _expect(node, recurrent, "R", (directions, rows, size))
    weights = read(node, _WEIGHTS, "W")
    assert weights is not None
    _expect(node, weights, "W", (directions, rows, inputs))
    bias = read(node, _BIAS, "B")
    if bias is None:
        bias = np.zeros((directions, 2 * rows), np.float32)
    _expect(node, bias, "B", (directions, 2 * rows))
    peepholes = read(node, _PEEPHOLES, "P") if kind.STATES == 2 else None
    if peepholes is not None:
        _expect(node, peepholes, "P", (directions, 3 * size))
    activations = _activations(node, kind.ACTIVATIONS, directions)
    return [
        kind(
            node,
            np.ascontiguousarray(weights[d].T),
            np.ascontiguousarray(recurrent[d].T),
            (bias[d, :rows], bias[d, rows:]),
            None if peepholes is None else peepholes[d],
            activations[d],
            d,
        )
        for d in range(directions)
    ]


def _expect(node: Node, array: Float32Array, name: str, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise node.malformed(f"{name} has shape {list(array.shape)}, and must have {list(shape)}")


def _of_given_lengths(node: Node, sequence: SSAValue) -> SSAValue:
    """The sequence as far as it is said to go."""
    steps, count, size = nn.shape_of(sequence)
    lengths = node.known_ints(_LENGTHS, "the lengths of the sequences")
    if lengths is None:
        return sequence
    if len(lengths) != count or not all(1 <= length <= steps for length in lengths):
        raise node.error(f"{lengths} are not the lengths of {count} sequences of {steps} steps")
    if len(set(lengths)) > 1:
        raise node.error(f"the sequences have different lengths, {lengths}: run them one by one")
    if lengths[0] == steps:
        return sequence
    return node.emit(nn.SliceOp(sequence, (0, 0, 0), (lengths[0], count, size)))


def _initial(
    node: Node, index: int, direction: int, sequence: SSAValue, size: int, batch_first: bool
) -> SSAValue:
    """The state of one direction before the first step, [1, N, H]."""
    count = nn.shape_of(sequence)[1]
    if not node.has_input(index):
        return node.emit_constant(np.zeros((1, count, size), np.float32))
    state = node.tensor(index)
    if len(nn.shape_of(state)) != 3:
        raise node.error(f"input {index} has shape {list(nn.shape_of(state))}, not three axes")
    if batch_first:
        state = node.emit(nn.TransposeOp(state, (1, 0, 2)))
    if nn.shape_of(state)[0] == 1:
        return state
    return node.emit(nn.SliceOp(state, (direction, 0, 0), (1, count, size)))


def _all_steps(
    cell: _Cell, sequence: SSAValue, initial: Sequence[SSAValue], backwards: bool
) -> tuple[SSAValue, list[SSAValue]]:
    """The hidden states of all steps, [steps, N, H], and the last of all states, [1, N, H]."""
    sequence = _backwards(cell.node, sequence) if backwards else sequence
    run = _unrolled if cell.node.graph.is_of_many_images else _recurrence
    states = run(cell, cell.inputs(sequence), initial)
    steps, count, _ = nn.shape_of(states[0])
    last = [
        cell.node.emit(nn.SliceOp(state, (steps - 1, 0, 0), (1, count, cell.size)))
        for state in states
    ]
    return _backwards(cell.node, states[0]) if backwards else states[0], last


def _backwards(node: Node, tensor: SSAValue) -> SSAValue:
    steps, *rest = nn.shape_of(tensor)
    return node.emit(nn.SliceOp(tensor, (steps - 1, 0, 0), (steps, *rest), (-1, 1, 1)))


def _recurrence(cell: _Cell, given: SSAValue, initial: Sequence[SSAValue]) -> list[SSAValue]:
    """All states of all steps, which lie side by side where there are several."""
    node = cell.node

    def step(before: SSAValue) -> SSAValue:
        return _concat(node, cell.step(given, _apart(cell, before)), 2)

    states = node.graph.emit_recurrence(
        _concat(node, initial, 2), nn.shape_of(given)[0], node.name, step
    )
    return _apart(cell, states)


def _apart(cell: _Cell, states: SSAValue) -> list[SSAValue]:
    if cell.STATES == 1:
        return [states]
    return [cell.gates(states, number) for number in range(cell.STATES)]


def _unrolled(cell: _Cell, given: SSAValue, initial: Sequence[SSAValue]) -> list[SSAValue]:
    """The same, one step after the other: images of a batch are not told apart then."""
    node = cell.node
    steps, *rest = nn.shape_of(given)
    states = list(initial)
    found: list[list[SSAValue]] = [[] for _ in states]
    for number in range(steps):
        part = node.emit(nn.SliceOp(given, (number, 0, 0), (1, *rest)))
        states = cell.step(part, states)
        for kept, state in zip(found, states, strict=True):
            kept.append(state)
    return [_concat(node, of_one, 0) for of_one in found]


def _all_states(
    node: Node, hidden: Sequence[SSAValue], steps: int, batch_first: bool
) -> SSAValue | None:
    """The hidden states of all directions; nothing lies beyond the lengths of the sequences."""
    if not node.proto.output[0] or not node.graph.is_used(node.proto.output[0]):
        return None
    length, count, size = nn.shape_of(hidden[0])
    each = [node.emit(nn.ReshapeOp(states, (length, 1, count, size))) for states in hidden]
    result = _concat(node, each, 1)
    if length < steps:
        result = node.emit(nn.PadOp(result, (0, 0, 0, 0), (steps - length, 0, 0, 0), 0.0))
    return node.emit(nn.TransposeOp(result, (2, 0, 1, 3))) if batch_first else result


def _concat(node: Node, values: Sequence[SSAValue], axis: int) -> SSAValue:
    return values[0] if len(values) == 1 else node.emit(nn.ConcatOp(values, axis))


def import_gru(node: Node) -> Sequence[SSAValue | None]:
    linear = bool(node.get_int("linear_before_reset", 0))
    return import_recurrent(_LinearGru if linear else _Gru, node)


def import_quantized_lstm(node: Node) -> Sequence[SSAValue | None]:
    return import_recurrent(_QuantizedLstm, node, _integers)


OPERATORS: dict[str, Callable[[Node], Sequence[SSAValue | None]]] = {
    "GRU": import_gru,
    "LSTM": partial(import_recurrent, _Lstm),
    "RNN": partial(import_recurrent, _Rnn),
}
