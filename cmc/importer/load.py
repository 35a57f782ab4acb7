# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Reading a model and the arrays in it, with errors that a person can use."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnx.checker import ValidationError
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from cmc.errors import CmcError
from cmc.files.output import is_special
from cmc.importer.schema import NEWEST_OPSET

OLDEST_OPSET = 7

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Model:
    """A model, its opset, and its arrays as they are asked for."""

    proto: onnx.ModelProto
    opset: int
    path: Path | None
    """The file that it came from, in whose folder its external data lies."""

    @cached_property
    def opsets(self) -> Mapping[str, int]:
        """The version of each domain of operators."""
        versions = {entry.domain: entry.version for entry in self.proto.opset_import}
        return {**versions, "": self.opset, "ai.onnx": self.opset}

    @cached_property
    def initializers(self) -> Mapping[str, TensorProto]:
        """The arrays of the graph by name."""
        return {tensor.name: tensor for tensor in self.proto.graph.initializer}

    def array(self, tensor: TensorProto) -> Array:
        """The elements of `tensor`. CmcError if they are out of reach or do not fit its shape."""
        try:
            folder = _data_folder(tensor, self.path) if uses_external_data(tensor) else ""
            return numpy_helper.to_array(tensor, folder)
        except (OSError, ValidationError) as error:
            raise CmcError(f"cannot read weights {tensor.name!r}: {error}") from None
        except (KeyError, TypeError, ValueError) as error:
            raise CmcError(
                f"the data of tensor {tensor.name!r} do not fit its shape {list(tensor.dims)}: "
                f"{error}"
            ) from None


def load_model(source: str | Path | onnx.ModelProto) -> Model:
    """Read a model and check that it is one. CmcError if it is not, or is too old."""
    if isinstance(source, onnx.ModelProto):
        path, proto = None, source
    else:
        path = Path(source)
        proto = _read(path)
    where = None if path is None else str(path)
    if not _is_text(proto.graph) or (not proto.graph.node and not proto.graph.output):
        raise CmcError(_NO_MODEL, where)
    if proto.functions:
        proto = _inline_functions(proto, where)
    opset = _opset(proto, where)
    if not proto.graph.output:
        raise CmcError("the model has no outputs: there is nothing to compute", where)
    return Model(proto, opset, path)


def _read(path: Path) -> onnx.ModelProto:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CmcError(f"cannot read the model: {error.strerror}", str(path)) from None
    if not content and is_special(path):
        raise CmcError("a pipe is empty once it was read: give a file", str(path))
    for beginning, what in _OTHERS.items():
        if content.startswith(beginning):
            raise CmcError(what, str(path))
    try:
        return onnx.load_model_from_string(content)
    except DecodeError:
        raise CmcError(_NO_MODEL, str(path)) from None


_NO_MODEL = "not an ONNX model, or one that is cut short"

_OTHERS = {
    b"builtin.module": "no ONNX model but a module, which those who take one know by .mlir",
    b"version https://git-lfs": "this stands for a model that Git LFS has: git lfs pull fetches it",
}
"""What files begin with that are given in place of a model."""


def _is_text(graph: onnx.GraphProto) -> bool:
    """Whether the names are text: protobuf hands out bytes for what is not UTF-8."""
    values = (graph.input, graph.output, graph.initializer)
    names = [value.name for value in chain.from_iterable(values)]
    for node in graph.node:
        names += [node.name, node.op_type, node.domain, *node.input, *node.output]
    try:
        "".join(names)
    except TypeError:
        return False
    return True


def _inline_functions(proto: onnx.ModelProto, where: str | None) -> onnx.ModelProto:
    from onnx import inliner

    try:
        return inliner.inline_local_functions(proto)
    except Exception as error:  # onnx's C++ side raises several types
        raise CmcError(f"cannot inline the model's functions: {error}", where) from None


def _opset(proto: onnx.ModelProto, where: str | None) -> int:
    versions = [entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")]
    others = {node.domain for node in proto.graph.node} - {"", "ai.onnx"}
    if not versions and len(others) == len({node.domain for node in proto.graph.node}):
        # The operators of other domains are for others to refuse.
        return NEWEST_OPSET
    if not versions:
        raise CmcError("the model does not say which ONNX opset it uses", where)
    if versions[0] < OLDEST_OPSET:
        raise CmcError(
            f"opset {versions[0]} is older than {OLDEST_OPSET}, the oldest supported: "
            "raise it with onnx.version_converter",
            where,
        )
    if versions[0] > NEWEST_OPSET:
        raise CmcError(
            f"opset {versions[0]} is newer than {NEWEST_OPSET}, the newest that onnx "
            f"{onnx.__version__} knows: install a newer onnx, or export the model for that opset",
            where,
        )
    return versions[0]


def _data_folder(tensor: TensorProto, model: Path | None) -> str:
    """The folder from which onnx reads the external data of `tensor`, once all of them are there.

    onnx checks as much, but what it says of it depends on its version.
    """
    info = ExternalDataInfo(tensor)
    if model is None:
        raise CmcError(
            f"weights {tensor.name!r} are in the file {info.location!r}: give the model as a path, "
            "or load it with its external data"
        )
    folder = model.parent.resolve()
    file = (folder / info.location).resolve()
    if not info.location or not file.is_relative_to(folder):
        raise CmcError(
            f"weights {tensor.name!r} are in {info.location!r}, which is not in the model's folder",
            str(model),
        )
    try:
        size = file.stat().st_size
    except OSError as error:
        raise CmcError(
            f"cannot read weights {tensor.name!r}: {error.strerror}", str(file)
        ) from None
    present = max(0, size - (info.offset or 0))
    if info.length is not None and present < info.length:
        raise CmcError(
            f"the file is cut short: it has {present} of the {info.length} bytes of weights "
            f"{tensor.name!r}",
            str(file),
        )
    return str(folder)
