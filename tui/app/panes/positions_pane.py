"""The open positions, rung by rung, and whether each is protected at the broker."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType

from engine.board_rows import Board, PositionRow
from engine.numbers import count, gain, percent_move, price
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View


def is_naked(row: PositionRow) -> bool:
    """Return whether some of a position's shares have no live stop at the broker."""
    # stops are placed and fill in parts: some shares may stand without one
    return row.protected < abs(row.quantity)


class PositionsPaneView(View[PositionRow]):
    """One line per open rung."""

    name = "positions"
    title = "POSITIONS"
    help = (
        "What is open, one line per rung. P&L is what it has made and would make at the last "
        "price, after "
        "the charges so far. The last column is the cover at "
        "the broker: ● every share under a live stop, ◐ some, ○ none. x leaves the symbol or a "
        "part of it, m moves its stop, a adds a rung, R turns it round, t shows what is behind it."
    )
    empty = "flat"
    columns = (
        PaneColumn("symbol", 10, 14, right=False, names="symbol"),
        PaneColumn("", 2, right=False),
        PaneColumn("qty", 6),
        PaneColumn("average", 9, 10),
        PaneColumn("LTP", 9, 10, rank=1),
        PaneColumn("P&L ₹", 11, 14),
        PaneColumn("%", 8),
        PaneColumn("stop", 9, 10),
        PaneColumn("target", 9, 10, rank=2),
        PaneColumn("strategy", 10, 18, rank=3, right=False, names="strategy"),
        PaneColumn("", 1),
    )

    def version(self, board: Board) -> int:
        """Return the version of the positions."""
        return board.positions.version

    def rows(self, board: Board) -> Sequence[PositionRow]:
        """Return the rungs as the engine listed them."""
        return board.positions.rows

    def attention(self, row: PositionRow) -> bool:
        """Return whether the rung is naked."""
        return is_naked(row)

    def cells(self, row: PositionRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one rung."""
        del now, widths
        way = "up" if row.pnl > 0 else "down" if row.pnl < 0 else "dim"
        cover = "○" if row.protected <= 0 else "◐" if is_naked(row) else "●"
        return (
            PaneCell(row.symbol, "strong"),
            PaneCell(row.rung, "title"),
            PaneCell(count(row.quantity)),
            PaneCell(price(row.average), "dim"),
            PaneCell(price(row.ltp), "", row.ltp),
            PaneCell(gain(row.pnl), way, row.pnl),
            PaneCell(percent_move(row.pnl_percent), way, row.pnl_percent, still=True),
            # a position without a stop has to be seen from afar
            PaneCell(price(row.stop) or "none", "" if row.stop else "danger"),
            PaneCell(price(row.target) or "-", "dim" if row.target else "faint"),
            PaneCell(row.strategy, "faint"),
            PaneCell(cover, "danger" if is_naked(row) else "dim"),
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Count rungs, add up their P&L, name the naked."""
        rows = board.positions.rows[:]
        if not rows:
            return [PaneCell("flat", "dim")]
        pnl = sum(row.pnl for row in rows)
        bare = sum(is_naked(row) for row in rows)
        parts = [
            PaneCell(str(len(rows)), "dim"),
            PaneCell(gain(pnl), "up" if pnl > 0 else "down" if pnl < 0 else "dim"),
        ]
        return [*parts, PaneCell(f"{bare} NAKED", "danger")] if bare else parts


class PositionsTable(LiveTable[PositionRow]):
    """The positions, with their keys."""

    BINDINGS: ClassVar[list[BindingType]] = list(scope_bindings("positions"))
