# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A network of which the host computes parts, and the cores the others: who computes when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from onnx import TypeProto, ValueInfoProto, helper
from xdsl.dialects.builtin import ModuleOp

from cmc.diagnostics import operation_error
from cmc.dialects import nn
from cmc.errors import CmcError
from cmc.host.evaluator import Evaluator, HostValue
from cmc.importer.types import static_shape
from cmc.reports.host import HostReport
from cmc.streams import (
    Shapes,
    Stream,
    check_exact,
    check_images,
    check_names,
    check_stream,
    count_images,
    image_shape,
)

Floats = NDArray[np.float32]
Arrays = Mapping[str, ArrayLike]
Images = NDArray[np.generic] | Sequence[HostValue]
"""What there is of each image: in one array, or one after the other."""

Compute = Callable[[Stream], Mapping[str, Floats]]
"""What the cores compute of a stream of all their inputs."""


@dataclass(frozen=True)
class Cores:
    """What the cores read and compute of a network."""

    inputs: Shapes
    outputs: Shapes


NOTHING = Cores({}, {})
"""Where the host computes the whole network."""


class Turns:
    """The parts of a network on the host, and in which order they and the cores take turns."""

    def __init__(self, interface: nn.InterfaceOp, parts: Sequence[nn.HostOp]):
        self._interface = interface
        self._parts = [_Part(op) for op in parts]
        self._makers = {name: part for part in self._parts for name in part.outputs}

    @staticmethod
    def of(module: ModuleOp) -> Turns | None:
        """Those of a module; None if there is no part on the host. CmcError if it is wrong."""
        interfaces = [op for op in module.ops if isinstance(op, nn.InterfaceOp)]
        parts = [op for op in module.ops if isinstance(op, nn.HostOp)]
        if not interfaces and not parts:
            return None
        if len(interfaces) != 1:
            raise CmcError(
                "a module with parts on the host has one nn.interface, which says what the inputs "
                f"and outputs of the network are; this one has {len(interfaces)}"
            )
        return Turns(interfaces[0], parts)

    def check(self, cores: Cores) -> None:
        """CmcError if a part reads what nobody computes, or what is computed after it."""
        known = {*(name.data for name in self._interface.inputs), *cores.outputs}
        for part in self._parts:
            for name in part.inputs:
                if name not in known:
                    raise operation_error(part.op, f"reads '{name}', which nothing before it makes")
            known |= part.outputs.keys()
        for name in (*cores.inputs, *(name.data for name in self._interface.outputs)):
            if name not in known:
                raise operation_error(self._interface, f"lacks '{name}', which nothing makes")

    # What goes in, and what comes out

    def inputs(self, cores: Cores) -> dict[str, tuple[int, ...]]:
        """The shape of one image by input name; -1 stands for what depends on the image."""
        shapes: dict[str, tuple[int, ...]] = {}
        for name in (name.data for name in self._interface.inputs):
            known = cores.inputs.get(name)
            shapes[name] = _shape_of_image(self._declared(name)) if known is None else known
        return shapes

    def outputs(self, cores: Cores) -> dict[str, tuple[int, ...]]:
        """The shape of one image's result by output name; -1 as for inputs."""
        shapes: dict[str, tuple[int, ...]] = {}
        inputs = self.inputs(cores)
        for name in (name.data for name in self._interface.outputs):
            maker = self._makers.get(name)
            known = cores.outputs.get(name, inputs.get(name, ()))
            shapes[name] = known if maker is None else _shape_of_image(maker.outputs[name])
        return shapes

    def result_shapes(self, cores: Shapes) -> dict[str, tuple[int, ...] | None]:
        """The shape of the tensor that each output is, whoever computes it; None if it is open.

        `cores` has those of the cores' outputs.
        """
        shapes: dict[str, tuple[int, ...] | None] = {}
        for name in (name.data for name in self._interface.outputs):
            maker = self._makers.get(name)
            shapes[name] = cores.get(name) if maker is None else static_shape(maker.outputs[name])
        return shapes

    def _declared(self, name: str) -> TypeProto:
        return next(part.inputs[name] for part in self._parts if name in part.inputs)

    @property
    def hosted_inputs(self) -> dict[str, TypeProto]:
        """What is declared of the inputs of the network that the host reads."""
        names = [name.data for name in self._interface.inputs]
        return {n: part.inputs[n] for part in self._parts for n in names if n in part.inputs}

    def reports(self) -> tuple[HostReport, ...]:
        """What is on the host, and why."""
        return tuple(part.report() for part in self._parts)

    # Computing

    def streams(self, arrays: Arrays, cores: Cores) -> tuple[Stream, dict[str, Images]]:
        """What the cores read of arrays `[images, ...]`, and what the host does.

        CmcError for arrays that do not fit.
        """
        shapes = self.inputs(cores)
        check_names(shapes, arrays)
        stream = check_stream(
            {name: shapes[name] for name in shapes if name in cores.inputs},
            {name: array for name, array in arrays.items() if name in cores.inputs},
        )
        hosted = self.hosted_inputs
        values: dict[str, Images] = {
            name: check_images(name, shapes[name], arrays[name]) for name in hosted
        }
        images = count_images(stream | values)
        if any(len(array) != images for array in values.values()):
            raise CmcError("the inputs differ in their number of images")
        for name, type_ in hosted.items():
            _as(name, type_, values[name][0])
        return stream, values

    def run(self, arrays: Arrays, cores: Cores, compute: Compute) -> dict[str, Floats]:
        """The outputs of a stream of images, each array `[images, ...]`, by means of the cores.

        They are float32, but for those that the host computes, which are of their own types. Where
        the shape of such a one depends on the image, the output is an array of objects: one array
        an image. CmcError for arrays that do not fit, and where the host fails.
        """
        stream, values = self.streams(arrays, cores)
        images = count_images(stream | values)
        runner = _Runner(cores, compute, stream, images)
        for part in self._parts:
            if part.inputs.keys() & cores.outputs.keys():
                values.update(runner.compute())
            results = [part.run(values, image) for image in range(images)]
            made = {name: [result[name] for result in results] for name in part.outputs}
            values |= made
            for name in made.keys() & cores.inputs.keys():
                runner.enter(name, made[name])
        if cores.outputs:
            values.update(runner.compute())
        given = {name: np.asarray(arrays[name]) for name in arrays}
        outputs = self.outputs(cores)
        return {
            name: _stacked(name, given[name] if name in given else values[name], shape)
            for name, shape in outputs.items()
        }


class _Runner:
    """The cores, run whenever more of what they read is known.

    What is not known yet is 0, and what the cores make of that is for nobody to read.
    """

    def __init__(self, cores: Cores, compute: Compute, stream: Stream, images: int):
        self._cores = cores
        self._compute = compute
        self._stream = {
            name: np.zeros((images, *shape), np.float32) for name, shape in cores.inputs.items()
        } | stream
        self._computed: Mapping[str, Floats] | None = None

    def enter(self, name: str, values: Sequence[HostValue]) -> None:
        """Let the cores read what the host has computed of each image."""
        shape = self._cores.inputs[name]
        arrays = [np.asarray(value) for value in values]
        for array in arrays:
            if image_shape(array.shape) != shape:
                raise CmcError(
                    f"the host gives '{name}' of shape {list(array.shape)}, and the cores read "
                    f"{list(shape)}"
                )
        stacked = np.stack([array.reshape(shape) for array in arrays])
        check_exact(stacked, f"'{name}', which the host computes,")
        with np.errstate(over="ignore"):
            self._stream[name] = stacked.astype(np.float32)
        self._computed = None

    def compute(self) -> Mapping[str, Floats]:
        if self._computed is None:
            self._computed = self._compute(self._stream)
        return self._computed


class _Part:
    """A part on the host, loaded when it is first run."""

    def __init__(self, op: nn.HostOp):
        self.op = op
        graph = op.bare().graph
        self.inputs = _types(graph.input)
        self.outputs = _types(graph.output)

    @cached_property
    def _evaluator(self) -> Evaluator:
        return Evaluator(self.op.proto())

    def report(self) -> HostReport:
        op = self.op
        return HostReport(op.sym_name.data, self._evaluator.engine, op.inputs, op.outputs, op.nodes)

    def run(self, values: Mapping[str, Images], image: int) -> dict[str, HostValue]:
        """What it computes of one image."""
        feeds = {name: _as(name, type_, values[name][image]) for name, type_ in self.inputs.items()}
        try:
            return self._evaluator(feeds)
        except CmcError as error:
            raise CmcError(
                f"fails on image {image}: {error.message}", f"on the host, {self._names()}"
            ) from error

    def _names(self) -> str:
        """Its nodes, or some of them, as an error names them."""
        nodes = [f"{node.operator} node {node.node!r}" for node in self.op.nodes]
        more = [f"{len(nodes) - _NAMED} others"] if len(nodes) > _NAMED else []
        return " or ".join([*nodes[:_NAMED], *more])


_NAMED = 3
"""Of the nodes of which one fails, how many are named: who computes them says which it is."""


def _types(infos: Iterable[ValueInfoProto]) -> dict[str, TypeProto]:
    return {info.name: info.type for info in infos}


def _as(name: str, type_: TypeProto, value: HostValue) -> HostValue:
    """A value as an ONNX model takes it. CmcError for text in the place of numbers, or numbers."""
    if not type_.tensor_type.elem_type or value is None:
        return value  # a sequence, or of a type that the model does not say
    array = np.asarray(cast(ArrayLike, value))
    shape = static_shape(type_)
    if shape is not None and array.shape != shape:
        array = array.reshape(shape)
    dtype = helper.tensor_dtype_to_np_dtype(type_.tensor_type.elem_type)
    if (dtype.kind == "O") != (array.dtype.kind in "OUS"):
        wanted = "text" if dtype.kind == "O" else str(dtype)
        raise CmcError(f"'{name}' is {wanted}, and given as {array.dtype}")
    with np.errstate(over="ignore"):
        return array.astype(dtype, copy=False)


def _shape_of_image(type_: TypeProto) -> tuple[int, ...]:
    """The shape that is declared, as that of one image; -1 where that is open."""
    if not _is_static(type_):
        return tuple(
            dim.dim_value if dim.HasField("dim_value") else -1
            for dim in type_.tensor_type.shape.dim
        ) or (-1,)
    return image_shape(static_shape(type_) or ())


def _is_static(type_: TypeProto) -> bool:
    return type_.HasField("tensor_type") and static_shape(type_) is not None


def _stacked(name: str, values: Images, shape: tuple[int, ...]) -> Floats:
    """One array of what there is of each image."""
    if isinstance(values, np.ndarray):
        return cast(Floats, values)
    if -1 in shape:
        objects = np.empty(len(values), object)
        for image, value in enumerate(values):
            objects[image] = value
        return cast(Floats, objects)
    arrays = [np.asarray(cast(ArrayLike, value)) for value in values]
    for array in arrays:
        if image_shape(array.shape) != shape:
            raise CmcError(
                f"the host gives output '{name}' of shape {list(array.shape)}, and ONNX infers "
                f"{list(shape)}"
            )
    return np.stack([array.reshape(shape) for array in arrays])
