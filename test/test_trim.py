# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Throughput's rings in small pipelines: one slot less on any of them, and an image comes later."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import onnx
from hypothesis import example, given
from onnx import NodeProto, helper

from cmc.passes.cmpipe_size_buffers import slots_by_policy
from cmc.sizing.throughput import period, throughput_slots
from cmc.sizing.trim import LARGEST, trimmed
from cmc.timing.flow import Edge, Flow, Process, Steps
from cmc.timing.runs import Runs
from cmc.timing.solver import solve
from conftest import examples
from networks import Network, tangled_networks
from networks.layout import Pad, Slice
from networks.windows import Axis, Conv
from onnx_models import chain_model, normal
from test_minimal import counted

STREAM = 20
"""Images after which the networks here are in their steady state."""


def ends(flow: Flow, slots: Sequence[int]) -> list[int]:
    """When each image of a stream is through; nothing where it never is."""
    times = solve(flow.with_slots(slots), STREAM)
    if not times.complete:
        return []
    return times.ends(STREAM).tolist()


def assert_trim(flow: Flow, slots: Sequence[int]) -> None:
    """Images are as early as with the schedule's own rings, and with any slot less they are not."""
    on_time = ends(flow, slots)
    assert on_time == ends(flow, throughput_slots(flow))
    assert on_time[-1] - on_time[-2] == period(flow)
    for number, edge in enumerate(flow.edges):
        if slots[number] > 1:  # there is no ring with none
            fewer = [count - (n == number) for n, count in enumerate(slots)]
            assert ends(flow, fewer) != on_time, edge.title


def strided_branches() -> onnx.ModelProto:
    """A convolution, and two ways of stride 2 and different length from it to a sum."""

    def conv(source: str, target: str, stride: int) -> NodeProto:
        return helper.make_node(
            "Conv", [source, "w"], [target], target, pads=[1] * 4, strides=[stride] * 2
        )

    nodes = [conv("x", "a", 1), conv("a", "b", 2), conv("b", "b2", 1), conv("a", "c", 2)]
    add = helper.make_node("Add", ["b2", "c"], ["y"], "y")
    return chain_model((1, 4, 8, 8), *nodes, add, constants={"w": normal(4, 4, 3, 3)})


def test_ways_of_one_stride():
    model = counted(strided_branches())
    slots = slots_by_policy(model, "throughput")
    assert sum(slots) < sum(throughput_slots(model.flow))
    assert_trim(model.flow, slots)


WITHOUT_WAITING = Network(
    shape=(1, 1, 2, 2),
    steps=(Slice(axis=1), Conv(axes=(Axis(stride=2, low=1), Axis())), Pad(high=1)),
)
"""Its convolution reads nothing but padding, and may be as fast as it likes, or as the input."""


@example(WITHOUT_WAITING)
@examples(15)
@given(tangled_networks())
def test_random_networks(network: Network):
    model = counted(network.model)
    iterations = sum(process.iterations for process in model.flow.processes.values())
    if iterations * len(model.flow.edges) <= LARGEST and model.flow.complete:
        assert_trim(model.flow, slots_by_policy(model, "throughput"))


def test_large_pipelines_keep_what_the_schedule_needs():
    node = helper.make_node("Conv", ["x", "w"], ["y"], "y", pads=[1] * 4)
    model = counted(chain_model((1, 4, 99, 99), node, constants={"w": normal(4, 4, 3, 3)}))
    assert slots_by_policy(model, "throughput") == throughput_slots(model.flow)


def test_images_that_would_come_by_twos_come_evenly():
    """With a slot less, a stream of these is never one image after the other, evenly."""
    gemm = [helper.make_node("Gemm", [a, "w"], [b], b) for a, b in pairwise("xabcd")]
    add = helper.make_node("Add", ["d", "b"], ["y"], "y")
    model = counted(chain_model((1, 4), *gemm, add, constants={"w": normal(4, 4)}))
    assert_trim(model.flow, slots_by_policy(model, "throughput"))


def steps(awaits: Sequence[int], reaches: Sequence[int]) -> Steps:
    """A machine that reaches so far when it has awaited so many signals."""
    return Steps.of(Runs.of(np.array(awaits)), Runs.of(np.array(reaches)))


def test_parts_may_be_uneven_where_others_hide_it():
    """With a slot less, one part is uneven for ever, and no image is through later."""
    shapes = {"a": (3, 2), "b": (1, 5), "c": (3, 5), "d": (3, 1), "e": (4, 1)}
    processes = {name: Process(name, *shape) for name, shape in shapes.items()}
    each = steps([1, 2, 3], [1, 2, 3])
    edges = (
        Edge("a for b", "a", "b", steps([1], [1]), steps([1], [3])),
        Edge("a for c", "a", "c", each, steps([1, 3], [1, 3])),
        Edge("b for d", "b", "d", steps([1], [3]), steps([3], [1])),
        Edge("c for d", "c", "d", steps([2, 3], [1, 3]), each),
        Edge("d for e", "d", "e", steps([1, 2, 3], [2, 3, 4]), steps([2, 4], [1, 3])),
    )
    flow = Flow(processes, edges)
    assert_trim(flow, trimmed(flow, throughput_slots(flow)))


def test_the_slowest_part_ends_last_in_the_end():
    """Slots of a part that is fast, but takes long, do not matter from some image on."""
    shapes = {"a": (4, 1), "b": (4, 100), "c": (8, 1)}
    processes = {name: Process(name, *shape) for name, shape in shapes.items()}
    each = steps([1, 2, 3, 4], [1, 2, 3, 4])
    flow = Flow(processes, (Edge("a for b", "a", "b", each, each),))
    slots = trimmed(flow, throughput_slots(flow))
    on_time = solve(flow.with_slots(throughput_slots(flow)), 200).ends(200).tolist()
    assert solve(flow.with_slots(slots), 200).ends(200).tolist() == on_time
    assert solve(flow.with_slots([slots[0] - 1]), 200).ends(200).tolist() != on_time
