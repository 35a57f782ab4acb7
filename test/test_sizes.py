# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""How many slots rings have, how soon stages start, how fast streams run: to the last one."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy, integers
from onnx import NodeProto, helper
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64

import cmc
from cmc.api import Program
from cmc.compiler.standard import BufferPolicy
from cmc.dialects.cmpipe import ChannelOp, PipelineOp
from cmc.importer import import_model
from cmc.streams import random_stream
from cmc.timing.flow import Deadlock
from conftest import examples, find_trained
from end_to_end import bound, compile_with, lower, pipeline_of, programs
from networks import Network
from networks.layout import Slice, Transpose
from networks.pointwise import Activation
from networks.steps import Step
from networks.windows import Axis, Conv, GlobalPool, Pool
from onnx_models import chain_model, float_type, graph_model, int64, normal

POLICIES: tuple[BufferPolicy, ...] = ("minimal", "throughput", "whole")

# Pipelining.


def convolution(source: str, target: str) -> NodeProto:
    """A 3x3 convolution of 4 channels, padded by 1, with the weights `w`."""
    return helper.make_node("Conv", [source, "w"], [target], target, pads=[1, 1, 1, 1])


def convolutions(count: int, side: int) -> onnx.ModelProto:
    """Equal convolutions one after the other, on 4 channels of `side` x `side` pixels."""
    names = ["x", *(f"c{i}" for i in range(count - 1)), "y"]
    nodes = [convolution(a, b) for a, b in pairwise(names)]
    return chain_model((1, 4, side, side), *nodes, constants={"w": normal(4, 4, 3, 3)})


SIDE = 32
FIRST_WINDOW = SIDE + 2
"""The vectors up to the last one of the first window: a row, and two of the next one."""


@pytest.mark.parametrize("policy", ["throughput", "whole"])
def test_a_second_convolution_starts_when_its_first_window_is_there(policy: BufferPolicy):
    reports = [cmc.compile(convolutions(n, SIDE), buffers=policy).time(1) for n in (1, 2, 8)]
    starts = [[p.first_cycle for p in programs(report)] for report in reports]
    assert starts == [[FIRST_WINDOW * i for i in range(n + 1)] for n in (1, 2, 8)]
    assert [r.cycles for r in reports] == [SIDE * SIDE + FIRST_WINDOW * n for n in (1, 2, 8)]


def test_a_second_convolution_does_not_wait_for_an_image_with_minimal_rings_either():
    one, two = (cmc.compile(convolutions(n, SIDE), buffers="minimal").time(1) for n in (1, 2))
    assert [p.first_cycle for p in programs(two)] == [0, FIRST_WINDOW, 2 * FIRST_WINDOW]
    # Vectors are sent when slots are free, one at a time: that costs a cycle each, and no more.
    assert two.cycles < 1.1 * one.cycles < 2.2 * SIDE * SIDE


def test_cores_work_on_several_images_at_once():
    program = cmc.compile(convolutions(8, 8))
    report = program.time(3)
    for stage in programs(report):
        # No cycle passes between images, and they need 8 x 8 each.
        assert np.diff(stage.starts.reshape(-1)).tolist() == [1] * (3 * 64 - 1), stage.name
    last = programs(report)[-1]
    assert last.first_cycle is not None and last.first_cycle > 64


# Throughput.


def test_throughput_reaches_the_bound(trained: Path):
    program = cmc.compile(trained, buffers="throughput")
    report = program.time(1_000_000)
    slowest = bound(report)
    assert report.cycles_per_image == slowest
    assert report.cycles - program.time(1000).cycles == 999_000 * slowest


# Minimal rings.


def slots(pipeline: PipelineOp) -> dict[str, int]:
    """The slots of each channel, by name."""
    sizes: dict[str, int] = {}
    for channel in pipeline.channels():
        assert channel.slots is not None
        sizes[title(channel)] = channel.slots.value.data
    return sizes


def title(channel: ChannelOp) -> str:
    """The name of a channel."""
    return str(channel.channel)


def sized(model: Path | onnx.ModelProto, policy: str = "minimal") -> ModuleOp:
    """The pipeline of a network, with slots."""
    module = import_model(model)
    lower(module, "nn-canonicalize", "nn-fold-batch-norm", "convert-nn-to-cmpipe")
    lower(module, "cmpipe-derive-control", f"cmpipe-size-buffers{{policy={policy}}}")
    return module


@pytest.mark.parametrize("width", [3, 4, 7, 32, 57])
@pytest.mark.parametrize("height", [3, 5])
def test_a_window_needs_two_rows_and_three_pixels(height: int, width: int):
    node = convolution("x", "y")
    model = chain_model((1, 4, height, width), node, constants={"w": normal(4, 4, 3, 3)})
    assert slots(pipeline_of(sized(model))) == {"@x from @x_stream to @y": 2 * width + 3}


@pytest.mark.parametrize("policy", ["minimal", "throughput"])
def test_rings_of_images_too_large_to_look_at_each_pixel(policy: BufferPolicy):
    def rings(side: int) -> dict[str, int]:
        nodes = [
            *(convolution(a, b) for a, b in pairwise(["x", "a", "b", "c"])),
            helper.make_node("MaxPool", ["c"], ["p"], "p", kernel_shape=[2, 2], strides=[2, 2]),
            *(convolution(a, b) for a, b in pairwise(["p", "q", "y"])),
        ]
        model = chain_model((1, 4, side, side), *nodes, constants={"w": normal(4, 4, 3, 3)})
        return slots(pipeline_of(sized(model, policy)))

    small, larger, huge = rings(20), rings(24), rings(8000)
    rows = {name: (larger[name] - small[name]) // 4 for name in small}
    assert huge == {name: small[name] + rows[name] * (8000 - 20) for name in small}


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "pad", "expected"),
    [
        (1, 1, 1, 0, 1),
        (2, 2, 1, 0, 12),  # a row, and two pixels
        (3, 1, 1, 0, 23),
        (3, 1, 2, 2, 45),  # four rows, and five pixels
        (5, 1, 1, 2, 45),
        (3, 2, 1, 1, 23),
        (10, 1, 1, 0, 100),
    ],
)
def test_other_windows(kernel: int, stride: int, dilation: int, pad: int, expected: int):
    node = helper.make_node(
        "Conv",
        ["x", "w"],
        ["y"],
        "y",
        strides=[stride] * 2,
        dilations=[dilation] * 2,
        pads=[pad] * 4,
    )
    constants = {"w": normal(2, 3, kernel, kernel)}
    model = chain_model((1, 3, 10, 10), node, constants=constants)
    assert slots(pipeline_of(sized(model))) == {"@x from @x_stream to @y": expected}


def with_one_slot_less(model: Path | onnx.ModelProto, chosen: str) -> Program:
    """The network with minimal rings, but for one slot of one channel; it may be refused."""

    def take_one(pipeline: PipelineOp) -> None:
        (channel,) = (c for c in pipeline.channels() if title(c) == chosen)
        assert channel.slots is not None
        channel.properties["slots"] = IntegerAttr(channel.slots.value.data - 1, i64)

    return compile_with(model, "minimal", {"cmpipe-size-buffers": take_one})


def assert_minimal(model: Path | onnx.ModelProto) -> Counter[str]:
    """One slot less on any channel, and nothing comes through.

    The chip is configured without a question, and the simulator finds out; a pipeline with such
    slots is refused, with the same words. Returns how often either was tried.
    """
    tried: Counter[str] = Counter()
    enough = slots(pipeline_of(sized(model)))
    for channel, count in enough.items():
        if count == 1:  # there is no ring with none
            continue
        program = with_one_slot_less(model, channel)
        inputs = random_stream(program.inputs, 2, seed=0)
        with pytest.raises(Deadlock) as bulk:
            program.run(inputs, mode="bulk")
        with pytest.raises(Deadlock) as interpreted:
            program.run(inputs, mode="interpret")
        assert str(bulk.value) == str(interpreted.value)
        tried["deadlocked"] += 1
        module = sized(model)
        for one in pipeline_of(module).channels():
            if title(one) == channel:
                one.properties["slots"] = IntegerAttr(count - 1, i64)
        with pytest.raises(Deadlock) as refused:
            lower(module, "cmpipe-size-buffers")
        assert str(refused.value).startswith("deadlock: ")
        tried["refused"] += 1
    return tried


@pytest.mark.parametrize(("name", "rings"), [("same", 5), ("mnist_cntk", 5)])
def test_minimal_rings_of_a_trained_chain_are_minimal(name: str, rings: int):
    tried = assert_minimal(find_trained(name))
    assert tried == {"deadlocked": rings, "refused": rings}


def windows(kernel: int, stride: int, dilation: int, pad: int) -> SearchStrategy[tuple[Axis, Axis]]:
    """What a window does on two axes."""
    numbers = (integers(1, kernel), integers(1, stride), integers(1, dilation), integers(0, pad))
    axis = st.builds(Axis, *numbers, integers(0, pad))
    return st.tuples(axis, axis)


links: SearchStrategy[Step] = st.one_of(
    st.builds(Conv, channels=integers(1, 2), axes=windows(4, 1, 1, 2)),
    st.builds(Conv, channels=integers(1, 2), axes=windows(3, 3, 2, 4)),
    st.builds(Pool, op_type=st.sampled_from(("MaxPool", "AveragePool")), axes=windows(3, 3, 1, 1)),
    st.just(Activation()),
    st.just(GlobalPool()),
    st.builds(Slice, integers(0, 2), integers(0, 3), integers(2, 8), st.sampled_from((1, 2, -1))),
    st.builds(Transpose, st.permutations((0, 1, 2)).map(tuple)),
)

chains: SearchStrategy[Network] = st.builds(
    Network,
    shape=st.tuples(st.just(1), integers(1, 3), integers(1, 9), integers(1, 9)),
    steps=st.lists(links, min_size=2, max_size=5).map(tuple),
)


@examples(12)
@given(chains)
def test_minimal_rings_of_chains_are_minimal(network: Network):
    tried = assert_minimal(network.model)
    assume(tried.total() > 0)


def crossed(length: int) -> onnx.ModelProto:
    """Two inputs, one after the other in one output, and the other way round in another one."""
    nodes = [
        helper.make_node("Concat", ["a", "b"], ["y"], "y", axis=2),
        helper.make_node("Concat", ["b", "a"], ["z"], "z", axis=2),
    ]
    inputs = [float_type(name, (1, 2, length)) for name in "ab"]
    return graph_model(nodes, inputs, [float_type(name, None) for name in "yz"])


def test_outputs_that_never_meet_do_not_wait_for_each_other():
    enough = slots(pipeline_of(sized(crossed(6))))
    # One output takes its inputs as they come; what the other one begins with waits meanwhile.
    assert sorted(enough.values()) == [1, 1, 1, 6]
    assert cmc.compile(crossed(6), buffers="minimal").time(2).images == 2


def test_what_nothing_asks_for_is_made_room_for():
    cut = ["start", "end", "axis"]
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], "a"),
        helper.make_node("Concat", ["a", "x"], ["both"], "both", axis=2),
        helper.make_node("Neg", ["both"], ["b"], "b"),
        helper.make_node("Slice", ["a", *cut], ["c"], "c"),
        helper.make_node("Slice", ["b", *cut], ["d"], "d"),
        helper.make_node("Add", ["c", "d"], ["y"], "y"),
    ]
    constants = {"start": int64(0), "end": int64(2), "axis": int64(2)}
    module = sized(chain_model((1, 1, 9), *nodes, constants=constants))
    # The second half of b is x: it comes after all of a, which nothing but b reads to the end.
    assert slots(pipeline_of(module))["@x from @x_stream to @b"] == 9
    lower(module, "convert-cmpipe-to-cmctrl")


# What rings cost.


@pytest.mark.parametrize(("name", "fraction"), [("shortcuts", 2), ("resnet20_cifar", 5)])
def test_minimal_rings_are_a_fraction_of_whole_images(name: str, fraction: int):
    model = find_trained(name)
    minimal, throughput, whole = (
        cmc.compile(model, buffers=policy).time(1).slots for policy in POLICIES
    )
    assert fraction * minimal <= whole
    assert minimal < throughput < whole


def test_rings_lie_side_by_side_in_the_memory_of_their_core(trained: Path):
    program = cmc.compile(trained, buffers="minimal")
    for core in program.time(1).cores:
        end = 0
        for ring in core.rings:
            assert ring.address == end
            assert ring.bytes % (4 * ring.slots) == 0
            end += ring.bytes


# What control costs.


def residual_network(side: int) -> onnx.ModelProto:
    """A network with a residual block on images of `side` x `side`."""

    def relu(source: str, target: str) -> NodeProto:
        return helper.make_node("Relu", [source], [target], target)

    return chain_model(
        (1, 4, side, side),
        convolution("x", "a"),
        relu("a", "b"),
        convolution("b", "c"),
        relu("c", "d"),
        convolution("d", "e"),
        helper.make_node("Add", ["e", "b"], ["f"], "f"),
        relu("f", "g"),
        helper.make_node("MaxPool", ["g"], ["h"], "h", kernel_shape=[2, 2], strides=[2, 2]),
        convolution("h", "y"),
        constants={"w": normal(4, 4, 3, 3)},
    )


def test_control_is_as_long_for_large_images_as_for_small_ones():
    modules = [import_model(residual_network(side)) for side in (32, 512)]
    for module in modules:
        lower(module, "nn-canonicalize", "convert-nn-to-cmpipe", "cmpipe-derive-control")
        for channel in pipeline_of(module).channels():
            channel.properties["slots"] = IntegerAttr(1, i64)
        lower(module, "convert-cmpipe-to-cmctrl{check=false}")
    counts = [Counter(op.name for op in module.walk()) for module in modules]
    assert counts[0] == counts[1]
    assert counts[0]["cmctrl.machine"] == 12
