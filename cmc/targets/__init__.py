# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Targets: the chips that there is to compile for, described by TOML files.

A file gives times in ns and figures with their sources; a `Target` holds what passes and simulator
need, in cycles. The presets are such files, in `presets`.
"""

from cmc.targets.files import (
    Description,
    describe,
    find_target,
    format_description,
    presets,
    target_of_values,
)
from cmc.targets.target import IDEAL, Target

__all__ = [
    "IDEAL",
    "Description",
    "Target",
    "describe",
    "find_target",
    "format_description",
    "presets",
    "target_of_values",
]
