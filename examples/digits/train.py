# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Train a small residual network on scikit-learn's handwritten digits and write it as ONNX.

    python examples/digits/train.py

Takes under a minute and writes two files beside this script:

- `digits.onnx`: input `image` [N, 1, 8, 8] float32, grey values from 0 to 1; output `scores`
  [N, 10], the largest of which names the digit;
- `digits_test.npz`: `image` and `labels` of the 360 digits that training never saw.

Needs numpy, onnx and scikit-learn (which brings threadpoolctl). The same versions on the same kind
of processor give the same files.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from layers import (
    Array,
    BatchNorm,
    Chain,
    Conv3x3,
    Dense,
    GlobalAveragePool,
    Layer,
    MaxPool2x2,
    OnnxGraph,
    Relu,
    Residual,
)
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from onnx.shape_inference import infer_shapes
from sklearn.datasets import load_digits  # pyright: ignore[reportMissingModuleSource]
from threadpoolctl import threadpool_limits  # pyright: ignore[reportMissingModuleSource]

Labels = npt.NDArray[np.int64]

HERE = Path(__file__).parent
SEED = 7
HELD_BACK = 360
EPOCHS = 30
BATCH = 64
LEARNING_RATE = 0.004
OPSET = 17


def network(rng: np.random.Generator) -> Chain:
    """A residual block at 8x8, a max pool, a convolution at 4x4, a global average, dense scores."""
    block = Chain(
        Conv3x3("block.conv1", 16, 16, rng),
        BatchNorm("block.norm1", 16),
        Relu("block.relu1"),
        Conv3x3("block.conv2", 16, 16, rng),
        BatchNorm("block.norm2", 16),
    )
    return Chain(
        Conv3x3("stem.conv", 1, 16, rng),
        BatchNorm("stem.norm", 16),
        Relu("stem.relu"),
        Residual("block.add", block),
        Relu("block.relu2"),
        MaxPool2x2("pool"),
        Conv3x3("top.conv", 16, 24, rng),
        BatchNorm("top.norm", 24),
        Relu("top.relu"),
        GlobalAveragePool("average"),
        Dense("scores", 24, 10, rng),
    )


def split_digits(rng: np.random.Generator) -> tuple[Array, Labels, Array, Labels]:
    """The images and labels to train on, then those held back, shuffled; grey values in [0, 1]."""
    pixels, labels = load_digits(return_X_y=True)
    images = (pixels.reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    order = rng.permutation(len(images))
    held_back, trained_on = order[:HELD_BACK], order[HELD_BACK:]
    return images[trained_on], labels[trained_on], images[held_back], labels[held_back]


def shifted(images: Array, rng: np.random.Generator) -> Array:
    """The images, each moved by at most one pixel in either direction."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    corners = rng.integers(0, 3, (len(images), 2))
    height, width = images.shape[2:]
    crops = [
        image[:, y : y + height, x : x + width]
        for image, (y, x) in zip(padded, corners, strict=True)
    ]
    return np.stack(crops)


def loss_gradient(scores: Array, labels: Labels) -> Array:
    """The gradient of the mean cross-entropy of softmax(scores)."""
    odds: Array = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    return (probabilities - np.eye(10, dtype=np.float32)[labels]) / np.float32(len(labels))


class Adam:
    """The Adam optimiser for all parameters of a network."""

    def __init__(self, network: Layer):
        self.leaves = network.leaves()
        self.moments = [
            {
                key: (np.zeros_like(value), np.zeros_like(value))
                for key, value in leaf.parameters.items()
            }
            for leaf in self.leaves
        ]
        self.steps = 0

    def step(self, learning_rate: float) -> None:
        """Move every parameter against its gradient."""
        self.steps += 1
        warm1, warm2 = 1 - 0.9**self.steps, 1 - 0.999**self.steps
        for leaf, moments in zip(self.leaves, self.moments, strict=True):
            for key, grad in leaf.gradients.items():
                first, second = moments[key]
                first += 0.1 * (grad - first)
                second += 0.001 * (grad**2 - second)
                change = (first / warm1) / (np.sqrt(second / warm2) + 1e-8)
                leaf.parameters[key] -= learning_rate * change


def accuracy(scores: Array, labels: Labels) -> float:
    """The share of images whose largest score is that of their label."""
    right: npt.NDArray[np.bool_] = scores.argmax(axis=1) == labels
    return float(right.mean())


def train(
    net: Layer, images: Array, labels: Labels, rng: np.random.Generator, epochs: int = EPOCHS
) -> None:
    """Fit `net` by Adam, with a learning rate that falls to zero along a cosine."""
    adam = Adam(net)
    for epoch in range(epochs):
        order = rng.permutation(len(images))
        right = 0.0
        for first in range(0, len(order), BATCH):
            batch = order[first : first + BATCH]
            scores = net.forward(shifted(images[batch], rng), training=True)
            net.backward(loss_gradient(scores, labels[batch]))
            progress = (epoch + first / len(order)) / epochs
            adam.step(LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * progress)))
            right += accuracy(scores, labels[batch]) * len(batch)
        print(f"epoch {epoch + 1:2}: {right / len(order):.1%} of the training images right")


def to_onnx(net: Layer, name: str = "digits", size: int = 8) -> onnx.ModelProto:
    """The trained network as an ONNX model whose batch dimension `N` is open."""
    graph = OnnxGraph()
    scores = net.export(graph, "image")
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            name,
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, size, size])],
            [helper.make_tensor_value_info(scores, TensorProto.FLOAT, ["N", 10])],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=8,
        producer_name="examples/digits/train.py",
    )
    return infer_shapes(model, check_type=True, strict_mode=True)


def run_onnx(model: onnx.ModelProto, images: Array) -> Array:
    """The scores that onnx's reference evaluator computes."""
    evaluator = ReferenceEvaluator(model)
    # onnx leaves the type of the first parameter open.
    (scores,) = evaluator.run(None, {"image": images})  # pyright: ignore[reportUnknownMemberType]
    return np.asarray(scores, np.float32)


def main() -> None:
    rng = np.random.default_rng(SEED)
    images, labels, test_images, test_labels = split_digits(rng)
    net = network(rng)
    with threadpool_limits(1):  # sums in one order, whatever the number of cores
        train(net, images, labels, rng)

    model = to_onnx(net)
    scores = run_onnx(model, test_images)
    np.testing.assert_allclose(scores, net.forward(test_images, training=False), atol=1e-4)
    print(f"{accuracy(scores, test_labels):.2%} of {HELD_BACK} held-back images right")

    (HERE / "digits.onnx").write_bytes(model.SerializeToString())
    np.savez_compressed(HERE / "digits_test.npz", image=test_images, labels=test_labels)


if __name__ == "__main__":
    main()
