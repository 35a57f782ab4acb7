# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a network computes by somebody else's account: onnxruntime, or onnx's own evaluator."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import load_external_data_for_model

from cmc.errors import CmcError
from cmc.host.evaluator import ONNX, by_onnx, by_onnxruntime
from cmc.importer.load import load_model
from cmc.streams import count_images
from cmc.track import Track, no_track

Arrays = Mapping[str, NDArray[np.floating]]


@dataclass(frozen=True)
class Deviation:
    """How far an output is from its reference, over all images."""

    output: str
    absolute: float
    """The largest absolute difference."""
    relative: float
    """The same, in units of the reference's largest magnitude."""

    @staticmethod
    def measure(output: str, found: NDArray[np.floating], reference: NDArray[np.floating]):
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

    @staticmethod
    def of_images(output: str, found: Sequence[object], reference: Sequence[object]):
        """Compare what there is of each image, of any type. CmcError where shapes differ."""
        numbers: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        for image, pair in enumerate(zip(found, reference, strict=True)):
            one, other = map(_flat, pair)
            if [array.size for array in one] != [array.size for array in other]:
                shapes = [[array.shape for array in arrays] for arrays in (one, other)]
                raise CmcError(
                    f"output '{output}' of image {image} has shape {_format(shapes[0])}, and the "
                    f"reference has {_format(shapes[1])}",
                    "check",
                )
            numbers += map(_numbers, one, other)
        if not numbers:
            return Deviation(output, 0.0, 0.0)
        return Deviation.measure(output, *map(np.concatenate, zip(*numbers, strict=True)))


def _flat(value: object) -> list[NDArray[np.generic]]:
    """The arrays in a value: in a tensor, a sequence, or an optional that is absent."""
    if isinstance(value, list | tuple):
        return [array for one in cast(Sequence[object], value) for array in _flat(one)]
    return [] if value is None else [np.asarray(cast(ArrayLike, value))]


def _numbers(
    one: NDArray[np.generic], other: NDArray[np.generic]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two arrays of one size as numbers: those of text are 0 where they are the same, else 1."""
    one, other = one.reshape(-1), other.reshape(-1)
    if one.dtype.kind in "biuf" and other.dtype.kind in "biuf":
        return one.astype(np.float64), other.astype(np.float64)
    return np.zeros(one.size), np.array(one != other).astype(np.float64)


def _format(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join(str(list(shape)) for shape in shapes) or "none"


class Reference:
    """A network to be evaluated image by image, in batches of the model's own size.

    Where it computes in 16 bits, which evaluators round after every operator, it is evaluated in
    float32, as it was compiled.
    """

    engine: str
    """Who evaluates."""

    doubts: Mapping[str, str]
    """Why an output is not to be trusted, by the names of such outputs."""

    shapes: Mapping[str, tuple[int, ...]]
    """The shapes of the outputs for a batch, by name, once there were any."""

    def __init__(self, model: Path | onnx.ModelProto):
        """CmcError if nobody can evaluate it."""
        proto = load_model(model).proto
        self._batch = _batch_of(proto)
        self._ranks = {
            value.name: len(value.type.tensor_type.shape.dim) for value in _inputs_of(proto)
        }
        self._types = {
            value.name: helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
            for value in _inputs_of(proto)
        }
        if any(dtype.itemsize == 2 for dtype in self._types.values()):
            model = in_float32(with_weights(model))
            self._types = dict.fromkeys(self._types, np.dtype(np.float32))
        if any(node.op_type in _PRODUCTS for node in proto.graph.node):
            model = without_saturation(with_weights(model))
        self._model = model
        self.doubts = {}
        self.shapes = {}
        self._names = [value.name for value in proto.graph.output]
        found = by_onnxruntime(model, self._names)
        self.engine, self._evaluate = found or by_onnx(self._in_onnx())

    @property
    def inputs(self) -> frozenset[str]:
        """The names of what it wants arrays for."""
        return frozenset(self._types)

    def with_states(
        self, inputs: Arrays, states: Mapping[str, str], track: Track = no_track
    ) -> dict[str, NDArray[np.float32]]:
        """The same where inputs are outputs of the image before, by the names of the inputs."""
        given = {name: array[:1] for name, array in inputs.items()}
        parts: dict[str, list[NDArray[np.float32]]] = {}
        for image in track(range(count_images(inputs)), "checking"):
            given = {
                name: given[name] if name in states else array[image : image + 1]
                for name, array in inputs.items()
            }
            found = self(given)
            for name, array in found.items():
                parts.setdefault(name, []).append(array)
            given |= {
                name: found[output].reshape(given[name].shape) for name, output in states.items()
            }
        return {name: np.concatenate(part) for name, part in parts.items()}

    def __call__(self, inputs: Arrays, track: Track = no_track) -> dict[str, NDArray[np.float32]]:
        """The outputs for a stream of images, which is the leading axis of every array.

        CmcError if they cannot be evaluated, or are no images.
        """
        whole = any(array.ndim != self._ranks[name] for name, array in inputs.items())
        batch = 1 if whole else self._batch
        images = count_images(inputs)
        parts: dict[str, list[NDArray[np.float32]]] = {}
        for start in track(range(0, images, batch), "checking"):
            # A batch of fixed size is filled up with copies of its last image.
            chosen = np.minimum(np.arange(start, start + batch), images - 1)
            feeds = {name: self._feed(name, array[chosen], batch) for name, array in inputs.items()}
            results = self._results(feeds)
            self.shapes = {name: result.shape for name, result in results.items()}
            for name, result in results.items():
                if result.size % batch:
                    raise CmcError(
                        f"output {name!r} of shape {list(result.shape)} does not hold the {batch} "
                        "images of the batch"
                    )
                parts.setdefault(name, []).append(result.astype(np.float32).reshape(batch, -1))
        return {name: np.concatenate(part)[:images] for name, part in parts.items()}

    def image(self, inputs: Mapping[str, ArrayLike], image: int) -> Mapping[str, object]:
        """The outputs for one image of a stream, of their own types. CmcError if there are none."""
        feeds: dict[str, NDArray[np.generic]] = {}
        for name, dtype in self._types.items():
            array = np.asarray(np.asarray(inputs[name])[image])
            shape = (1,) * (self._ranks[name] - array.ndim) + array.shape
            feeds[name] = array.reshape(shape).astype(dtype)
        return self._results(cast(Arrays, feeds))

    def _results(self, feeds: Arrays) -> Arrays:
        try:
            results = cast(Sequence[NDArray[np.floating]], self._evaluate(feeds))
        except Exception as error:  # of many types
            raise CmcError(f"{self.engine} cannot evaluate the network: {error}") from error
        return dict(zip(self._names, results, strict=True))

    def _feed(self, name: str, images: NDArray[np.floating], batch: int) -> NDArray[np.floating]:
        """An array of the type and the rank that the model declares."""
        shape = images.shape[1:]
        rank = self._ranks[name]
        if batch == 1:
            images = images.reshape((1,) * (rank - len(shape)) + shape)
        return images.astype(self._types[name])

    def _in_onnx(self) -> onnx.ModelProto:
        """The network as onnx's evaluator takes it; there are doubts where that errs."""
        from onnx.version_converter import convert_version

        proto = with_weights(self._model)
        opset = max(
            (entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")),
            default=_RIGHT_SINCE,
        )
        if opset < _RIGHT_SINCE:
            # It takes a BatchNormalization of an older opset for one in training.
            with suppress(Exception):  # the converter knows few operators of the oldest opsets
                proto, opset = convert_version(proto, _RIGHT_SINCE), _RIGHT_SINCE
        self.doubts = (
            {value.name: f"{ONNX} errs on opset {opset}" for value in proto.graph.output}
            if opset < _RIGHT_SINCE
            else {name: f"{ONNX} errs on {where}" for name, where in _doubtful(proto.graph).items()}
        )
        return proto


_RIGHT_SINCE = 15
"""The opset since which onnx's evaluator takes operators for what they are."""


def _doubtful(graph: onnx.GraphProto) -> dict[str, str]:
    """The outputs that depend on what onnx's evaluator computes otherwise than ONNX says."""
    doubts: dict[str, str] = {}
    for node in graph.node:
        where = next((doubts[name] for name in node.input if name in doubts), None)
        attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
        if where is None and (
            node.op_type in ("LRN", "GlobalMaxPool")
            or attributes.get("ceil_mode")
            or attributes.get("auto_pad") == b"SAME_LOWER"
        ):
            where = f"{node.op_type} (node {node.name or node.output[0]!r})"
        if where is not None:
            doubts |= dict.fromkeys(node.output, where)
    return {value.name: doubts[value.name] for value in graph.output if value.name in doubts}


def in_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with all arrays and values of 16 bits as float32."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    for tensor in graph.initializer:
        _widen(tensor)
    for value in (*graph.input, *graph.value_info, *graph.output):
        if value.type.tensor_type.elem_type in _HALVES:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                _widen(attribute.t)
            elif node.op_type == "Cast" and attribute.i in _HALVES:
                attribute.i = TensorProto.FLOAT
    return result


def without_saturation(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with weights of uint8 in place of int8 where they meet uint8.

    On processors without an instruction for such products onnxruntime adds two of them in 16 bits,
    which saturates: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    held = {tensor.name: tensor for tensor in result.graph.initializer}
    names: dict[str, str] = {}

    def shifted(name: str, array: NDArray[np.generic]) -> str:
        """The name of the same integers, and their zero point, 128 higher."""
        if name not in names:
            names[name] = f"{name} + 128"
            unsigned = (array.astype(np.int16) + 128).astype(np.uint8)
            result.graph.initializer.append(numpy_helper.from_array(unsigned, names[name]))
        return names[name]

    products = [
        (node, one) for node in result.graph.node for one in _PRODUCTS.get(node.op_type, ())
    ]
    for node, (weight, zero, other) in products:
        tensor, others = held.get(node.input[weight]), _at(node, other)
        if tensor is None or tensor.data_type != TensorProto.INT8:
            continue
        if others in held and held[others].data_type == TensorProto.INT8:
            continue
        zeros = held.get(_at(node, zero))
        if zeros is None and _at(node, zero):
            continue
        node.input.extend([""] * (zero + 1 - len(node.input)))
        node.input[weight] = shifted(tensor.name, numpy_helper.to_array(tensor))
        node.input[zero] = (
            shifted("zero", np.zeros((), np.int8))
            if zeros is None
            else shifted(zeros.name, numpy_helper.to_array(zeros))
        )
    return result


_NONE = 99
"""No input."""

_PRODUCTS: Mapping[str, Sequence[tuple[int, int, int]]] = {
    "ConvInteger": [(1, 3, 2)],
    "DynamicQuantizeLSTM": [(1, 9, _NONE), (2, 11, _NONE)],
    "DynamicQuantizeMatMul": [(1, 3, 5)],
    "MatMulInteger": [(1, 3, 2)],
    "MatMulIntegerToFloat": [(1, 5, 4)],
    "QGemm": [(3, 5, 2)],
    "QLinearConv": [(3, 5, 2)],
    "QLinearMatMul": [(3, 5, 2)],
}
"""Operators, their weights and the zero point of these, and that of what they are multiplied by."""


def _at(node: onnx.NodeProto, index: int) -> str:
    """The name of an input; nothing if it is absent."""
    return node.input[index] if index < len(node.input) else ""


_HALVES = (TensorProto.FLOAT16, TensorProto.BFLOAT16)


def _widen(tensor: TensorProto) -> None:
    if tensor.data_type in _HALVES:
        array = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def with_weights(model: Path | onnx.ModelProto) -> onnx.ModelProto:
    """The model with all its arrays, those that lie in other files too."""
    loaded = load_model(model)
    if loaded.path is not None:
        load_external_data_for_model(loaded.proto, str(loaded.path.parent))
    return loaded.proto


def _inputs_of(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """The inputs that have no array of their own."""
    held = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in held]


def _batch_of(model: onnx.ModelProto) -> int:
    """The batch that an input fixes; one where the model leaves it open."""
    sizes = [value.type.tensor_type.shape.dim[:1] for value in _inputs_of(model)]
    return max((1, *(dim.dim_value for dims in sizes for dim in dims)))
