"""The ladders: where each rung stands in its life, and how far the price is from the nearest stop."""

from collections.abc import Sequence

from engine.numbers import price
from engine.trading.board import Board, LadderRow
from tui.numbers import bar
from tui.widgets.view import Cell, Column, View

MARKS = {"-": "·", "entering": "◔", "armed": "●", "resting": "●", "triggered": "▲", "closed": "✓"}
"""A rung's state as one mark."""

_FULL = 5.0
"""Percent to the stop at which the bar is full."""
_BAR = 2


class Ladders(View[LadderRow]):
    """One line per ladder."""

    name = "ladders"
    title = "LADDERS"
    help = (
        "The ladders and their GTTs. P1 P2 P3: · not entered, ◔ entering, ● armed (its stop rests at the broker), "
        "▲ triggered, ✓ closed. The bar is the way left to the nearest stop, full at 5 %."
    )
    empty = "no ladder"
    columns = (
        Column("symbol", 10, 14, right=False, names="symbol"),
        Column("P123", 4, right=False),
        Column("to stop", 8, 20, right=False),
        Column("", 6),
        Column("stop", 9, 10, rank=1),
        Column("high", 9, 10, rank=2),
        Column("GTT", 3, rank=3),
        Column("trailed", 7, rank=4),
        Column("strategy", 10, 16, rank=5, right=False, names="strategy"),
    )

    def version(self, board: Board) -> int:
        """Return the version of the ladders."""
        return board.ladders.version

    def rows(self, board: Board) -> Sequence[LadderRow]:
        """Return the ladders as the engine listed them."""
        return board.ladders.rows

    def attention(self, row: LadderRow) -> bool:
        """Tell whether a stop has triggered or is near."""
        return "triggered" in row.rungs or (row.stop > 0.0 and row.distance < 0.5)

    def cells(self, row: LadderRow, now: int, widths: Sequence[int]) -> tuple[Cell, ...]:
        """Return the line of one ladder."""
        del now
        marks = "".join([MARKS.get(state, "?") for state in row.rungs])
        near = row.distance < 0.5
        tone = "danger" if near else "notice" if row.distance < 1.0 else "dim"
        over = row.stop <= 0.0
        return (
            Cell(row.symbol, "faint" if over else "strong"),
            Cell(marks, "notice" if "triggered" in row.rungs else "faint" if over else "title"),
            Cell("" if over else bar(row.distance / _FULL, widths[_BAR]), tone, still=True),
            Cell("" if over else f"{row.distance:.2f}%", tone, still=True),
            Cell(price(row.stop)),
            Cell(price(row.high), "faint"),
            Cell(str(row.gtts), "dim"),
            Cell(str(row.trailed), "faint"),
            Cell(row.strategy, "faint"),
        )

    def summary(self, board: Board) -> list[Cell]:
        """Count ladders and what has triggered."""
        rows = board.ladders.rows[:]
        fired = sum(state == "triggered" for row in rows for state in row.rungs)
        return [Cell(str(len(rows)), "dim"), *([Cell(f"{fired} triggered", "notice")] if fired else [])]
