"""The event log: events, a line each, and lasting states, a line that counts."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from compiled.model.values import SECOND
from engine.board_writer import BoardWriter
from engine.ports import Clock, Journal

LASTS = 300 * SECOND
"""A state that is not told again for so long is over.

The longest wait between two requests is shorter.
"""
# Texts name symbols and orders: without a bound the table would grow all day.
REMEMBERED = 500
"""States beyond which those that are over are forgotten."""
FEED_CONNECTED = "feed connected"
FEED_LOST = "feed lost"
FIGURES = re.compile(r"\d[\d,.]*")


class EventText(NamedTuple):
    """The text of a line of the event log."""

    level: str
    name: str
    text: str


@dataclass(slots=True)
class OpenState:
    """A lasting state: its lines in journal and on board, its last time (ns), and its count."""

    row: int
    shown: int
    last: int
    times: int = 1


class EventLog:
    """The journal's events, and the board's as soon as there is a publisher.

    `note_event` is given each line, too: level, name, text. It must not wait for anything.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        note_event: Callable[[str, str, str], None] = lambda *_: None,
    ) -> None:
        self._note_event = note_event
        self.board_writer: BoardWriter | None = None
        self._journal = journal
        self._clock = clock
        # A restart goes on counting: lines of a day keep their order over it.
        newest = journal.load("events", "seq = (SELECT MAX(seq) FROM events)")
        self._row = int(str(newest[0]["seq"])) if newest else 0
        self._states: dict[EventText, OpenState] = {}

    def add_event(self, level: str, name: str, text: str, ts: int | None = None) -> None:
        """Add one line; `level` is info, fill, warn or alarm."""
        self._add_line(EventText(level, name, text), self._event_time(ts))

    def add_repeated(
        self, level: str, name: str, text: str, ts: int | None = None, *, alike: bool = False
    ) -> None:
        """Add one line for a lasting state; repeated within `LASTS`, the line counts how often.

        Texts that are `alike` differ in their figures only.
        """
        line, at = EventText(level, name, text), self._event_time(ts)
        known = line._replace(text=FIGURES.sub("#", text)) if alike else line
        state = self._states.get(known)
        if state is None or at - state.last > LASTS:
            self._forget_states(at)
            shown = self._add_line(line, at)
            self._states[known] = OpenState(self._row, shown, at)
            return
        state.last, state.times = at, state.times + 1
        # Written at 2, 4, 8 ... times: the journal stays small however long the state lasts.
        if state.times & (state.times - 1) == 0:  # the disk need not hear of each
            self._journal.append(
                "events", {"seq": state.row, "text": f"{text} ({state.times} times)"}
            )
        if self.board_writer is not None:
            self.board_writer.put_repeat(state.shown, state.times)

    def _event_time(self, ts: int | None) -> int:
        return self._clock.now() if ts is None else ts

    def _add_line(self, line: EventText, at: int) -> int:
        """Write a line and return its number on the board, 0 where there is none yet."""
        self._row += 1
        row = {
            "seq": self._row,
            "ts": at,
            "level": line.level,
            "name": line.name,
            "text": line.text,
        }
        self._journal.append("events", row)
        self._note_event(line.level, line.name, line.text)
        return (
            self.board_writer.add_event(at, line.level, line.text)
            if self.board_writer is not None
            else 0
        )

    def _forget_states(self, at: int) -> None:
        if len(self._states) >= REMEMBERED:
            self._states = {
                line: state for line, state in self._states.items() if at - state.last <= LASTS
            }
