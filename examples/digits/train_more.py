# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Train three more networks on the digits, each with what others have that `train.py` has not.

    python examples/digits/train_more.py

Takes about a minute and writes three files beside this script, with input and output as those of
`digits.onnx`:

- `shortcuts.onnx`: residual blocks, of which two halve the size; their shortcuts are a strided
  slice, padded with channels of zeros, as in ResNets for CIFAR-10;
- `same.onnx`: windows of 5 and of 4 with `auto_pad`, biases as sums, and a matrix that is stored by
  pixels and reshaped, as CNTK writes networks, for single images of operator set 8;
- `separable.onnx`: convolutions of one channel each and of one pixel each, as in MobileNets, with
  a strided convolution as a shortcut; its output are probabilities.
"""

import numpy as np
import onnx
from layers import BatchNorm, Chain, Dense, GlobalAveragePool, Layer, MaxPool2x2, Relu
from more_layers import (
    Bias,
    Conv,
    Graph,
    HalfSize,
    MeanScores,
    Relu6,
    ReshapedDense,
    Same,
    SameConv,
    Sum,
)
from onnx import TensorProto, helper
from onnx.shape_inference import infer_shapes
from threadpoolctl import threadpool_limits  # pyright: ignore[reportMissingModuleSource]
from train import HELD_BACK, HERE, SEED, accuracy, run_onnx, split_digits, train

PADDED = (1, 1)


def shortcuts(rng: np.random.Generator) -> Chain:
    """8x8 pixels of 8 channels, 4x4 of 16, 2x2 of 24."""

    def block(name: str, channels: int, filters: int) -> list[Layer]:
        stride = 1 if channels == filters else 2
        body = Chain(
            Conv(f"{name}.conv1", channels, filters, 3, rng, stride, PADDED),
            BatchNorm(f"{name}.norm1", filters),
            Relu(f"{name}.relu1"),
            Conv(f"{name}.conv2", filters, filters, 3, rng, 1, PADDED),
            BatchNorm(f"{name}.norm2", filters),
        )
        shortcut = Same(name) if stride == 1 else HalfSize(f"{name}.half", channels, filters)
        return [Sum(f"{name}.add", body, shortcut), Relu(f"{name}.relu2")]

    return Chain(
        Conv("stem.conv", 1, 8, 3, rng, 1, PADDED),
        BatchNorm("stem.norm", 8),
        Relu("stem.relu"),
        *block("block1", 8, 8),
        *block("block2", 8, 16),
        *block("block3", 16, 24),
        GlobalAveragePool("average"),
        Dense("scores", 24, 10, rng),
    )


def same(rng: np.random.Generator) -> Chain:
    """A chain: two convolutions, each with a bias and a pool, and a matrix."""
    return Chain(
        SameConv("conv1", 1, 8, 5, rng),
        Bias("plus1", 8),
        Relu("relu1"),
        MaxPool2x2("pool1"),
        SameConv("conv2", 8, 16, 4, rng),
        Bias("plus2", 16),
        Relu("relu2"),
        MaxPool2x2("pool2"),
        ReshapedDense("scores", (16, 2, 2), rng),
    )


def separable(rng: np.random.Generator) -> Chain:
    """A separable convolution at 8x8, and a separable block that halves the size."""

    def pair(name: str, channels: int, filters: int, stride: int) -> list[Layer]:
        pads = PADDED if stride == 1 else (0, 1)
        return [
            Conv(f"{name}.depth", channels, channels, 3, rng, stride, pads, channels),
            BatchNorm(f"{name}.depth_norm", channels),
            Relu6(f"{name}.depth_relu"),
            Conv(f"{name}.point", channels, filters, 1, rng),
            BatchNorm(f"{name}.point_norm", filters),
        ]

    shortcut = Chain(Conv("half.conv", 24, 32, 1, rng, 2), BatchNorm("half.norm", 32))
    return Chain(
        Conv("stem.conv", 1, 16, 3, rng, 1, PADDED),
        BatchNorm("stem.norm", 16),
        Relu6("stem.relu"),
        *pair("block1", 16, 24, 1),
        Relu6("block1.relu"),
        Sum("block2.add", Chain(*pair("block2", 24, 32, 2)), shortcut),
        Relu6("block2.relu"),
        MeanScores("scores", 32, 4, rng),
    )


def to_onnx(net: Layer, name: str, opset: int, batch: int | str) -> onnx.ModelProto:
    """The trained network as an ONNX model."""
    graph = Graph()
    scores = net.export(graph, "image")
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            name,
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 1, 8, 8])],
            [helper.make_tensor_value_info(scores, TensorProto.FLOAT, [batch, 10])],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8,
        producer_name="examples/digits/train_more.py",
    )
    return infer_shapes(model, check_type=True, strict_mode=True)


def main() -> None:
    for make, opset, batch in ((shortcuts, 17, "N"), (same, 8, 1), (separable, 17, "N")):
        rng = np.random.default_rng(SEED)
        images, labels, test_images, test_labels = split_digits(rng)
        net = make(rng)
        with threadpool_limits(1):  # sums in one order, whatever the number of cores
            train(net, images, labels, rng)
        model = to_onnx(net, make.__name__, opset, batch)
        step = len(test_images) if batch == "N" else 1
        parts = [run_onnx(model, test_images[i : i + step]) for i in range(0, HELD_BACK, step)]
        found = np.concatenate(parts)
        scores = net.forward(test_images, training=False)
        assert np.array_equal(found.argmax(1), scores.argmax(1))
        print(f"{make.__name__}: {accuracy(found, test_labels):.2%} of {HELD_BACK} held-back right")
        (HERE / f"{make.__name__}.onnx").write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main()
