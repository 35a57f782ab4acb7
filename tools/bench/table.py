# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Tables of text: names to the left, numbers to the right."""

from collections.abc import Sequence

from cmc.reports.columns import aligned

Cell = str | float | int | None


def format_table(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Aligned columns; a number has three digits that count, and None is a dash."""
    return "\n".join(aligned([head, *([_text(cell) for cell in row] for row in rows)]))


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return "-"
        case float():
            return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
        case _:
            return str(cell)
