"""The log: the desk's events, or the lines of its log file; both by level and words."""

from collections.abc import Sequence
from typing import Final

from engine.board_rows import Board, EventRow
from engine.numbers import count, log_time, time_of_day
from engine.system.structured_logs import LogLine
from tui.app.panes.events_pane import EventsPaneView, event_text
from tui.app.widgets.pane_view import PaneCell, PaneColumn

LEVELS: Final = ("all", "warnings", "alarms")
"""Choices of what is shown."""
_AT_LEAST: Final = {
    "all": frozenset({"info", "fill", "warn", "alarm"}),
    "warnings": frozenset({"warn", "alarm"}),
    "alarms": frozenset({"alarm"}),
}


class LogPaneView(EventsPaneView):
    """Events of the board, or `lines` of the log file as such, at the chosen level and above."""

    name = "log"
    title = "LOG"
    help = (
        "What the desk did and what happened to it, the newest last: it follows while the cursor "
        "stands on the last line. f shows all, warnings or alarms; / filters by words; v turns to "
        "the log file, which has tracebacks and the machine's time; enter shows a line whole. The "
        "same as `patang logs`."
    )
    columns = (PaneColumn("time", 8, 12, right=False), *EventsPaneView.columns[1:])

    def __init__(self) -> None:
        super().__init__()
        self.level = LEVELS[0]
        self.from_file = False
        self.lines: list[LogLine] = []
        self._changes = 0

    def version(self, board: Board) -> int:
        """Return how often the log, or what is shown of it, has changed."""
        return super().version(board) + (self._changes << 32)

    def rows(self, board: Board) -> Sequence[EventRow]:
        """Return the lines, oldest first."""
        kept = _AT_LEAST[self.level]
        if self.from_file:
            rows = [EventRow(line.number, line.ts, line.level, line.text) for line in self.lines]
        else:
            rows = list(super().rows(board))
        return [row for row in rows if row.level in kept]

    def show_lines(self, lines: list[LogLine]) -> None:
        """Take the lines of the log file."""
        if lines != self.lines:
            self.lines = lines
            self._changes += 1

    def turn_level(self) -> None:
        """Take the next choice of what is shown."""
        self.level = LEVELS[(LEVELS.index(self.level) + 1) % len(LEVELS)]
        self._changes += 1

    def turn_source(self) -> None:
        """Turn from events to the log file, or back."""
        self.from_file = not self.from_file
        self._changes += 1

    def cells(self, row: EventRow, now: int, widths: Sequence[int]) -> tuple[PaneCell, ...]:
        """Return one line; with its day where there is room."""
        cells = super().cells(row, now, widths)
        text = log_time(row.ts) if self.from_file and widths[0] >= 12 else time_of_day(row.ts)
        return (PaneCell(text, "faint", still=True), *cells[1:])

    def whole_text(self, row: EventRow) -> str:
        """Return a line whole; one of the file with all of its fields."""
        if self.from_file:
            return next((line.whole for line in self.lines if line.number == row.seq), row.text)
        return event_text(row)

    def summary(self, board: Board) -> list[PaneCell]:
        """Say what is shown, and from where."""
        source = f"{count(len(self.lines))} lines of patang.log" if self.from_file else "events"
        parts = [PaneCell(source, "dim")]
        if self.level != "all":
            parts.append(PaneCell(f"only {self.level}", "notice"))
        return parts if self.from_file else [*parts, *super().summary(board)]
