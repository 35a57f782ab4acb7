# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Random networks from ONNX to outputs: values, and times, in both modes and with all rings."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from xdsl.dialects.builtin import IntegerAttr, i64

import cmc
from cmc.compiler.standard import BufferPolicy
from cmc.dialects.cmpipe import PipelineOp
from conftest import examples
from end_to_end import assert_close, assert_same, bound, compile_with, run_levels
from networks import (
    Network,
    image_networks,
    networks,
    random_inputs,
    reference,
    signal_networks,
    token_networks,
)
from networks.dense import Gemm
from networks.joins import Excitation, Tap
from networks.layout import Pad
from networks.pointwise import Activation, Clip, Constant, Nothing
from networks.steps import Steps
from networks.windows import Axis, Conv, GlobalPool, Pool

IMAGES = 3

POLICIES: tuple[BufferPolicy, ...] = ("minimal", "throughput", "whole")
policies: SearchStrategy[BufferPolicy] = st.sampled_from(POLICIES)


def check(network: Network, policy: BufferPolicy) -> None:
    """A stream of different images by every level, and by every way to simulate a chip."""
    inputs = random_inputs(network.model, IMAGES, seed=1)
    run_levels(network.model, policy, inputs, reference(network.model, inputs))


@examples(45)
@given(image_networks(), policies)
def test_image_networks(network: Network, policy: BufferPolicy):
    check(network, policy)


@examples(45)
@given(image_networks(), policies)
def test_more_image_networks(network: Network, policy: BufferPolicy):
    check(network, policy)


@examples(45)
@given(signal_networks(), policies)
def test_signal_networks(network: Network, policy: BufferPolicy):
    check(network, policy)


@examples(40)
@given(token_networks(), policies)
def test_token_networks(network: Network, policy: BufferPolicy):
    check(network, policy)


Timings = dict[str, tuple[int, int]]
"""By stage: the latency and the interval of an iteration."""


def timed(network: Network, policy: BufferPolicy, seed: int) -> tuple[cmc.Program, Timings]:
    """The network, compiled for cores of any speed: most stages slow, and some pipelined."""
    random = Random(seed)
    timings: Timings = {}

    def slow_down(pipeline: PipelineOp) -> None:
        for stage in pipeline.stages():
            latency = random.choice((1, 1, 2, 3, 7, 12))
            interval = random.choice((1, 1, 2, 3, 4))
            timings[stage.sym_name.data] = latency, interval
            stage.properties["latency"] = IntegerAttr(latency, i64)
            stage.properties["interval"] = IntegerAttr(interval, i64)

    return compile_with(network.model, policy, {"convert-nn-to-cmpipe": slow_down}), timings


@examples(40)
@given(networks(), policies, st.integers(0, 2**16))
def test_stages_of_any_speed(network: Network, policy: BufferPolicy, seed: int):
    inputs = random_inputs(network.model, IMAGES, seed=1)
    program, timings = timed(network, policy, seed)
    bulk = program.run(inputs, mode="bulk")
    assert_close(bulk.outputs, reference(network.model, inputs))
    assert_same(program.run(inputs, mode="interpret"), bulk)
    slowest = bound(bulk.report, {name: interval for name, (_, interval) in timings.items()})
    few, many = program.time(100), program.time(200)
    if policy == "minimal":
        assert many.cycles - few.cycles >= 100 * slowest
    else:
        assert few.cycles_per_image == many.cycles_per_image == slowest
        assert many.cycles - few.cycles == 100 * slowest


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("shape", "steps"),
    [
        pytest.param((1, 4, 5, 5), (Nothing(), Clip()), id="that computes nothing"),
        pytest.param(
            (1, 4, 3),
            (
                Conv(3, (Axis(stride=2, low=1, high=2), Axis())),
                Conv(2, (Axis(1, 9, low=1), Axis())),
            ),
            id="whose last stage reads padding alone",
        ),
        pytest.param(
            (1, 3, 1, 1),
            (Conv(2, (Axis(2, 3, low=4, high=4), Axis(3, 2, low=3, high=3))), GlobalPool()),
            id="of one pixel, most windows of which lie in the padding",
        ),
        pytest.param(
            (1, 1, 12),
            (
                Pool("MaxPool", (Axis(4, 3, 2, 2, 1), Axis())),
                Conv(5, (Axis(2, 4, 3, 1, 1), Axis())),
            ),
            id="with gaps that no window covers",
        ),
        pytest.param(
            (1, 1, 2),
            (
                Pad(axis=1, high=3, mode="edge"),
                Pool("AveragePool", (Axis(2, 2, 1, 1), Axis()), ceil_mode=True),
                Conv(1, (Axis(2, 3, 1, 3, 1), Axis())),
            ),
            id="whose padding repeats an edge",
        ),
        pytest.param(
            (1, 1, 4, 1),
            (
                Activation(),
                Pad(axis=1, high=1),
                Pool("AveragePool", (Axis(2, 2), Axis()), "NOTSET", True, True),
            ),
            id="of which a last window begins in the padding",
        ),
    ],
)
def test_a_network(shape: tuple[int, ...], steps: Steps, policy: BufferPolicy):
    check(Network(shape, steps), policy)


def test_a_stage_of_padding_does_not_hold_up_the_next_image():
    """A machine that awaits nothing has no step to take before the next image."""
    steps = (
        Tap(),
        Excitation(),
        Pool("MaxPool", (Axis(4, 2, 3, 1), Axis(1, 2, low=1)), ceil_mode=True),
        Constant("Mul", over="last", first=True),
        Conv(2, (Axis(stride=3, low=4, high=2), Axis(2, low=2, high=3))),
        Conv(4, (Axis(4, low=2, high=2), Axis(4, low=1)), group=0),
        Gemm(transposed=True),
        Activation(),
        Gemm(features=4, bias=False, scaled=True),
    )
    check(Network((1, 6, 3, 4), steps, seed=180), "throughput")
