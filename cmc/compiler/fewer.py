# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The way down, with fewer copies where those that were chosen do not fit the chip after all.

Copies are chosen for crossbars and units. What they need of SRAM is known once their control is
derived, and which cores reach each other where these get their places.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from cmc.compiler.standard import AUTO, NONE
from cmc.dialects.cmpipe import PipelineOp, StageOp, target_of
from cmc.fitting.refusal import DoesNotFit

TIMES = (2, 4, 16)
"""How many times as long as at best an interval may be where no more copies fit."""


def apply_all(passes: Iterable[ModulePass], context: Context, module: ModuleOp) -> None:
    """Apply passes. What would fit without copies is not refused because of copies."""
    way: _Way | None = None
    for one in passes:
        if one.name == "cmpipe-balance":
            way = _Way.of(one, module)
        elif way is not None:
            way.passes.append(one)
        try:
            one.apply(context, module)
        except DoesNotFit:
            if way is None or not _has_copies(module):
                raise
            way.go(context, module)


@dataclass(frozen=True)
class _Way:
    """The passes from `cmpipe-balance` on that were applied, and what there was before."""

    before: ModuleOp
    none: ModulePass
    """What to do in place of `cmpipe-balance` for no copies, ..."""
    fewer: list[ModulePass]
    """... and what to do for fewer ones, one after the other, as far as it was not tried."""
    passes: list[ModulePass]

    @staticmethod
    def of(balance: ModulePass, module: ModuleOp) -> _Way | None:
        """None where copies are not chosen."""
        from cmc.passes.cmpipe_balance import CmpipeBalancePass

        assert isinstance(balance, CmpipeBalancePass)
        pipelines = (op for op in module.walk() if isinstance(op, PipelineOp))
        if balance.copies != AUTO or all(target_of(one).cores is None for one in pipelines):
            return None
        fewer: list[ModulePass] = [replace(balance, times=n) for n in TIMES]
        return _Way(module.clone(), replace(balance, copies=NONE), fewer, [])

    def go(self, context: Context, module: ModuleOp) -> None:
        """Go it again, with fewer copies each time; DoesNotFit where none at all are too many."""
        # What does not fit without copies is told at once.
        self._try(self.none, context, module)
        while self.fewer:
            with suppress(DoesNotFit):
                self._try(self.fewer.pop(0), context, module)
                return
        self._try(self.none, context, module)

    def _try(self, balance: ModulePass, context: Context, module: ModuleOp) -> None:
        """Go it with these copies."""
        module.body.detach_block(module.body.block)
        module.body.add_block(self.before.clone().body.detach_block(0))
        for one in (balance, *self.passes):
            one.apply(context, module)


def _has_copies(module: ModuleOp) -> bool:
    return any(
        (isinstance(op, StageOp) and op.copy_of is not None)
        or (isinstance(op, PipelineOp) and op.copies > 1)
        for op in module.walk()
    )
