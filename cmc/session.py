# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`InferenceSession`: a network as onnxruntime has it, for programs that were written for that.

```python
import cmc as onnxruntime

session = onnxruntime.InferenceSession("digits.onnx", providers=["CPUExecutionProvider"])
(scores,) = session.run(["scores"], {"image": images})
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import cast

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TypeProto, ValueInfoProto, helper

from cmc.api import Program, compile
from cmc.compiler.standard import AUTO, BufferPolicy
from cmc.errors import CmcError
from cmc.importer.chosen import choosing_inputs, with_constants
from cmc.importer.load import load_model
from cmc.importer.types import infer_values, static_shape
from cmc.reference import with_weights
from cmc.reports.report import Report
from cmc.streams import image_shape
from cmc.targets import IDEAL

Array = NDArray[np.generic]
Shape = tuple[int, ...]


class InvalidArgument(CmcError, ValueError):
    """A name, a shape or a type that the network does not have."""


class SessionOptions:
    """What onnxruntime can be told of how it computes: accepted, and without effect."""

    def __setattr__(self, name: str, value: object) -> None:
        self.__dict__[name] = value


@dataclass(frozen=True)
class NodeArg:
    """An input or an output of a network, as onnxruntime describes it."""

    name: str
    shape: list[int | str | None]
    """Sizes, or the names of dimensions that are open; None for one without a name."""
    type: str
    """As in `tensor(float)`."""


class InferenceSession:
    """A network that runs on simulated cores, and on the host what no core can have.

    Shapes that the model leaves open are those of the arrays of each run: the network is compiled
    for them when they first come. So it is for numbers that choose what is computed.
    """

    def __init__(
        self,
        path_or_bytes: str | bytes | PathLike[str] | onnx.ModelProto,
        sess_options: object = None,
        providers: Sequence[object] | None = None,
        provider_options: Sequence[object] | None = None,
        *,
        target: str | PathLike[str] = IDEAL.name,
        copies: str | PathLike[str] = AUTO,
        buffers: BufferPolicy = "throughput",
        host: bool = True,
    ):
        """`target`, `copies`, `buffers` and `host` are as for `cmc.compile`; other options have no
        effect. CmcError for a model that cannot be compiled, now if all its shapes are known."""
        self._model = _load(path_or_bytes)
        self._options = fspath(target), fspath(copies), buffers, host
        graph = self._model.graph
        held = {tensor.name for tensor in graph.initializer}
        self._inputs = [info for info in graph.input if info.name not in held]
        types = infer_values(load_model(self._model), {i.name: i.type for i in self._inputs})
        self._outputs = [
            info if info.type.tensor_type.HasField("shape") else _typed(info, types)
            for info in graph.output
        ]
        self._choosing = choosing_inputs(graph)
        self._programs: dict[tuple[object, ...], Program] = {}
        self.report: Report | None = None
        """What the last run took of the chip."""
        shapes = [_first_shape(info) for info in self._inputs]
        if None not in shapes and not self._choosing:
            self._program(tuple(shapes), {})

    def get_inputs(self) -> list[NodeArg]:
        """The inputs of the model, in its order, without those that have an initializer."""
        return [_argument(info) for info in self._inputs]

    def get_outputs(self) -> list[NodeArg]:
        """The outputs of the model, in its order."""
        return [_argument(info) for info in self._outputs]

    def get_providers(self) -> list[str]:
        """Who computes: nobody of onnxruntime's."""
        return [PROVIDER]

    def run(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, object],
        run_options: object = None,
    ) -> list[Array]:
        """The outputs of these names, or all. InvalidArgument for names or arrays that do not fit.

        Arrays have the model's types and shapes, the batch among them. A sequence is a list.
        """
        known = [info.name for info in self._outputs]
        wanted = known if output_names is None else list(output_names)
        for name in wanted:
            if name not in known:
                raise InvalidArgument(f"Invalid output name: {name!r}; there is {', '.join(known)}")
        feeds = self._check(input_feed)
        shapes = tuple(map(_shape, feeds.values()))
        program = self._program(shapes, {name: cast(Array, feeds[name]) for name in self._choosing})
        whole = all(
            -1 in shape
            or not isinstance(feeds[name], np.ndarray)
            or image_shape(cast(Array, feeds[name]).shape) == shape
            for name, shape in program.inputs.items()
        )
        stream = {
            name: _one(feeds[name], shape) if whole else cast(Array, feeds[name])
            for name, shape in program.inputs.items()
        }
        result = program.run(stream)
        self.report = result.report
        declared = {info.name: info.type for info in self._outputs}
        return [
            _output(result.outputs[name], declared[name], program.result_shapes[name], whole)
            for name in wanted
        ]

    def _check(self, feed: Mapping[str, object]) -> dict[str, object]:
        names = [info.name for info in self._inputs]
        missing = [name for name in names if name not in feed]
        if missing:
            raise InvalidArgument(
                f"Required inputs ({missing}) are missing from input feed ({list(feed)})."
            )
        for name in feed:
            if name not in names:
                raise InvalidArgument(f"Invalid input name: {name!r}; there is {', '.join(names)}")
        return {info.name: _checked(info, feed[info.name]) for info in self._inputs}

    def _program(self, shapes: tuple[Shape | None, ...], chosen: Mapping[str, Array]) -> Program:
        """The network for inputs of these shapes and values; None for what has no shape."""
        key = shapes, *(chosen[name].item() for name in sorted(chosen))
        program = self._programs.get(key)
        if program is None:
            target, copies, buffers, host = self._options
            model = onnx.ModelProto()
            model.CopyFrom(self._model)
            inputs = {info.name: info for info in model.graph.input}
            for info, shape in zip(self._inputs, shapes, strict=True):
                if shape is not None and info.type.HasField("tensor_type"):
                    kind = info.type.tensor_type.elem_type
                    fixed = helper.make_tensor_type_proto(kind, shape)
                    inputs[info.name].type.CopyFrom(fixed)
            for info in model.graph.output:
                if static_shape(info.type) is None:
                    info.type.tensor_type.ClearField("shape")
            program = self._programs[key] = compile(
                with_constants(model, chosen),
                buffers=buffers,
                target=target,
                copies=copies,
                host=host,
            )
        return program


PROVIDER = "CmcExecutionProvider"


def get_available_providers() -> list[str]:
    """Who computes: nobody of onnxruntime's."""
    return [PROVIDER]


def _load(source: str | bytes | PathLike[str] | onnx.ModelProto) -> onnx.ModelProto:
    """A model with all its arrays. CmcError if it is none."""
    if isinstance(source, bytes):
        try:
            source = onnx.load_model_from_string(source)
        except Exception as error:  # of protobuf
            raise CmcError("not an ONNX model, or one that is cut short") from error
    if isinstance(source, onnx.ModelProto):
        return load_model(source).proto
    return with_weights(Path(source))


def _first_shape(info: ValueInfoProto) -> Shape | None:
    """The shape that the model gives an input, with 1 for an open batch; None where it is open."""
    if not info.type.tensor_type.HasField("shape"):
        return None
    dims = [
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None
        for dim in info.type.tensor_type.shape.dim
    ]
    first = [1 if size is None else size for size in dims[:1]]
    rest = [size for size in dims[1:] if size is not None]
    return (*first, *rest) if len(first) + len(rest) == len(dims) else None


def _typed(info: ValueInfoProto, types: Mapping[str, TypeProto]) -> ValueInfoProto:
    """A declaration with what ONNX infers, where it says less."""
    found = types.get(info.name, info.type)
    known = found.WhichOneof("value") == info.type.WhichOneof("value")
    return ValueInfoProto(name=info.name, type=found) if known else info


def _argument(info: ValueInfoProto) -> NodeArg:
    shape: list[int | str | None] = []
    for dim in info.type.tensor_type.shape.dim:
        known = dim.HasField("dim_value") and dim.dim_value >= 0
        own = not dim.dim_param.startswith("unk__")  # as onnx calls what has no name
        shape.append(dim.dim_value if known else (dim.dim_param if own else "") or None)
    return NodeArg(info.name, shape, _type_name(info.type))


def _type_name(type_: TypeProto) -> str:
    match type_.WhichOneof("value"):
        case "sequence_type":
            return f"seq({_type_name(type_.sequence_type.elem_type)})"
        case "optional_type":
            return f"optional({_type_name(type_.optional_type.elem_type)})"
        case _:
            kind = type_.tensor_type.elem_type
            return f"tensor({onnx.TensorProto.DataType.Name(kind).lower()})"


def _checked(info: ValueInfoProto, value: object) -> object:
    """An input of the type and the shape that the model declares."""
    if not info.type.HasField("tensor_type"):
        return value
    array: Array = np.asarray(cast(ArrayLike, value))
    if array.dtype.kind in "US":
        array = array.astype(object)
    kind = info.type.tensor_type.elem_type
    expected = helper.tensor_dtype_to_np_dtype(kind)
    if array.dtype != expected:
        raise InvalidArgument(
            f"Unexpected input data type for {info.name!r}: {array.dtype}, expected "
            f"{_type_name(info.type)}"
        )
    if info.type.tensor_type.HasField("shape"):
        dims = _argument(info).shape
        fits = len(dims) == array.ndim and all(
            not isinstance(dim, int) or dim == size
            for dim, size in zip(dims, array.shape, strict=True)
        )
        if not fits:
            raise InvalidArgument(
                f"Got invalid dimensions for input {info.name!r}: {list(array.shape)}, expected "
                f"{dims}"
            )
    return array


def _shape(value: object) -> Shape | None:
    return cast(Array, value).shape if isinstance(value, np.ndarray) else None


def _one(value: object, shape: Shape) -> Array:
    """A value as a stream of one image."""
    if isinstance(value, np.ndarray):
        array = cast(Array, value)
        return array[np.newaxis] if -1 in shape else array.reshape(1, *shape)
    objects = np.empty(1, object)
    objects[0] = value
    return objects


def _output(found: Array, declared: TypeProto, shape: Shape | None, whole: bool) -> Array:
    """An output as the model declares it."""
    if shape is None:
        return cast(Array, found[0])
    array = found.reshape(shape if whole else (len(found), *shape[1:]))
    kind = declared.tensor_type.elem_type
    dtype = helper.tensor_dtype_to_np_dtype(kind) if kind else array.dtype
    with np.errstate(over="ignore"):
        return array.astype(dtype, copy=False)
