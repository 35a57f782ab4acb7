# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a network of `nn` operators computes of a stream of images, one operator after the other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import CallOp, FuncOp, ReturnOp
from xdsl.interpreter import Interpreter

from cmc.diagnostics import operation_error
from cmc.dialects import nn
from cmc.errors import CmcError
from cmc.semantics.builder import Floats
from cmc.semantics.functions import NnFunctions
from cmc.semantics.operators import OPERATORS
from cmc.semantics.tensors import states_of_network, tensor_names
from cmc.streams import Shapes, image_shape
from cmc.track import Track, no_track

_OTHERS = ReturnOp | CallOp | nn.RecurrenceOp | nn.YieldOp
"""What stands between operators."""


class Network:
    """A function of `nn` operators, whose arguments and results have names."""

    def __init__(self, module: ModuleOp):
        """The one function of a module, or the one that is named main. CmcError if there is none.

        Raises CmcError for operations that are not of the dialect, too.
        """
        self._module = module
        functions = [op for op in module.ops if isinstance(op, FuncOp) and op.body.blocks]
        mains = [op for op in functions if op.sym_name.data == "main"]
        if len(mains or functions) != 1:
            raise CmcError(
                f"expected one function in the module, or one named @main, and found "
                f"{len(functions)}"
            )
        (self._function,) = mains or functions
        for function in functions:
            for op in function.body.walk():
                if type(op) not in OPERATORS and not isinstance(op, _OTHERS):
                    raise operation_error(op, "is no operator of nn")
        if not self.inputs or not self.outputs:
            raise operation_error(self._function, "takes no input, or returns no output")

    @property
    def inputs(self) -> Shapes:
        """The shape of one image by input name, without the axis that counts the images."""
        return {name: image_shape(shape) for name, shape in self._arguments.items()}

    @property
    def outputs(self) -> Shapes:
        """The shape of one image's result by output name."""
        results = self._function.get_return_op()
        values = () if results is None else results.arguments
        names = tensor_names(self._function.res_attrs, len(values), "output")
        shapes = map(nn.shape_of, values)
        return {name: image_shape(shape) for name, shape in zip(names, shapes, strict=True)}

    @property
    def states(self) -> dict[str, str]:
        """The outputs of the image before that inputs are, by the names of these."""
        return states_of_network(self._function)

    def run(self, inputs: Mapping[str, Floats], track: Track = no_track) -> dict[str, Floats]:
        """The outputs of a stream: of inputs as of outputs, the leading axis counts the images."""
        # Functions of all other dialects come with these, which takes a while.
        from xdsl.interpreters.func import FuncFunctions

        interpreter = Interpreter(self._module)
        interpreter.register_implementations(NnFunctions())
        interpreter.register_implementations(FuncFunctions())
        shapes = self._arguments
        (images,) = {len(inputs[name]) for name in shapes}
        outputs = {
            name: np.empty((images, *shape), np.float32) for name, shape in self.outputs.items()
        }
        for image in track(range(images), "computing"):
            given = {name: inputs[name][image] for name in shapes}
            if image:
                given |= {name: outputs[o][image - 1] for name, o in self.states.items()}
            arguments = (given[name].reshape(shape) for name, shape in shapes.items())
            results = interpreter.call_op(self._function, tuple(arguments))
            for output, result in zip(outputs.values(), results, strict=True):
                output[image] = result.reshape(output.shape[1:])
        return outputs

    @property
    def _arguments(self) -> dict[str, tuple[int, ...]]:
        arguments = self._function.args
        names = tensor_names(self._function.arg_attrs, len(arguments), "input")
        return {name: nn.shape_of(arg) for name, arg in zip(names, arguments, strict=True)}


def evaluate(module: ModuleOp, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
    """What the network of a module computes of a stream."""
    return Network(module).run(inputs)
