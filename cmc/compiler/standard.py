# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The standard way down from `nn` to `cmctrl`, as the list of passes that it is."""

from typing import Literal

from cmc.targets import IDEAL

BufferPolicy = Literal["minimal", "throughput", "whole"]

AUTO = "auto"
"""As many copies of stages as the target has room for."""

NONE = "none"
"""No copies of stages."""


def standard_pipeline(
    buffers: BufferPolicy = "throughput",
    target: str = IDEAL.name,
    copies: str = AUTO,
    place: str = AUTO,
) -> tuple[str, ...]:
    """The passes from an imported network to configured cores, in the syntax of `cmc-opt -p`.

    `target` is a preset, or a file that describes a target; `copies` of slow stages are `auto`,
    `none`, or those of a mapping file; `place` is `auto`, or the mapping file that says which cores
    run which stages, and where they are. Slots that were just computed need no check for deadlocks.
    """
    on = "" if target == IDEAL.name else f"{{target={_quoted(target)}}}"
    balanced = "" if copies == AUTO else f"{{copies={_quoted(copies)}}}"
    mapped = "" if place == AUTO else f"{{mapping={_quoted(place)}}}"
    return (
        "nn-canonicalize",
        "nn-fold-batch-norm",
        f"convert-nn-to-cmpipe{on}",
        "cmpipe-tile-crossbars",
        "cmpipe-annotate-timing",
        f"cmpipe-balance{balanced}",
        "cmpipe-derive-control",
        f"cmpipe-assign-cores{mapped}",
        f"cmpipe-place-cores{mapped}",
        f"cmpipe-size-buffers{{policy={buffers}}}",
        "cmpipe-replicate-pipeline",
        "convert-cmpipe-to-cmctrl{check=false}",
    )


def _quoted(text: str) -> str:
    """`text` as the value of a pass's option, whatever its characters."""
    escaped = "".join(f"\\{c}" if c in '"\\' else c for c in text)
    return f'"{escaped}"'
