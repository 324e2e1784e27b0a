"""The governor at work: the account's rates, and the requests that wait."""

from collections.abc import Sequence

from compiled.model.values import SECOND
from engine.board_rows import Board, DiskState, QueueRow
from engine.numbers import count
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View

SHOWN_S = 0.5
"""Seconds a disk may keep requests waiting before the title says so."""


class QueuePaneView(View[QueueRow]):
    """One line per request that waits, the most urgent first."""

    name = "queue"
    title = "GOVERNOR"
    help = (
        "Requests leave at a bounded rate: exits first, then protection, then entries, and part "
        "of each second is kept for "
        "exits. The title shows orders of this second, this minute and today. After a busy answer "
        "(429) a class is held "
        "back; exits never are. A disk that does not keep up holds entries back, exits and "
        "protection for a second."
    )
    empty = "nothing waits"
    columns = (
        PaneColumn("for", 7, right=False),
        PaneColumn("request", 11, 14, right=False),
        PaneColumn("symbol", 10, 14, right=False, names="symbol"),
        PaneColumn("waits", 7),
        PaneColumn("leaves in", 9),
    )

    def version(self, board: Board) -> int:
        """Return the version of the queue."""
        return board.queue.version

    def rows(self, board: Board) -> Sequence[QueueRow]:
        """Return what waits."""
        return board.queue.rows

    def attention(self, row: QueueRow) -> bool:
        """Return whether a request can no longer leave today."""
        # the day's orders are used up
        return row.due < 0

    def stamp(self, row: QueueRow, now: int) -> int:
        """Return what the times depend on: tenths of a second."""
        del row
        # waits are shown in tenths, so no line is made anew more often
        return now * 10 // SECOND

    def cells(self, row: QueueRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one request."""
        del widths
        leaves = "not today" if row.due < 0 else f"{max(0, row.due - now) / SECOND:.1f} s"
        return (
            PaneCell(row.purpose, "strong" if row.purpose == "exit" else ""),
            PaneCell(row.what, "dim"),
            PaneCell(row.symbol),
            PaneCell(f"{max(0, now - row.since) / SECOND:.1f} s", "dim", still=True),
            PaneCell(leaves, "danger" if row.due < 0 else "dim", still=True),
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Return how much of each rate is used, and how many requests wait."""
        state = board.governor
        # before the engine has opened there is no governor
        if not state.per_second:
            return []
        rates = (
            f"{state.last_second}/{state.per_second} s  {state.last_minute}/{state.per_minute} "
            "min  "
        )
        parts = [PaneCell(f"{rates}{count(state.today)}/{count(state.per_day)} day", "dim")]
        waiting = [f"{number} {name.lower()}" for name, number in state.waiting if number]
        held = [f"{name.lower()} held {ns / SECOND:.1f} s" for name, ns in state.held if ns]
        parts += [PaneCell("waiting: " + ", ".join(waiting), "notice")] if waiting else []
        parts += [PaneCell(", ".join(held), "danger")] if held else []
        return [*parts, *_disk_cells(state.disk)]


def _disk_cells(disk: DiskState) -> list[PaneCell]:
    """Say how long the disk keeps requests waiting, and whether some could not wait for it."""
    late = (
        [PaneCell(f"disk behind {disk.behind:.1f} s", "danger")] if disk.behind >= SHOWN_S else []
    )
    return [*late, PaneCell(f"{disk.ahead} left ahead of it", "notice")] if disk.ahead else late
