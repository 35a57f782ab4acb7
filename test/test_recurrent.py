"""LSTM, GRU and RNN: what they compute, in all their variants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper

from cmc.errors import CmcError
from cmc.importer import import_model
from cmc.reference import onnxruntime_session
from cmc.semantics.network import Network, evaluate
from conftest import examples
from networks.recurrences import Recurrence, recurrences
from onnx_models import Attribute, normal, one_node_model

Arrays = dict[str, NDArray[np.float32]]


def expected(recurrence: Recurrence, inputs: Arrays) -> Arrays:
    """What onnxruntime computes, with the steps in front."""
    session = onnxruntime_session(recurrence.model(), optimized=False)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


@examples(300)
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
