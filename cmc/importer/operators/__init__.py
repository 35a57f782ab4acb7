# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The operators that can be imported, by name.

Each module has a family of them: functions from a node to what its outputs stand for, in a table.
"""

from collections.abc import Callable, Mapping, Sequence

from cmc.importer.node import Node, Value
from cmc.importer.operators import (
    constants,
    contraction,
    control,
    elementwise,
    indexing,
    layout,
    linear,
    microsoft,
    normalization,
    quantization,
    recurrent,
    reductions,
    resize,
    scans,
    selection,
    transforms,
    windows,
)

Importer = Callable[[Node], Value | Sequence[Value | None]]
"""The results of a node; None for one that nobody reads."""

VALUE_OPERATORS: Mapping[str, Importer] = {
    **constants.OPERATORS,
    **control.OPERATORS,
    **indexing.VALUE_OPERATORS,
    **layout.VALUE_OPERATORS,
    **quantization.VALUE_OPERATORS,
}
"""Operators that take arrays as they take tensors, and whose results are of the same kind."""

KNOWN_BY_THEIR_GRAPHS = frozenset(control.OPERATORS)
"""Operators whose results are of the types that the graphs within them give."""

NEVER_FOLDED = frozenset((*normalization.OPERATORS, *windows.OPERATORS))
"""Operators that are not evaluated even on arrays: onnx's evaluator errs on some at old opsets."""

QUANTIZED_OPERATORS: Mapping[str, Importer] = quantization.OPERATORS
"""Operators that take integers and real numbers, and say themselves which of them they return."""

WITHIN_ONNX: Mapping[str, Importer] = microsoft.WITHIN_ONNX
"""Operators of onnxruntime that stand in the domain of ONNX, where that has no such ones."""

OTHER_DOMAINS: Mapping[str, Mapping[str, Importer]] = {microsoft.DOMAIN: microsoft.OPERATORS}
"""The same of domains that are not ONNX's own."""

TENSOR_OPERATORS: Mapping[str, Importer] = {
    **contraction.OPERATORS,
    **elementwise.OPERATORS,
    **indexing.OPERATORS,
    **layout.OPERATORS,
    **linear.OPERATORS,
    **normalization.OPERATORS,
    **recurrent.OPERATORS,
    **reductions.OPERATORS,
    **resize.OPERATORS,
    **scans.OPERATORS,
    **selection.OPERATORS,
    **transforms.OPERATORS,
    **windows.OPERATORS,
}
"""Operators that become operations: all but `NEVER_FOLDED` have an input that is not an array."""
