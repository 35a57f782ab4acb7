"""LSTM, GRU and RNN: what they compute, in all their variants."""

from __future__ import annotations

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
from cmc.importer import import_model
from cmc.reference import onnxruntime_session
from cmc.semantics.network import Network, evaluate
from conftest import examples
from end_to_end import assert_close, assert_same, lower, run_levels
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


@pytest.mark.parametrize("policy", ["minimal", "throughput"])
@pytest.mark.parametrize("name", DETECTORS)
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
