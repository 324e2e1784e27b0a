"""Limits that are checked before or after a trade: use, head-room, and today's changes."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType

from engine.board_rows import Board, LimitRow
from engine.numbers import amount
from tui.app.panes.risk_pane import exceeded_limits, is_reached
from tui.app.widgets.key_bindings import scope_bindings
from tui.app.widgets.live_table import LiveTable
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View
from tui.formats import meter_bar

_BAR = 2


def limit_figure(value: float) -> str:
    """Return a limit's figure: grouped, whole where it is."""
    return amount(f"{value:.0f}" if value == int(value) else f"{value:.2f}")


class LimitsPaneView(View[LimitRow]):
    """One line per limit; of an instrument's or a strategy's limit, the nearest one."""

    name = "limits"
    title = "LIMITS"
    help = (
        "Every limit with its use and what is left of it; rupees, counts or percent as in [risk] "
        "of config.toml. e changes "
        "one for the rest of the day: a value and a reason. A change that allows more asks first. "
        "What differs from the "
        "configuration is marked, with who changed it and why."
    )
    empty = "no limit yet"
    columns = (
        PaneColumn("limit", 20, 28, right=False, names="name"),
        PaneColumn("used", 8, 12),
        PaneColumn("", 5, 14, right=False, rank=1),
        PaneColumn("limit", 8, 12),
        PaneColumn("left", 7, 12, rank=3),
        PaneColumn("config", 8, 12, rank=2),
        PaneColumn("changed by", 10, 40, right=False, rank=4, names="note"),
    )

    def version(self, board: Board) -> int:
        """Return the version of the limits."""
        return board.limits.version

    def rows(self, board: Board) -> Sequence[LimitRow]:
        """Return the limits, those that are reached first and else as the engine listed them."""
        # a stable sort: the others stay where the eye expects them
        return sorted(board.limits.rows[:], key=is_reached, reverse=True)

    def attention(self, row: LimitRow) -> bool:
        """Return whether a limit is reached."""
        return is_reached(row)

    def cells(self, row: LimitRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one limit."""
        del now
        # limits on single orders have no use (-1.0), and 0 is no limit
        share = row.used / row.limit if row.limit > 0 and row.used >= 0 else -1.0
        tone = "danger" if share >= 0.9 else "notice" if share >= 0.75 else "title"
        # a change holds for the day only: it must not be taken for the configuration
        changed = row.limit != row.configured
        return (
            PaneCell(row.name, "danger" if self.attention(row) else ""),
            PaneCell(
                limit_figure(row.used) if row.used >= 0 else "",
                "danger" if self.attention(row) else "strong",
            ),
            PaneCell(meter_bar(share, widths[_BAR]) if share >= 0 else "", tone, still=True),
            PaneCell(
                limit_figure(row.limit) if row.limit else "off", "notice" if changed else "dim"
            ),
            PaneCell(limit_figure(max(0.0, row.limit - row.used)) if share >= 0 else "", "dim"),
            PaneCell(
                (limit_figure(row.configured) if row.configured else "off") if changed else "",
                "faint",
            ),
            PaneCell(row.note, "faint"),
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Return what is over its limit, and count the changes."""
        rows = board.limits.rows[:]
        changed = sum(row.limit != row.configured for row in rows)
        parts = exceeded_limits(board) if rows or board.risk.rows else []
        return [*parts, PaneCell(f"{changed} changed", "notice")] if changed else parts


class LimitsTable(LiveTable[LimitRow]):
    """The limits, with their key to change one."""

    BINDINGS: ClassVar[list[BindingType]] = list(scope_bindings("limits"))
