"""The governor at work: the account's rates, what is held back, and the requests that wait."""

from collections.abc import Sequence

from engine.numbers import SECOND, count
from engine.trading.board import Board, DiskState, QueueRow
from tui.widgets.view import Cell, Column, View

SHOWN_S = 0.5
"""Seconds a disk may keep requests waiting before the title says so."""


class Queue(View[QueueRow]):
    """One line per request that waits, the most urgent first."""

    name = "queue"
    title = "GOVERNOR"
    help = (
        "Requests leave at a bounded rate: exits first, then protection, then entries, and part of each second is kept for "
        "exits. The title shows orders of this second, this minute and today. After a busy answer (429) a class is held "
        "back; exits never are. A disk that does not keep up holds entries back, exits and protection for a second."
    )
    empty = "nothing waits"
    columns = (
        Column("for", 7, right=False),
        Column("request", 11, 14, right=False),
        Column("symbol", 10, 14, right=False, names="symbol"),
        Column("waits", 7),
        Column("leaves in", 9),
    )

    def version(self, board: Board) -> int:
        """Return the version of the queue."""
        return board.queue.version

    def rows(self, board: Board) -> Sequence[QueueRow]:
        """Return what waits."""
        return board.queue.rows

    def attention(self, row: QueueRow) -> bool:
        """Tell whether a request can no longer leave today."""
        return row.due < 0

    def stamp(self, row: QueueRow, now: int) -> int:
        """Return what the times depend on: tenths of a second."""
        del row
        return now * 10 // SECOND

    def cells(self, row: QueueRow, now: int, widths: Sequence[int]) -> tuple[Cell, ...]:
        """Return the line of one request."""
        del widths
        leaves = "not today" if row.due < 0 else f"{max(0, row.due - now) / SECOND:.1f} s"
        return (
            Cell(row.purpose, "strong" if row.purpose == "exit" else ""),
            Cell(row.what, "dim"),
            Cell(row.symbol),
            Cell(f"{max(0, now - row.since) / SECOND:.1f} s", "dim", still=True),
            Cell(leaves, "danger" if row.due < 0 else "dim", still=True),
        )

    def summary(self, board: Board) -> list[Cell]:
        """Say how much of each rate is used, what waits and what is held back."""
        state = board.governor
        if not state.per_second:
            return []
        rates = f"{state.last_second}/{state.per_second} s  {state.last_minute}/{state.per_minute} min  "
        parts = [Cell(f"{rates}{count(state.today)}/{count(state.per_day)} day", "dim")]
        waiting = [f"{number} {name.lower()}" for name, number in state.waiting if number]
        held = [f"{name.lower()} held {ns / SECOND:.1f} s" for name, ns in state.held if ns]
        parts += [Cell("waiting: " + ", ".join(waiting), "notice")] if waiting else []
        parts += [Cell(", ".join(held), "danger")] if held else []
        return [*parts, *_disk(state.disk)]


def _disk(disk: DiskState) -> list[Cell]:
    """Say how long the disk keeps requests waiting, and whether some could not wait for it."""
    late = [Cell(f"disk behind {disk.behind:.1f} s", "danger")] if disk.behind >= SHOWN_S else []
    return [*late, Cell(f"{disk.ahead} left ahead of it", "notice")] if disk.ahead else late
