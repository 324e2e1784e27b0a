"""Minutes without an expected bar, in the history at the opening and live after each minute."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Final, NamedTuple

from compiled.model.values import MINUTE, SECOND, Bar, Instrument
from engine.market.calendar import ist_day
from engine.market.instrument_hours import InstrumentHours
from engine.market.session_table import HoursClass
from engine.numbers import log_time

SPAN: Final = 60
# Bars close a second after their end; a busy desk takes a few more.
SETTLED: Final = 5 * SECOND
"""How long after its end a minute's bar may still come."""
LONG: Final = 5
"""Minutes from which on a gap of one instrument is a warning; some just do not trade."""
STEADY: Final = 30
"""Minutes in a row with a bar after which a missing one is the feed's fault, not the instrument's.

A name that trades in a part p of its minutes is so asked for (1 - p) · p³⁰ times a minute: once in
80 minutes at most.
"""
NAMED: Final = 3
# After hours without a feed every instrument has its own stretches.
MOST_LINES: Final = 40
"""Stretches told one by one in a report."""

Tell = Callable[[str, str, str], None]
"""Add a line to the event log: level, name, text."""


class MissingMinutes(NamedTuple):
    """A run of a token's missing minutes: `bars` of them, starting in [start, end) (ns UTC).

    `lost`: the token had a bar in each of the `STEADY` minutes before.
    """

    token: int
    start: int
    end: int
    bars: int
    lost: bool = False


class MinuteGaps:
    """Holds the minutes of an opened day against the calendar.

    `count` is the number that are missing today and have not been read since; `ended` is called
    with the lost ones when a gap is over, for their filling. Gaps of the history at the opening are
    not asked for again.
    """

    def __init__(
        self, hours: InstrumentHours, instruments: Iterable[Instrument], now: int, tell: Tell
    ) -> None:
        self._missing: set[tuple[int, int]] = set()
        self._lost: set[tuple[int, int]] = set()
        """Those of them that are the feed's fault."""
        self._healed: Counter[int] = Counter()
        self.ended: Callable[[Sequence[MissingMinutes]], None] = lambda _: None
        self._hours = hours
        self._instruments = {int(each.token): each for each in instruments}
        self._tell = tell
        self._day = ist_day(now)
        expected: dict[HoursClass, list[int]] = {}
        self._expected: dict[int, list[int]] = {}
        for token, each in self._instruments.items():
            kept = hours.hours_class(self._day, each)
            if kept not in expected:
                expected[kept] = hours.expected_bars(self._day, each)
            self._expected[token] = expected[kept]
        # The minute under way has not had its chance yet.
        minute = now // MINUTE * MINUTE
        self._next = {
            token: sum(start < minute for start in starts)
            for token, starts in self._expected.items()
        }
        self._due = minute + MINUTE + SETTLED
        self._heard: set[tuple[int, int]] = set()
        self._open: dict[int, MissingMinutes] = {}
        self._steady: dict[int, int] = {}
        self._lacking: list[MissingMinutes] = []

    def add_instrument(self, each: Instrument, now: int) -> None:
        """Expect the minutes of one more instrument, from the next one on."""
        token = int(each.token)
        self._instruments[token] = each
        self._expected[token] = self._hours.expected_bars(self._day, each)
        # The minute under way is whole for none that came in the middle of it.
        self._next[token] = sum(start <= now for start in self._expected[token])

    def drop_instrument(self, token: int) -> None:
        """Expect no minutes of an instrument any more; what was missing of it counts no longer."""
        for table in (self._expected, self._next, self._open, self._steady):
            table.pop(token, None)
        self._missing = {each for each in self._missing if each[0] != token}

    def check_history(
        self, bars: Sequence[Bar], now: int, tokens: Iterable[int] | None = None
    ) -> None:
        """Look through the history of some instruments, or of all.

        It is that of the last session before today, and today's up to two minutes ago. Gaps are
        logged with the next `check_minutes`.
        """
        looked = (
            # one that has left the watch meanwhile is expected no more
            {token: self._instruments[token] for token in tokens if token in self._expected}
            if tokens is not None
            else self._instruments
        )
        starts: dict[int, set[int]] = {token: set() for token in looked}
        for bar in bars:
            if bar.span == SPAN:
                starts[int(bar.token)].add(int(bar.start))
        self.note_closed(bars)
        self.note_filled(bars)
        today = []
        for token, each in looked.items():
            last = self._hours.session_before(self._day, each).day
            self._lacking += self._missing_minutes(starts[token], last, token)
            past = self._hours.expected_bars(last, each) + [
                start for start in self._expected[token] if start < now - 2 * MINUTE
            ]
            self._steady[token] = next(
                (n for n, start in enumerate(reversed(past)) if start not in starts[token]),
                len(past),
            )
            there = starts[token] | {
                start for start in self._expected[token] if start >= now - 2 * MINUTE
            }
            lacking = self._missing_minutes(there, self._day, token)
            self._missing.update(
                (token, start)
                for gap in lacking
                for start in self._expected[token]
                if gap.start <= start < gap.end
            )
            today += lacking
        self._lacking += today

    def _missing_minutes(self, starts: set[int], day: date, token: int) -> list[MissingMinutes]:
        found = self._hours.missing_bars(starts, day, self._instruments[token])
        return [MissingMinutes(token, *gap) for gap in found]

    @property
    def count(self) -> int:
        """How many minutes of today have no bar."""
        return len(self._missing)

    @property
    def lost_by_token(self) -> Counter[int]:
        """How many minutes of today the feed has lost that have not been read since, by token."""
        return Counter(token for token, _ in self._lost)

    @property
    def healed_by_token(self) -> Counter[int]:
        """How many minutes of today were missing and have been read, by token."""
        return self._healed.copy()

    def note_filled(self, bars: Iterable[Bar]) -> None:
        """Take note of bars that were read afterwards."""
        filled = {(int(bar.token), int(bar.start)) for bar in bars if bar.span == SPAN}
        self._healed.update(token for token, _ in self._missing & filled)
        self._missing -= filled
        self._lost -= filled

    def note_settled(self, token: int, start: int, end: int) -> None:
        """Take note that the broker's history has been read between two times (ns UTC).

        A minute without a bar there had no trade: nothing is lost.
        """
        self._lost -= {
            (token, minute)
            for minute in self._expected.get(token, ())
            if start - MINUTE < minute < end
        }

    def due_in(self, token: int, start: int, end: int) -> bool:
        """Return whether a bar of today is expected to have traded between two times (ns UTC)."""
        return any(
            start < minute + MINUTE and minute < end for minute in self._expected.get(token, ())
        )

    def note_closed(self, bars: Iterable[Bar]) -> None:
        """Take note of bars that have closed."""
        self._heard.update((int(bar.token), int(bar.start)) for bar in bars if bar.span == SPAN)

    def check_minutes(self, now: int, *, over: bool = False) -> None:
        """Look at the minutes that are over, once a minute.

        A gap is logged when it ends, at the latest with the day.
        """
        if now < self._due and not over:
            return
        self.tell_lacking()
        self._due = now // MINUTE * MINUTE + MINUTE + SETTLED
        ended: list[MissingMinutes] = []
        for token, expected in self._expected.items():
            at = self._next[token]
            while at < len(expected) and (over or expected[at] + MINUTE + SETTLED <= now):
                self._check_minute(token, expected[at], ended)
                at += 1
            self._next[token] = at
        self._heard.clear()
        if over:
            ended += self._open.values()
            self._open.clear()
        self._report_gaps(ended, "no bars of")

    def tell_lacking(self) -> None:
        """Log the gaps of the history, as far as it has been looked through."""
        lacking, self._lacking = self._lacking, []
        self._report_gaps(lacking, "the history lacks")

    def _check_minute(self, token: int, start: int, ended: list[MissingMinutes]) -> None:
        gap = self._open.pop(token, None)
        steady = self._steady.get(token, 0)
        if (token, start) in self._heard:
            self._steady[token] = steady + 1
            if gap is not None:
                ended.append(gap)
            return
        self._missing.add((token, start))
        self._steady[token] = 0
        gap = gap or MissingMinutes(token, start, start, 0, lost=steady >= STEADY)
        if gap.lost:
            self._lost.add((token, start))
        self._open[token] = gap._replace(end=start + MINUTE, bars=gap.bars + 1)

    def _report_gaps(self, gaps: Sequence[MissingMinutes], what: str) -> None:
        """Log gaps, those of one stretch in one line, and pass on the lost minutes."""
        stretches: dict[tuple[int, int, int], list[str]] = {}
        for gap in gaps:
            names = stretches.setdefault((gap.start, gap.end, gap.bars), [])
            names.append(self._instruments[gap.token].symbol)
        longest = sorted(stretches, key=lambda stretch: (-stretch[2], stretch))[:MOST_LINES]
        if more := len(stretches) - len(longest):
            self._tell(
                "info", "gap", f"{what} {more} more stretches of single instruments, none longer"
            )
        for start, end, bars in sorted(longest):
            names = stretches[start, end, bars]
            # All at once is the feed; one alone may simply not have traded.
            serious = bars >= LONG or len(names) == len(self._instruments)
            who = ", ".join(names) if len(names) <= NAMED else f"{len(names)} instruments"
            minutes = "1 minute" if bars == 1 else f"{bars} minutes"
            self._tell(
                "warn" if serious else "info",
                "gap",
                f"{what} {who}: {minutes}, {log_time(start)} to {log_time(end)}",
            )
        if lost := [gap for gap in gaps if gap.lost]:
            self.ended(lost)
