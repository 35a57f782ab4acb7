# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Minimal rings are minimal: one slot less on any of them, and nothing comes through."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from random import Random

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from cmc.importer import import_model
from cmc.passes.cmpipe_size_buffers import slots_by_policy
from cmc.sizing.model import CountedPipeline
from cmc.sizing.throughput import throughput_slots
from cmc.timing.flow import Flow
from cmc.timing.solver import solve
from conftest import examples, find_trained
from end_to_end import lower, pipeline_of
from networks import Network, networks, tangled_networks
from onnx_models import chain_model, normal
from test_reorder import random_order, reorder_at_random
from test_sizes import convolution, residual_network


def counted(model: Path | onnx.ModelProto, seed: int | None = None) -> CountedPipeline:
    """What sizing looks at, with stages in random orders if there is a seed."""
    module = import_model(model)
    lower(module, "nn-canonicalize", "nn-fold-batch-norm", "convert-nn-to-cmpipe")
    if seed is not None:
        reorder_at_random(Random(seed), pipeline_of(module), random_order)
    lower(module, "cmpipe-derive-control")
    return CountedPipeline(pipeline_of(module))


def comes_through(flow: Flow, slots: Sequence[int], images: int = 1) -> bool:
    """Whether the simulator's equations have a solution."""
    return solve(flow.with_slots(slots), images).complete


def assert_minimal(flow: Flow, slots: Sequence[int]) -> None:
    """One slot less on any ring deadlocks, and no ring has more than throughput needs."""
    assert comes_through(flow, slots, 3)
    most = throughput_slots(flow)
    for number, edge in enumerate(flow.edges):
        assert slots[number] <= most[number], edge.title
        if slots[number] > 1:  # there is no ring with none
            fewer = [count - (n == number) for n, count in enumerate(slots)]
            assert not comes_through(flow, fewer), edge.title


def long_skip(length: int, side: int) -> onnx.ModelProto:
    """Convolutions in a chain, the first of which is added to the last."""
    names = ["x", *(f"c{i}" for i in range(length))]
    nodes = [convolution(a, b) for a, b in pairwise(names)]
    last = helper.make_node("Add", [names[-1], "c0"], ["y"], "y")
    return chain_model((1, 4, side, side), *nodes, last, constants={"w": normal(4, 4, 3, 3)})


def test_trained_networks(trained: Path):
    model = counted(trained)
    assert_minimal(model.flow, slots_by_policy(model, "minimal"))


@pytest.mark.parametrize("seed", range(3))
def test_a_trained_network_in_any_order(digits: Path, seed: int):
    model = counted(digits, seed)
    assert_minimal(model.flow, slots_by_policy(model, "minimal"))


@pytest.mark.parametrize(
    ("name", "expected"), [("mlperftiny_resnet8", 546), ("resnet20_cifar", 1265)]
)
def test_slots_of_trained_networks(name: str, expected: int):
    assert sum(slots_by_policy(counted(find_trained(name)), "minimal")) == expected


@pytest.mark.parametrize("length", [2, 5, 13])
def test_a_long_skip(length: int):
    model = counted(long_skip(length, 10))
    slots = slots_by_policy(model, "minimal")
    assert_minimal(model.flow, slots)
    assert sum(slots) < sum(slots_by_policy(model, "throughput"))


@examples(60)
@given(st.one_of(networks(), tangled_networks()), st.one_of(st.none(), st.integers(0, 2**16)))
def test_random_networks_in_any_order(network: Network, seed: int | None):
    model = counted(network.model, seed)
    assert_minimal(model.flow, slots_by_policy(model, "minimal"))


def test_a_fork_on_images_too_large_to_look_at_each_pixel():
    small, larger, huge = (
        slots_by_policy(counted(residual_network(side)), "minimal") for side in (16, 20, 4000)
    )
    rows = [(b - a) // 4 for a, b in zip(small, larger, strict=True)]
    assert huge == [a + each * (4000 - 16) for a, each in zip(small, rows, strict=True)]
