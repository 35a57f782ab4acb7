# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Models of one LSTM, GRU or RNN with random attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper

from onnx_models import Attribute, float_type, graph_model, normal

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
ACTIVATIONS = {"RNN": 1, "GRU": 2, "LSTM": 3}
DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}

PLAIN = ("Tanh", "Relu", "Sigmoid", "Softsign", "Softplus")
WITH_ALPHA = ("LeakyRelu", "ThresholdedRelu", "Elu")
WITH_BOTH = ("ScaledTanh", "HardSigmoid", "Affine")
WITHOUT_DEFAULT = ("ThresholdedRelu", "ScaledTanh", "Affine")
"""Those for whose constants runtimes have different defaults."""


@dataclass(frozen=True)
class Recurrence:
    """One node, with constant weights."""

    op_type: str
    direction: str
    steps: int
    batch: int
    inputs: int
    hidden: int
    bias: bool = True
    hidden_given: bool = False
    cell_given: bool = False
    peepholes: bool = False
    length: int | None = None
    activations: Sequence[str] | None = None
    alpha: Sequence[float] = ()
    beta: Sequence[float] = ()
    clip: float | None = None
    coupled: bool = False
    linear: bool = False
    outputs: Sequence[int] = (0, 1, 2)
    seed: int = 0

    def model(self, *, batch_first: bool = False, initial: bool = True) -> onnx.ModelProto:
        """The node on input `x`, of initial states `h` and `c` if they are given and wanted so."""
        directions, gates = DIRECTIONS[self.direction], GATES[self.op_type]
        rows = gates * self.hidden
        constants: dict[str, NDArray[np.generic]] = {
            "W": normal(directions, rows, self.inputs, seed=self.seed) / 2,
            "R": normal(directions, rows, self.hidden, seed=self.seed + 1) / 2,
        }
        names = ["x", "W", "R"] + [""] * 5
        if self.bias:
            names[3] = "B"
            constants["B"] = normal(directions, 2 * rows, seed=self.seed + 2) / 2
        if self.length is not None:
            names[4] = "lengths"
            constants["lengths"] = np.full(self.batch, self.length, np.int32)
        types = [float_type("x", self.of(batch_first, self.steps, self.inputs))]
        for index, name, given in ((5, "h", self.hidden_given), (6, "c", self.cell_given)):
            if given and (name == "h" or self.op_type == "LSTM"):
                names[index] = name
                types.append(float_type(name, self.of(batch_first, directions, self.hidden)))
        if self.peepholes and self.op_type == "LSTM":
            names[7] = "P"
            constants["P"] = normal(directions, 3 * self.hidden, seed=self.seed + 3) / 2
        while not names[-1]:
            del names[-1]
        kept = [f"y{index}" if index in self.outputs else "" for index in range(self.results)]
        node = helper.make_node(self.op_type, names, kept, "node")
        node.attribute.extend(
            helper.make_attribute(name, value)
            for name, value in self._attributes(batch_first).items()
        )
        results = [float_type(name, None) for name in kept if name]
        return graph_model([node], types, results, constants, opset=14)

    def of(self, batch_first: bool, count: int, size: int) -> tuple[int, int, int]:
        return (self.batch, count, size) if batch_first else (count, self.batch, size)

    @property
    def results(self) -> int:
        return 3 if self.op_type == "LSTM" else 2

    def _attributes(self, batch_first: bool) -> Mapping[str, Attribute]:
        attributes: dict[str, Attribute] = {"hidden_size": self.hidden}
        if self.direction != "forward":
            attributes["direction"] = self.direction
        if batch_first:
            attributes["layout"] = 1
        if self.activations is not None:
            attributes["activations"] = list(self.activations)
        if self.alpha:
            attributes["activation_alpha"] = list(self.alpha)
        if self.beta:
            attributes["activation_beta"] = list(self.beta)
        if self.clip is not None:
            attributes["clip"] = self.clip
        if self.coupled and self.op_type == "LSTM":
            attributes["input_forget"] = 1
        if self.linear and self.op_type == "GRU":
            attributes["linear_before_reset"] = 1
        return attributes


@st.composite
def recurrences(draw: st.DrawFn) -> Recurrence:
    op_type = draw(st.sampled_from(sorted(GATES)))
    direction = draw(st.sampled_from(sorted(DIRECTIONS)))
    steps = draw(st.integers(1, 5))
    activations = None
    alpha: list[float] = []
    beta: list[float] = []
    if draw(st.booleans()):
        count = ACTIVATIONS[op_type] * DIRECTIONS[direction]
        known = st.sampled_from((*PLAIN, *WITH_ALPHA, *WITH_BOTH))
        activations = draw(st.lists(known, min_size=count, max_size=count))
        constants = st.floats(0.25, 1.5).map(lambda value: round(value, 2))
        if draw(st.booleans()) or any(a in WITHOUT_DEFAULT for a in activations):
            alpha = [draw(constants) for a in activations if a in WITH_ALPHA + WITH_BOTH]
            beta = [draw(constants) for a in activations if a in WITH_BOTH]
    results = 3 if op_type == "LSTM" else 2
    outputs = draw(st.sets(st.integers(0, results - 1), min_size=1))
    return Recurrence(
        op_type,
        direction,
        steps,
        draw(st.integers(1, 2)),
        draw(st.integers(1, 3)),
        draw(st.integers(1, 3)),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.none() | st.integers(1, steps)),
        activations,
        alpha,
        beta,
        draw(st.none() | st.sampled_from((0.3, 0.7))),
        draw(st.booleans()),
        draw(st.booleans()),
        sorted(outputs),
        draw(st.integers(0, 10)),
    )


def voice_detector(
    op_type: str, direction: str = "forward", *, streamed: bool = False, every: bool = False
) -> onnx.ModelProto:
    """A voice activity detector: two convolutions over sound, a recurrence, and a dense head.

    With `streamed`, its states are inputs `h` and `c`, and outputs `hn` and `cn`. The head looks at
    the last hidden state, or at that of `every` step, for which there is a probability then.
    """
    hidden, channels, directions = 6, 8, DIRECTIONS[direction]
    rows = GATES[op_type] * hidden
    constants: dict[str, NDArray[np.generic]] = {
        "w1": normal(4, 1, 5, seed=1) / 2,
        "b1": normal(4, seed=2) / 4,
        "w2": normal(channels, 4, 3, seed=3) / 3,
        "W": normal(directions, rows, channels, seed=4) / 3,
        "R": normal(directions, rows, hidden, seed=5) / 3,
        "B": normal(directions, 2 * rows, seed=6) / 4,
        "dense": normal(hidden * directions, 1, seed=7),
        "flat": np.array([0, 0, -1] if every else [1, -1], np.int64),
    }
    nodes = [
        helper.make_node("Conv", ["sound", "w1", "b1"], ["c1"], "conv1", strides=[2], pads=[2, 2]),
        helper.make_node("Relu", ["c1"], ["r1"], "relu1"),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], "conv2", strides=[2], pads=[1, 1]),
        helper.make_node("Relu", ["c2"], ["r2"], "relu2"),
        helper.make_node("Transpose", ["r2"], ["steps"], "steps", perm=[2, 0, 1]),
    ]
    states = ["h", "c"][: 2 if op_type == "LSTM" else 1] if streamed else []
    results = ["all", "hn", "cn"][: 3 if op_type == "LSTM" else 2]
    node = helper.make_node(
        op_type,
        ["steps", "W", "R", "B", *([""] if states else []), *states],
        results,
        "recurrence",
        hidden_size=hidden,
        direction=direction,
    )
    if op_type == "GRU":
        node.attribute.append(helper.make_attribute("linear_before_reset", 1))
    source = "all" if every else "hn"
    nodes += [
        node,
        helper.make_node("Transpose", [source], ["turned"], "turn", perm=[0, 2, 1, 3])
        if every
        else helper.make_node("Transpose", [source], ["turned"], "turn", perm=[1, 0, 2]),
        helper.make_node("Reshape", ["turned", "flat"], ["rows"], "flatten"),
        helper.make_node("MatMul", ["rows", "dense"], ["logits"], "dense"),
        helper.make_node("Sigmoid", ["logits"], ["voice"], "sigmoid"),
    ]
    state = (directions, 1, hidden)
    return graph_model(
        nodes,
        [float_type("sound", (1, 1, 40)), *(float_type(name, state) for name in states)],
        [float_type("voice", None), *(float_type(f"{name}n", None) for name in states)],
        constants,
        opset=14,
    )
