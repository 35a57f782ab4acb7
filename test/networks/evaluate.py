# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a model should compute, image by image, by an evaluator that is not ours."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import onnx
from onnx.reference import ReferenceEvaluator

from cmc.host.evaluator import onnxruntime_session

Array = npt.NDArray[np.float32]
Evaluate = Callable[[Mapping[str, Array]], list[Array]]
"""From the inputs for one image, by name, to the outputs in the model's order."""


def random_inputs(model: onnx.ModelProto, images: int, seed: int) -> dict[str, Array]:
    """An array [images, ...] for every input of `model`, evenly distributed in [-2, 2)."""
    rng = np.random.default_rng(seed)
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs: dict[str, Array] = {}
    for value in model.graph.input:
        if value.name not in constants:
            shape = [dimension.dim_value for dimension in value.type.tensor_type.shape.dim[1:]]
            inputs[value.name] = rng.uniform(-2, 2, (images, *shape)).astype(np.float32)
    return inputs


def reference(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of `model`, [images, ...], for a stream of images, each evaluated by itself.

    By onnxruntime, or by onnx's reference evaluator where onnxruntime refuses the model.
    """
    try:
        return evaluate_stream(with_onnxruntime(model), model, inputs)
    except Exception:  # onnxruntime's exceptions have no other base in common
        return evaluate_stream(with_onnx(model), model, inputs)


def evaluate_stream(
    evaluate: Evaluate, model: onnx.ModelProto, inputs: Mapping[str, Array]
) -> dict[str, Array]:
    """The outputs of `evaluate` for every image, by the names that `model` gives them."""
    (images,) = {len(array) for array in inputs.values()}
    results = [
        evaluate({name: array[image : image + 1] for name, array in inputs.items()})
        for image in range(images)
    ]
    outputs = zip(model.graph.output, zip(*results, strict=True), strict=True)
    return {value.name: np.concatenate(arrays) for value, arrays in outputs}


def with_onnxruntime(model: onnx.ModelProto) -> Evaluate:
    """Evaluation by onnxruntime; raises what onnxruntime raises when it refuses the model."""
    session = onnxruntime_session(model, optimized=False, threads=1)
    return lambda inputs: session.run(None, inputs)


def with_onnx(model: onnx.ModelProto) -> Evaluate:
    """Evaluation by onnx's reference evaluator."""
    evaluator = ReferenceEvaluator(model)
    # onnx leaves the type of the first parameter open.
    run = evaluator.run  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return lambda inputs: [np.asarray(array) for array in run(None, dict(inputs))]
