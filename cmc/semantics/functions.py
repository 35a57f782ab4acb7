# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Networks of `nn` operators as functions of xDSL's `Interpreter`.

```python
interpreter = Interpreter(module)
interpreter.register_implementations(NnFunctions())
interpreter.register_implementations(FuncFunctions())
(result,) = interpreter.call_op("main", (image,))  # [1, ...], as the arguments of @main
```
"""

from __future__ import annotations

import numpy as np
from xdsl.interpreter import (
    Interpreter,
    InterpreterFunctions,
    PythonValues,
    ReturnedValues,
    TerminatorValue,
    impl,
    impl_terminator,
    register_impls,
)
from xdsl.ir import Operation

from cmc.dialects import nn
from cmc.semantics.builder import Floats
from cmc.semantics.operators import OPERATORS, compute


class NnFunctions(InterpreterFunctions):
    """Every operator, on arrays of its operands' shapes."""

    def run_operator(
        self, interpreter: Interpreter, op: Operation, args: PythonValues
    ) -> PythonValues:
        return (compute(op, args),)

    @impl(nn.RecurrenceOp)
    def run_recurrence(
        self, interpreter: Interpreter, op: nn.RecurrenceOp, args: PythonValues
    ) -> PythonValues:
        """With each evaluation of the body one more step is right; it is done when all are."""
        (initial,) = args
        states: Floats = np.zeros(nn.shape_of(op.result), np.float32)
        for _ in range(len(states)):
            before = np.concatenate([initial, states[:-1]])
            (after,) = interpreter.run_ssacfg_region(op.body, (before,), "recurrence")
            if after.tobytes() == states.tobytes():
                break
            states = after
        return (states,)

    @impl_terminator(nn.YieldOp)
    def run_yield(
        self, interpreter: Interpreter, op: nn.YieldOp, args: PythonValues
    ) -> tuple[TerminatorValue, PythonValues]:
        return ReturnedValues(args), ()


for _op_type in OPERATORS:
    setattr(NnFunctions, f"run_{_op_type.__name__}", impl(_op_type)(NnFunctions.run_operator))
register_impls(NnFunctions)
