# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A chip has no more of anything than its target: what has is refused, and says what it needs."""

from __future__ import annotations

import pytest
from xdsl.dialects.builtin import ModuleOp

from cmc.dialects.cmpipe import TargetAttr, target_of
from cmc.errors import CmcError
from cmc.importer import import_model
from cmc.passes.cmpipe_size_buffers import slots_by_policy
from cmc.proof.chip import prove
from cmc.simulator import chip_of
from cmc.sizing.model import CountedPipeline
from cmc.targets import Target
from end_to_end import lower, pipeline_of
from onnx_models import chain_model, normal
from test_sizes import convolution, residual_network


def two_convolutions(cores: int | None = None) -> ModuleOp:
    """A chip with two crossbars of 36 x 4, on two cores or one, and a ring for each."""
    nodes = convolution("x", "a"), convolution("a", "y")
    module = import_model(chain_model((1, 4, 6, 6), *nodes, constants={"w": normal(4, 4, 3, 3)}))
    lower(module, "nn-canonicalize", "convert-nn-to-cmpipe", "cmpipe-derive-control")
    pipeline_of(module).target = TargetAttr(Target(cores=cores, crossbars=2))
    lower(module, "cmpipe-assign-cores", "cmpipe-size-buffers{policy=minimal}")
    lower(module, "convert-cmpipe-to-cmctrl")
    prove(chip_of(module))
    return module


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Target(rows=35), "the matrix @weights of @a has 36 rows, and a crossbar has 35"),
        (Target(columns=3), "the matrix @weights of @a has 4 columns, and a crossbar has 3"),
        (Target(cores=1), "2 cores are needed, and target ideal has 1"),
        (
            Target(sram_bytes=200),
            "240 bytes of SRAM are needed, and core @core0 has 200: 240 for the ring",
        ),
    ],
)
def test_a_chip_of_another_target_is_refused(target: Target, message: str):
    module = two_convolutions()
    chip_of(module).target = TargetAttr(target)
    with pytest.raises(CmcError, match=message):
        prove(chip_of(module))


def test_a_core_with_too_few_crossbars_is_refused():
    module = two_convolutions(cores=1)
    chip_of(module).target = TargetAttr(Target(crossbars=1))
    with pytest.raises(CmcError, match="2 crossbars are needed, and core @core0 has 1: 1 for @a"):
        prove(chip_of(module))


def sized(sram_bytes: int | None) -> list[int]:
    """The slots of a residual network on cores with so much SRAM, which no core exceeds."""
    module = import_model(residual_network(16))
    lower(module, "nn-canonicalize", "convert-nn-to-cmpipe", "cmpipe-derive-control")
    pipeline = pipeline_of(module)
    pipeline.target = TargetAttr(Target(sram_bytes=sram_bytes))
    lower(module, "cmpipe-size-buffers")
    slots = CountedPipeline(pipeline).slots
    lower(module, "convert-cmpipe-to-cmctrl")
    limit = target_of(chip_of(module)).sram_capacity
    assert all(core.sram_bytes <= limit for core in chip_of(module).cores())
    prove(chip_of(module))
    return slots


def test_rings_are_shorter_where_there_is_no_room_for_longer_ones():
    module = import_model(residual_network(16))
    lower(module, "nn-canonicalize", "convert-nn-to-cmpipe", "cmpipe-derive-control")
    least = slots_by_policy(CountedPipeline(pipeline_of(module)), "minimal")
    asked, fitted = sized(None), sized(1140)
    assert asked == sized(4000)
    assert all(a <= b <= c for a, b, c in zip(least, fitted, asked, strict=True))
    assert least != fitted != asked
    with pytest.raises(CmcError, match="1120 bytes of SRAM are needed, and core @core2 has 1119"):
        sized(1119)


def test_layers_that_need_most_are_named_as_the_network_names_them():
    """Each convolution is cut into two stages."""
    nodes = convolution("x", "a"), convolution("a", "y")
    module = import_model(chain_model((1, 4, 6, 6), *nodes, constants={"w": normal(4, 4, 3, 3)}))
    lower(module, "nn-canonicalize", "convert-nn-to-cmpipe")
    pipeline_of(module).target = TargetAttr(Target(cores=3, rows=18))
    lower(module, "cmpipe-tile-crossbars", "cmpipe-derive-control")
    with pytest.raises(CmcError, match="4 crossbars are needed, and the chip has 3: 2 for 'a', "):
        lower(module, "cmpipe-assign-cores")
