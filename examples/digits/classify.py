# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Classify digits: a program for onnxruntime, but for its import.

python examples/digits/classify.py
"""

from pathlib import Path

import numpy as np

import cmc as onnxruntime  # instead of: import onnxruntime

FOLDER = Path(__file__).parent


def main() -> None:
    """Print how many of a hundred digits are right."""
    options = onnxruntime.SessionOptions()
    session = onnxruntime.InferenceSession(
        str(FOLDER / "digits.onnx"), options, providers=["CPUExecutionProvider"]
    )
    (image,) = session.get_inputs()
    (scores,) = session.get_outputs()
    with np.load(FOLDER / "digits_test.npz") as arrays:
        images, labels = arrays[image.name][:100], arrays["labels"][:100]
    (found,) = session.run([scores.name], {image.name: images})
    right = int((found.argmax(1) == labels).sum())
    print(f"{right} of {len(labels)} are right")


if __name__ == "__main__":
    main()
