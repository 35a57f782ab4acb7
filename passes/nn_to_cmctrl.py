# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`nn-to-cmctrl`: the whole way from a network to a configured chip, as the passes that it is."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from cmc.compiler.fewer import apply_all
from cmc.compiler.pass_list import CompositePass, parse_passes
from cmc.compiler.standard import AUTO, BufferPolicy, standard_pipeline
from cmc.passes import get_all_passes
from cmc.targets import IDEAL


@dataclass(frozen=True)
class NnToCmctrlPass(CompositePass):
    """Canonicalize networks, cut them into stages, derive their control, configure chips.

    `buffers` says how rings are sized, `target` what for: a preset, or a file that describes it;
    `copies` of stages are `auto`, `none`, or those of a mapping file; `place` is `auto`, or the
    mapping file that says the cores.
    """

    name = "nn-to-cmctrl"

    buffers: BufferPolicy = "throughput"
    target: str = IDEAL.name
    copies: str = AUTO
    place: str = AUTO

    def passes(self) -> tuple[ModulePass, ...]:
        passes = standard_pipeline(self.buffers, self.target, self.copies, self.place)
        return parse_passes(get_all_passes(), ",".join(passes))

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        apply_all(self.passes(), ctx, op)
