"""Differences between the broker's books and ours: since when, and what may be done."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType

from engine.board_rows import UNREADABLE, Board, DifferenceRow
from engine.numbers import amount, time_of_day
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View


class DifferencesPaneView(View[DifferenceRow]):
    """One line per difference."""

    name = "differences"
    title = "DIFFERENCES"
    help = (
        "What the broker's books say and ours do not, or the other way round. While one stands "
        "that is not ignored, the "
        "desk is read-only: no entries; exits and protection go on. a adopts (a ladder with a "
        "stop at the broker, or the "
        "broker's word taken), s assigns to a strategy, i ignores until the figures change, f "
        "flattens, after asking. "
        "docs/reconciliation.md says what each does."
    )
    empty = "the books agree"
    columns = (
        PaneColumn("what", 10, 18, right=False, names="key"),
        PaneColumn("kind", 9, 10, right=False),
        PaneColumn("the broker has", 16, 34, right=False),
        PaneColumn("we have", 10, 34, right=False),
        PaneColumn("since", 8, right=False, rank=1),
        PaneColumn("choices", 27, right=False, rank=2),
    )

    def version(self, board: Board) -> int:
        """Return the version of the differences."""
        return board.differences.version

    def rows(self, board: Board) -> Sequence[DifferenceRow]:
        """Return the differences as the engine listed them."""
        return board.differences.rows

    def attention(self, row: DifferenceRow) -> bool:
        """Return whether it keeps the desk from entering."""
        return not row.ignored

    def cells(self, row: DifferenceRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one difference."""
        del now, widths
        ink = "dim" if row.ignored else ""
        return (
            PaneCell(row.key, ink or "strong"),
            # what could not be compared is never called ignored
            PaneCell("ignored" if row.ignored and row.choices else row.kind, ink or "danger"),
            PaneCell(_grouped_digits(row.theirs), ink),
            PaneCell(_grouped_digits(row.ours), ink),
            PaneCell(time_of_day(row.since) if row.since else "", "faint"),
            PaneCell(" ".join(row.choices), "faint"),
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Count open and ignored differences."""
        rows = board.differences.rows[:]
        ignored = sum(row.ignored for row in rows if row.choices)
        # a row without choices says why nothing could be compared: it is no difference to decide
        stands = sum(not row.ignored for row in rows if row.choices)
        parts = [PaneCell(f"{stands} to decide: read-only", "danger")] if stands else []
        if unread := [row for row in rows if row.kind == UNREADABLE]:
            rests = unread[0].ignored
            parts.append(
                PaneCell("not compared", "dim")
                if rests
                else PaneCell("not compared: read-only", "danger")
            )
        parts = parts or [PaneCell("clean", "dim")]
        return [*parts, PaneCell(f"{ignored} ignored", "dim")] if ignored else parts


def _grouped_digits(text: str) -> str:
    """Group the digits of an amount of money; leave everything else as it is."""
    # quantities and ids stand in the same columns, and must not be grouped
    return "₹" + amount(text.removeprefix("₹")) if text.startswith("₹") else text


class DifferencesTable(LiveTable[DifferenceRow]):
    """The differences, with their keys to decide."""

    BINDINGS: ClassVar[list[BindingType]] = list(scope_bindings("differences"))
