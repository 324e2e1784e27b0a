"""The day's orders, oldest first; the view stays at the newest."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType

from engine.numbers import clock, count, price
from engine.trading.board import Board, OrderRow
from tui.actions import bindings
from tui.widgets.live_table import LiveTable
from tui.widgets.view import Cell, Column, View

EXTERNAL = "external"
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


def state(row: OrderRow) -> str:
    """Return an order's status in lower-case words: "TRIGGER_PENDING" → "trigger pending"."""
    return row.status.lower().replace("_", " ")


class Orders(View[OrderRow]):
    """One line per order, ours or somebody else's."""

    name = "orders"
    title = "ORDERS"
    help = (
        "Every order of the day. Unknown means that the broker never answered: the desk looks it up and never sends "
        "it again blindly. External orders were placed by somebody else. The number is what `patang cancel`, `patang modify` "
        "and `patang trace` call an order. x cancels a working one, after asking."
    )
    empty = "no order today"
    follows = True
    columns = (
        Column("no", 3, 5),
        Column("time", 8, right=False, rank=1),
        Column("symbol", 10, 14, right=False, names="symbol"),
        Column("side", 4, right=False),
        Column("filled", 8, 11),
        Column("price", 9, 10),
        Column("average", 9, 10, rank=4),
        Column("kind", 6, rank=3, right=False),
        Column("for", 7, rank=2, right=False),
        Column("status", 9, 15, right=False),
        Column("strategy", 10, 18, rank=5, right=False, names="strategy"),
        Column("reason", 12, 40, rank=6, right=False),
    )

    def version(self, board: Board) -> int:
        """Return the version of the orders."""
        return board.orders.version

    def rows(self, board: Board) -> Sequence[OrderRow]:
        """Return the orders as they came."""
        return board.orders.rows

    def attention(self, row: OrderRow) -> bool:
        """Tell whether an order was refused, or nobody knows what became of it."""
        return state(row) in {"rejected", "lost", "unknown"}

    def cells(self, row: OrderRow, now: int, widths: Sequence[int]) -> tuple[Cell, ...]:
        """Return the line of one order."""
        del now, widths
        ended = state(row) in ENDED
        ink = "dim" if ended else ""
        return (
            Cell(row.key if row.key.isdecimal() else "-", "faint"),
            Cell(clock(row.ts), "faint"),
            Cell(row.symbol, ink or "strong"),
            Cell(row.side, "buy" if row.side == "BUY" else "sell"),
            Cell(f"{count(row.filled)}/{count(row.quantity)}", ink),
            Cell(price(row.price) or "market", ink),
            Cell(price(row.average), "dim"),
            Cell(row.kind, "faint"),
            Cell(row.purpose.lower(), "faint"),
            Cell(state(row), _TONES.get(state(row), "notice")),
            Cell(row.strategy, "notice" if row.strategy == EXTERNAL else "faint"),
            Cell(row.reason, "danger" if self.attention(row) else "faint"),
        )

    def summary(self, board: Board) -> list[Cell]:
        """Count orders, working ones, and those that need an eye."""
        rows = board.orders.rows[:]
        working = sum(state(row) not in ENDED for row in rows)
        bad = sum(self.attention(row) for row in rows)
        parts = [Cell(str(len(rows)), "dim"), Cell(f"{working} working", "title" if working else "dim")]
        return [*parts, Cell(f"{bad} refused", "danger")] if bad else parts


class OrdersTable(LiveTable[OrderRow]):
    """The orders, with their key to cancel."""

    BINDINGS: ClassVar[list[BindingType]] = list(bindings("orders"))
