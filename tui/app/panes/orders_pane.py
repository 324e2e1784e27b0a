"""The day's orders, oldest first; the view stays at the newest."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType

from engine.board_rows import EXTERNAL, Board, OrderRow
from engine.numbers import count, price, time_of_day
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View

"""The strategy of an order that is not the desk's."""

ENDED = frozenset({"complete", "cancelled", "rejected", "lost", "not sent"})
"""States an order does not leave."""

_TONES = {
    "complete": "dim",
    "cancelled": "faint",
    "rejected": "danger",
    "lost": "danger",
    "unknown": "danger",
    "open": "title",
    "trigger pending": "title",
}


def order_state(row: OrderRow) -> str:
    """Return an order's status in lower-case words: "TRIGGER_PENDING" → "trigger pending"."""
    return row.status.lower().replace("_", " ")


class OrdersPaneView(View[OrderRow]):
    """One line per order, ours or another's."""

    name = "orders"
    title = "ORDERS"
    help = (
        "Every order of the day. Unknown means that the broker never answered: the desk looks it "
        "up and never sends "
        "it again blindly. External orders were placed by somebody else. The number is what "
        "`patang cancel`, `patang modify` "
        "and `patang trace` call an order. x cancels a working one, after asking."
    )
    empty = "no order today"
    follows = True
    columns = (
        PaneColumn("no", 3, 5),
        PaneColumn("time", 8, right=False, rank=1),
        PaneColumn("symbol", 10, 14, right=False, names="symbol"),
        PaneColumn("side", 4, right=False),
        PaneColumn("filled", 8, 11),
        PaneColumn("price", 9, 10),
        PaneColumn("average", 9, 10, rank=4),
        PaneColumn("kind", 6, rank=3, right=False),
        PaneColumn("for", 7, rank=2, right=False),
        PaneColumn("status", 9, 15, right=False),
        PaneColumn("strategy", 10, 18, rank=5, right=False, names="strategy"),
        PaneColumn("reason", 12, 40, rank=6, right=False),
    )

    def version(self, board: Board) -> int:
        """Return the version of the orders."""
        return board.orders.version

    def rows(self, board: Board) -> Sequence[OrderRow]:
        """Return the orders as they came."""
        return board.orders.rows

    def search_text(self, row: OrderRow) -> str:
        """Return the texts of an order, its state in words, and whether it is at work."""
        state = order_state(row)
        return f"{super().search_text(row)} {state} {'' if state in ENDED else 'working'}"

    def attention(self, row: OrderRow) -> bool:
        """Return whether an order was refused, or its outcome is unknown."""
        # in each of these something that was wanted is not there, or nobody knows
        return order_state(row) in {"rejected", "lost", "unknown"}

    def cells(self, row: OrderRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one order."""
        del now, widths
        ended = order_state(row) in ENDED
        ink = "dim" if ended else ""
        return (
            # an order of others has no number of ours to be called by
            PaneCell(row.key if row.key.isdecimal() else "-", "faint"),
            PaneCell(time_of_day(row.ts), "faint"),
            PaneCell(row.symbol, ink or "strong"),
            PaneCell(row.side, "buy" if row.side == "BUY" else "sell"),
            PaneCell(f"{count(row.filled)}/{count(row.quantity)}", ink),
            # a market order has no price
            PaneCell(price(row.price) or "market", ink),
            PaneCell(price(row.average), "dim"),
            PaneCell(row.kind, "faint"),
            PaneCell(row.purpose.lower(), "faint"),
            PaneCell(order_state(row), _TONES.get(order_state(row), "notice")),
            PaneCell(row.strategy, "notice" if row.strategy == EXTERNAL else "faint"),
            PaneCell(row.reason, "danger" if self.attention(row) else "faint"),
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Count orders, working ones, and those that need an eye."""
        rows = board.orders.rows[:]
        working = sum(order_state(row) not in ENDED for row in rows)
        bad = sum(self.attention(row) for row in rows)
        parts = [
            PaneCell(str(len(rows)), "dim"),
            PaneCell(f"{working} working", "title" if working else "dim"),
        ]
        return [*parts, PaneCell(f"{bad} refused", "danger")] if bad else parts


class OrdersTable(LiveTable[OrderRow]):
    """The orders, with their key to cancel."""

    BINDINGS: ClassVar[list[BindingType]] = list(scope_bindings("orders"))
