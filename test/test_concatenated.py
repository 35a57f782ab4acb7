# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Tensors in several parts: a concatenation costs no stage, whoever reads it and however."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cmc
from cmc.compiler.standard import BufferPolicy
from cmc.dialects.cmpipe import StageOp
from cmc.importer import import_model
from cmc.proof.chip import prove
from cmc.simulator import chip_of
from conftest import by_turns, examples
from end_to_end import run_levels
from networks import Network, concatenated_networks, random_inputs, reference
from networks.graph import Graph, Value
from networks.layout import cut

POLICIES: tuple[BufferPolicy, ...] = ("minimal", "throughput")


def concat(graph: Graph, *values: Value, axis: int = 1) -> Value:
    return graph.op("Concat", *values, axis=axis)


def conv(graph: Graph, x: Value, filters: int, kernel: int = 3, **attributes: int) -> Value:
    channels = x.shape[1] // attributes.get("group", 1)
    weights = graph.normal((filters, channels, kernel, kernel), 0.3)
    return graph.op("Conv", x, weights, pads=[kernel // 2] * 4, **attributes)


def max_pool(graph: Graph, x: Value) -> Value:
    return graph.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])


def average_pool(graph: Graph, x: Value) -> Value:
    return graph.op("AveragePool", x, kernel_shape=[3, 2], pads=[1, 0, 1, 1])


def gemm(graph: Graph, x: Value) -> Value:
    flat = graph.op("Flatten", x)
    return graph.op("Gemm", flat, graph.normal((flat.shape[1], 3), 0.3), graph.normal((3,), 0.3))


def pair(graph: Graph) -> tuple[Value, Value]:
    """Two tensors of 3 and 2 channels, of which the second is computed."""
    x = graph.input((1, 3, 5, 4))
    return x, graph.op("Relu", graph.op("Add", conv(graph, x, 2), graph.normal((2, 1, 1), 0.3)))


def into(reader: Callable[[Graph, Value], Value], axis: int) -> Callable[[Graph], None]:
    """Two tensors along an axis, read by one stage."""

    def build(graph: Graph) -> None:
        x, y = pair(graph)
        if axis != 1:
            x = cut(graph, x, 1, 0, 2, 1)
        if axis == 2:
            y = cut(graph, y, 2, 4, 3, -1)
        graph.output(reader(graph, concat(graph, x, y, axis=axis)))

    return build


READERS: dict[str, Callable[[Graph, Value], Value]] = {
    "a convolution": lambda graph, x: conv(graph, x, 2),
    "a convolution of pixels": lambda graph, x: conv(graph, x, 2, 1),
    "a depthwise convolution": lambda graph, x: conv(graph, x, x.shape[1], group=x.shape[1]),
    "the maximum of windows": max_pool,
    "the mean of windows": average_pool,
    "the mean of everything": lambda graph, x: graph.op("GlobalAveragePool", x),
    "a product of everything": gemm,
    "an activation": lambda graph, x: graph.op("Tanh", x),
    "a softmax over channels": lambda graph, x: graph.op("Softmax", x, axis=1),
    "a softmax over rows": lambda graph, x: graph.op("Softmax", x, axis=2),
    "a normalisation of neighbours": lambda graph, x: graph.op("LRN", x, size=3),
}


def nested(graph: Graph) -> None:
    x, y = pair(graph)
    z = concat(graph, y, concat(graph, x, y, y), x)
    graph.output(conv(graph, z, 2))
    graph.output(max_pool(graph, cut(graph, z, 1, 1, 9, 1)))


def across_both_axes(graph: Graph) -> None:
    x, y = pair(graph)
    wide = concat(graph, x, y)
    tall = concat(graph, wide, cut(graph, wide, 2, 2, 3, -1), axis=2)
    graph.output(conv(graph, concat(graph, tall, tall, axis=3), 2))


def sliced_and_turned(graph: Graph) -> None:
    x, y = pair(graph)
    z = graph.op("Transpose", cut(graph, concat(graph, x, y), 1, 4, 3, -1), perm=[0, 2, 1, 3])
    graph.output(conv(graph, z, 2))
    graph.output(graph.op("Neg", graph.op("Reshape", z, graph.integers([1, 3, 10, 2]))))


def shuffled(graph: Graph) -> None:
    """Channels of both in turn."""
    x, y = pair(graph)
    z = concat(graph, y, cut(graph, x, 1, 0, 2, 1))
    z = graph.op("Reshape", z, graph.integers([1, 2, 2, 5, 4]))
    z = graph.op("Transpose", z, perm=[0, 2, 1, 3, 4])
    graph.output(conv(graph, graph.op("Reshape", z, graph.integers([1, 4, 5, 4])), 4, group=2))


def groups_across_parts(graph: Graph) -> None:
    x, y = pair(graph)
    graph.output(conv(graph, concat(graph, x, y, cut(graph, x, 1, 0, 1, 1)), 6, group=2))


def with_constants(graph: Graph) -> None:
    x, _ = pair(graph)
    above = graph.normal((1, 3, 2, 4), 1)
    z = concat(graph, above, x, axis=2)
    z = concat(graph, z, graph.constant(np.zeros((1, 1, 7, 4), np.float32)))
    graph.output(conv(graph, z, 2))
    graph.output(max_pool(graph, z))
    graph.output(graph.op("Sigmoid", z))


def split_and_joined(graph: Graph) -> None:
    """What is put together again in order is what it was."""
    x, _ = pair(graph)
    graph.output(conv(graph, concat(graph, *(cut(graph, x, 1, c, 1, 1) for c in range(3))), 2))


def of_padded(graph: Graph) -> None:
    x, y = pair(graph)
    pads = [0, 0, 1, 0, 0, 0, 0, 1]
    padded = graph.op("Pad", y, graph.integers(pads), graph.constant(np.array(0.5, np.float32)))
    z = concat(graph, graph.op("Pad", x, graph.integers(pads)), padded)
    graph.output(graph.op("Tanh", z))
    graph.output(max_pool(graph, z))


def as_outputs(graph: Graph) -> None:
    x, y = pair(graph)
    z = concat(graph, x, y)
    graph.output(z)
    graph.output(concat(graph, z, x))
    graph.output(conv(graph, z, 1))


def of_tokens(graph: Graph) -> None:
    x = graph.input((1, 4, 6))
    y = graph.op("MatMul", x, graph.normal((6, 5), 0.3))
    wide = concat(graph, x, y, axis=2)
    tall = concat(graph, x, cut(graph, wide, 2, 2, 6, 1), axis=1)
    graph.output(graph.op("MatMul", wide, graph.normal((11, 3), 0.3)))
    graph.output(graph.op("MatMul", tall, graph.op("Transpose", tall, perm=[0, 2, 1])))
    graph.output(graph.op("Softmax", tall, axis=2))


BUILT: dict[str, tuple[Callable[[Graph], None], int]] = {
    **{
        f"{reader} of both along axis {axis}": (into(build, axis), 2)
        for axis in (1, 2, 3)
        for reader, build in READERS.items()
    },
    "nested": (nested, 3),
    "across both axes": (across_both_axes, 2),
    "sliced and turned": (sliced_and_turned, 3),
    "shuffled": (shuffled, 2),
    "groups across parts": (groups_across_parts, 2),
    "with constants": (with_constants, 3),
    "split and joined": (split_and_joined, 1),
    # Padding with another number than the rest has a stage.
    "of padded tensors": (of_padded, 5),
    # Outputs are collected from one object each.
    "as outputs": (as_outputs, 4),
    "of tokens": (of_tokens, 4),
}


@pytest.mark.parametrize(("case", "policy"), by_turns(BUILT, POLICIES))
def test_parts_are_read_where_they_are(case: str, policy: BufferPolicy):
    build, stages = BUILT[case]
    graph = Graph(seed=0, opset=17, constant_nodes=False)
    build(graph)
    model = graph.model(open_batch=True)
    inputs = random_inputs(model, images=4, seed=1)
    program, _ = run_levels(model, policy, inputs, reference(model, inputs))
    chip = chip_of(program.module)
    assert sum(isinstance(op, StageOp) for op in chip.walk()) == stages
    prove(chip)


def test_numbers_that_are_none_stay_where_they_are():
    """Parts are put together without arithmetic: infinities meet no padding."""
    graph = Graph(seed=0, opset=17, constant_nodes=False)
    x = graph.op("Div", graph.constant(np.ones(1, np.float32)), graph.input((1, 2, 4, 3)))
    y = graph.op("Sqrt", x)
    graph.output(max_pool(graph, concat(graph, x, y, axis=2)))
    graph.output(graph.op("Neg", concat(graph, y, x, axis=3)))
    graph.output(concat(graph, x, y))
    numbers = np.array([0.0, -0.0, 1.0, np.finfo(np.float32).min], np.float32)
    inputs = {"input0": np.random.default_rng(0).choice(numbers, (4, 2, 4, 3))}
    module = import_model(graph.model(open_batch=True))
    expected = cmc.Network(module).run(inputs)
    program = cmc.compile(graph.model(open_batch=True))
    for mode in ("bulk", "interpret"):
        found = program.run(inputs, mode=mode).outputs
        for name, array in expected.items():
            assert not np.isfinite(array).all()
            assert np.array_equal(found[name], array, equal_nan=True)


@examples(40)
@given(concatenated_networks(), st.sampled_from(POLICIES))
def test_networks_of_concatenations(network: Network, policy: BufferPolicy):
    inputs = random_inputs(network.model, images=3, seed=1)
    program, _ = run_levels(network.model, policy, inputs, reference(network.model, inputs))
    prove(chip_of(program.module))
