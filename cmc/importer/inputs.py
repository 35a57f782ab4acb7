# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Shapes of a model's inputs: every dimension is known."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from math import prod
from pathlib import Path

import onnx
from onnx import TensorProto

from cmc.dialects import nn
from cmc.errors import CmcError
from cmc.importer.load import load_model

FLOATS = frozenset(
    (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
)


NUMBERS = FLOATS | {
    TensorProto.BOOL,
    *(TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64),
    *(TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64),
}
"""What tensors hold: integers and truth values are numbers that float32 holds exactly."""


@dataclass(frozen=True)
class Input:
    """An input of the network; `shape` begins with the batch, if there is one."""

    name: str
    shape: tuple[int, ...]
    kind: int
    """What ONNX calls the type of its elements."""


@dataclass(frozen=True)
class Inputs:
    """The inputs of the network, and how many images they are."""

    inputs: Sequence[Input]
    batch: int | None
    """The size of the first axis of all of them; None where the model leaves it open."""
    differ: str
    """How the inputs differ in that size, if they do: together they are one image."""


def resolve_inputs(inputs: Sequence[onnx.ValueInfoProto], given: Mapping[str, int]) -> Inputs:
    """Fix all dimensions of `inputs`.

    An open batch is one, or that of the inputs all of whose axes are fixed. `given` has values for
    other dimensions that the model leaves open: by `input:axis`; by the dimension's name; or by the
    input's name, for all its open dimensions without a name. CmcError if one stays open, or if one
    is given that is not open.
    """
    shared = {
        dim.dim_param or info.name
        for info in inputs
        for dim in info.type.tensor_type.shape.dim[1:]
        if not _is_fixed(dim)
    }
    resolver = _Resolver(given, shared)
    sizes = {info.name: resolver.resolve(info) for info in inputs}
    resolver.check_given()
    batch = next((size[0] for size in sizes.values() if size and size[0] is not None), None)
    # In front of a state [layers, batch, n] there are no images.
    whole = (info for info in inputs if all(map(_is_fixed, info.type.tensor_type.shape.dim)))
    common = next((size[0] for info in whole if (size := sizes[info.name])), None)
    batches = {
        name: size[0] or (common if common and f"{name}:0" not in given else 1)
        for name, size in sizes.items()
        if size
    }
    scalars = [f"{name!r} has no axis" for name, size in sizes.items() if not size]
    differ = ""
    if len(set(batches.values())) > 1 or (scalars and max(batches.values(), default=1) > 1):
        listed = (f"{name!r} {batch}" for name, batch in batches.items())
        differ = (
            f"the inputs differ in their batch, the size of the first axis: "
            f"{', '.join([*listed, *scalars])}; give each the images in front, and all as many"
        )
    return Inputs(
        [
            Input(
                info.name,
                tuple(size or batches[info.name] for size in sizes[info.name]),
                info.type.tensor_type.elem_type,
            )
            for info in inputs
        ],
        batch,
        differ,
    )


def inputs_of_whole_numbers(path: Path) -> dict[str, int]:
    """The names of a model's inputs that are integers or truth values, each with the least to try.

    That is 1 for integers that others are divided by, else 0.
    """
    graph = load_model(path).proto.graph
    divisors = {node.input[1] for node in graph.node if node.op_type in ("Div", "Mod")}
    return {
        info.name: int(info.name in divisors)
        for info in graph.input
        if info.type.tensor_type.elem_type in NUMBERS - FLOATS
    }


def inputs_of_text(path: Path) -> frozenset[str]:
    """The names of a model's inputs that are text."""
    inputs = load_model(path).proto.graph.input
    return frozenset(
        info.name for info in inputs if info.type.tensor_type.elem_type == TensorProto.STRING
    )


class _Resolver:
    def __init__(self, given: Mapping[str, int], shared: Set[str]):
        """`shared` are the keys of dimensions that are not the batch, or not only."""
        self.given = given
        self.shared = shared
        self.used: set[str] = set()
        self.open: list[str] = []
        self.missing: list[CmcError] = []

    def resolve(self, info: onnx.ValueInfoProto) -> tuple[int | None, ...]:
        """The sizes of all axes; that of the first, the batch, is None if it is open."""
        type_ = info.type.tensor_type
        if not info.type.HasField("tensor_type"):
            raise CmcError("only tensors can be inputs", _where(info))
        if type_.elem_type not in NUMBERS:
            raise CmcError(
                f"inputs are numbers or truth values, not {type_name(type_.elem_type)}: convert "
                "them before the network",
                _where(info),
            )
        if not type_.HasField("shape"):
            raise CmcError("the model does not say how many dimensions it has", _where(info))
        dims = type_.shape.dim
        if not dims:
            return ()
        sizes = [self._size(info, axis, dim) for axis, dim in enumerate(dims)]
        if (elements := prod(sizes)) > nn.LARGEST:
            raise CmcError(nn.too_large(sizes, elements), _where(info))
        return (sizes[0] if _is_fixed(dims[0]) else None, *sizes[1:])

    def _size(
        self, info: onnx.ValueInfoProto, axis: int, dim: onnx.TensorShapeProto.Dimension
    ) -> int:
        if _is_fixed(dim):
            if dim.dim_value == 0:
                raise CmcError(f"axis {axis} has size 0", _where(info))
            return dim.dim_value
        indexed = f"{info.name}:{axis}"
        name = dim.dim_param or info.name
        self.open += [dim.dim_param] if dim.dim_param else [indexed, info.name]
        for key in (indexed, name):
            if key in self.given and not (axis == 0 and key in self.shared):
                self.used.add(key)
                return self._check(key, axis, self.given[key])
        if axis > 0:
            what = f"axis {axis} is left open{f' as {dim.dim_param}' if dim.dim_param else ''}"
            hint = f"give its size with --shape {dim.dim_param or indexed}=N"
            self.missing.append(CmcError(f"{what}: {hint}", _where(info)))
        return 1

    def _check(self, key: str, axis: int, size: int) -> int:
        if size < 1:
            raise CmcError(f"--shape {key}={size}: a size is at least 1")
        if axis == 0 and size != 1:
            raise CmcError(
                f"--shape {key}={size}: this is the batch, which is always 1: feed the images as "
                "a stream"
            )
        return size

    def check_given(self) -> None:
        """CmcError unless every open dimension was given a size, and nothing else was."""
        # A wrong name may be why another one is missing.
        unknown = [key for key in self.given if key not in self.used]
        if unknown:
            names = ", ".join(dict.fromkeys(self.open)) or "none"
            raise CmcError(
                f"--shape {', '.join(unknown)}: the model leaves no dimension of that name open "
                f"(open: {names})"
            )
        for error in self.missing:
            raise error


def type_name(element_type: int) -> str:
    """What ONNX calls the type of a tensor's elements."""
    known = element_type in TensorProto.DataType.values()
    return TensorProto.DataType.Name(element_type).lower() if known else "this type"


def _is_fixed(dim: onnx.TensorShapeProto.Dimension) -> bool:
    """Whether the model gives a size: some exporters write -1 for one that is open."""
    return dim.HasField("dim_value") and dim.dim_value >= 0


def _where(info: onnx.ValueInfoProto) -> str:
    return f"input {info.name!r}"
