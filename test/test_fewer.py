# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Fewer copies, or none, where those that were chosen do not fit, whichever pass finds that."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from cmc.api import make_context
from cmc.compiler.fewer import apply_all
from cmc.compiler.standard import NONE
from cmc.dialects.cmpipe import PipelineOp
from cmc.files.parsing import parse_file
from cmc.fitting.refusal import DoesNotFit
from cmc.passes.cmpipe_balance import CmpipeBalancePass

PIPELINE = "cmpipe.pipeline @p on #cmpipe.target<cores = 16> {}"


def the_pipeline(module: ModuleOp) -> PipelineOp:
    (pipeline,) = (op for op in module.walk() if isinstance(op, PipelineOp))
    return pipeline


@dataclass(frozen=True)
class Copies(CmpipeBalancePass):
    """16 copies at best, and fewer for longer intervals."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        copies = {1: 16, 2: 8, 4: 4, 16: 2}[self.times]
        the_pipeline(op).copies = 1 if self.copies == NONE else copies


@dataclass(frozen=True)
class Fits(ModulePass):
    """So many copies fit, and no more."""

    name = "fits"
    most: int

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if the_pipeline(op).copies > self.most:
            raise DoesNotFit(f"{self.most} copies fit")


@pytest.mark.parametrize(
    ("room", "copies"),
    [
        ((16, 16), 16),
        ((8, 8), 8),
        ((1, 1), 1),
        ((8, 4), 4),
        ((8, 2), 2),
        ((8, 1), 1),
        ((2, 1), 1),
        ((4, 2, 1), 1),
    ],
)
def test_as_many_copies_as_fit(room: tuple[int, ...], copies: int):
    module = parse_file(make_context(), PIPELINE, "pipeline.mlir")
    apply_all([Copies(), *map(Fits, room)], make_context(), module)
    assert the_pipeline(module).copies == copies


def test_what_does_not_fit_without_copies_is_refused():
    module = parse_file(make_context(), PIPELINE, "pipeline.mlir")
    with pytest.raises(DoesNotFit, match="0 copies fit"):
        apply_all([Copies(), Fits(8), Fits(0)], make_context(), module)
