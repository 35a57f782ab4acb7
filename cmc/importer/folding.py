"""Evaluation of nodes whose inputs are all known."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

import numpy as np
from onnx import helper

from cmc.importer.load import Array
from cmc.importer.node import Node


class OnnxEvaluator(Protocol):
    """onnx's reference evaluator, as far as it is used."""

    @property
    def output_names(self) -> Sequence[str]: ...
    def run(self, names: None, inputs: Mapping[str, Array | None], /) -> Sequence[object]: ...


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
    """The results of `node`; None if an input depends on the network's input."""
    if node.op_type in _RANDOM:
        return None
    inputs: list[Array | None] = []
    for index in range(len(node)):
        value = node.constant(index) if node.has_input(index) else None
        if value is None and node.has_input(index):
            return None
        inputs.append(value)
    try:
        direct = _DIRECT.get(node.op_type)
        if direct is not None:
            return [direct(node, [value for value in inputs if value is not None])]
        return _evaluate(node, inputs)
    except Exception as error:  # whatever a malformed node makes its evaluation raise
        raise node.error(f"cannot be evaluated on its constant inputs: {error}") from error


def _evaluate(node: Node, inputs: Sequence[Array | None]) -> Sequence[Array]:
    """Ask onnx's own evaluator, which knows every operator and takes 0.1 ms for one."""
    from onnx.reference import ReferenceEvaluator

    feeds = {
        name: value for name, value in zip(node.proto.input, inputs, strict=True) if name != ""
    }
    evaluator = cast(OnnxEvaluator, ReferenceEvaluator(node.proto, opsets={"": node.opset}))
    return [np.asarray(result) for result in evaluator.run(None, feeds)]


def _cast(node: Node, inputs: Sequence[Array]) -> Array:
    return inputs[0].astype(helper.tensor_dtype_to_np_dtype(node.get_int("to", 0)))


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
