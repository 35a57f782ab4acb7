# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Which operators of a recurrence are computed by one stage.

A step waits for the step before, by way of all stages that lie between. So there are as few as can
be: a stage computes whatever only its own result needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.ir import Block, Operation

from cmc.dialects import nn
from cmc.semantics.elementwise import ELEMENTWISE
from cmc.semantics.stages import STAGES


@dataclass
class Cone:
    """Operators on tensors of one shape, in order, of which nothing else needs any but the last.

    One of them may have a stage of its own, which the others join. If `joined`, the last is a
    concatenation of results of the others along their vectors.
    """

    operators: list[Operation]
    joined: bool = False

    @property
    def root(self) -> Operation:
        """The last one."""
        return self.operators[-1]

    @property
    def stage(self) -> Operation | None:
        """That with a stage of its own."""
        return next((op for op in self.operators if type(op) in STAGES), None)

    @property
    def shape(self) -> tuple[int, ...]:
        """That of what is computed of each vector."""
        return nn.shape_of(self.root.operands[0] if self.joined else self.root.results[0])


def cones(body: Block, channel: int) -> dict[Operation, Cone]:
    """The cones of a recurrence's body, by their last operators.

    What it yields may be joined of tensors along `channel`.
    """
    found: dict[Operation, Cone] = {}
    of: dict[Operation, Cone] = {}
    for op in reversed(list(body.ops)):
        joined = _is_joined(op, channel)
        if not joined and type(op) not in ELEMENTWISE and type(op) not in STAGES:
            continue
        users = [use.operation for use in op.results[0].uses]
        candidates = {id(of.get(user)): of.get(user) for user in users}
        cone = candidates.popitem()[1] if len(candidates) == 1 else None
        if cone is None or not _fits(op, users, cone):
            cone = found[op] = Cone([], joined)
        cone.operators.insert(0, op)
        of[op] = cone
    return found


def _fits(op: Operation, users: Sequence[Operation], cone: Cone) -> bool:
    """Whether the stage that computes the users can compute an operator as well."""
    if nn.shape_of(op.results[0]) != cone.shape or any(type(user) in STAGES for user in users):
        return False
    return type(op) in ELEMENTWISE or (type(op) in STAGES and cone.stage is None)


def _is_joined(op: Operation, channel: int) -> bool:
    """Whether a stage can compute all that an operator concatenates, before it is yielded."""
    if not isinstance(op, nn.ConcatOp) or op.axis.value.data != channel:
        return False
    shapes = {nn.shape_of(value) for value in op.inputs}
    yielded = any(isinstance(use.operation, nn.YieldOp) for use in op.result.uses)
    return len(op.inputs) > 1 and len(shapes) == 1 and yielded
