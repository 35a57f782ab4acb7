"""When iterations begin: what it costs to know, and that both modes of execution agree on it."""

from __future__ import annotations

import tracemalloc

import pytest
from onnx import helper

import cmc
from cmc.pipeline import BufferPolicy
from end_to_end import bound
from onnx_models import float_type, graph_model, normal
from test_sizes import convolution, convolutions


def test_a_large_image_is_timed_by_its_rows():
    side = 2048
    program = cmc.compile(convolutions(3, side))
    tracemalloc.start()
    report = program.time(1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.cycles == side * side + 3 * (side + 2)
    # A table of all its points has eight bytes for each.
    assert peak < 8 * side * side


@pytest.mark.parametrize("buffers", ["minimal", "throughput"])
def test_parts_that_never_meet_have_their_own_pace(buffers: BufferPolicy):
    """The slower one's is that of the stream, and neither costs more than by itself."""
    nodes = [
        convolution("a", "b"),
        convolution("b", "y"),
        helper.make_node("Relu", ["c"], ["z"], "z"),
    ]
    inputs = [float_type("a", (1, 4, 6, 6)), float_type("c", (1, 3, 5, 4))]
    outputs, constants = [float_type(name, None) for name in "yz"], {"w": normal(4, 4, 3, 3)}
    both, alone = (
        cmc.compile(graph_model(nodes[:n], inputs[:m], outputs[:m], constants), buffers=buffers)
        for n, m in ((3, 2), (2, 1))
    )
    images = 10_000
    tracemalloc.start()
    report = both.time(images)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    slower = alone.time(images)
    assert (report.cycles, report.cycles_per_image) == (slower.cycles, slower.cycles_per_image)
    if buffers == "throughput":
        assert report.cycles_per_image == bound(report)
    assert peak < images * 100
