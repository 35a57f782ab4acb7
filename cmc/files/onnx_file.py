# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""ONNX files, with arrays in them or in one file beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx.external_data_helper import set_external_data

from cmc.files.output import beside, is_special, replacing

LARGEST = (1 << 31) - (1 << 24)
"""The most bytes of arrays in a model: one that has 2 GB cannot be written."""

_SMALL = 1024
"""Arrays of fewer bytes stay in the model."""


def data_file(path: Path) -> Path:
    """The file of the arrays that a model at `path` does not have itself."""
    return beside(path, ".onnx.data")


def write_model(path: Path, model: onnx.ModelProto, apart: bool) -> None:
    """Write a model, whole or not at all; large arrays to a file of their own if `apart`.

    They are taken out of the model then. So they are where it would be too large with them.
    """
    tensors = [tensor for tensor in tensors_of(model.graph) if len(tensor.raw_data) >= _SMALL]
    apart |= sum(len(tensor.raw_data) for tensor in tensors) > LARGEST
    with replacing(path) as temporary:
        if apart and tensors and not is_special(path):
            _write_apart(data_file(path), tensors)
        temporary.write_bytes(model.SerializeToString(deterministic=True))


def _write_apart(path: Path, tensors: list[onnx.TensorProto]) -> None:
    with replacing(path) as temporary, temporary.open("wb") as stream:
        for tensor in tensors:
            set_external_data(tensor, path.name, stream.tell(), len(tensor.raw_data))
            stream.write(tensor.raw_data)
            tensor.ClearField("raw_data")


def tensors_of(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """The arrays of a graph, those in its nodes too."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t
            for inner in (attribute.g, *attribute.graphs):
                yield from tensors_of(inner)
