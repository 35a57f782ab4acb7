# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Random networks on chips of few cores that share units: right, in step in both modes, proved."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdsl.dialects.builtin import IntegerAttr, i64

import cmc
from cmc.compiler.standard import BufferPolicy
from cmc.dialects.cmpipe import PipelineOp, TargetAttr, Unit, UnitsAttr
from cmc.errors import CmcError
from cmc.proof.chip import prove
from cmc.simulator import chip_of
from cmc.targets import Target
from end_to_end import assert_close, assert_same, compile_with
from networks import Network, networks, random_inputs, reference
from test_random_networks import IMAGES, examples, policies


def random_target(random: Random) -> Target:
    """A chip with few cores, and sometimes with little SRAM."""
    return Target(
        cores=random.randint(1, 4),
        crossbars=random.choice((1, 2, 8)),
        sram_bytes=random.choice((None, None, 1000, 4000)),
        activation_bits=random.choice((8, 16, 32)),
    )


def slow_down(pipeline: PipelineOp, random: Random) -> None:
    """Give all writers times at random, most of which are for units that they share."""
    for writer in pipeline.writers():
        latency, port = random.choice((1, 2, 5)), random.choice((0, 1, 3))
        writer.properties["latency"] = IntegerAttr(latency, i64)
        units = {Unit.PORT: port}
        if writer.sym_name.data in {stage.sym_name.data for stage in pipeline.stages()}:
            units |= {Unit.DIGITAL: random.choice((0, 1, 2)), Unit.MEMORY: random.choice((0, 4))}
        if used := {unit: cycles for unit, cycles in units.items() if cycles}:
            writer.occupies = UnitsAttr.of(used)


def compiled(network: Network, policy: BufferPolicy, seed: int) -> cmc.Program:
    random = Random(seed)

    def choose(pipeline: PipelineOp) -> None:
        pipeline.target = TargetAttr(random_target(random))

    def annotate(pipeline: PipelineOp) -> None:
        slow_down(pipeline, random)

    after = {"convert-nn-to-cmpipe": choose, "cmpipe-annotate-timing": annotate}
    return compile_with(network.model, policy, after)


@pytest.fixture(scope="module")
def seen() -> Counter[str]:
    """How many networks were run, and how many refused."""
    return Counter()


@examples(25)
@given(networks(), policies, st.integers(0, 2**16))
def test_networks_on_few_cores(
    seen: Counter[str], network: Network, policy: BufferPolicy, seed: int
):
    try:
        program = compiled(network, policy, seed)
    except CmcError as error:
        assert re.search(r"(crossbars|bytes of SRAM)( are needed)?, and ", error.message)
        seen["refused"] += 1
        return
    prove(chip_of(program.module))
    inputs = random_inputs(network.model, IMAGES, seed=1)
    bulk = program.run(inputs, mode="bulk")
    assert_close(bulk.outputs, reference(network.model, inputs))
    assert_same(program.run(inputs, mode="interpret"), bulk)
    seen["ran"] += 1


def test_most_of_them_fit(seen: Counter[str]):
    if seen:  # they ran in this process
        assert seen["ran"] > 5 * seen["refused"] > 0
