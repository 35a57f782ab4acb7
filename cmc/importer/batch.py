# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A batch of images, followed through the network: every operation must carry it untouched.

The network is imported as it was written, for a batch of N images. If all operations compute each
image by itself, and alike, the same ones with a batch of 1 are the network of one image.
"""

import numpy as np
from xdsl.ir import Block, Operation, SSAValue
from xdsl.utils.exceptions import VerifyException

from cmc.dialects import nn
from cmc.files.weights import ArrayWeights


class Batch:
    """The axis along which the images of a batch lie, for each tensor that depends on them."""

    def __init__(self, size: int):
        self.size = size
        self.is_mixed = False
        """Whether an operation was met that does not carry it."""
        self._axes: dict[SSAValue, int] = {}

    def enter(self, value: SSAValue) -> None:
        """`value` is an input of the network, with the batch in front."""
        self._axes[value] = 0

    def leave(self, value: SSAValue) -> None:
        """`value` is an output of the network. VerifyException if the batch is not in front."""
        axis = self._axes.get(value)
        if axis is None:
            raise self._error(f"it is the same for {self._images}: compute it elsewhere")
        if axis != 0:
            raise self._error(
                f"{self._images} lie along axis {axis}, not along the first: {ADVICE}"
            )

    def follow(self, op: nn.TensorOp) -> None:
        """Follow the batch through `op`. VerifyException if images are mixed, or told apart."""
        carried = {
            op.carried(index)[self._axes[operand]]
            for index, operand in enumerate(op.operands)
            if operand in self._axes
        }
        if not carried:
            return
        axis = carried.pop()
        if axis is None or carried:
            raise self._error(f"{self._images} are mixed: {ADVICE}")
        for index, operand in enumerate(op.operands):
            if operand not in self._axes and not self._is_alike(op, index, axis):
                raise self._error(f"a constant differs between {self._images}: {ADVICE}")
        self._axes[op.result] = axis

    def _error(self, message: str) -> VerifyException:
        self.is_mixed = True
        return VerifyException(message)

    @property
    def _images(self) -> str:
        return f"the {self.size} images of the batch"

    def _is_alike(self, op: nn.TensorOp, index: int, axis: int) -> bool:
        """Whether operand `index`, which does not depend on the images, is one for all of them."""
        own = self._own_axis(op, index, axis)
        if own is None:
            return True
        array = nn.constant_array(op.operands[index])
        return array is not None and bool((array == np.take(array, [0], own)).all())

    def _own_axis(self, op: nn.TensorOp, index: int, axis: int) -> int | None:
        """The axis of operand `index` that meets the images along `axis`; None if it broadcasts."""
        shape = nn.shape_of(op.operands[index])
        for own, carried in enumerate(op.carried(index)):
            if carried == axis and shape[own] != 1:
                return own
        return None

    # The network of one image

    def of_one(self, block: Block) -> Block:
        """The operations of `block`, all of which were followed, for a batch of one."""
        result = Block(arg_types=[self._type_of_one(arg) for arg in block.args])
        values: dict[SSAValue, SSAValue] = dict(zip(block.args, result.args, strict=True))
        for op in block.ops:
            operands = [
                self._operand_of_one(op, index, values, result) for index in range(len(op.operands))
            ]
            types = [self._type_of_one(value) for value in op.results]
            copy = type(op).create(operands=operands, result_types=types, properties=op.properties)
            copy.location = op.location
            result.add_op(copy)
            values |= zip(op.results, copy.results, strict=True)
        for before, after in values.items():
            after.name_hint = before.name_hint
        return result

    def _operand_of_one(
        self, op: Operation, index: int, values: dict[SSAValue, SSAValue], block: Block
    ) -> SSAValue:
        operand = op.operands[index]
        axis = self._axes.get(op.results[0]) if isinstance(op, nn.TensorOp) else None
        if axis is None or operand in self._axes or not isinstance(op, nn.TensorOp):
            return values[operand]
        own = self._own_axis(op, index, axis)
        if own is None:
            return values[operand]
        assert isinstance(operand.owner, nn.ConstantOp)
        weights = operand.owner.value
        first = ArrayWeights(np.take(weights.array, [0], own), weights.data.name)
        constant = nn.ConstantOp(first)
        constant.location = operand.owner.location
        constant.result.name_hint = operand.name_hint
        block.add_op(constant)
        return constant.result

    def _type_of_one(self, value: SSAValue) -> nn.F32Tensor:
        shape = list(nn.shape_of(value))
        if value in self._axes:
            shape[self._axes[value]] = 1
        return nn.tensor_type(shape)


ADVICE = "export the model with a batch of 1"
