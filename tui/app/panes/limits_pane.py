"""Every limit that is checked before or after a trade: use, head-room, and who changed it today."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType

from engine.numbers import amount
from engine.trading.board import Board, LimitRow
from tui.actions import bindings
from tui.numbers import bar
from tui.panes.risk import over, reached
from tui.widgets.live_table import LiveTable
from tui.widgets.view import Cell, Column, View

_BAR = 2


def figure(value: float) -> str:
    """Return a limit's figure: grouped, whole where it is."""
    return amount(f"{value:.0f}" if value == int(value) else f"{value:.2f}")


class Limits(View[LimitRow]):
    """One line per limit; of those that hold for each instrument or strategy, the one that is nearest to it."""

    name = "limits"
    title = "LIMITS"
    help = (
        "Every limit with its use and what is left of it; rupees, counts or percent as in [risk] of config.toml. e changes "
        "one for the rest of the day: a value and a reason. A change that allows more asks first. What differs from the "
        "configuration is marked, with who changed it and why."
    )
    empty = "no limit yet"
    columns = (
        Column("limit", 20, 28, right=False, names="name"),
        Column("used", 8, 12),
        Column("", 5, 14, right=False, rank=1),
        Column("limit", 8, 12),
        Column("left", 7, 12, rank=3),
        Column("config", 8, 12, rank=2),
        Column("changed by", 10, 40, right=False, rank=4, names="note"),
    )

    def version(self, board: Board) -> int:
        """Return the version of the limits."""
        return board.limits.version

    def rows(self, board: Board) -> Sequence[LimitRow]:
        """Return the limits, those that are reached first and else as the engine listed them."""
        return sorted(board.limits.rows[:], key=reached, reverse=True)

    def attention(self, row: LimitRow) -> bool:
        """Tell whether a limit is reached."""
        return reached(row)

    def cells(self, row: LimitRow, now: int, widths: Sequence[int]) -> tuple[Cell, ...]:
        """Return the line of one limit."""
        del now
        share = row.used / row.limit if row.limit > 0 and row.used >= 0 else -1.0
        tone = "danger" if share >= 0.9 else "notice" if share >= 0.75 else "title"
        changed = row.limit != row.configured
        return (
            Cell(row.name, "danger" if self.attention(row) else ""),
            Cell(figure(row.used) if row.used >= 0 else "", "danger" if self.attention(row) else "strong"),
            Cell(bar(share, widths[_BAR]) if share >= 0 else "", tone, still=True),
            Cell(figure(row.limit) if row.limit else "off", "notice" if changed else "dim"),
            Cell(figure(max(0.0, row.limit - row.used)) if share >= 0 else "", "dim"),
            Cell((figure(row.configured) if row.configured else "off") if changed else "", "faint"),
            Cell(row.note, "faint"),
        )

    def summary(self, board: Board) -> list[Cell]:
        """Say what is over and count what was changed."""
        rows = board.limits.rows[:]
        changed = sum(row.limit != row.configured for row in rows)
        parts = over(board) if rows or board.risk.rows else []
        return [*parts, Cell(f"{changed} changed", "notice")] if changed else parts


class LimitsTable(LiveTable[LimitRow]):
    """The limits, with their key to change one."""

    BINDINGS: ClassVar[list[BindingType]] = list(bindings("limits"))
