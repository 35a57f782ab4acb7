# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Einsum: sums of products along named axes, as matrix products."""

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from xdsl.ir import SSAValue

from cmc.dialects import nn
from cmc.importer.node import Node
from cmc.importer.operators.indexing import take
from cmc.importer.operators.reductions import reduce_along, reduce_sum


class _Term:
    """A tensor whose axes have names."""

    def __init__(self, node: Node, tensor: SSAValue, names: Sequence[str]):
        self.node = node
        self.tensor = tensor
        self.names = list(names)

    @property
    def sizes(self) -> dict[str, int]:
        return dict(zip(self.names, nn.shape_of(self.tensor), strict=True))

    def without(self, names: Sequence[str]) -> "_Term":
        """The sum over some axes."""
        axes = [self.names.index(name) for name in names]
        tensor = reduce_along(reduce_sum, self.node, self.tensor, axes) if axes else self.tensor
        return _Term(self.node, tensor, self.names).squeezed(names)

    def squeezed(self, names: Sequence[str]) -> "_Term":
        """The tensor without some axes of size 1."""
        kept = [name for name in self.names if name not in names]
        shape = tuple(self.sizes[name] for name in kept)
        return _Term(self.node, _shaped(self.node, self.tensor, shape), kept)

    def grouped(self, groups: Sequence[Sequence[str]]) -> SSAValue:
        """The tensor with the axes of each group as one."""
        order = [name for group in groups for name in group]
        perm = [self.names.index(name) for name in order]
        tensor = self.tensor
        if perm != list(range(len(perm))):
            tensor = self.node.emit(nn.TransposeOp(tensor, perm))
        shape = tuple(prod(self.sizes[name] for name in group) for group in groups)
        return _shaped(self.node, tensor, shape)


def _shaped(node: Node, tensor: SSAValue, shape: tuple[int, ...]) -> SSAValue:
    return tensor if nn.shape_of(tensor) == shape else node.emit(nn.ReshapeOp(tensor, shape))


def import_einsum(node: Node) -> SSAValue:
    terms, output = _parse(node)
    result = _once(node, terms[0])
    for number, other in enumerate(terms[1:], 1):
        later = {*output, *(name for term in terms[number + 1 :] for name in term.names)}
        result = _product(node, result, _once(node, other), later)
    result = result.without([name for name in result.names if name not in output])
    return result.grouped([[name] for name in output])


def _parse(node: Node) -> tuple[list[_Term], list[str]]:
    """The operands with names for their axes, and those of the result, in order."""
    equation = node.get_string("equation", "").replace(" ", "")
    inputs, arrow, output = equation.partition("->")
    operands = inputs.split(",")
    if len(operands) != len(node):
        raise node.error(f"equation {equation!r} is not one of {len(node)} tensors")
    terms: list[_Term] = []
    dots: list[str] = []
    for index, text in enumerate(operands):
        rank = len(node.shape(index))
        more = rank - len(text.replace("...", ""))
        if more < 0 or (more and "..." not in text):
            raise node.error(f"{text!r} does not name the {rank} axes of input {index}")
        extra = [f"...{number}" for number in range(more)][::-1]
        dots = max(dots, extra, key=len)
        terms.append(_Term(node, node.tensor(index), _names(text, extra)))
    if arrow:
        names = _names(output, dots)
        known = {name for term in terms for name in term.names}
        if len(set(names)) < len(names) or not known.issuperset(names):
            raise node.error(f"{output!r} is not of different axes of the inputs of {inputs!r}")
        return terms, names
    letters = sorted(set(inputs) - {",", "."})
    once = [letter for letter in letters if inputs.count(letter) == 1]
    return terms, [*dots, *once]


def _names(text: str, dots: Sequence[str]) -> list[str]:
    before, found, after = text.partition("...")
    return [*before, *(dots if found else ()), *after]


def _once(node: Node, term: _Term) -> _Term:
    """The diagonal of axes that share a name."""
    names = list(dict.fromkeys(term.names))
    if len(names) == len(term.names):
        return term
    shape = nn.shape_of(term.tensor)
    sizes: Mapping[str, int] = dict(zip(term.names, shape, strict=True))
    grid = dict(zip(names, np.indices([sizes[name] for name in names]), strict=True))
    places = np.ravel_multi_index(tuple(grid[name] for name in term.names), shape)
    return _Term(node, take(node, term.tensor, np.asarray(places, np.int64)), names)


def _product(node: Node, left: _Term, right: _Term, later: set[str]) -> _Term:
    """The product of two tensors, summed over the axes that nobody names later."""
    left = left.without([n for n in left.names if n not in later and n not in right.names])
    right = right.without([n for n in right.names if n not in later and n not in left.names])
    # An axis of size 1 is one of all sizes.
    both = [name for name in left.names if name in right.names]
    left = left.squeezed([n for n in both if left.sizes[n] == 1])
    right = right.squeezed([n for n in both if right.sizes[n] == 1 and n in left.names])
    both = [name for name in left.names if name in right.names]
    shared = [name for name in both if name in later]
    summed = [name for name in both if name not in later]
    rows = [name for name in left.names if name not in both]
    columns = [name for name in right.names if name not in both]
    sizes = {**left.sizes, **right.sizes}
    names = [*shared, *rows, *columns]
    groups = [[name] for name in shared]
    lhs, rhs = left.grouped([*groups, rows, summed]), right.grouped([*groups, summed, columns])
    make = nn.MatMulOp if summed else nn.MulOp
    result = _shaped(node, node.emit(make(lhs, rhs)), tuple(sizes[name] for name in names))
    return _Term(node, result, names)


OPERATORS = {"Einsum": import_einsum}
