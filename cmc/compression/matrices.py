# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The matrices of an ONNX network: weights of Conv, ConvTranspose, Gemm and MatMul nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import prod
from typing import Literal, cast

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from cmc.compression.spectrum import Blocks
from cmc.errors import CmcError
from cmc.importer.folding import OnnxEvaluator
from cmc.importer.load import Array, Model
from cmc.importer.schema import describe_node

Kind = Literal["Conv", "ConvTranspose", "rows first", "columns first", "on the left"]


@dataclass(frozen=True)
class Form:
    """How weights are matrices, whose factors are the weights of two nodes.

    Weights of products with them on the right have rows first, or columns first (`transB`); those
    `on the left` have columns first too. The first of two convolutions has all channels that go
    in, and the `axes` of the kernel; the second has the other axes, and all channels that come out.
    """

    kind: Kind
    groups: int = 1
    axes: tuple[int, ...] = ()

    def blocks(self, weights: Array) -> Blocks:
        """The weights as `[G, K, M]`. ValueError where they have the wrong shape."""
        shape, groups = weights.shape, self.groups
        match self.kind:
            case "Conv":
                blocks = weights.reshape(groups, shape[0] // groups, *shape[1:])
                own, others = ([3 + axis for axis in axes] for axes in self._axes(shape))
                rows = shape[1] * prod(shape[axis - 1] for axis in own)
                blocks = blocks.transpose(0, 2, *own, 1, *others).reshape(groups, rows, -1)
            case "ConvTranspose":
                blocks = weights.reshape(groups, shape[0] // groups, shape[1], prod(shape[2:]))
                blocks = np.swapaxes(blocks, 2, 3).reshape(groups, -1, shape[1])
            case "rows first":
                blocks = weights[None]
            case "columns first" | "on the left":
                blocks = weights.T[None]
        return cast(Blocks, blocks)

    def split(self, shape: tuple[int, ...], left: Blocks, right: Blocks) -> tuple[Array, Array]:
        """The weights of the two nodes in the place of one, from factors of its matrices.

        `shape` is that of the weights of the one node.
        """
        groups, _, rank = left.shape
        columns = np.swapaxes(right, 1, 2)
        match self.kind:
            case "Conv":
                own, others = self.kernels(shape)
                first = np.swapaxes(left, 1, 2).reshape(groups * rank, shape[1], *own)
                second = right.reshape(groups, rank, shape[0] // groups, -1)
                second = np.swapaxes(second, 1, 2).reshape(shape[0], rank, *others)
            case "ConvTranspose":
                own, others = self.kernels(shape)
                first = left.reshape(groups, shape[0] // groups, -1, rank)
                first = np.swapaxes(first, 2, 3).reshape(shape[0], rank, *own)
                second = columns.reshape(groups * shape[1], rank, *others)
            case "rows first":
                first, second = left[0], right[0]
            case "columns first":
                first, second = left[0], columns[0]
            case "on the left":
                first, second = left[0].T, columns[0]
        return np.ascontiguousarray(first), np.ascontiguousarray(second)

    def kernels(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The kernels of the two convolutions in the place of one; of products they are empty."""
        if self.kind not in ("Conv", "ConvTranspose"):
            return (), ()
        own, _ = self._axes(shape)
        sizes = list(enumerate(shape[2:]))
        first = tuple(size if axis in own else 1 for axis, size in sizes)
        return first, tuple(1 if axis in own else size for axis, size in sizes)

    def _axes(self, shape: tuple[int, ...]) -> tuple[list[int], list[int]]:
        """The axes of the kernel that the first convolution has, and the others."""
        all = range(len(shape) - 2)
        return [a for a in all if a in self.axes], [a for a in all if a not in self.axes]

    def alike(self, shape: tuple[int, ...]) -> Sequence[Form]:
        """This form, and others that make other matrices of the same weights."""
        if self.kind != "Conv":
            return [self]
        long = [axis for axis, size in enumerate(shape[2:]) if size > 1]
        short = [axis for axis, size in enumerate(shape[2:]) if size == 1]
        return [
            replace(self, axes=tuple(sorted([*short, *chosen])))
            for count in range(len(long), -1, -1)
            for chosen in combinations(long, count)
        ]


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of some nodes, all of which use them in one form."""

    name: str
    form: Form
    array: Array
    nodes: tuple[int, ...]
    """The numbers of the nodes in their graph."""

    @property
    def blocks(self) -> Blocks:
        return self.form.blocks(self.array)

    @property
    def forms(self) -> Sequence[Form]:
        """Ways to see them as matrices: first as those that a chip has."""
        return self.form.alike(self.array.shape)


@dataclass(frozen=True, eq=False)
class Found:
    """The matrices of a network, and why others stay as they are, by the nodes that have them."""

    weights: list[Weights]
    skipped: dict[str, str]


def find_weights(model: Model, constants: Constants) -> Found:
    """The weights of a network, in the order of its nodes. CmcError for weights out of reach."""
    forms: dict[tuple[str, Form], list[int]] = {}
    skipped: dict[str, str] = {}
    for number, node in enumerate(model.proto.graph.node):
        found = _form(node, constants)
        if isinstance(found, str):
            skipped[describe_node(node)] = found
        elif found is not None:
            forms.setdefault(found, []).append(number)
    weights: list[Weights] = []
    for (name, form), nodes in forms.items():
        array = constants.array(name)
        where = describe_node(model.proto.graph.node[nodes[0]])
        if (reason := _reason(array)) is not None:
            skipped[where] = reason
            continue
        one = Weights(name, form, array, tuple(nodes))
        try:
            rows, columns = one.blocks.shape[1:]
        except (IndexError, ValueError, ZeroDivisionError):
            raise CmcError(f"its weights {name!r} have shape {list(array.shape)}", where) from None
        if rows and columns:
            weights.append(one)
    return Found(weights, skipped)


def _form(node: onnx.NodeProto, constants: Constants) -> tuple[str, Form] | str | None:
    """The name of a node's weights and their form; or why they stay; or None if it has none."""
    if node.domain not in ("", "ai.onnx") or len(node.input) < 2:
        return None
    data, weights = node.input[:2]
    attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    match node.op_type, data in constants, weights in constants:
        case "Conv" | "ConvTranspose" as kind, False, True:
            axes = range(constants.array(weights).ndim - 2)
            return weights, Form(kind, int(cast(int, attributes.get("group", 1))), tuple(axes))
        case "Gemm", False, True if attributes.get("transA"):
            return "what it multiplies is transposed"
        case "Gemm", False, True:
            return weights, Form("columns first" if attributes.get("transB") else "rows first")
        case "MatMul", False, True:
            return _product(weights, "rows first", constants)
        case "MatMul", True, False:
            return _product(data, "on the left", constants)
        case _:
            return None


def _product(name: str, kind: Kind, constants: Constants) -> tuple[str, Form] | str:
    axes = constants.array(name).ndim
    return (name, Form(kind)) if axes == 2 else f"its weights have {axes} axes, and not 2"


def _reason(array: Array) -> str | None:
    """Why weights stay as they are, if they do."""
    if array.dtype.kind != "f":
        return f"its weights are of type {array.dtype}"
    floats = cast(NDArray[np.floating], array)
    return None if np.isfinite(floats).all() else "its weights hold numbers that are not finite"


class Constants:
    """The tensors of a graph that do not depend on its inputs, each evaluated when asked for."""

    def __init__(self, model: Model):
        self._model = model
        self._makers: dict[str, onnx.NodeProto] = {}
        self._known: dict[str, Array] = {}
        for node in model.proto.graph.node:
            if _is_pure(node) and all(name in self for name in filter(None, node.input)):
                self._makers |= dict.fromkeys(filter(None, node.output), node)

    def __contains__(self, name: str) -> bool:
        return name in self._makers or name in self._model.initializers

    def array(self, name: str) -> Array:
        """The elements of a tensor. CmcError if they are out of reach."""
        if name in self._known:
            return self._known[name]
        node = self._makers.get(name)
        if node is None:
            array = self._model.array(self._model.initializers[name])
            self._known[name] = array
            return array
        self._known |= self._evaluate(node)
        return self._known[name]

    def _evaluate(self, node: onnx.NodeProto) -> Mapping[str, Array]:
        from onnx.reference import ReferenceEvaluator

        inputs = {name: self.array(name) for name in filter(None, node.input)}
        try:
            evaluator = cast(
                OnnxEvaluator, ReferenceEvaluator(node, opsets={"": self._model.opset})
            )
            results = evaluator.run(None, inputs)
        except Exception as error:  # of many types
            raise CmcError(f"cannot be evaluated: {error}", describe_node(node)) from error
        return dict(zip(evaluator.output_names, map(np.asarray, results), strict=True))


_RANDOM = ("Bernoulli", "Multinomial", "RandomNormal", "RandomUniform")


def _is_pure(node: onnx.NodeProto) -> bool:
    """Whether a node always computes the same of its inputs, and nothing but them."""
    standard = node.domain in ("", "ai.onnx") and not node.op_type.startswith(_RANDOM)
    return standard and not any(one.g.node or one.graphs for one in node.attribute)
