# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`InferenceSession` and the backend: what was written for onnxruntime, or for onnx, runs."""

from __future__ import annotations

import subprocess
import sys
import unittest
from collections.abc import Mapping
from io import StringIO

import numpy as np
import onnx
import onnx.backend.test
import onnxruntime
import pytest

import cmc
from cmc import backend
from cmc.session import InvalidArgument
from conftest import ROOT
from host_models import NETWORKS, detector, model
from onnx_models import Array, chain_model, normal, one_node_model

RELU = onnx.helper.make_node("Relu", ["x"], ["y"])


def both(proto: onnx.ModelProto, feeds: Mapping[str, Array]) -> None:
    """The same outputs, of the same types and shapes, as of onnxruntime."""
    ours = cmc.InferenceSession(proto.SerializeToString())
    theirs = onnxruntime.InferenceSession(proto.SerializeToString())
    for one, other in (
        (ours.get_inputs(), theirs.get_inputs()),
        (ours.get_outputs(), theirs.get_outputs()),
    ):
        assert [(a.name, a.shape, a.type) for a in one] == [
            (a.name, a.shape, a.type) for a in other
        ]
    for found, expected in zip(ours.run(None, feeds), theirs.run(None, feeds), strict=True):
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        np.testing.assert_allclose(found.astype(np.float64), expected, 1e-4, 1e-5)


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_networks_with_parts_on_the_host(make: type[onnx.ModelProto]):
    proto = make()
    (info,) = proto.graph.input
    both(proto, {info.name: normal(*(d.dim_value for d in info.type.tensor_type.shape.dim))})


@pytest.mark.parametrize("images", [1, 3])
def test_a_batch_that_is_open(images: int):
    proto = one_node_model("MatMul", ["N", 4], [normal(4, 3)])
    both(proto, {"x": normal(images, 4)})


@pytest.mark.parametrize("images", [1, 3])
def test_a_batch_that_is_mixed(images: int):
    both(one_node_model("Softmax", ["N", 4], axis=0), {"x": normal(images, 4)})


def test_a_batch_of_which_the_host_has_parts():
    proto = model(
        """mixed (float[N,4] x) => (float[N,3] y, int64[2,M] places)
        { y = MatMul(x, matrix)  places = NonZero(y) }""",
        {"matrix": normal(4, 3)},
    )
    both(proto, {"x": normal(3, 4)})


def test_other_open_shapes_and_types():
    both(chain_model(["N", "H", None], RELU), {"x": normal(2, 3, 4)})
    shape = one_node_model("Shape", [2, "n"])
    shape.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    both(shape, {"x": normal(2, 3)})


def test_a_session_can_be_asked_for_some_outputs():
    session = cmc.InferenceSession(detector())
    (places,) = session.run(["places"], {"image": normal(1, 3, 16, 16)})
    assert places.dtype == np.int64
    assert session.report is not None and session.report.cycles > 0


@pytest.mark.parametrize(("rate", "samples"), [(16000, 8), (8000, 4)])
def test_an_input_may_choose_a_network(rate: int, samples: int):
    """Neither branch could be computed of the samples of the other."""
    proto = model(
        """detector (float[1,n] x, int64 rate) => (float[1,2,3] y)
        <int64 high = {16000}, int64[3] of_high = {1,2,4}, int64[3] of_low = {1,2,2}> {
            c = Equal(rate, high)
            y = If (c) <then_branch = one () => (float[1,2,3] t)
                            { r = Reshape(x, of_high) t = MatMul(r, fine) },
                        else_branch = other () => (float[1,2,3] t)
                            { r = Reshape(x, of_low) t = MatMul(r, coarse) }>
        }""",
        {"fine": normal(4, 3), "coarse": normal(2, 3, seed=1)},
    )
    feeds = {"x": normal(1, samples, seed=2), "rate": np.array(rate)}
    both(proto, feeds)
    cmc.InferenceSession(proto, host=False).run(None, feeds)


def test_text_goes_to_the_host():
    proto = model("words (string[N] a, string[N] b) => (string[N] c) { c = StringConcat(a, b) }")
    proto.opset_import[0].version = 20
    session = cmc.InferenceSession(proto)
    a, b = (np.array(words, object) for words in (["x", "y"], ["1", "2"]))
    assert session.run(None, {"a": a, "b": b})[0].tolist() == ["x1", "y2"]


@pytest.mark.parametrize(
    ("feeds", "names", "message"),
    [
        ({}, None, r"Required inputs \(\['x'\]\) are missing"),
        ({"x": normal(1, 3), "z": normal(1)}, None, "Invalid input name: 'z'"),
        ({"x": normal(1, 3)}, ["z"], "Invalid output name: 'z'"),
        ({"x": normal(1, 3).astype(np.float64)}, None, "float64, expected tensor\\(float\\)"),
        ({"x": normal(1, 4)}, None, r"\[1, 4\], expected \[1, 3\]"),
        ({"x": normal(3)}, None, r"\[3\], expected \[1, 3\]"),
    ],
)
def test_what_does_not_fit(feeds: dict[str, Array], names: list[str] | None, message: str):
    session = cmc.InferenceSession(chain_model([1, 3], RELU))
    with pytest.raises(InvalidArgument, match=message):
        session.run(names, feeds)


def test_the_example():
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "digits" / "classify.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "100 of 100 are right\n"


def test_nodes_of_a_backend():
    node = onnx.helper.make_node("TopK", ["x", "k"], ["values", "places"])
    values, places = backend.run_node(node, [normal(2, 6), np.array([2], np.int64)])
    np.testing.assert_array_equal(places, np.argsort(-normal(2, 6), 1)[:, :2])
    assert np.asarray(values).shape == (2, 2)
    assert backend.supports_device("CPU") and not backend.supports_device("CUDA")


@pytest.mark.filterwarnings("ignore")
def test_onnx_can_test_the_backend():
    tests = onnx.backend.test.BackendTest(backend.CmcBackend, __name__)
    for name in (
        "nonzero_example",
        "relu",
        "unique_sorted_with_axis",
        "nonmaxsuppression_two_batches",
    ):
        tests.include(f"^test_{name}_cpu$")
    result = unittest.TextTestRunner(StringIO()).run(tests.test_suite)
    assert result.wasSuccessful(), result.failures + result.errors
    assert result.testsRun - len(result.skipped) == 4
