"""The simulator as functions of xDSL's `Interpreter`.

```python
interpreter = Interpreter(module)
interpreter.register_implementations(CmctrlFunctions())
(outputs,) = interpreter.call_op("main", (images,))
```
"""

from __future__ import annotations

import numpy as np
from xdsl.interpreter import (
    Interpreter,
    InterpreterFunctions,
    PythonValues,
    impl_callable,
    register_impls,
)

from cmc.dialects.cmctrl import ChipOp
from cmc.errors import CmcError
from cmc.simulator import Mode, Simulator


@register_impls
class CmctrlFunctions(InterpreterFunctions):
    """Calls of a chip: an array `[images, ...]` per input of its GCU, in order, and per output."""

    def __init__(self, mode: Mode = "interpret"):
        super().__init__()
        self._mode: Mode = mode

    @impl_callable(ChipOp)
    def call_chip(self, interpreter: Interpreter, op: ChipOp, args: PythonValues) -> PythonValues:
        names = [port.tensor_name.data for port in op.gcu.inputs()]
        if len(args) != len(names):
            raise CmcError(f"@{op.sym_name.data} has {len(names)} inputs, and got {len(args)}")
        arrays = {name: np.asarray(a, np.float32) for name, a in zip(names, args, strict=True)}
        outputs = Simulator(op).run(arrays, self._mode).outputs
        return tuple(outputs[port.tensor_name.data] for port in op.gcu.outputs())
