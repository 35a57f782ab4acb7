"""`cmctrl-verify-control`: prove that the control of chips is sound, tight and live.

Nothing is changed. A chip whose control is wrong is an error that names the machine, the iteration
and the dependence that is missing or superfluous.
"""

from __future__ import annotations

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from cmc.dialects.cmctrl import ChipOp
from cmc.errors import CmcError
from cmc.proof.chip import prove


class CmctrlVerifyControlPass(ModulePass):
    """Prove that the control of chips is sound, tight and live."""

    name = "cmctrl-verify-control"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        chips = [inner for inner in op.walk() if isinstance(inner, ChipOp)]
        if not chips:
            raise CmcError("there is no cmctrl.chip whose control could be proved")
        for chip in chips:
            prove(chip)
