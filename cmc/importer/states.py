# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""States: inputs that are what outputs were for the image before."""

from __future__ import annotations

from collections.abc import Mapping

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp, ReturnOp

from cmc.dialects import nn
from cmc.errors import CmcError
from cmc.semantics.tensors import tensor_names
from cmc.spelling import hint


def set_states(module: ModuleOp, states: Mapping[str, str]) -> None:
    """Let inputs of the network of a module be states: by outputs, the inputs that they become.

    CmcError for names that there are not, for shapes that differ, and for one state of two.
    """
    (function,) = (op for op in module.ops if isinstance(op, FuncOp))
    last = function.body.block.last_op
    assert isinstance(last, ReturnOp)
    names = tensor_names(function.arg_attrs, len(function.args), "input")
    inputs = dict(zip(names, function.args, strict=True))
    results = tensor_names(function.res_attrs, len(last.arguments), "output")
    outputs = dict(zip(results, last.arguments, strict=True))
    of_input: dict[str, str] = {}
    for output, input in states.items():
        where = f"--state {output}={input}"
        _expect(output, outputs, "output", where)
        _expect(input, inputs, "input", where)
        given, wanted = nn.shape_of(outputs[output]), nn.shape_of(inputs[input])
        if given != wanted:
            raise CmcError(
                f"output '{output}' has shape {list(given)}, and input '{input}' {list(wanted)}",
                where,
            )
        if input in of_input:
            raise CmcError(f"input '{input}' is '{of_input[input]}' already", where)
        of_input[input] = output
    assert function.arg_attrs is not None
    function.arg_attrs = ArrayAttr(
        DictionaryAttr({**given.data, nn.STATE: StringAttr(of_input[name])})
        if name in of_input
        else given
        for name, given in zip(names, function.arg_attrs, strict=True)
    )


def _expect(name: str, known: Mapping[str, object], what: str, where: str) -> None:
    if name not in known:
        raise CmcError(f"the network has no {what} '{name}'; {hint(name, known)}", where)
