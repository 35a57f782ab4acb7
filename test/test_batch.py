# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A batch of more than one: a stream of images where all carry it, and one image elsewhere."""

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from hypothesis import given

import cmc
from cmc.errors import CmcError
from cmc.importer import import_model
from cmc.reference import Deviation, Reference
from cmc.semantics.network import evaluate
from conftest import examples
from end_to_end import assert_close, assert_same
from networks import Network, networks, random_inputs, reference
from onnx_models import chain_model, float_type, graph_model, int64, normal, one_node_model

node = onnx.helper.make_node
case = one_node_model

ROWS = np.tile(normal(3), (4, 1))
"""A constant that is the same for all of four images."""

CARRIED = [
    case("Softmax", [4, 3], axis=1),
    case("Softmax", [4, 3, 5], axis=1),
    case("Softmax", [4, 3, 5, 2], opset=11, axis=2),
    case("ReduceMean", [4, 3, 5], axes=[1]),
    case("ReduceMax", [4, 3, 5, 5], axes=[2, 3], keepdims=0),
    case("ReduceSum", [4, 3, 5], [int64(2)]),
    case("Slice", [4, 3], [int64(0, 1), int64(9, 2), int64(0, 1)]),
    case("Concat", [4, 3], [(4, 2)], axis=1),
    case("Concat", [4, 3], [ROWS], axis=1),
    case("Split", [4, 6], [int64(2, 4)], outputs=2, axis=1),
    case("Pad", [4, 3], [int64(0, 1, 0, 0)]),
    case("Transpose", [4, 3, 5], perm=[0, 2, 1]),
    case("Reshape", [4, 6], [int64(4, 2, 3)]),
    case("Reshape", [4, 6], [int64(0, -1, 2)]),
    case("Flatten", [4, 3, 5]),
    case("Unsqueeze", [4, 3], [int64(1)]),
    case("Add", [4, 3], [ROWS]),
    case("Mul", [4, 3, 2], [normal(3, 1)]),
    case("Add", [4, 3], [(4, 1)]),
    case("MatMul", [4, 3], [normal(3, 2)]),
    case("MatMul", [4, 3, 5], [(4, 5, 2)]),
    case("MatMul", [4, 3, 5], [normal(1, 5, 2)]),
    case("Gemm", [4, 3], [normal(2, 3), normal(2)], transB=1),
    case("Conv", [4, 3, 6, 6], [normal(2, 3, 3, 3), normal(2)], pads=[1, 1, 1, 1]),
    case("AveragePool", [4, 3, 6, 6], kernel_shape=[2, 2]),
    case("LRN", [4, 5, 2, 2], size=3),
    case("BatchNormalization", [4, 3, 2], [normal(3), normal(3), normal(3), np.abs(normal(3))]),
    # A batch that moves, and comes back.
    chain_model(
        [4, 3, 5],
        node("Transpose", ["x"], ["t"], perm=[2, 0, 1]),
        node("Softmax", ["t"], ["s"], axis=0),
        node("Add", ["s", "c"], ["a"]),
        node("Transpose", ["a"], ["y"], perm=[1, 0, 2]),
        constants={"c": normal(5, 1, 3)},
    ),
    # The batch as a number is that of the model.
    chain_model(
        [4, 3],
        node("Size", ["x"], ["size"]),
        node("Cast", ["size"], ["number"], to=onnx.TensorProto.FLOAT),
        node("Div", ["x", "number"], ["y"]),
    ),
]


def describe_node(one: onnx.NodeProto) -> str:
    values = [f"{entry.name}={onnx.helper.get_attribute_value(entry)}" for entry in one.attribute]
    return "-".join([one.op_type, *values]).replace(" ", "")


def describe(model: onnx.ModelProto) -> str:
    return describe_node(model.graph.node[0])


@pytest.mark.parametrize("model", CARRIED, ids=describe)
def test_what_carries_a_batch(model: onnx.ModelProto):
    inputs = {
        info.name: normal(8, *(dim.dim_value for dim in info.type.tensor_type.shape.dim[1:]))
        for info in model.graph.input
    }
    module = import_model(model)
    module.verify()
    found, expected = evaluate(module, inputs), Reference(model)(inputs)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name].reshape(array.shape), array, rtol=1e-4, atol=1e-5)


MIXED = [
    case("Softmax", [4, 3], axis=0),
    case("Softmax", [4, 3], opset=11, axis=0),
    case("ReduceMean", [4, 3], axes=[0]),
    case("ReduceMax", [4, 3, 5], axes=None),
    case("ReduceSum", [4, 3], [int64(0, 1)]),
    case("Slice", [4, 3], [int64(1), int64(4), int64(0)]),
    case("Slice", [4, 3], [int64(-1), int64(-9), int64(0), int64(-1)]),
    case("Concat", [4, 3], [(4, 3)], axis=0),
    case("Split", [4, 3], outputs=2, axis=0),
    case("Pad", [4, 3], [int64(1, 0, 0, 0)]),
    case("Transpose", [4, 3], perm=[1, 0]),
    case("Reshape", [4, 6], [int64(2, 12)]),
    case("Reshape", [4, 6], [int64(6, 4)]),
    case("Flatten", [4, 3], axis=0),
    case("Add", [4, 3], [normal(4, 3)]),
    case("Concat", [4, 3], [normal(4, 3)], axis=1),
    case("Add", [4, 3], [(4, 1, 1)]),
    case("MatMul", [4, 4], [(4, 4)]),
    case("MatMul", [4, 3, 5], [normal(4, 5, 2)]),
    case("Gemm", [4, 3], [normal(4, 2)], transA=1),
    chain_model(
        [4, 5, 2, 1],
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2, 3]),
        node("LRN", ["t"], ["l"], "lrn", size=3),
        node("Transpose", ["l"], ["y"], perm=[1, 0, 2, 3]),
    ),
    # One output is the same for all images.
    graph_model(
        [node("Relu", ["x"], ["y"]), node("Neg", ["c"], ["z"])],
        [float_type("x", [4, 3])],
        [float_type("y", None), float_type("z", None)],
        {"c": normal(4, 3)},
    ),
    # The inputs differ in their first axis, or one has none.
    case("MatMul", [4, 3], [(3, 2)]),
    case("Concat", [4, 3], [(1, 3)], axis=0),
    case("Mul", [4, 3], [()]),
    case("Mul", [], [(4, 3)]),
]


@pytest.mark.parametrize("model", MIXED, ids=describe)
def test_what_mixes_images_is_one_image(model: onnx.ModelProto):
    program = cmc.compile(model)
    inputs = {name: normal(2, *shape) for name, shape in program.inputs.items()}
    bulk = program.run(inputs)
    assert_close(bulk.outputs, Reference(model)(inputs))
    assert_same(program.run(inputs, mode="interpret"), bulk)


def test_no_images_lie_in_front_of_the_states_of_layers():
    """As in voice detectors: the batch is open, and there are two states."""
    model = graph_model(
        [
            node("Gather", ["h", "one"], ["last"]),
            node("MatMul", ["x", "w"], ["product"]),
            node("Add", ["product", "last"], ["y"]),
        ],
        [float_type("x", ["n", 3]), float_type("h", [2, "n", 4])],
        [float_type("y", ["n", 4])],
        {"one": np.array(1), "w": normal(3, 4)},
    )
    program = cmc.compile(model, shapes={"n": 1})
    inputs = {"x": normal(3, 3), "h": normal(3, 2, 1, 4, seed=1)}
    expected = inputs["x"] @ normal(3, 4) + inputs["h"][:, 1, 0]
    assert_close(program.run(inputs).outputs, {"y": expected})


def test_the_size_of_a_batch_in_an_output():
    model = graph_model(
        [node("Relu", ["x"], ["y"])], [float_type("x", [4, 3])], [float_type("y", [2, 3])]
    )
    with pytest.raises(CmcError, match=r"declares shape \[2, 3\], but its operators give \[4, 3\]"):
        import_model(model)


@examples(60)
@given(networks())
def test_random_networks_carry_their_batch(network: Network):
    """What the networks compute is the same for a batch, which none of them mixes."""
    model = onnx.ModelProto()
    model.CopyFrom(network.model)
    for info in (*model.graph.input, *model.graph.output):
        first = info.type.tensor_type.shape.dim[:1]
        for dim in first:
            dim.dim_value = 3
    inputs = random_inputs(model, 6, seed=1)
    found, expected = evaluate(import_model(model), inputs), Reference(model)(inputs)
    for name, array in expected.items():
        assert found[name].size == array.size
        assert Deviation.measure(name, found[name].reshape(array.shape), array).relative < 1e-4


INNER = [
    (node("ReduceMean", ["t"], ["u"], axes=[2]), [3, 4, 1]),
    (node("ReduceMax", ["t"], ["u"], axes=[2], keepdims=0), [3, 4]),
    (node("ReduceMean", ["t"], ["u"], axes=[1]), [3, 1, 5]),
    (node("GlobalAveragePool", ["t"], ["u"]), [3, 4, 1]),
    (node("MaxPool", ["t"], ["u"], kernel_shape=[3], strides=[2], pads=[1, 1]), [3, 4, 3]),
    (node("AveragePool", ["t"], ["u"], kernel_shape=[3], pads=[1, 1]), [3, 4, 5]),
    (node("Conv", ["t", "w"], ["u"], pads=[1, 0]), [3, 2, 5]),
    (node("Conv", ["t", "v", "b"], ["u"], group=2, dilations=[2]), [3, 6, 3]),
    (node("Softmax", ["t"], ["u"], axis=0), [3, 4, 5]),
]


@pytest.mark.parametrize(("inner", "shape"), INNER, ids=[describe_node(one) for one, _ in INNER])
def test_operators_on_tensors_without_a_batch(inner: onnx.NodeProto, shape: Sequence[int]):
    """A leading axis that is not 1 is one more axis."""
    model = chain_model(
        [1, 3, 4, 5],
        node("Relu", ["x"], ["r"]),
        node("Reshape", ["r", "inside"], ["t"]),
        inner,
        node("Reshape", ["u", "outside"], ["y"]),
        constants={
            "inside": int64(3, 4, 5),
            "outside": int64(1, *shape),
            "w": normal(2, 4, 2),
            "v": normal(6, 2, 2, seed=1),
            "b": normal(6),
        },
    )
    inputs = random_inputs(model, 2, seed=1)
    program = cmc.compile(model)
    bulk = program.run(inputs, mode="bulk")
    assert_close(bulk.outputs, reference(model, inputs))
    assert_same(program.run(inputs, mode="interpret"), bulk)
