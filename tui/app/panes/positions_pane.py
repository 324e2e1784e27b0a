"""The open positions, rung by rung, and whether each is protected at the broker."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType

from engine.numbers import count, gain, moved, price
from engine.trading.board import Board, PositionRow
from tui.actions import bindings
from tui.widgets.live_table import LiveTable
from tui.widgets.view import Cell, Column, View


def naked(row: PositionRow) -> bool:
    """Tell whether some of a position's shares have no live stop at the broker."""
    return row.protected < abs(row.quantity)


class Positions(View[PositionRow]):
    """One line per open rung."""

    name = "positions"
    title = "POSITIONS"
    help = (
        "What is open, one line per rung. P&L is what it has made and would make at the last price, after "
        "the charges so far. The last column is the cover at "
        "the broker: ● every share under a live stop, ◐ some, ○ none. x exits every rung of the symbol, after asking."
    )
    empty = "flat"
    columns = (
        Column("symbol", 10, 14, right=False, names="symbol"),
        Column("", 2, right=False),
        Column("qty", 6),
        Column("average", 9, 10),
        Column("LTP", 9, 10, rank=1),
        Column("P&L ₹", 11, 14),
        Column("%", 8),
        Column("stop", 9, 10),
        Column("target", 9, 10, rank=2),
        Column("strategy", 10, 18, rank=3, right=False, names="strategy"),
        Column("", 1),
    )

    def version(self, board: Board) -> int:
        """Return the version of the positions."""
        return board.positions.version

    def rows(self, board: Board) -> Sequence[PositionRow]:
        """Return the rungs as the engine listed them."""
        return board.positions.rows

    def attention(self, row: PositionRow) -> bool:
        """Tell whether the rung is naked."""
        return naked(row)

    def cells(self, row: PositionRow, now: int, widths: Sequence[int]) -> tuple[Cell, ...]:
        """Return the line of one rung."""
        del now, widths
        way = "up" if row.pnl > 0 else "down" if row.pnl < 0 else "dim"
        cover = "○" if row.protected <= 0 else "◐" if naked(row) else "●"
        return (
            Cell(row.symbol, "strong"),
            Cell(row.rung, "title"),
            Cell(count(row.quantity)),
            Cell(price(row.average), "dim"),
            Cell(price(row.ltp), "", row.ltp),
            Cell(gain(row.pnl), way, row.pnl),
            Cell(moved(row.pnl_percent), way, row.pnl_percent, still=True),
            Cell(price(row.stop) or "none", "" if row.stop else "danger"),
            Cell(price(row.target) or "-", "dim" if row.target else "faint"),
            Cell(row.strategy, "faint"),
            Cell(cover, "danger" if naked(row) else "dim"),
        )

    def summary(self, board: Board) -> list[Cell]:
        """Count rungs, add up their P&L, name the naked."""
        rows = board.positions.rows[:]
        if not rows:
            return [Cell("flat", "dim")]
        pnl = sum(row.pnl for row in rows)
        bare = sum(naked(row) for row in rows)
        parts = [Cell(str(len(rows)), "dim"), Cell(gain(pnl), "up" if pnl > 0 else "down" if pnl < 0 else "dim")]
        return [*parts, Cell(f"{bare} NAKED", "danger")] if bare else parts


class PositionsTable(LiveTable[PositionRow]):
    """The positions, with their key to exit."""

    BINDINGS: ClassVar[list[BindingType]] = list(bindings("positions"))
