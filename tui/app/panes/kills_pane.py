"""The kill switch: how it stands, and every pull and release on record."""

from collections.abc import Sequence
from datetime import datetime

from engine.board_rows import Board, KillRow
from engine.indian_time import INDIA
from engine.numbers import time_of_day
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View


def _day_text(ns: int) -> str:
    return datetime.fromtimestamp(ns // 1_000_000_000, INDIA).strftime("%d %b")


class KillsPaneView(View[KillRow]):
    """One line per latching or resumption, oldest first."""

    name = "kills"
    title = "KILL SWITCH"
    help = (
        "Every time the desk was stopped and let go again, by whom and why; kept beside the kill "
        "file over restarts. ctrl+k or "
        "f12 halts, a second press flattens; patang resume --reason TEXT lets it go."
    )
    empty = "never pulled"
    follows = True
    columns = (
        PaneColumn("day", 6, right=False, rank=2),
        PaneColumn("time", 8, right=False),
        PaneColumn("act", 7, right=False),
        PaneColumn("by", 8, 12, right=False, rank=1),
        PaneColumn("reason", 12, 80, right=False),
    )

    def version(self, board: Board) -> int:
        """Return the version of the history."""
        return board.kills.version

    def rows(self, board: Board) -> Sequence[KillRow]:
        """Return the history."""
        return board.kills.rows

    def cells(self, row: KillRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return one line."""
        del now, widths
        # a release has no level
        stopped = row.act == "latch"
        return (
            PaneCell(_day_text(row.ts), "faint"),
            PaneCell(time_of_day(row.ts), "faint"),
            PaneCell(row.level if stopped else row.act, "danger" if stopped else "title"),
            PaneCell(row.who, "dim"),
            PaneCell(row.reason),
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Say how the switch stands."""
        kill = board.header.kill
        return [
            PaneCell(f"{kill}: {board.header.kill_reason}", "danger")
            if kill
            else PaneCell("not latched", "dim")
        ]
