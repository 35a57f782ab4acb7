"""temporary"""

from dataclasses import dataclass
from typing import Literal
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, IntegerAttr, i64
from xdsl.passes import ModulePass
from cmc.dialects.cmpipe import PipelineOp, find_object
from cmc.poly.evaluate import size


@dataclass(frozen=True)
class CmpipeSizeBuffersPass(ModulePass):
    name = "cmpipe-size-buffers"
    policy: Literal["minimal", "throughput", "whole"] = "throughput"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for p in op.walk():
            if isinstance(p, PipelineOp):
                for c in p.channels():
                    c.properties["slots"] = IntegerAttr(
                        4 * size(find_object(c, c.object).shape), i64
                    )
