# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Chips and pipelines as functions of xDSL's `Interpreter`.

```python
interpreter = Interpreter(module)
interpreter.register_implementations(CmctrlFunctions())
(outputs,) = interpreter.call_op("main", (images,))
```
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from xdsl.interpreter import (
    Interpreter,
    InterpreterFunctions,
    PythonValues,
    impl_callable,
    register_impls,
)

from cmc.dialects.cmctrl import ChipOp
from cmc.dialects.cmpipe import InputOp, OutputOp, PipelineOp
from cmc.dialects.cmpipe.objects import ObjectScope
from cmc.errors import CmcError
from cmc.simulator import Mode, Simulator
from cmc.simulator.gather import Floats
from cmc.simulator.pipeline import Pipeline


@register_impls
class CmpipeFunctions(InterpreterFunctions):
    """Calls of a pipeline: an array `[images, ...]` per input, in order, and per output.

    Stages are computed one after the other, without cores, channels and control.
    """

    @impl_callable(PipelineOp)
    def call_pipeline(
        self, interpreter: Interpreter, op: PipelineOp, args: PythonValues
    ) -> PythonValues:
        outputs = Pipeline(op).run(_named(op, op.inputs(), args))
        return tuple(outputs[name] for name in _names(op.outputs()))


@register_impls
class CmctrlFunctions(InterpreterFunctions):
    """Calls of a chip: an array `[images, ...]` per input of its GCU, in order, and per output."""

    def __init__(self, mode: Mode = "interpret"):
        super().__init__()
        self._mode: Mode = mode

    @impl_callable(ChipOp)
    def call_chip(self, interpreter: Interpreter, op: ChipOp, args: PythonValues) -> PythonValues:
        outputs = Simulator(op).run(_named(op, op.gcu.inputs(), args), self._mode).outputs
        return tuple(outputs[name] for name in _names(op.gcu.outputs()))


def _names(ports: Iterable[InputOp | OutputOp]) -> list[str]:
    """The tensors of a network, in order, of each of which there may be several ports."""
    return list(dict.fromkeys(port.tensor_name.data for port in ports))


def _named(op: ObjectScope, ports: Iterable[InputOp], args: PythonValues) -> dict[str, Floats]:
    names = _names(ports)
    if len(args) != len(names):
        raise CmcError(f"@{op.sym_name.data} has {len(names)} inputs, and got {len(args)}")
    return {name: np.asarray(arg, np.float32) for name, arg in zip(names, args, strict=True)}
