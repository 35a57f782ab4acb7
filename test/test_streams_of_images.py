# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Trained networks on streams of different images, against onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

import cmc
from cmc.compiler.standard import BufferPolicy
from cmc.importer import import_model
from cmc.reference import Reference
from cmc.streams import random_stream
from conftest import ROOT, thorough
from end_to_end import assert_close, assert_same, bound, run_levels
from onnx_models import chain_model, normal

DIGITS = ROOT / "examples" / "digits"

POLICIES: tuple[BufferPolicy, ...] = ("minimal", "throughput", "whole")


@pytest.mark.parametrize(
    ("policy", "images"), [("minimal", 8), ("throughput", 8), thorough("whole", 4)], ids=POLICIES
)
def test_streams_of_different_images(trained: Path, policy: BufferPolicy, images: int):
    pytest.importorskip("onnxruntime")
    inputs = random_stream(cmc.Network(import_model(trained)).inputs, images, seed=1)
    reference = Reference(trained)
    assert reference.engine.startswith("onnxruntime")
    _, bulk = run_levels(trained, policy, inputs, reference(inputs))
    if policy != "minimal":
        assert bulk.report.cycles_per_image == bound(bulk.report)


@pytest.mark.parametrize(
    ("name", "policy", "right"),
    [
        *(("digits", policy, 357) for policy in POLICIES),
        ("shortcuts", "minimal", 358),
        ("same", "throughput", 345),
        ("separable", "whole", 344),
    ],
)
def test_digits_are_told_apart_as_by_onnxruntime(name: str, policy: BufferPolicy, right: int):
    pytest.importorskip("onnxruntime")
    with np.load(DIGITS / "digits_test.npz") as held_back:
        images, labels = held_back["image"], held_back["labels"]
    model = DIGITS / f"{name}.onnx"
    scores = cmc.compile(model, buffers=policy).run({"image": images})
    found = scores.outputs["scores"].argmax(axis=1)
    expected = Reference(model)({"image": images})["scores"].argmax(axis=1)
    assert len(images) == 360
    assert found.tolist() == expected.tolist()
    assert np.count_nonzero(found == labels) == right


LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
"""Well-known networks that come with onnx, as graphs whose weights are all one number."""


def made_uneven(path: Path, seed: int) -> onnx.ModelProto:
    """A light network with random weights that keep its activations of one magnitude.

    With weights that are all alike, all channels would be, and any two of them could be confused.
    A final softmax, which would drown all scores but one, is left out.
    """
    model = onnx.ModelProto.FromString(path.read_bytes())
    rng = np.random.default_rng(seed)
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    users = {
        name: (node, place) for node in model.graph.node for place, name in enumerate(node.input)
    }
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        if node.op_type == "ConstantOfShape":
            shape = tuple(int(extent) for extent in shapes[node.input[0]])
            weights = random_weights(*users[node.output[0]], shape, rng)
            model.graph.initializer.append(numpy_helper.from_array(weights, node.output[0]))
        else:
            nodes.append(node)
    if nodes[-1].op_type == "Softmax":
        scores = nodes.pop().input[0]
        del model.graph.output[:]
        model.graph.output.append(helper.make_tensor_value_info(scores, TensorProto.FLOAT, None))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def random_weights(
    user: NodeProto, place: int, shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Weights as training might leave them: operand `place` of `user`."""
    if len(shape) > 1:
        weights = rng.standard_normal(shape, np.float32) * np.float32(
            np.sqrt(2 / np.prod(shape[1:]))
        )
    elif user.op_type == "BatchNormalization" and place in (1, 4):  # scale and variance
        weights = rng.uniform(0.5, 1, shape).astype(np.float32)
    else:
        weights = rng.standard_normal(shape, np.float32) * np.float32(0.1)
    return weights


@pytest.mark.parametrize(
    "name",
    [
        *("bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50"),
        *("shufflenet", "squeezenet", "vgg19", "zfnet512"),
    ],
)
def test_well_known_networks(name: str):
    pytest.importorskip("onnxruntime")
    path = LIGHT / f"light_{name}.onnx"
    if not path.is_file():
        pytest.skip(f"this version of onnx comes without {path.name}")
    model = made_uneven(path, seed=1)
    program = cmc.compile(model)
    inputs = random_stream(program.inputs, 1, seed=1)
    result = program.run(inputs)
    (scores,) = result.outputs.values()
    assert scores.std() > 0.01 * np.abs(scores).max()
    assert_close(result.outputs, Reference(model)(inputs))
    assert program.time(100).cycles_per_image == bound(result.report)


def test_a_network_without_inputs_has_one_image():
    constant = chain_model([1, 3], helper.make_node("Neg", ["c"], ["y"]), constants={"c": NEGATED})
    del constant.graph.input[:]
    program = cmc.compile(constant)
    results = [program.run({}, mode="bulk"), program.run({}, mode="interpret")]
    for result in results:
        np.testing.assert_array_equal(result.outputs["y"], -NEGATED[None])
    assert_same(*results)
    assert_close(Reference(constant)({}), results[0].outputs)


NEGATED = normal(2, 3)


def test_a_window_in_the_padding_waits_for_nothing_of_the_image_before():
    """Its iteration begins before the last elements of that image, which no one reads, arrive."""
    conv = helper.make_node("Conv", ["x", "w"], ["y"], strides=[3], pads=[3, 0])
    program = cmc.compile(chain_model([1, 1, 7], conv, constants={"w": normal(1, 1, 2)}))
    inputs = random_stream(program.inputs, 4, seed=0)
    bulk = program.run(inputs, mode="bulk")
    assert_same(program.run(inputs, mode="interpret"), bulk)
