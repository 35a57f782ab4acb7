# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The option `target` of passes that ask what a pipeline is for."""

from xdsl.dialects.builtin import ModuleOp

from cmc.dialects.cmpipe import PipelineOp, TargetAttr
from cmc.targets import IDEAL, find_target


def target_attribute(option: str) -> TargetAttr | None:
    """The target that a preset or a file describes; CmcError for neither. `ideal` is none."""
    target = find_target(option)
    return None if target == IDEAL else TargetAttr(target)


def put_target(module: ModuleOp, option: str | None) -> None:
    """Put the target that a pass's option names on all pipelines; without one they keep theirs."""
    if option is not None:
        target = target_attribute(option)
        for op in module.walk():
            if isinstance(op, PipelineOp):
                op.target = target
