# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmc targets`: what there is to compile for, and the files that describe it."""

from collections.abc import Sequence

from cmc.reports.columns import aligned
from cmc.targets import Target, describe, find_target, format_description, presets
from cmc.tools.options import Options


def show_targets(options: Options) -> None:
    """Carry the command out; raises `CmcError` for a target that there is not."""
    if options.name is None:
        print("\n".join(_table([find_target(name) for name in presets()])))
    else:
        print(format_description(describe(options.name)), end="")


def _table(targets: Sequence[Target]) -> list[str]:
    header = (
        *("target", "cores", "topology", "crossbars", "rows", "columns"),
        *("MxV ns", "bits", "SRAM bytes"),
    )
    rows = [
        header,
        *(
            (
                target.name,
                _count(target.cores),
                target.topology,
                *map(_count, (target.crossbars, target.rows, target.columns)),
                f"{target.ns(target.mxv):,.6g}",
                str(target.activation_bits),
                _count(target.sram_bytes),
            )
            for target in targets
        ),
    ]
    return aligned(rows)


def _count(number: int | None) -> str:
    return "unlimited" if number is None else f"{number:,}"
