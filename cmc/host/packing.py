# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""An ONNX model as text, its large arrays as weights beside it."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from math import prod

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, numpy_helper

from cmc.errors import CmcError
from cmc.files.weights import SMALL, ArrayWeights, Weights


def pack(model: onnx.ModelProto) -> tuple[str, list[Weights]]:
    """`model` in base64, and the float32 arrays that were taken out of it."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    weights: list[Weights] = []
    for tensor in bare.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and prod(tensor.dims) > SMALL:
            weights.append(ArrayWeights(numpy_helper.to_array(tensor).copy(), tensor.name))
            empty = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
            tensor.CopyFrom(empty)
    return b64encode(bare.SerializeToString(deterministic=True)).decode(), weights


def unpack(text: str, weights: Sequence[Weights]) -> onnx.ModelProto:
    """The model that was packed. CmcError if an array is out of reach."""
    model = read(text)
    for tensor, one in zip(_empty(model), weights, strict=True):
        tensor.CopyFrom(numpy_helper.from_array(one.array, tensor.name))
    return model


def check(
    text: str, weights: Sequence[Weights], inputs: Sequence[str], outputs: Sequence[str]
) -> None:
    """CmcError if a text is no model of these inputs, outputs, and arrays beside it."""
    model = read(text)
    if [info.name for info in model.graph.input] != inputs:
        raise CmcError("reads other tensors than its model")
    if [info.name for info in model.graph.output] != outputs:
        raise CmcError("writes other tensors than its model")
    if [tuple(tensor.dims) for tensor in _empty(model)] != [one.shape for one in weights]:
        raise CmcError("has other weights than its model lacks")


def read(text: str) -> onnx.ModelProto:
    """The model without its large arrays."""
    try:
        return onnx.load_model_from_string(b64decode(text, validate=True))
    except (DecodeError, ValueError):
        raise CmcError("has a model that is not ONNX in base64") from None


def _empty(model: onnx.ModelProto) -> list[TensorProto]:
    """The arrays whose elements are elsewhere."""
    return [
        tensor
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.FLOAT
        and prod(tensor.dims) > SMALL
        and not (tensor.raw_data or tensor.float_data)
    ]
