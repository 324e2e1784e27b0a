"""What differs between the broker's books and ours, since when, and what may be done about it."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType

from engine.numbers import amount, clock
from engine.trading.board import UNREADABLE, Board, DifferenceRow
from tui.actions import bindings
from tui.widgets.live_table import LiveTable
from tui.widgets.view import Cell, Column, View


class Differences(View[DifferenceRow]):
    """One line per difference."""

    name = "differences"
    title = "DIFFERENCES"
    help = (
        "What the broker's books say and ours do not, or the other way round. While one stands that is not ignored, the "
        "desk is read-only: no entries; exits and protection go on. a adopts (a ladder with a stop at the broker, or the "
        "broker's word taken), s assigns to a strategy, i ignores until the figures change, f flattens, after asking. "
        "docs/reconciliation.md says what each does."
    )
    empty = "the books agree"
    columns = (
        Column("what", 10, 18, right=False, names="key"),
        Column("kind", 9, 10, right=False),
        Column("the broker has", 16, 34, right=False),
        Column("we have", 10, 34, right=False),
        Column("since", 8, right=False, rank=1),
        Column("choices", 27, right=False, rank=2),
    )

    def version(self, board: Board) -> int:
        """Return the version of the differences."""
        return board.differences.version

    def rows(self, board: Board) -> Sequence[DifferenceRow]:
        """Return the differences as the engine listed them."""
        return board.differences.rows

    def attention(self, row: DifferenceRow) -> bool:
        """Tell whether it keeps the desk from entering."""
        return not row.ignored

    def cells(self, row: DifferenceRow, now: int, widths: Sequence[int]) -> tuple[Cell, ...]:
        """Return the line of one difference."""
        del now, widths
        ink = "dim" if row.ignored else ""
        return (
            Cell(row.key, ink or "strong"),
            Cell("ignored" if row.ignored and row.choices else row.kind, ink or "danger"),
            Cell(_grouped(row.theirs), ink),
            Cell(_grouped(row.ours), ink),
            Cell(clock(row.since) if row.since else "", "faint"),
            Cell(" ".join(row.choices), "faint"),
        )

    def summary(self, board: Board) -> list[Cell]:
        """Count what stands and what is ignored."""
        rows = board.differences.rows[:]
        ignored = sum(row.ignored for row in rows if row.choices)
        stands = sum(not row.ignored for row in rows if row.choices)
        parts = [Cell(f"{stands} to decide: read-only", "danger")] if stands else []
        if unread := [row for row in rows if row.kind == UNREADABLE]:
            rests = unread[0].ignored
            parts.append(Cell("not compared", "dim") if rests else Cell("not compared: read-only", "danger"))
        parts = parts or [Cell("clean", "dim")]
        return [*parts, Cell(f"{ignored} ignored", "dim")] if ignored else parts


def _grouped(text: str) -> str:
    """Group the digits of an amount of money; leave everything else as it is."""
    return "₹" + amount(text.removeprefix("₹")) if text.startswith("₹") else text


class DifferencesTable(LiveTable[DifferenceRow]):
    """The differences, with their keys to decide."""

    BINDINGS: ClassVar[list[BindingType]] = list(bindings("differences"))
