"""Seek bar of a past day: how far it has come, its phases, and what is marked on it."""

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message
from textual.widget import Widget

from compiled.model.values import MINUTE
from engine.day.replay_status import DayMarks, ReplayStatus
from engine.numbers import day_name, time_of_day

LABEL: Final = 6
"""Cells of a time at either end of the bar, with the space beside it."""
_MARKS: Final = (
    ("gaps", "░", "#b0b0b0"),
    ("alarms", "■", "#ff8787"),
)
"""Marks in the order in which they are drawn: where several meet, the last one stays."""
_BARS: Final = "▁▂▃▄▅▆▇"
"""Fills of a cell: the more, the higher."""
_INK: Final = "#d0d0d0"
_FAR: Final = "#8a8a8a"
_FILL: Final = "#87d7ff"
_FILL_FAR: Final = "#6f9fb8"
# The bar has a ground of its own in every theme, and these all stand out on it.
_REFUSED: Final = "#d7af5f"
_GROUND: Final = "#303030"


class TrackCell(NamedTuple):
    """One cell of the bar: what stands there, and its colour."""

    glyph: str
    ink: str = _INK


def moment_words(status: ReplayStatus) -> tuple[str, ...]:
    """Return the date, the time and the pace of a moment, what matters most first."""
    pace = f"{status.speed:g} ×" if status.speed else "max"
    state = "the day is over" if status.over else "paused" if status.paused else "plays"
    kind = "practice" if status.by_hand else "practice + strategies" if status.practice else ""
    words = (
        f"{day_name(status.now)} {time_of_day(status.now)}",
        f"{state} · {pace}",
        kind,
        f"by the {status.unit}",
    )
    return tuple(filter(None, words))


def track_cells(status: ReplayStatus, width: int) -> list[TrackCell]:
    """Return the bar in so many cells.

    The marks are those of the recorded desk where its journal is here, else of this playing.
    """
    reached = cell_of(status.now, status, width)
    cells = [TrackCell("━") if x <= reached else TrackCell("─", _FAR) for x in range(width)]
    for _, start in status.phases[1:]:
        cells[cell_of(start, status, width)] = (
            TrackCell("┃") if start <= status.now else TrackCell("│", _FAR)
        )
    marks = status.desk if status.desk is not None else status.marks
    fills = _cell_counts(marks.fills, status, width)
    most = max(fills.values(), default=1)
    # Refusals come by the hundred: they colour the line and cover nothing.
    for x in _cell_counts(marks.refusals, status, width):
        cells[x] = TrackCell("╍", _REFUSED)
    for x, n in fills.items():
        glyph = _BARS[(n * len(_BARS) - 1) // most]
        cells[x] = TrackCell(glyph, _FILL if x <= reached else _FILL_FAR)
    for name, glyph, ink in _MARKS:
        for x in _cell_counts(getattr(marks, name), status, width):
            cells[x] = TrackCell(glyph, ink)
    # Last: nothing may cover where one is.
    if width:
        cells[reached] = TrackCell("●", "#ffffff")
    return cells


def _cell_counts(times: Iterable[int], status: ReplayStatus, width: int) -> Counter[int]:
    """Return how many times lie in each cell; of those outside the day there are none."""
    return Counter(
        cell_of(ts, status, width) for ts in times if status.begins <= ts <= status.ends and width
    )


def cell_of(ts: int, status: ReplayStatus, width: int) -> int:
    """Return the cell of a time (ns UTC), the nearest end's outside the day."""
    part = (ts - status.begins) * width // max(status.ends - status.begins, 1)
    return min(max(part, 0), max(width - 1, 0))


def time_at(x: int, status: ReplayStatus, width: int) -> int:
    """Return the time (ns UTC) at which a cell begins."""
    return status.begins + (status.ends - status.begins) * min(max(x, 0), width) // max(width, 1)


def seek_line(status: ReplayStatus, width: int) -> Text:
    """Return the bar between the day's first and last times."""
    text = Text(no_wrap=True, end="", style=Style(color=_INK, bgcolor=_GROUND))
    text.append(f"{time_of_day(status.begins)[:5]} ")
    for glyph, ink in track_cells(status, max(width - 2 * LABEL, 0)):
        text.append(glyph, Style(color=ink))
    text.append(f" {time_of_day(status.ends)[:5]}")
    return text


def marks_text(marks: DayMarks, *, of_desk: bool) -> str:
    """Return what is marked, in numbers, and whose it is."""
    counts = (
        (len(marks.fills), "▅ fill"),
        (len(marks.refusals), "╍ refusal"),
        (len(marks.alarms), "■ alarm"),
        (len(marks.gaps), "░ gap"),
    )
    named = "  ".join(f"{n} {what}{'' if n == 1 else 's'}" for n, what in counts)
    whose = "marked: that day's desk, by its journal; shown: the strategies of now"
    return f"{named}   {whose if of_desk else 'of this playing so far'}"


class SeekBar(Widget):
    """The bar, with its marks counted below it where there is room; not there for today.

    A click goes to the time under it.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = f"""
    SeekBar {{
        width: 100%; height: 1; display: none; color: {_INK}; background: {_GROUND};
        &.-high {{ height: 2; }}
    }}
    """

    class MomentSought(Message):
        """The operator pointed at a time (ns UTC)."""

        def __init__(self, ts: int) -> None:
            super().__init__()
            self.ts = ts

    def __init__(self) -> None:
        super().__init__()
        self._status: ReplayStatus | None = None
        self._shown: tuple[object, ...] = ()

    def show_replay(self, status: ReplayStatus) -> None:
        """Show where a day stands."""
        # On a low terminal each line is one row less of positions.
        high = self.screen.size.height >= 30
        # By the minute: nothing else moves it, and a bar is drawn over the whole width.
        shown = (status._replace(now=status.now // MINUTE, going=""), self.size.width, high)
        self._status = status
        if shown != self._shown:
            self._shown = shown
            self.display = True
            self.set_class(high, "-high")
            self.refresh()

    def render(self) -> Text:
        """Render the bar."""
        status = self._status
        if status is None:
            return Text("")
        text = seek_line(status, self.size.width)
        if self.size.height > 1:
            marks = status.desk if status.desk is not None else status.marks
            counted = f"{' ' * LABEL}{marks_text(marks, of_desk=status.desk is not None)}"
            text.append(f"\n{counted[: self.size.width].ljust(self.size.width)}")
        return text

    def on_click(self, event: events.Click) -> None:
        """Go to the time under the pointer."""
        if self._status is not None and event.y == 0:
            track = self.size.width - 2 * LABEL
            self.post_message(self.MomentSought(time_at(event.x - LABEL, self._status, track)))
