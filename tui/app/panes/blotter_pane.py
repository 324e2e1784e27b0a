"""The orders of every day that the desk has on record, today's last; and the life of one."""

from collections.abc import Sequence
from typing import NamedTuple

from engine.board_rows import Board, OrderRow
from engine.numbers import log_time
from tui.app.panes.orders_pane import OrdersPaneView, order_state
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View

SHOWN = ("all", "working", "filled", "refused")
"""Choices of what the blotter shows."""
_FILLED, _REFUSED = frozenset({"complete"}), frozenset({"rejected", "lost", "not sent", "unknown"})


class BlotterPaneView(OrdersPaneView):
    """Orders of all days; `earlier` are those before today."""

    name = "blotter"
    title = "ORDERS OF ALL DAYS"
    help = (
        "Every order on record, today's at the end. / filters by words of symbol, strategy and "
        "status: all have to be there; !word: not there; ~letters: in this order. f takes those at "
        "work, filled or refused. Below stands the life of the one under the cursor: the tick or "
        "bar behind it, the decision with its figures, and all that became of it."
    )
    empty = "no order on record"
    columns = (
        OrdersPaneView.columns[0],
        PaneColumn("time", 12, right=False, rank=1),
        *OrdersPaneView.columns[2:],
    )

    def __init__(self) -> None:
        self.earlier: list[OrderRow] = []
        self.shown = SHOWN[0]
        self.changes = 0
        """Counts changes of the two."""

    def version(self, board: Board) -> int:
        """Return a number that grows with today's orders, and with what is shown."""
        return board.orders.version + (self.changes << 32)

    def rows(self, board: Board) -> Sequence[OrderRow]:
        """Return the orders, the oldest first."""
        today = board.orders.rows[:]
        # The journal may have been read after midnight, with orders that the board has still.
        known = {row.key for row in today}
        rows = [row for row in self.earlier if row.key not in known] + today
        return rows if self.shown == "all" else [row for row in rows if self._is_shown(row)]

    def _is_shown(self, row: OrderRow) -> bool:
        state = order_state(row)
        # One that is filled in part and cancelled has traded all the same.
        if self.shown == "filled":
            return state in _FILLED or row.filled > 0
        if self.shown == "refused":
            return state in _REFUSED
        return "working" in self.search_text(row)

    def show_earlier(self, rows: list[OrderRow]) -> None:
        """Take the orders before today."""
        self.earlier = rows
        self.changes += 1

    def turn_shown(self) -> None:
        """Take the next choice of what is shown."""
        self.shown = SHOWN[(SHOWN.index(self.shown) + 1) % len(SHOWN)]
        self.empty = f"none {self.shown}" if self.shown != "all" else type(self).empty
        self.changes += 1

    def cells(self, row: OrderRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one order, with its day."""
        cells = super().cells(row, now, widths)
        return cells[0], PaneCell(log_time(row.ts), "faint"), *cells[2:]

    def summary(self, board: Board) -> list[PaneCell]:
        """Count what is there, and say what is shown."""
        parts = super().summary(board)
        parts[0] = PaneCell(f"{parts[0].text} today, {len(self.earlier)} before", "dim")
        return parts if self.shown == "all" else [*parts, PaneCell(f"only {self.shown}", "notice")]


class LifeLine(NamedTuple):
    """One line of an order's life, by its number."""

    number: int
    text: str


class LifePaneView(View[LifeLine]):
    """The life of one order, line by line."""

    name = "life"
    title = "LIFE OF THE ORDER"
    help = (
        "From the tick or bar that caused it through size, verdict and every answer of the broker "
        "to its fills, its GTT and its end. The same as `patang trace ORDER`."
    )
    empty = "no order under the cursor"
    columns = (PaneColumn("", 40, 400, right=False),)

    def __init__(self) -> None:
        self.lines: list[LifeLine] = []
        self.changes = 0

    def show_lines(self, lines: Sequence[str]) -> None:
        """Show other lines."""
        fresh = [LifeLine(number, text) for number, text in enumerate(lines)]
        if fresh != self.lines:
            self.lines = fresh
            self.changes += 1

    def version(self, board: Board) -> int:
        """Return how often the lines have changed."""
        del board
        return self.changes

    def rows(self, board: Board) -> Sequence[LifeLine]:
        """Return the lines."""
        del board
        return self.lines

    def cells(self, row: LifeLine, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return one line."""
        del now, widths
        return (PaneCell(row.text, "strong" if row.number == 0 else "", still=True),)
