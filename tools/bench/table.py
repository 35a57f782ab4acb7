# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Tables of text: names to the left, numbers to the right."""

from collections.abc import Sequence

Cell = str | float | int | None


def format_table(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Aligned columns; a number has three digits that count, and None is a dash."""
    texts = [list(head), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(head))]
    lines = [
        "  ".join(
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in texts
    ]
    return "\n".join(lines)


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return "-"
        case float():
            return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
        case _:
            return str(cell)
