"""Reading a model and the arrays in it, with errors that a person can use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from cmc.errors import CmcError

OLDEST_OPSET = 7

Array = NDArray[np.generic]


@dataclass
class Model:
    """A model, its opset, and its arrays as they are asked for."""

    proto: onnx.ModelProto
    opset: int
    path: Path | None
    """The file that it came from, in whose folder its external data lies."""
    initializers: dict[str, TensorProto] = field(init=False)

    def __post_init__(self) -> None:
        self.initializers = {tensor.name: tensor for tensor in self.proto.graph.initializer}

    def array(self, tensor: TensorProto) -> Array:
        """The elements of `tensor`. CmcError if they are out of reach or do not fit its shape."""
        if tensor.data_location == TensorProto.EXTERNAL:
            return _external_array(tensor, self.path)
        try:
            return numpy_helper.to_array(tensor)
        except (TypeError, ValueError) as error:
            raise CmcError(
                f"the data of tensor {tensor.name!r} do not fit its shape "
                f"{list(tensor.dims)}: {error}"
            ) from None


def load_model(source: str | Path | onnx.ModelProto) -> Model:
    """Read a model and check that it is one. CmcError if it is not, or is too old."""
    if isinstance(source, onnx.ModelProto):
        path, proto = None, source
    else:
        path = Path(source)
        proto = _read(path)
    where = None if path is None else str(path)
    if not proto.graph.node and not proto.graph.output:
        raise CmcError("not an ONNX model, or one that is cut short: there is no graph", where)
    if proto.functions:
        proto = _inline_functions(proto, where)
    return Model(proto, _opset(proto, where), path)


def _read(path: Path) -> onnx.ModelProto:
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(path.read_bytes())
    except OSError as error:
        raise CmcError(f"cannot read the model: {error.strerror}", str(path)) from None
    except DecodeError:
        raise CmcError("not an ONNX model, or one that is cut short", str(path)) from None
    return proto


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
    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    count = int(np.prod(tensor.dims, dtype=np.int64))
    try:
        array = np.fromfile(file, dtype, count, offset=int(entries.get("offset", 0)))
    except OSError as error:
        raise CmcError(
            f"cannot read weights {tensor.name!r} from {location!r}: {error.strerror}", str(model)
        ) from None
    if array.size != count:
        raise CmcError(
            f"{location!r} is cut short: it has {array.size} of the {count} elements of weights "
            f"{tensor.name!r}",
            str(model),
        )
    return array.reshape(tensor.dims)
