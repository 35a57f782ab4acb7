# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmctrl-verify-control`: prove that the control of chips is sound, tight and live.

Nothing is changed. A chip whose control is wrong is an error that names the machine, the iteration
and the dependence that is missing or superfluous.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from cmc.dialects.cmctrl import ChipOp
from cmc.errors import CmcError
from cmc.proof.chip import prove
from cmc.widths import CONTROL_BITS


@dataclass(frozen=True)
class CmctrlVerifyControlPass(ModulePass):
    """Prove that the control of chips is sound, tight and live.

    `width` is that of the words in which control units compute, in bits. `widths` says on standard
    error how many bits each program and machine needs.
    """

    name = "cmctrl-verify-control"

    width: int = CONTROL_BITS
    widths: bool = False

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        chips = [inner for inner in op.walk() if isinstance(inner, ChipOp)]
        if not chips:
            raise CmcError("there is no cmctrl.chip whose control could be proved")
        for chip in chips:
            needed = prove(chip, width=self.width)
            if self.widths:
                for control, bits in needed.items():
                    print(f"{control.title}: {bits} bits", file=sys.stderr)
