"""Orders that others have placed on the account: shown, never touched."""

from collections.abc import Sequence

from engine.board_rows import Board, OrderRow
from tui.app.panes.orders_pane import OrdersPaneView, order_state
from tui.app.widgets.pane_view import PaneCell


class ExternalsPaneView(OrdersPaneView):
    """One line per order that is not the desk's."""

    name = "externals"
    title = "EXTERNAL ORDERS"
    help = (
        "Orders on the account that are neither the desk's nor its GTTs'. The desk never touches "
        "them; what they trade "
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
        """Return whether an order still works, and may change the account."""
        # what has ended has come up as a difference already, where it changed anything
        return order_state(row) in {"open", "trigger pending"}

    def summary(self, board: Board) -> list[PaneCell]:
        """Count the orders and the working ones."""
        rows = board.externals.rows[:]
        working = sum(self.attention(row) for row in rows)
        return [PaneCell(f"{working} working", "notice" if working else "dim")] if rows else []
