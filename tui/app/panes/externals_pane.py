"""Orders that others have placed on the account: shown, never touched."""

from collections.abc import Sequence

from engine.trading.board import Board, OrderRow
from tui.panes.orders import Orders, state
from tui.widgets.view import Cell


class Externals(Orders):
    """One line per order that is not the desk's."""

    name = "externals"
    title = "EXTERNAL ORDERS"
    help = (
        "Orders on the account that are neither the desk's nor its GTTs'. The desk never touches them; what they trade "
        "comes up as a difference."
    )
    empty = "nobody else's order"

    def version(self, board: Board) -> int:
        """Return the version of the external orders."""
        return board.externals.version

    def rows(self, board: Board) -> Sequence[OrderRow]:
        """Return the orders as they came."""
        return board.externals.rows

    def attention(self, row: OrderRow) -> bool:
        """Tell whether an order still works, and may change what the account holds."""
        return state(row) in {"open", "trigger pending"}

    def summary(self, board: Board) -> list[Cell]:
        """Count the orders and the working ones."""
        rows = board.externals.rows[:]
        working = sum(self.attention(row) for row in rows)
        return [Cell(f"{working} working", "notice" if working else "dim")] if rows else []
