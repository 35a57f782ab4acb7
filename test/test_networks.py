# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The random networks are valid, tame, and of every kind that tests of the compiler rely on."""

from collections import Counter

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from onnx import TensorProto, numpy_helper
from onnx.checker import check_model  # pyright: ignore[reportUnknownVariableType]

from networks import Network, dense, joins, layout, networks, pointwise, windows
from networks.evaluate import Array, random_inputs, reference
from networks.kinds import kinds

SAMPLES = 1000
FEWEST = 3
"""What occurs less often than this among the samples has all but vanished."""

KINDS = {
    *("Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"),
    *("BatchNormalization", "Relu", "LeakyRelu", "Clip", "Sigmoid", "Tanh", "Softmax"),
    *("Add", "Sub", "Mul", "Div", "Gemm", "MatMul", "Identity", "Dropout", "Constant"),
    *("Concat", "Slice", "Pad", "Transpose", "Flatten", "Reshape", "Squeeze", "Unsqueeze"),
    *("opset 13", "opset 17", "opset 22", "open batch", "batch of 1"),
    *("input of rank 3", "input of rank 4", "single pixel"),
    *("two inputs", "two outputs", "output that is read on", "output that is a reshape", "fork"),
    *("residual by identity", "residual by projection", "residual by slice and pad"),
    *("1-D Conv", "2-D Conv", "grouped Conv", "depthwise Conv", "Conv window in the padding"),
    *("SAME_UPPER Conv", "SAME_LOWER Conv", "VALID Conv", "asymmetric Conv", "dilated Conv"),
    *("SAME MaxPool", "SAME AveragePool", "asymmetric MaxPool", "dilated MaxPool"),
    *("stride 3 Conv", "stride 3 MaxPool", "stride 3 AveragePool"),
    *("ceil_mode MaxPool", "ceil_mode AveragePool", "count_include_pad AveragePool"),
    *("constant Pad", "reflect Pad", "edge Pad", "cropping Pad", "backward Slice"),
    *("Mul by a number per channel", "transB Gemm", "scaled Gemm", "MatMul over tokens"),
}


@pytest.fixture(scope="module")
def samples() -> list[Network]:
    """The same networks in every run."""
    drawn: list[Network] = []

    @seed(1)
    @settings(
        max_examples=SAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(networks())
    def draw(network: Network) -> None:
        drawn.append(network)

    draw()
    return drawn


def test_models_are_valid_and_evaluate_to_what_they_declare(samples: list[Network]):
    assert len(samples) >= 100
    for network in samples:
        model = network.model
        check_model(model, full_check=True)
        outputs = reference(model, random_inputs(model, images=2, seed=0))
        for value in model.graph.output:
            array = outputs[value.name]
            shape = [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
            assert array.shape == (2, *shape[1:]), network
            assert array.dtype == np.float32, network
            assert np.isfinite(array).all(), network


def test_rounding_stays_far_below_a_tolerance_of_a_ten_thousandth(samples: list[Network]):
    rng = np.random.default_rng(0)
    for network in samples[::3]:
        inputs = random_inputs(network.model, images=2, seed=0)
        outputs = reference(network.model, inputs)
        shaken_inputs = {name: shaken(array, rng) for name, array in inputs.items()}
        for name, array in reference(shaken_model(network.model, rng), shaken_inputs).items():
            # Shaking is more than ten times rounding.
            largest = np.abs(outputs[name]).max()
            assert np.abs(array - outputs[name]).max() <= 10 * 1e-4 * largest, network


def shaken(array: Array, rng: np.random.Generator) -> Array:
    """Every number a millionth larger or smaller."""
    return (array * (1 + 1e-6 * rng.choice((-1, 1), array.shape))).astype(np.float32)


def shaken_model(model: onnx.ModelProto, rng: np.random.Generator) -> onnx.ModelProto:
    """The model with its weights shaken, wherever it keeps them."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    constants = [node.attribute[0].t for node in copy.graph.node if node.op_type == "Constant"]
    for tensor in (*copy.graph.initializer, *constants):
        if tensor.data_type == TensorProto.FLOAT:
            array = shaken(numpy_helper.to_array(tensor), rng)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return copy


def test_the_repr_of_a_network_makes_the_same_model(samples: list[Network]):
    names = {"Network": Network}
    for module in (dense, joins, layout, pointwise, windows):
        names.update(vars(module))
    for network in samples:
        again = eval(repr(network), names)
        assert again == network
        assert again.model == network.model


def test_no_kind_of_network_has_vanished(samples: list[Network]):
    counts = Counter(kind for network in samples for kind in kinds(network))
    assert {kind: counts[kind] for kind in KINDS if counts[kind] < FEWEST} == {}
