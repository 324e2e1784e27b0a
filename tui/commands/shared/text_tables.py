"""Rows of one shape for a reader: columns, numbers to the right, the first of many.

Or one JSON array.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal

from engine.texts import plain_text

SHOWN = 40
"""Lines on a terminal; --json has all."""


def print_table(
    rows: Sequence[Mapping[str, object]],
    *,
    as_json: bool,
    summary: str = "",
    more: str = "see --json",
    plainly: bool = False,
) -> None:
    """Print rows on stdout, their sum and the place of the rest on stderr.

    `plainly`: numbers as they are.
    """
    if as_json:
        sys.stdout.write(json.dumps(list(rows)) + "\n")
        return
    if rows:
        sys.stdout.write(
            column_text(
                list(rows[0]), [list(row.values()) for row in rows[:SHOWN]], plainly=plainly
            )
        )
    if len(rows) > SHOWN:
        sys.stderr.write(f"and {len(rows) - SHOWN:,} more: {more}\n")
    if summary:
        sys.stderr.write(plain_text(summary) + "\n")


def column_text(
    names: Sequence[str], rows: Sequence[Sequence[object]], *, plainly: bool = False
) -> str:
    """Return rows below the names of their columns, those that begin with a number to the right."""
    lines = [
        [plain_text(name) for name in names],
        *([_cell_text(value, plainly=plainly) for value in row] for row in rows),
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    # a column has one kind of value, and its first row shows which
    right = [_is_number(value) for value in rows[0]] if rows else [False] * len(names)
    return "".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        + "\n"
        for line in lines
    )


def _is_number(value: object) -> bool:
    # a bool is an int in Python, and is shown as yes or no
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _cell_text(value: object, *, plainly: bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and not plainly:
        return f"{value:,}"
    return "" if value is None else plain_text(str(value))
