"""The book of one instrument, asks above bids, and its trades as they come."""

from collections.abc import Sequence

from engine.board_rows import Board, DepthRow, OrderRow, TapeRow
from engine.numbers import count, price, time_of_day
from tui.app.panes.orders_pane import ENDED, OrdersPaneView, order_state
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View

_BAR = 16
"""Cells of the bar of a quantity."""
_EIGHTHS = "▏▎▍▌▋▊▉█"


class DepthPaneView(View[DepthRow]):
    """Ten levels, the best ones in the middle."""

    name = "depth"
    title = "DEPTH"
    help = (
        "The five best asks and bids, with the number of orders, and our own shares at each price. "
        "Ahead is an estimate: the shares that stood there when ours came, less what has traded "
        "since; who cancelled before us cannot be told, so it is the most. B and S open a ticket "
        "at the price under the cursor, x cancels and m changes our order in the list below."
    )
    empty = "no depth yet: a feed in full mode has it while the market is open"
    columns = (
        PaneColumn("own", 6, 9),
        PaneColumn("ahead", 7, 10, rank=1),
        PaneColumn("price", 10, 12),
        PaneColumn("quantity", 8, 12),
        PaneColumn("orders", 6, 8, rank=2),
        PaneColumn("", _BAR, _BAR, rank=3, right=False),
    )

    def __init__(self) -> None:
        self.symbol = ""
        self._most = 1

    def version(self, board: Board) -> int:
        """Return the version of the book."""
        return board.depth.version

    def rows(self, board: Board) -> Sequence[DepthRow]:
        """Return the asks, the worst first, and the bids."""
        rows = board.depth.rows[:]
        self._most = max((row.quantity for row in rows), default=0) or 1
        # The best ones meet in the middle, as on every ladder of prices.
        asks = [row for row in rows if row.side == "ask"]
        return [*reversed(asks), *(row for row in rows if row.side == "bid")]

    def stamp(self, row: DepthRow, now: int) -> int:
        """Return the longest bar, by which all others are drawn."""
        del row, now
        return self._most

    def cells(self, row: DepthRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return one level."""
        del now, widths
        tone = "sell" if row.side == "ask" else "buy"
        if row.price <= 0.0:
            return (PaneCell(""),) * 2 + (PaneCell("-", "faint"),) + (PaneCell(""),) * 3
        return (
            PaneCell(count(row.own) if row.own else "", "strong"),
            PaneCell(count(row.ahead) if row.ahead >= 0 else "", "notice"),
            # A book that moves changes every price: only quantities flash.
            PaneCell(price(row.price), tone, still=True),
            PaneCell(count(row.quantity), "", row.quantity),
            PaneCell(count(row.orders), "faint", still=True),
            PaneCell(_quantity_bar(row.quantity / self._most), tone, still=True),
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Name the symbol, the spread, and which side has more."""
        rows = [row for row in board.depth.rows[:] if row.price > 0.0]
        bids = [row for row in rows if row.side == "bid"]
        asks = [row for row in rows if row.side == "ask"]
        parts = [PaneCell(self.symbol, "focus")]
        if bids and asks:
            spread = asks[0].price - bids[0].price
            bought, sold = sum(row.quantity for row in bids), sum(row.quantity for row in asks)
            parts += [
                PaneCell(f"spread {spread:.2f}", "dim"),
                PaneCell(f"bids {100 * bought // max(bought + sold, 1)}%", "dim"),
            ]
        return parts


class TapePaneView(View[TapeRow]):
    """The trades since it was looked at, the newest last."""

    name = "tape"
    title = "TIME AND SALES"
    help = (
        "What has traded between two packets of the feed, with the side that came to the other's "
        "price: at the ask a buyer, at the bid a seller, between them neither is named."
    )
    empty = "no trade since it was looked at"
    follows = True
    columns = (
        PaneColumn("time", 8, right=False),
        PaneColumn("price", 9, 12),
        PaneColumn("shares", 7, 10),
        PaneColumn("by", 4, right=False),
    )

    def version(self, board: Board) -> int:
        """Return the number of the newest trade."""
        tape = board.tape
        return tape[-1].number if tape else 0

    def rows(self, board: Board) -> Sequence[TapeRow]:
        """Return the trades, oldest first."""
        # A copy: the engine's thread goes on with its own.
        return list(board.tape.copy())

    def cells(self, row: TapeRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return one trade."""
        del now, widths
        tone = row.side.lower() or "dim"
        return (
            PaneCell(time_of_day(row.ts), "faint"),
            PaneCell(price(row.price), tone),
            PaneCell(count(row.quantity)),
            PaneCell(row.side.lower(), tone),
        )


class SymbolOrdersPaneView(OrdersPaneView):
    """The orders at work in one symbol."""

    name = "working"
    title = "AT WORK HERE"
    empty = "no order at work in this symbol"

    def __init__(self) -> None:
        self.symbol = ""
        self.changes = 0

    def choose(self, symbol: str) -> None:
        """Show the orders of another symbol."""
        self.changes += symbol != self.symbol
        self.symbol = symbol

    def version(self, board: Board) -> int:
        """Return a number that grows with the orders, and with each other symbol."""
        return board.orders.version + (self.changes << 32)

    def rows(self, board: Board) -> Sequence[OrderRow]:
        """Return the symbol's working orders."""
        return [
            row
            for row in board.orders.rows[:]
            if row.symbol == self.symbol and order_state(row) not in ENDED
        ]

    def summary(self, board: Board) -> list[PaneCell]:
        """Count them."""
        return [PaneCell(str(len(self.rows(board))), "dim")]


def _quantity_bar(share: float) -> str:
    whole, eighth = divmod(round(share * _BAR * 8), 8)
    return "█" * whole + (_EIGHTHS[eighth - 1] if eighth else "")
