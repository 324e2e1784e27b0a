"""Rows of `sessions.json`: dated hours by class, and hours derived from two rows or special days.

Times of day are IST, written HH:MM.
"""

from datetime import date
from typing import Final, Literal, NamedTuple, TypeVar

import msgspec

CONTINUOUS: Final = "continuous"
CLOSED: Final = "closed"
MATCHES: Final = "auction match"
UNCONFIRMED: Final = "unconfirmed"
"""From the earlier close of two schedules, the newer unconfirmed, to the end of both."""


class HoursClass(NamedTuple):
    """A class of instruments that keep the same hours."""

    exchange: str
    kind: str
    cas: bool = False
    expiring: bool = False


Clock = tuple[str, str, str]
"""A phase in the file: its name, and from when to when as HH:MM."""


class TableRow(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The fields every row has: its class, source, certainty, and the day it was read."""

    exchanges: list[str]
    source: list[str]
    confidence: Literal["high", "medium", "low"]
    read: date | None = None
    note: str = ""


class HolidayYear(TableRow, kw_only=True):
    """A year's weekdays without trading, and its half days."""

    year: int
    closed: frozenset[date]
    morning_closed: frozenset[date] = frozenset()
    evening_closed: frozenset[date] = frozenset()


class SettlementYear(TableRow, kw_only=True):
    """A year's days that trade and do not settle."""

    year: int
    closed: frozenset[date]


class SpecialDay(TableRow, kw_only=True):
    """A day outside the weekday routine; `phases` None: its clock time is not known."""

    date: date
    name: str
    regular: bool = False
    phases: list[Clock] | None = None


class SpecialClosing(TableRow, rename={"first": "from", "last": "until"}, kw_only=True):
    """While it holds, a special day ends as a usual one, moved to its own close."""

    first: date
    last: date = date.max


class DatedRow(TableRow, rename={"first": "from", "last": "until"}, kw_only=True):
    """A row that holds from `first` to `last`, both included.

    `cas` and `expiring` are None where they do not matter.
    """

    kinds: list[str]
    cas: bool | None = None
    expiring: bool | None = None
    first: date
    last: date = date.max

    def serves(self, day: date, by: HoursClass) -> bool:
        """Return whether it holds for a class on a day."""
        return (
            self.first <= day <= self.last
            and by.exchange in self.exchanges
            and by.kind in self.kinds
            and self.cas in {None, by.cas}
            and self.expiring in {None, by.expiring}
        )


class DayPhases(DatedRow, kw_only=True):
    """The phases before the open, or those from the open on."""

    part: Literal["pre-open", "main"]
    phases: list[Clock]


class SquareOff(DatedRow, kw_only=True):
    """The end of intraday positions at the broker: a time, or so long before the close."""

    at: str = ""
    before_close_minutes: int = 0


class AfterMarket(DatedRow, kw_only=True):
    """The hours of after-market orders; `opens` empty: from the close on."""

    opens: str
    closes: str


Row = TypeVar("Row", bound=DatedRow)


class SessionTable(msgspec.Struct, forbid_unknown_fields=True):
    """The file."""

    about: str
    read: date
    sources: dict[str, str]
    holidays: list[HolidayYear]
    settlement: list[SettlementYear]
    special_closing: list[SpecialClosing]
    days: list[SpecialDay]
    phases: list[DayPhases]
    square_off: list[SquareOff]
    amo: list[AfterMarket]


def row_of(rows: list[Row], day: date, by: HoursClass) -> Row | None:
    """Return the row that holds for a class on a day."""
    return next((row for row in rows if row.serves(day, by)), None)


def close_of(clocks: list[Clock]) -> str:
    """Return when the last continuous trading ends."""
    return max(end for name, _, end in clocks if name == CONTINUOUS)


def common_phases(new: list[Clock], old: list[Clock]) -> list[Clock]:
    """Return the phases that are right under two schedules.

    Trading counts while both trade, then nothing until both have ended.
    """
    # What is right under both: the later opening, the earlier close.
    opens = max(
        min(start for name, start, _ in clocks if name == CONTINUOUS) for clocks in (new, old)
    )
    close = min(close_of(new), close_of(old))
    # Between the two closes it may be trading, or an auction: nothing is done there.
    over = max(end for name, _, end in (*new, *old) if name in {CONTINUOUS, MATCHES})
    trading = [
        (name, max(start, opens) if name == CONTINUOUS else start, min(end, close))
        for name, start, end in new
    ]
    later = [(name, max(start, over), end) for name, start, end in new if end > over]
    return [
        *(clock for clock in trading if clock[1] < clock[2]),
        *([(UNCONFIRMED, close, over)] if close < over else []),
        *later,
    ]


def moved_phases(usual: list[Clock], own: list[Clock], close: str) -> list[Clock]:
    """Return a special day's phases to its close, then a usual day's, moved along."""
    ends = close_of(own)
    # By the share's close and not the class's own: all phases of the day move by the same minutes.
    by = minutes_of(ends) - minutes_of(close)
    day = [clock for clock in own if clock[1] < ends]
    name, start, _ = day.pop()
    tail = [
        (name, clock_at(minutes_of(start) + by), clock_at(minutes_of(end) + by))
        for name, start, end in usual
        if name != CONTINUOUS
    ]
    return [*day, (name, start, clock_at(minutes_of(close_of(usual)) + by)), *tail]


def minutes_of(clock: str) -> int:
    """Return the minutes since midnight."""
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def clock_at(minutes: int) -> str:
    """Return HH:MM."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
