# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""All operators of `nn`, and what they compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from xdsl.ir import Operation

from cmc.dialects import nn
from cmc.semantics.builder import Floats
from cmc.semantics.elementwise import ELEMENTWISE
from cmc.semantics.operator import Operator, of
from cmc.semantics.stages import STAGES
from cmc.semantics.views import VIEWS


def _constant(op: nn.ConstantOp) -> Floats:
    return op.value.array


def _batch_norm(
    op: nn.BatchNormOp,
    x: Floats,
    scale: Floats,
    bias: Floats,
    mean: Floats,
    variance: Floats,
) -> Floats:
    epsilon = np.float32(op.epsilon.value.data)
    deviation: Floats = np.sqrt(variance + epsilon)
    shape = (-1, *(1,) * (x.ndim - 2))
    centred: Floats = x - mean.reshape(shape)
    scaled: Floats = centred / deviation.reshape(shape) * scale.reshape(shape)
    return scaled + bias.reshape(shape)


OPERATORS: Mapping[type[Operation], Operator] = {
    **VIEWS,
    **ELEMENTWISE,
    **STAGES,
    nn.BatchNormOp: Operator(of(nn.BatchNormOp, _batch_norm)),
    nn.ConstantOp: Operator(of(nn.ConstantOp, _constant)),
}


@np.errstate(all="ignore")
def compute(op: Operation, arrays: Sequence[Floats]) -> Floats:
    """The result of an operation of `nn`, given its operands' arrays."""
    return OPERATORS[type(op)].compute(op, *arrays)
