"""Reading a model and the arrays in it, with errors that a person can use."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from cmc.errors import CmcError
from cmc.importer.wire import Place, detach_arrays

OLDEST_OPSET = 7

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Model:
    """A model, its opset, and its arrays as they are asked for."""

    proto: onnx.ModelProto
    opset: int
    path: Path | None
    """The file that it came from, in whose folder its external data lies."""
    places: Mapping[str, Place]
    """Where in that file the arrays are that the proto is without, by name."""

    @cached_property
    def initializers(self) -> Mapping[str, TensorProto]:
        """The arrays of the graph by name."""
        return {tensor.name: tensor for tensor in self.proto.graph.initializer}

    def array(self, tensor: TensorProto) -> Array:
        """The elements of `tensor`. CmcError if they are out of reach or do not fit its shape."""
        if tensor.data_location == TensorProto.EXTERNAL:
            return _external_array(tensor, self.path)
        if self.path is not None and tensor.name in self.places:
            return _read_array(tensor, self.path, self.places[tensor.name])
        return _to_array(tensor)


def load_model(source: str | Path | onnx.ModelProto) -> Model:
    """Read a model and check that it is one. CmcError if it is not, or is too old."""
    if isinstance(source, onnx.ModelProto):
        path, proto, places = None, source, dict[int, Place]()
    else:
        path = Path(source)
        proto, places = _read(path)
    where = None if path is None else str(path)
    if not proto.graph.node and not proto.graph.output:
        raise CmcError("not an ONNX model, or one that is cut short: there is no graph", where)
    named = {proto.graph.initializer[index].name: place for index, place in places.items()}
    if proto.functions:
        proto = _inline_functions(proto, where)
    return Model(proto, _opset(proto, where), path, named)


def _read(path: Path) -> tuple[onnx.ModelProto, dict[int, Place]]:
    """The model at `path` without its large arrays, and where these are by their index."""
    try:
        with (
            path.open("rb") as file,
            mmap(file.fileno(), 0, access=ACCESS_READ) as data,
            memoryview(data) as view,
        ):
            serialized, places = detach_arrays(view)
        return onnx.ModelProto.FromString(serialized), places
    except OSError as error:
        raise CmcError(f"cannot read the model: {error.strerror}", str(path)) from None
    except (DecodeError, ValueError):
        raise CmcError("not an ONNX model, or one that is cut short", str(path)) from None


def _inline_functions(proto: onnx.ModelProto, where: str | None) -> onnx.ModelProto:
    from onnx import inliner

    try:
        return inliner.inline_local_functions(proto)
    except Exception as error:  # onnx's C++ side raises several types
        raise CmcError(f"cannot inline the model's functions: {error}", where) from None


def _opset(proto: onnx.ModelProto, where: str | None) -> int:
    versions = [entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")]
    if not versions:
        raise CmcError("the model does not say which ONNX opset it uses", where)
    if versions[0] < OLDEST_OPSET:
        raise CmcError(
            f"opset {versions[0]} is older than {OLDEST_OPSET}, the oldest supported: "
            "raise it with onnx.version_converter",
            where,
        )
    return versions[0]


def _external_array(tensor: TensorProto, model: Path | None) -> Array:
    entries: Mapping[str, str] = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    if model is None:
        raise CmcError(
            f"weights {tensor.name!r} are in the file {location!r}: give the model as a path, or "
            "load it with its external data"
        )
    folder = model.parent.resolve()
    file = (folder / location).resolve()
    if not location or not file.is_relative_to(folder):
        raise CmcError(
            f"weights {tensor.name!r} are in {location!r}, which is not in the model's folder",
            str(model),
        )
    try:
        offset = int(entries.get("offset", 0))
        size = int(entries["length"]) if "length" in entries else file.stat().st_size - offset
    except OSError as error:
        raise _unreadable(tensor, file, error) from None
    return _read_array(tensor, file, Place(offset, size))


def _read_array(tensor: TensorProto, file: Path, place: Place) -> Array:
    """The elements of `tensor` from its place in `file`."""
    try:
        data = np.fromfile(file, np.uint8, place.size, offset=place.offset)
    except OSError as error:
        raise _unreadable(tensor, file, error) from None
    if data.size != place.size:
        raise CmcError(
            f"the file is cut short: it has {data.size} of the {place.size} bytes of weights "
            f"{tensor.name!r}",
            str(file),
        )
    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type).newbyteorder("<")
    if data.size == prod(tensor.dims) * dtype.itemsize:
        return data.view(dtype).reshape(tensor.dims)
    # Several elements share a byte, or else onnx says what does not fit.
    packed = TensorProto()
    packed.CopyFrom(tensor)
    packed.raw_data = data.tobytes()
    packed.ClearField("data_location")
    return _to_array(packed)


def _to_array(tensor: TensorProto) -> Array:
    try:
        return numpy_helper.to_array(tensor)
    except (KeyError, TypeError, ValueError) as error:
        raise CmcError(
            f"the data of tensor {tensor.name!r} do not fit its shape {list(tensor.dims)}: {error}"
        ) from None


def _unreadable(tensor: TensorProto, file: Path, error: OSError) -> CmcError:
    return CmcError(f"cannot read weights {tensor.name!r}: {error.strerror}", str(file))
