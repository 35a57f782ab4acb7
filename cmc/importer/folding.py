# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Evaluation of nodes whose inputs are all known."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, cast

import numpy as np
from onnx import helper, numpy_helper
from onnx.defs import get_schema
from onnx.shape_inference import infer_node_outputs

from cmc.importer.load import Array
from cmc.importer.node import Node


class OnnxEvaluator(Protocol):
    """onnx's reference evaluator, as far as it is used."""

    @property
    def output_names(self) -> Sequence[str]: ...
    def run(self, names: None, inputs: Mapping[str, object], /) -> Sequence[object]: ...


_RANDOM = frozenset(
    (
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    )
)


@np.errstate(all="ignore")
def fold(node: Node) -> Sequence[Array] | None:
    """The results of `node`; None if an input is not known, or one of them is no tensor."""
    if node.op_type in _RANDOM:
        return None
    inputs: list[Array | None] = []
    for index in range(len(node)):
        value = node.constant(index) if node.has_input(index) else None
        if value is None and node.has_input(index):
            return None
        inputs.append(value)
    _check_size(node, inputs)
    try:
        direct = _DIRECT.get(node.op_type)
        if direct is not None:
            return [direct(node, [value for value in inputs if value is not None])]
        return _evaluate(node, inputs)
    except Exception as error:  # whatever a malformed node makes its evaluation raise
        raise node.error(f"cannot be evaluated on its constant inputs: {error}") from error


def _check_size(node: Node, inputs: Sequence[Array | None]) -> None:
    """CmcError if a result would be larger than a tensor may be, or a loop never end."""
    if node.op_type in ("Loop", "Scan", "SequenceMap"):
        raise node.error(f"operator {node.op_type!r} is not supported: unroll it")
    for shape in _inferred_shapes(node, inputs):
        node.check_size(shape)


def _inferred_shapes(node: Node, inputs: Sequence[Array | None]) -> Iterator[list[int]]:
    """The shapes of results that ONNX infers; what it cannot infer is not larger than an input."""
    known = {
        name: array
        for name, array in zip(node.proto.input, inputs, strict=True)
        if array is not None
    }
    try:
        types = infer_node_outputs(
            get_schema(node.op_type, node.opset),
            node.proto,
            {
                name: helper.make_tensor_type_proto(
                    helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
                )
                for name, array in known.items()
            },
            {
                name: numpy_helper.from_array(array, name)
                for name, array in known.items()
                if array.size <= _SMALL
            },
            opset_imports=[helper.make_opsetid("", node.opset)],
        )
    except Exception:  # onnx's C++ side raises several types
        return
    for type_ in types.values():
        dims = type_.tensor_type.shape.dim
        if all(dim.HasField("dim_value") for dim in dims):
            yield [dim.dim_value for dim in dims]


_SMALL = 64
"""The most elements of an array that may say how large another one is."""


def _evaluate(node: Node, inputs: Sequence[Array | None]) -> Sequence[Array] | None:
    """Ask onnx's own evaluator, which knows every operator and takes 0.1 ms for one.

    None if a result is a sequence, or an optional that is absent.
    """
    from onnx.reference import ReferenceEvaluator

    feeds = {
        name: value for name, value in zip(node.proto.input, inputs, strict=True) if name != ""
    }
    evaluator = cast(OnnxEvaluator, ReferenceEvaluator(node.proto, opsets={"": node.opset}))
    results = evaluator.run(None, feeds)
    if any(isinstance(result, list | None) for result in results):
        return None
    return [np.asarray(result) for result in results]


def _cast(node: Node, inputs: Sequence[Array]) -> Array:
    return inputs[0].astype(node.get_dtype("to"))


def _concat(node: Node, inputs: Sequence[Array]) -> Array:
    return np.concatenate(inputs, node.get_int("axis", 0))


def _gather(node: Node, inputs: Sequence[Array]) -> Array:
    data, indices = inputs
    return np.take(data, indices.astype(np.int64), node.get_int("axis", 0))


def _transpose(node: Node, inputs: Sequence[Array]) -> Array:
    return np.transpose(inputs[0], node.get_ints("perm"))


_DIRECT: dict[str, Callable[[Node, Sequence[Array]], Array]] = {
    "Cast": _cast,
    "Concat": _concat,
    "Gather": _gather,
    "Transpose": _transpose,
}
"""What shape arithmetic and weights need most, without the 70 ms that onnx's evaluator takes to
start."""
