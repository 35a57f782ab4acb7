# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""LSTM, GRU and RNN: what they compute, in all their variants."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper

import cmc
from cmc.compiler.standard import BufferPolicy
from cmc.errors import CmcError
from cmc.host.evaluator import onnxruntime_session
from cmc.importer import import_model
from cmc.semantics.network import Network, evaluate
from cmc.simulator.pipeline import Pipeline, pipeline_of
from cmc.streams import check_stream
from conftest import by_turns, examples
from end_to_end import assert_close, assert_same, lower, programs, run_levels
from networks import random_inputs, reference
from networks.recurrences import Recurrence, recurrences, voice_detector
from onnx_models import Attribute, normal, one_node_model

Arrays = dict[str, NDArray[np.float32]]


def expected(recurrence: Recurrence, inputs: Arrays) -> Arrays:
    """What onnxruntime computes, with the steps in front."""
    session = onnxruntime_session(recurrence.model(), optimized=False)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


@examples(60)
@given(recurrences(), st.booleans())
def test_every_variant(recurrence: Recurrence, batch_first: bool):
    pytest.importorskip("onnxruntime")
    model = recurrence.model(batch_first=batch_first)
    rng = np.random.default_rng(1)
    own: Arrays = {}
    for info in model.graph.input:
        shape = [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        own[info.name] = rng.standard_normal(shape).astype(np.float32)
    swapped = {name: np.ascontiguousarray(a.swapaxes(0, 1)) for name, a in own.items()}
    wanted = expected(recurrence, swapped if batch_first else own)
    network = import_model(model)
    # The batch is inside of one image, or each of it is an image.
    shapes = Network(network).inputs
    if any(shape != own[name].shape[1:] for name, shape in shapes.items()):
        own = {name: array[None] for name, array in own.items()}
    found = evaluate(network, own)
    for name, array in wanted.items():
        if batch_first:
            array = array.transpose((2, 0, 1, 3) if name == "y0" else (1, 0, 2))
        np.testing.assert_allclose(found[name].reshape(array.shape), array, 1e-4, 1e-5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"activations": ["Tan"]}, "activation 'Tan' is not known"),
        ({"activations": ["Affine"]}, "takes activation_alpha, which is not given"),
        ({"activations": ["Tanh", "Tanh"]}, "1 directions have 1 activations, not 2"),
        ({"direction": "up"}, "direction 'up' is none of forward"),
        ({"hidden_size": 3}, r"R has shape \[1, 2, 2\], and must have \[1, 3, 3\]"),
    ],
)
def test_what_does_not_fit(changed: dict[str, Attribute], message: str):
    operands = normal(1, 2, 3), normal(1, 2, 2)
    with pytest.raises(CmcError, match=f"RNN node 'node': .*{message}"):
        model = one_node_model("RNN", (4, 1, 3), operands)
        model.graph.node[0].attribute.extend(
            helper.make_attribute(name, value) for name, value in changed.items()
        )
        import_model(model)


# Down to chips

SMALL = """
name = "small"
clock_ghz = 1
cores = 60
activation_bits = 32
sram_bytes = 4096
crossbars = 1
rows = 5
columns = 7
mxv_ns = 20
mxv_interval_ns = 20
lanes = 4
lane_ns = 1
"""

SHARED = """
name = "shared"
clock_ghz = 1
cores = 2
activation_bits = 32
sram_bytes = 65536
crossbars = 16
rows = 32
columns = 32
mxv_ns = 20
mxv_interval_ns = 20
issue_interval_ns = 3
lanes = 4
lane_ns = 1
"""
"""Cores whose units stages take by turns."""


def prove(model: onnx.ModelProto, policy: BufferPolicy, target: str = "ideal") -> cmc.Program:
    program = cmc.compile(model, buffers=policy, target=target)
    lower(program.module, "cmctrl-verify-control")
    return program


@examples(8)
@given(recurrences(), st.sampled_from(("minimal", "throughput", "whole")))
def test_random_recurrences(recurrence: Recurrence, policy: BufferPolicy):
    model = recurrence.model()
    network = Network(import_model(model))
    rng = np.random.default_rng(1)
    inputs = {
        name: rng.uniform(-2, 2, (3, *shape)).astype(np.float32)
        for name, shape in network.inputs.items()
    }
    run_levels(model, policy, inputs, network.run(inputs))
    prove(model, policy)


DETECTORS = {
    "lstm": voice_detector("LSTM"),
    "gru": voice_detector("GRU", every=True),
    "both ways": voice_detector("LSTM", "bidirectional", every=True),
    "streamed": voice_detector("LSTM", streamed=True),
}


@pytest.mark.parametrize(("name", "policy"), by_turns(DETECTORS, ["minimal", "throughput"]))
def test_voice_detectors(name: str, policy: BufferPolicy):
    model = DETECTORS[name]
    inputs = random_inputs(model, 3, seed=1)
    expected = reference(model, inputs)
    run_levels(model, policy, inputs, expected)
    prove(model, policy)


@pytest.mark.parametrize("name", DETECTORS)
def test_voice_detectors_on_a_chip(name: str, tmp_path: Path):
    """One whose crossbars are too small for the matrices of all gates, and even of one."""
    chip = tmp_path / "small.toml"
    chip.write_text(SMALL)
    model = DETECTORS[name]
    inputs = random_inputs(model, 3, seed=1)
    program = prove(model, "minimal", str(chip))
    result = program.run(inputs)
    assert_close(result.outputs, reference(model, inputs))
    assert_same(program.run(inputs, mode="interpret"), result)


# States across images

STATES = {"hn": "h", "cn": "c"}


def streamed_reference(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """onnxruntime, image after image, from states that are zeros or given for the first."""
    session = onnxruntime_session(model, optimized=False)
    names = [output.name for output in session.get_outputs()]
    state = {name: inputs.get(name, np.zeros((1, 1, 6), np.float32)) for name in "hc"}
    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    for image in inputs["sound"]:
        feeds = {"sound": image.reshape(1, 1, 40)}
        feeds |= {name: array.reshape(1, 1, 6) for name, array in state.items()}
        results = dict(zip(names, session.run(names, feeds), strict=True))
        state = {"h": results["hn"], "c": results["cn"]}
        for name in names:
            found[name].append(results[name])
    return {name: np.stack(arrays) for name, arrays in found.items()}


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("policy", ["minimal", "throughput"])
def test_states(policy: BufferPolicy, given: bool, tmp_path: Path):
    pytest.importorskip("onnxruntime")
    model = DETECTORS["streamed"]
    inputs = random_inputs(model, 5, seed=1)
    if given:
        inputs |= {name: inputs[name][:1] for name in "hc"}
    else:
        del inputs["h"], inputs["c"]
    expected = streamed_reference(model, inputs)
    chip = tmp_path / "small.toml"
    chip.write_text(SMALL)
    shared = tmp_path / "shared.toml"
    shared.write_text(SHARED)
    for target in ("ideal", str(chip), str(shared)):
        program = cmc.compile(model, buffers=policy, target=target, states=STATES)
        assert program.states == {"h": "hn", "c": "cn"}
        lower(program.module, "cmctrl-verify-control")
        result = program.run(inputs)
        assert_close(result.outputs, expected)
        assert_same(program.run(inputs, mode="interpret"), result)
        # Each image waits for what the one before gives.
        starts = {program.name: program.starts for program in programs(result.report)}
        gates = next(starts[name] for name in ("recurrence_3", "recurrence_2") if name in starts)
        assert (starts["h_stream"][1:, 0] > gates[:-1, -1]).all()


def test_states_at_every_level():
    model = DETECTORS["streamed"]
    inputs = check_stream(
        {"sound": (1, 40), "h": (1, 6), "c": (1, 6)},
        {"sound": random_inputs(model, 4, seed=1)["sound"]},
        STATES.values(),
    )
    module = import_model(model, states=STATES)
    network = Network(module).run(inputs)
    assert_close(network, streamed_reference(model, {"sound": inputs["sound"]}))
    lower(module, "nn-canonicalize", "convert-nn-to-cmpipe")
    assert_close(Pipeline(pipeline_of(module)).run(inputs), network)


@pytest.mark.parametrize(
    ("states", "message"),
    [
        ({"hm": "h"}, "--state hm=h: the network has no output 'hm'; there is voice, hn, cn"),
        ({"hn": "x"}, "--state hn=x: the network has no input 'x'; there is sound, h, c"),
        ({"hn": "sound"}, "output 'hn' has shape [1, 1, 6], and input 'sound' [1, 1, 40]"),
        ({"hn": "h", "cn": "h"}, "--state cn=h: input 'h' is 'hn' already"),
    ],
)
def test_states_that_there_are_not(states: dict[str, str], message: str):
    with pytest.raises(CmcError, match=re.escape(message)):
        cmc.compile(DETECTORS["streamed"], states=states)


def test_a_state_is_given_once():
    program = cmc.compile(DETECTORS["streamed"], states=STATES)
    inputs = random_inputs(DETECTORS["streamed"], 2, seed=1)
    with pytest.raises(CmcError, match="of the first image alone, not 2"):
        program.run(inputs)
