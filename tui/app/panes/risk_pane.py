"""Risk of the day: use of its limits, and figures that should be zero, the worst first."""

from collections.abc import Sequence

from compiled.trading.risk import LIMITS
from engine.board_rows import Board, LimitRow, RiskRow
from engine.numbers import amount
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View
from tui.formats import meter_bar

_BAR = 2
_TITLES = {limit.name: limit.title for limit in LIMITS if limit.title}
"""Limits that have a row of their own here."""


def is_reached(row: LimitRow) -> bool:
    """Return whether a limit is reached."""
    return 0 < row.limit <= row.used


def exceeded_limits(board: Board) -> list[PaneCell]:
    """Return the names of exceeded limits and figures; every screen shows the same."""
    rows = {row.name: row.text for row in board.risk.rows[:] if row.bad}
    names = [f"{name} {amount(text)}" for name, text in rows.items()]
    names += [
        row.name
        for row in board.limits.rows[:]
        # a limit with a row of its own is named by that already
        if is_reached(row) and _TITLES.get(row.name) not in rows
    ]
    if not names:
        return [PaneCell("within limits", "dim")]
    # the title has room for two
    more = [PaneCell(f"+{len(names) - 2} more", "danger")] if len(names) > 2 else []
    return [PaneCell(name, "danger") for name in names[:2]] + more


def _severity_rank(row: RiskRow) -> int:
    return 0 if row.bad else 1 if row.used >= 0.9 else 2 if row.used >= 0.75 else 3


class RiskPaneView(View[RiskRow]):
    """One line per limit."""

    name = "risk"
    title = "RISK"
    help = (
        "Every limit with its use, and what had better be zero. A bar turns amber at three "
        "quarters and red at nine "
        "tenths; those rows stand first. What is over is named beside the title, on every screen."
    )
    empty = "no limit reported"
    columns = (
        PaneColumn("limit", 15, 18, right=False),
        PaneColumn("used", 9, 14),
        PaneColumn("", 5, 20, right=False),
        # the first to go: the bar shows the share as well
        PaneColumn("of", 8, 14, rank=1),
    )

    def version(self, board: Board) -> int:
        """Return the version of the limits."""
        return board.risk.version

    def rows(self, board: Board) -> Sequence[RiskRow]:
        """Return the limits, the worst first and else as the engine listed them."""
        return sorted(board.risk.rows[:], key=_severity_rank)

    def attention(self, row: RiskRow) -> bool:
        """Return whether a limit is reached."""
        return row.bad

    def cells(self, row: RiskRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one limit."""
        del now
        tone = "danger" if row.bad or row.used >= 0.9 else "notice" if row.used >= 0.75 else "title"
        used, of = amount(row.text), amount(row.limit)
        return (
            PaneCell(row.name, "danger" if row.bad else ""),
            PaneCell(used, "danger" if row.bad else "strong"),
            PaneCell(
                meter_bar(row.used, widths[_BAR]) if row.used >= 0.0 else "", tone, still=True
            ),
            PaneCell(of, "dim"),
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Return the names of those exceeded."""
        return exceeded_limits(board) if board.risk.rows else []
