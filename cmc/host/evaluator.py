# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Who computes an ONNX model on the host: onnxruntime, or else onnx's reference evaluator."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import onnx
from onnx import helper
from onnx.shape_inference import InferenceError, infer_shapes

from cmc.errors import CmcError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from cmc.importer.folding import OnnxEvaluator

ONNX = f"the reference evaluator of onnx {onnx.__version__}"
"""What onnx's evaluator is called."""

HostValue = object
"""An array, or a list of arrays, or None: a tensor, a sequence, an optional that is absent."""


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


def types_by_onnxruntime(model: onnx.ModelProto) -> dict[str, onnx.TypeProto]:
    """What onnxruntime knows of the outputs that are tensors; nothing if it does not take it."""
    try:
        outputs = onnxruntime_session(model, optimized=False).get_outputs()
    except Exception:  # of many types, and ImportError
        return {}
    return {
        # What has no axes, and what has nobody knows how many, look the same.
        output.name: helper.make_tensor_type_proto(kind, output.shape or None)
        for output in outputs
        if (kind := _KINDS.get(output.type)) is not None
    }


_KINDS = {f"tensor({name.lower()})": number for name, number in onnx.TensorProto.DataType.items()}
"""What onnxruntime calls the types of tensors."""


class Evaluator:
    """A model that somebody on the host can compute. CmcError if nobody can."""

    engine: str
    """Who computes it."""

    def __init__(self, model: onnx.ModelProto):
        self._names = [info.name for info in model.graph.output]
        ports = (*model.graph.input, *model.graph.output)
        of_numpy = all(info.type.tensor_type.elem_type not in _NOT_OF_NUMPY for info in ports)
        inexact = any(node.op_type in _INEXACT for node in model.graph.node)
        taken = of_numpy and not inexact
        found = _made_by_onnxruntime(model, self._names) if taken else None
        if found is None:
            _check_shapes(model)
        self.engine, self._evaluate = found or by_onnx(model)

    def __call__(self, inputs: Mapping[str, HostValue]) -> dict[str, HostValue]:
        """The outputs by name. CmcError if the model cannot be computed of these inputs."""
        try:
            results = self._evaluate(inputs)
        except Exception as error:  # of many types
            raise CmcError(f"{self.engine} cannot compute it: {first_line(error)}") from error
        return dict(zip(self._names, results, strict=True))


_Evaluate = Callable[[Mapping[str, HostValue]], Sequence[HostValue]]


def _made_by_onnxruntime(model: onnx.ModelProto, names: list[str]) -> tuple[str, _Evaluate] | None:
    """As `by_onnxruntime`. CmcError for what is no model at all: onnx may say nothing."""
    try:
        return _on_onnxruntime(model, names)
    except Exception as error:
        if type(error).__name__ == "InvalidGraph":
            raise CmcError(f"onnxruntime does not take it: {first_line(error)}") from error
        return None


def _check_shapes(model: onnx.ModelProto) -> None:
    """CmcError if the shapes of a model cannot be, of which onnx's evaluator would say less."""
    try:
        infer_shapes(model, strict_mode=True)
    except InferenceError as error:
        raise CmcError(f"onnx finds that {first_line(error)}") from error
    except Exception:  # of many types, on large models among others
        return


def by_onnxruntime(model: Path | onnx.ModelProto, names: list[str]) -> tuple[str, _Evaluate] | None:
    """Outputs of these names, as onnxruntime computes them, and what it calls itself.

    None if it is not installed, or does not take the model.
    """
    try:
        return _on_onnxruntime(model, names)
    except Exception:
        # It lags behind onnx by some opsets, and says so in exceptions of many types.
        return None


def _on_onnxruntime(model: Path | onnx.ModelProto, names: list[str]) -> tuple[str, _Evaluate]:
    """The same, with the exceptions of `onnxruntime_session`."""
    import onnxruntime

    session = onnxruntime_session(model, optimized=False)

    def evaluate(inputs: Mapping[str, HostValue]) -> Sequence[HostValue]:
        return cast(Sequence[HostValue], session.run(names, dict(inputs)))

    return f"onnxruntime {onnxruntime.__version__}", evaluate


_NOT_OF_NUMPY = frozenset(
    number
    for name, number in onnx.TensorProto.DataType.items()
    if name == "BFLOAT16" or name.startswith(("FLOAT4", "FLOAT8", "INT2", "INT4", "UINT2", "UINT4"))
)
"""Types of elements that onnxruntime has, and takes no arrays of."""


_INEXACT = frozenset(("DFT",))
"""Operators that onnx's evaluator leaves to a numpy that is as fast, and more exact."""


def by_onnx(model: onnx.ModelProto) -> tuple[str, _Evaluate]:
    """All outputs, as onnx's evaluator computes them, and what it is called. CmcError if none."""
    from onnx.reference import ReferenceEvaluator

    from cmc.host.loop import Loop

    try:
        evaluator = cast("OnnxEvaluator", ReferenceEvaluator(model, new_ops=[Loop]))
    except Exception as error:  # of many types
        raise CmcError(f"{ONNX} does not take the network: {first_line(error)}") from error

    def evaluate(inputs: Mapping[str, HostValue]) -> Sequence[HostValue]:
        return evaluator.run(None, inputs)

    return ONNX, evaluate


def first_line(error: BaseException) -> str:
    """What an exception of somebody else's says first."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in lines if line), type(error).__name__)
