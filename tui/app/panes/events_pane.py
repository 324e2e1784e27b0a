"""The event log: what the desk did and what happened to it."""

import contextlib
from collections.abc import Sequence

from engine.board_rows import Board, EventRow
from engine.numbers import count, time_of_day
from tui.app.widgets.pane_view import PaneCell, PaneColumn, View

_MARKS = {
    "info": ("·", "dim"),
    "fill": ("◆", "title"),
    "warn": ("▲", "notice"),
    "alarm": ("■", "danger"),
    "alert": ("●", "notice"),
}
_INKS = {"info": "dim", "fill": "", "warn": "notice", "alarm": "danger", "alert": "strong"}


def latest_events(board: Board) -> list[EventRow]:
    """Copy the log, and try again where the engine writes meanwhile; at worst be empty."""
    # the engine appends in its own thread, and iterating over a deque that changes raises
    for _ in range(8):
        with contextlib.suppress(RuntimeError):
            return list(board.events)
    return []


def event_text(row: EventRow) -> str:
    """Return the text of an event, with its count."""
    return row.text if row.times == 1 else f"{row.text} ({row.times} times)"


class EventsPaneView(View[EventRow]):
    """One line per event, the newest last."""

    name = "events"
    title = "EVENTS"
    help = (
        "What the desk did and what happened to it: · information, ◆ fill, ▲ warning, ■ alarm, "
        "● price alert (both ring the bell once)."
    )
    empty = "quiet"
    follows = True
    columns = (
        PaneColumn("time", 8, right=False),
        PaneColumn("", 1, right=False),
        PaneColumn("event", 12, 400, right=False),
    )

    def __init__(self) -> None:
        self._seen: list[EventRow] = []

    def version(self, board: Board) -> int:
        """Return how often the log has changed."""
        # a repeated event only raises its count
        return board.event_seq + board.event_repeats

    def rows(self, board: Board) -> Sequence[EventRow]:
        """Return the last events, oldest first."""
        rows = latest_events(board)
        # a copy that failed eight times would empty the pane for a frame
        if rows or not board.events:
            self._seen = rows
        return self._seen

    def attention(self, row: EventRow) -> bool:
        """Return whether it is an alarm."""
        return row.level == "alarm"

    def cells(self, row: EventRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return the line of one event."""
        del now, widths
        mark, tone = _MARKS.get(row.level, ("·", "dim"))
        return (
            PaneCell(time_of_day(row.ts), "faint"),
            PaneCell(mark, tone),
            PaneCell(event_text(row), _INKS.get(row.level, "dim")),
        )

    def summary(self, board: Board) -> list[PaneCell]:
        """Count what has left the board; the store has it all."""
        dropped = board.events_dropped
        return [PaneCell(f"{count(dropped)} older", "dim")] if dropped else []
