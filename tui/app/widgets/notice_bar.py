"""Notices to the operator, in lines of their own above the footer: they cover nothing."""

from collections.abc import Callable
from typing import Final, NamedTuple

from rich.text import Text
from textual.widget import Widget

from compiled.model.values import SECOND
from engine.texts import plain_text
from tui.app.widgets.theme import ToneStyles

MOST: Final = 3
"""Notices at the same time; the log has the rest."""


class OperatorNotice(NamedTuple):
    """One notice: its text, its tone, its count, and the end of its showing (ns)."""

    text: str
    tone: str
    times: int
    until: int


class NoticeList:
    """The notices of now, the newest last; a repeated one is counted."""

    def __init__(self) -> None:
        self.shown: list[OperatorNotice] = []

    def add(self, text: str, tone: str, now: int, seconds: int) -> None:
        """Show a text for some seconds; of too many the oldest goes, an alarm last of all."""
        times = 1
        for notice in self.shown[:]:
            if (notice.text, notice.tone) == (text, tone):
                times += notice.times
                self.shown.remove(notice)
        if len(self.shown) == MOST:
            # False sorts first: an alarm goes only where all are alarms
            self.shown.remove(min(self.shown, key=lambda notice: notice.tone == "danger"))
        self.shown.append(OperatorNotice(text, tone, times, now + seconds * SECOND))

    def expire(self, now: int) -> None:
        """Take away what was shown long enough."""
        self.shown = [notice for notice in self.shown if notice.until > now]

    def drop(self, *beginnings: str) -> None:
        """Remove notices that begin so: they no longer hold."""
        self.shown = [notice for notice in self.shown if not notice.text.startswith(beginnings)]

    def clear(self) -> bool:
        """Remove all of them; return whether there was one."""
        there = bool(self.shown)
        self.shown = []
        return there


def notice_line(notice: OperatorNotice, width: int, tones: ToneStyles) -> Text:
    """Return one notice in one line, its count never cut off."""
    mark = "■" if notice.tone == "danger" else "▲" if notice.tone == "notice" else "·"
    times = f" ×{notice.times}" if notice.times > 1 else ""
    words, room = plain_text(notice.text), width - 4 - len(times)
    text = Text(f" {mark} ", tones.ink(notice.tone), no_wrap=True, end="")
    text.append(words if len(words) <= room else words[: room - 1] + "…", tones.ink(notice.tone))
    text.append(times, tones.ink("strong"))
    return text


class NoticeBar(Widget):
    """The notices, a line each; not there while there is none."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "NoticeBar { width: 100%; height: auto; display: none; background: $panel; }"

    def __init__(self, tones: Callable[[], ToneStyles]) -> None:
        super().__init__()
        self._tones = tones
        self._shown: list[OperatorNotice] = []

    def show_notices(self, shown: list[OperatorNotice]) -> None:
        """Show these notices."""
        if shown != self._shown:
            # a layout of the whole screen is dear, and is only due when the number of lines changes
            resized = len(shown) != len(self._shown)
            self._shown = list(shown)
            self.display = bool(shown)
            self.refresh(layout=resized)

    def render(self) -> Text:
        """Render the lines."""
        tones = self._tones()
        return Text("\n", end="").join(
            [notice_line(notice, self.size.width, tones) for notice in self._shown]
        )
