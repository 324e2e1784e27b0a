"""The kill switch: how it stands, and every pull and release on record."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from engine.numbers import clock
from engine.trading.board import Board, KillRow
from tui.widgets.view import Cell, Column, View

_IST = timedelta(hours=5, minutes=30)


def _day(ns: int) -> str:
    return (datetime.fromtimestamp(ns // 1_000_000_000, UTC) + _IST).strftime("%d %b")


class Kills(View[KillRow]):
    """One line per latching or resumption, oldest first."""

    name = "kills"
    title = "KILL SWITCH"
    help = (
        "Every time the desk was stopped and let go again, by whom and why; kept beside the kill file over restarts. ctrl+k or "
        "f12 halts, a second press flattens; patang resume --reason TEXT lets it go."
    )
    empty = "never pulled"
    follows = True
    columns = (
        Column("day", 6, right=False, rank=2),
        Column("time", 8, right=False),
        Column("act", 7, right=False),
        Column("by", 8, 12, right=False, rank=1),
        Column("reason", 12, 80, right=False),
    )

    def version(self, board: Board) -> int:
        """Return the version of the history."""
        return board.kills.version

    def rows(self, board: Board) -> Sequence[KillRow]:
        """Return the history."""
        return board.kills.rows

    def cells(self, row: KillRow, now: int, widths: Sequence[int]) -> tuple[Cell, ...]:
        """Return one line."""
        del now, widths
        stopped = row.act == "latch"
        return (
            Cell(_day(row.ts), "faint"),
            Cell(clock(row.ts), "faint"),
            Cell(row.level if stopped else row.act, "danger" if stopped else "title"),
            Cell(row.who, "dim"),
            Cell(row.reason),
        )

    def summary(self, board: Board) -> list[Cell]:
        """Say how the switch stands."""
        kill = board.header.kill
        return [Cell(f"{kill}: {board.header.kill_reason}", "danger") if kill else Cell("not latched", "dim")]
