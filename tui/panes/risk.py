"""The limits, and how much of each is used."""

from collections.abc import Sequence

from engine.trading.board import Board, RiskRow
from tui.numbers import amount, bar
from tui.widgets.view import Cell, Column, View

_BAR = 2


class Risk(View[RiskRow]):
    """One line per limit."""

    name = "risk"
    title = "RISK"
    help = (
        "Every limit with its use. A bar turns amber at three quarters and red at nine tenths; what is over its limit "
        "is red whatever its bar says."
    )
    empty = "no limit reported"
    columns = (
        Column("limit", 15, 18, right=False),
        Column("used", 9, 14),
        Column("", 5, 20, right=False),
        Column("of", 8, 14, rank=1),
    )

    def version(self, board: Board) -> int:
        """Return the version of the limits."""
        return board.risk.version

    def rows(self, board: Board) -> Sequence[RiskRow]:
        """Return the limits as the engine listed them."""
        return board.risk.rows

    def attention(self, row: RiskRow) -> bool:
        """Tell whether a limit is reached."""
        return row.bad

    def cells(self, row: RiskRow, now: int, widths: Sequence[int]) -> tuple[Cell, ...]:
        """Return the line of one limit."""
        del now
        tone = "danger" if row.bad or row.used >= 0.9 else "notice" if row.used >= 0.75 else "title"
        used, of = amount(row.text), amount(row.limit)
        return (
            Cell(row.name, "danger" if row.bad else ""),
            Cell(used, "danger" if row.bad else "strong"),
            Cell(bar(row.used, widths[_BAR]) if row.used >= 0.0 else "", tone, still=True),
            Cell(of, "dim"),
        )

    def summary(self, board: Board) -> list[Cell]:
        """Say how many limits are reached."""
        rows = board.risk.rows[:]
        bad = sum(row.bad for row in rows)
        if not rows:
            return []
        return [Cell(f"{bad} over", "danger") if bad else Cell("within limits", "dim")]
