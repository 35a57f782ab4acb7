# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Networks on crossbars with converters: how exact they are, and that both modes have one noise.

`make physics` has all networks; a usual run has one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.ir import Operation

import cmc
from cmc.accuracy.stages import exact_values, stage_of
from cmc.analog.crossbar import Physics
from cmc.simulator.bulk import Values
from cmc.simulator.crossbars import Tile, tiles_of
from cmc.simulator.load import LoadedProgram
from cmc.streams import random_stream
from conftest import OTHER_NETWORKS, OWN_NETWORKS, find_trained, thorough

Outputs = Mapping[str, NDArray[np.float32]]

USUAL = "shortcuts"

NETWORKS = [name if name == USUAL else thorough(name) for name in (*OWN_NETWORKS, *OTHER_NETWORKS)]


def error(found: Outputs, expected: Outputs) -> float:
    """The largest of all outputs, of the largest magnitude of each."""
    return max(
        float(np.abs(found[name] - exact).max() / np.abs(exact).max())
        for name, exact in expected.items()
    )


def with_bits(program: cmc.Program, bits: int) -> Values:
    """What a chip computes with converters of so many bits, and weights as they should be."""

    def tiles(one: LoadedProgram) -> Mapping[Operation, Tile]:
        stage = stage_of(one)
        physics = Physics(dac_bits=bits, adc_bits=bits)
        return {} if stage is None else tiles_of(stage, one.iterations, lambda _: physics)

    return Values(program.loaded.exact().with_tiles(tiles))


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_on_crossbars(name: str):
    target = "ideal:weight_model=pcm,dac_bits=8,adc_bits=8,activation_bits=8,round_activations=true"
    program = cmc.compile(find_trained(name), target=target)
    stream = random_stream(program.inputs, 2, 0)
    exact = program.run_with(exact_values(program), stream)
    errors = [error(program.run_with(with_bits(program, bits), stream), exact) for bits in (8, 16)]
    assert errors[1] < 1e-3
    assert errors[1] < errors[0] / 64
    one = {name: array[:1] for name, array in stream.items()}
    found = program.run(one, seed=1, time=60)
    again = program.run(one, seed=1, time=60, mode="interpret")
    assert error(again.outputs, found.outputs) < 1e-6
    assert again.cycles == found.cycles
