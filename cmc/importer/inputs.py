"""Shapes of a model's inputs: the batch is one, and every other dimension is known."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import onnx
from onnx import TensorProto

from cmc.errors import CmcError

_FLOATS = frozenset(
    (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
)


@dataclass(frozen=True)
class Input:
    """An input of the network; `shape` begins with a batch of one."""

    name: str
    shape: tuple[int, ...]
    batch: int | None
    """The batch that the model was made for, if it says."""


def resolve_inputs(inputs: Iterable[onnx.ValueInfoProto], given: Mapping[str, int]) -> list[Input]:
    """Fix all dimensions of `inputs`.

    `given` has values for dimensions that the model leaves open: by the dimension's name; by the
    input's name, for all its open dimensions without a name; or by `input:axis`. CmcError if one
    stays open, or if one is given that is not open.
    """
    resolver = _Resolver(given)
    resolved = [resolver.resolve(info) for info in inputs]
    resolver.check_given()
    return resolved


class _Resolver:
    def __init__(self, given: Mapping[str, int]):
        self.given = given
        self.used: set[str] = set()
        self.open: list[str] = []
        self.missing: list[CmcError] = []

    def resolve(self, info: onnx.ValueInfoProto) -> Input:
        type_ = info.type.tensor_type
        if not info.type.HasField("tensor_type"):
            raise CmcError("only tensors can be inputs", _where(info))
        if type_.elem_type not in _FLOATS:
            known = type_.elem_type in TensorProto.DataType.values()
            name = TensorProto.DataType.Name(type_.elem_type).lower() if known else "this type"
            raise CmcError(
                f"inputs are floating-point numbers, not {name}: convert them before the network",
                _where(info),
            )
        if not type_.HasField("shape"):
            raise CmcError("the model does not say how many dimensions it has", _where(info))
        dims = type_.shape.dim
        if not dims:
            raise CmcError("an input needs a batch axis, but this is a scalar", _where(info))
        sizes = [self._size(info, axis, dim) for axis, dim in enumerate(dims)]
        batch = dims[0].dim_value if dims[0].HasField("dim_value") else None
        return Input(info.name, (1, *sizes[1:]), batch)

    def _size(
        self, info: onnx.ValueInfoProto, axis: int, dim: onnx.TensorShapeProto.Dimension
    ) -> int:
        if dim.HasField("dim_value"):
            if dim.dim_value < 1:
                raise CmcError(f"axis {axis} has size {dim.dim_value}", _where(info))
            return dim.dim_value
        indexed = f"{info.name}:{axis}"
        keys = (dim.dim_param,) if dim.dim_param else (indexed, info.name)
        self.open += keys
        for key in keys:
            if key in self.given:
                self.used.add(key)
                return self._check(key, axis, self.given[key])
        if axis > 0:
            what = f"axis {axis} is left open{f' as {dim.dim_param}' if dim.dim_param else ''}"
            hint = f"give its size with --shape {keys[0]}=N"
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


def _where(info: onnx.ValueInfoProto) -> str:
    return f"input {info.name!r}"
