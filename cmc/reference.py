"""What a network computes by somebody else's account: onnxruntime, or onnx's own evaluator."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import onnx
from numpy.typing import NDArray

from cmc.importer.folding import OnnxEvaluator
from cmc.importer.load import load_model
from cmc.track import Track, no_track

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Arrays = Mapping[str, NDArray[np.float32]]
Evaluator = Callable[[Arrays], Arrays]


@dataclass(frozen=True)
class Deviation:
    """How far an output is from its reference, over all images."""

    output: str
    absolute: float
    """The largest absolute difference."""
    relative: float
    """The same, in units of the reference's largest magnitude."""

    @staticmethod
    def measure(output: str, found: NDArray[np.float32], reference: NDArray[np.float32]):
        """Compare arrays of one size; a NaN on one side only is infinitely far."""
        reference = reference.reshape(found.shape)
        with np.errstate(invalid="ignore"):
            differences = np.abs(found.astype(np.float64) - reference)
        same = (found == reference) | (np.isnan(found) & np.isnan(reference))
        differences = np.where(same, 0.0, np.where(np.isnan(differences), np.inf, differences))
        absolute = float(differences.max(initial=0.0))
        magnitudes = np.abs(reference[np.isfinite(reference)])
        largest = float(magnitudes.max(initial=0.0))
        relative = absolute / largest if largest > 0 else absolute
        return Deviation(output, absolute, relative)


def onnxruntime_session(
    model: Path | onnx.ModelProto, *, optimized: bool, threads: int = 0
) -> "InferenceSession":
    """A silent session on this processor, on as many threads as onnxruntime likes if 0.

    Some optimisations change results: a Pad with zeros becomes padding of a MaxPool, which never
    wins. Raises ImportError, and exceptions of many types for a model that it refuses.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


class Reference:
    """A network to be evaluated image by image, in batches of the model's own size."""

    engine: str
    """Who evaluates."""

    def __init__(self, model: Path | onnx.ModelProto):
        self._batch = _batch_of(load_model(model).proto)
        self._model = model
        self.engine, self._evaluate = self._onnxruntime() or self._reference_evaluator()

    @property
    def inputs(self) -> frozenset[str]:
        """The names of what it wants arrays for."""
        graph = load_model(self._model).proto.graph
        held = {tensor.name for tensor in graph.initializer}
        return frozenset(value.name for value in graph.input if value.name not in held)

    def __call__(self, inputs: Arrays, track: Track = no_track) -> dict[str, NDArray[np.float32]]:
        """The outputs for a stream of images, which is the leading axis of every array."""
        batch = self._batch
        images = len(next(iter(inputs.values())))
        parts: dict[str, list[NDArray[np.float32]]] = {}
        for start in track(range(0, images, batch), "checking"):
            # A batch of fixed size is filled up with copies of its last image.
            chosen = np.minimum(np.arange(start, start + batch), images - 1)
            results = self._evaluate({name: array[chosen] for name, array in inputs.items()})
            for name, result in results.items():
                parts.setdefault(name, []).append(result.reshape(batch, -1))
        return {name: np.concatenate(part)[:images] for name, part in parts.items()}

    def _onnxruntime(self) -> tuple[str, Evaluator] | None:
        try:
            import onnxruntime

            session = onnxruntime_session(self._model, optimized=False)
        except Exception:
            # It lags behind onnx by some opsets, and says so in exceptions of many types.
            return None
        names = [output.name for output in session.get_outputs()]

        def evaluate(inputs: Arrays) -> Arrays:
            return dict(zip(names, session.run(names, dict(inputs)), strict=True))

        return f"onnxruntime {onnxruntime.__version__}", evaluate

    def _reference_evaluator(self) -> tuple[str, Evaluator]:
        from onnx.reference import ReferenceEvaluator
        from onnx.version_converter import convert_version

        proto = load_model(self._model).proto
        if any(opset.domain == "" and opset.version < 15 for opset in proto.opset_import):
            # It takes a BatchNormalization of an older opset for one in training.
            with suppress(Exception):  # the converter knows few operators of the oldest opsets
                proto = convert_version(proto, 15)
        evaluator = cast(OnnxEvaluator, ReferenceEvaluator(proto))
        names = evaluator.output_names

        def evaluate(inputs: Arrays) -> Arrays:
            results = cast(list[NDArray[np.float32]], evaluator.run(None, dict(inputs)))
            return dict(zip(names, results, strict=True))

        return f"the reference evaluator of onnx {onnx.__version__}", evaluate


def _batch_of(model: onnx.ModelProto) -> int:
    """The size of the first input's leading axis; one where the model leaves it open."""
    initializers = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        if value.name not in initializers:
            dims = value.type.tensor_type.shape.dim
            return max(1, dims[0].dim_value) if dims else 1
    return 1
