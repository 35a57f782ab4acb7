# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Random networks on random crossbars: the same noise in both modes, and in parts of a stream."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import cmc
from cmc.compiler.standard import BufferPolicy
from cmc.errors import CmcError
from cmc.targets.files import with_figures
from conftest import examples
from end_to_end import Arrays
from networks import networks
from networks.recurrences import recurrences

TABLES = (
    [[0, 0, 0, 0, 0], [1, 0, 0, 0, 0]],
    [[0, 0.5, 1, 1, 1], [0.5, 0, 0, 0, 0], [1, 2, 3, 4, 5]],
)


@st.composite
def targets(draw: st.DrawFn) -> str:
    """Whatever figures go together, also those that nobody would build."""

    def some(**choices: list[object]) -> None:
        for key, values in choices.items():
            if draw(st.booleans()):
                figures[key] = draw(st.sampled_from(values))

    bits: list[object] = [1, 2, 3, 5, 8, 12, 16, 24]
    figures: dict[str, object] = {
        "weight_model": draw(st.sampled_from(("ideal", "quantised", "pcm", "hermes", "table")))
    }
    match figures["weight_model"]:
        case "quantised":
            figures |= {key: draw(st.sampled_from(bits)) for key in ("weight_bits", "cell_bits")}
        case "ideal":
            pass
        case model:
            some(devices=[2, 5], drift_compensation=[True])
            if model == "table":
                figures["weight_table"] = draw(st.sampled_from(TABLES))
    some(dac_bits=bits, adc_bits=bits)
    if "adc_bits" in figures:
        some(adc_bound=[0.01, 0.3, 2.5, 1000000])
        if "adc_bound" in figures:
            some(halvings=[1, 5, 16])
        else:
            some(doublings=[0, 1, 16])
    if draw(st.booleans()):
        figures |= {"activation_bits": draw(st.sampled_from(bits)), "round_activations": True}
    some(
        rows=[8, 30, 64], columns=[8, 64], crossbars=[2, 4], cores=[40, 100], mxv_ns=[7], lanes=[4]
    )
    return with_figures("ideal", figures)


def models() -> SearchStrategy[onnx.ModelProto]:
    return st.one_of(
        networks().map(lambda network: network.model),
        recurrences().map(lambda recurrence: recurrence.model()),
    )


def expect_same(found: Arrays, expected: Arrays) -> None:
    """To rounding, and with the same numbers that are none."""
    for name, array in expected.items():
        finite = np.isfinite(array)
        largest = np.abs(array).max(initial=0, where=finite)
        np.testing.assert_allclose(found[name], array, 0, 1e-6 * largest)


policies: SearchStrategy[BufferPolicy] = st.sampled_from(("minimal", "throughput", "whole"))


@pytest.mark.thorough
@examples(40)
@given(models(), targets(), policies, st.integers(0, 2**16), st.sampled_from((0, 60, 3e7)))
def test_modes_and_parts_agree(
    tmp_path_factory: pytest.TempPathFactory,
    model: onnx.ModelProto,
    target: str,
    policy: BufferPolicy,
    seed: int,
    time: float,
):
    try:
        program = cmc.compile(model, target=target, buffers=policy)
    except CmcError as error:
        assert "cores" in str(error) or "SRAM" in str(error)
        return
    if not program.has_chip:
        return
    pipelines = program.time(1).pipelines
    random = np.random.default_rng(seed)
    images = pipelines + Random(seed).randint(1, 3)
    inputs = {
        name: random.uniform(-2, 2, (images, *shape)).astype(np.float32)
        for name, shape in program.inputs.items()
    }
    rest = {name: array[pipelines:] for name, array in inputs.items()}

    def check(program: cmc.Program) -> Arrays:
        found = program.run(inputs, seed=seed, time=time)
        again = program.run(inputs, seed=seed, time=time, mode="interpret")
        expect_same(again.outputs, found.outputs)
        assert again.cycles == found.cycles
        part = program.run(rest, seed=seed, time=time, first=pipelines).outputs
        expect_same(part, {name: array[pipelines:] for name, array in found.outputs.items()})
        return found.outputs

    check(program)
    if not ("dac_bits" in target or "adc_bits" in target):
        return
    try:
        program.calibrate(inputs, percentile=Random(seed).choice((50, 99, 100)))
    except CmcError as error:
        assert "nothing of the network is on crossbars" in str(error)
        return
    found = check(program)
    path: Path = tmp_path_factory.mktemp("chip") / "chip.mlir"
    program.save(path)
    expect_same(cmc.load(path).run(inputs, seed=seed, time=time).outputs, found)
