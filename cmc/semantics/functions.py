"""Networks of `nn` operators as functions of xDSL's `Interpreter`.

```python
interpreter = Interpreter(module)
interpreter.register_implementations(NnFunctions())
interpreter.register_implementations(FuncFunctions())
(result,) = interpreter.call_op("main", (image,))  # [1, ...], as the arguments of @main
```
"""

from __future__ import annotations

from xdsl.interpreter import (
    Interpreter,
    InterpreterFunctions,
    PythonValues,
    impl,
    register_impls,
)
from xdsl.ir import Operation

from cmc.semantics.operators import OPERATORS, compute


class NnFunctions(InterpreterFunctions):
    """Every operator, on arrays of its operands' shapes."""

    def run_operator(
        self, interpreter: Interpreter, op: Operation, args: PythonValues
    ) -> PythonValues:
        return (compute(op, args),)


for _op_type in OPERATORS:
    setattr(NnFunctions, f"run_{_op_type.__name__}", impl(_op_type)(NnFunctions.run_operator))
register_impls(NnFunctions)
