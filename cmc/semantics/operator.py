# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What there is to say of an operator: what it computes, and how a pipeline computes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

import islpy as isl
from xdsl.ir import Operation, SSAValue

from cmc.semantics.builder import Floats, StageBuilder

OpT = TypeVar("OpT", bound=Operation)
P = ParamSpec("P")
R = TypeVar("R")

Places = tuple[Sequence[isl.Map], float | None]
"""From the result's coordinates to those of each operand, and what stands where no map leads."""


@dataclass(frozen=True)
class Operator:
    """An operator of which only `compute` is known: the result, given the operands' arrays."""

    compute: Callable[..., Floats]


@dataclass(frozen=True)
class ViewOperator(Operator):
    """An operator that only says where an element comes from."""

    places: Callable[[Operation], Places]


@dataclass(frozen=True)
class ElementwiseOperator(Operator):
    """An operator on each element.

    `emit` appends what it does, given its operands as vectors of the same length.
    """

    emit: Callable[[Operation, StageBuilder, Sequence[SSAValue]], SSAValue]


@dataclass(frozen=True)
class StageOperator(Operator):
    """An operator that becomes a stage.

    `channel` gives the axis along which its result is cut into vectors, `operand_channel` the one
    along which it would like its first operand cut, or None where that does not matter; `body`
    computes one vector of the result.
    """

    channel: Callable[[Operation], int | None]
    operand_channel: Callable[[Operation], int | None]
    body: Callable[[Operation, StageBuilder], SSAValue]


def of(
    op_type: type[OpT], function: Callable[Concatenate[OpT, P], R]
) -> Callable[Concatenate[Operation, P], R]:
    """A function of one kind of operation as one of any, which is called with no other."""

    def checked(op: Operation, *args: P.args, **kwargs: P.kwargs) -> R:
        assert isinstance(op, op_type)
        return function(op, *args, **kwargs)

    return checked
