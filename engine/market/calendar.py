"""The hours of the exchanges: holidays, special sessions and phases, from `sessions.json`.

Times are nanoseconds UTC, days are IST dates. A year without a holiday list, or a session whose
clock time is not known, raises `DataError`: the calendar never guesses. `cas` says that a stock has
derivatives, and so closes in the closing auction session since 2026-08-03; `expiring` that an index
contract is on its last day.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from compiled.model.values import MINUTE, SECOND
from engine.errors import DataError, in_words
from engine.indian_time import IST
from engine.market.session_table import (
    CLOSED,
    CONTINUOUS,
    Clock,
    DayPhases,
    HolidayYear,
    HoursClass,
    Row,
    SessionTable,
    SpecialDay,
    TableRow,
    close_of,
    common_phases,
    minutes_of,
    moved_phases,
    row_of,
)

FILE = Path(__file__).with_name("sessions.json")

DAY = 86_400 * SECOND
# Time to look for the official notice and to confirm it before the day.
SOON = 14
"""Days ahead of which new hours are told."""
EVENING = "17:00"
"""Where MCX splits a half day."""


class SessionPhase(NamedTuple):
    """A stretch of the day: [start, end) in ns UTC; `name` is "closed" outside every session."""

    name: str
    start: int
    end: int


class TradingSession(NamedTuple):
    """One trading day.

    `open` and `close` bound continuous trading in ns UTC; `phases` are all of them in order.
    """

    day: date
    exchange: str
    open: int
    close: int
    phases: tuple[SessionPhase, ...]

    @property
    def parts(self) -> tuple[SessionPhase, ...]:
        """Return the stretches of continuous trading: one, on a few special days two."""
        return tuple(phase for phase in self.phases if phase.name == CONTINUOUS)


class HoursDoubt(NamedTuple):
    """New hours, in force from `since` on, neither certain nor confirmed by an operator."""

    since: date
    exchanges: tuple[str, ...]
    confidence: str
    source: tuple[str, ...]
    read: date

    def __str__(self) -> str:
        """Return its meaning, and its end."""
        return (
            f"new hours from {self.since} on ({', '.join(self.exchanges)}) are not confirmed: "
            f"{', '.join(self.source)}, "
            f"{self.confidence} confidence, read {self.read}; the desk does only what is right "
            f"under the old ones, too. If an "
            f'official notice says so, set confirmed = ["{self.since}"] under [market] in '
            f"config.toml"
        )


class BarGap(NamedTuple):
    """Expected bars that are not there: `bars` of them, starting in [start, end)."""

    start: int
    end: int
    bars: int


class Calendar:
    """The trading calendar of all exchanges; immutable, cheap to ask.

    `confirmed` are the days (`from` in the table) whose new hours an operator answers for: until
    then a day has what is right under them and under those before. None: the table counts as it
    stands, as for an exchange of our own; `held_back`: there the old hours go on instead of new
    ones that are not certain.
    """

    def __init__(
        self,
        table: SessionTable,
        confirmed: Collection[date] | None = None,
        *,
        held_back: bool = False,
    ) -> None:
        self._table = table
        # None (an exchange of our own) trusts the table, an empty collection nothing that is not
        # certain.
        self._confirmed = () if held_back else confirmed
        self._held_back = held_back
        self._years = {
            (exchange, row.year): row for row in table.holidays for exchange in row.exchanges
        }
        self._specials = {
            (exchange, row.date): row for row in table.days for exchange in row.exchanges
        }
        self._main = [row for row in table.phases if row.part == "main"]
        self._unsettled = {
            (exchange, row.year): row for row in table.settlement for exchange in row.exchanges
        }
        # Asked for every instrument again and again; the table behind it never changes.
        self._sessions: dict[tuple[date, HoursClass], TradingSession | None] = {}

    @classmethod
    def load(
        cls,
        file: Path = FILE,
        confirmed: Collection[date] | None = None,
        *,
        held_back: bool = False,
    ) -> Self:
        """Read the table; raise `DataError` where it is missing or malformed."""
        try:
            return cls(
                msgspec.json.decode(file.read_bytes(), type=SessionTable),
                confirmed,
                held_back=held_back,
            )
        except (OSError, msgspec.DecodeError) as error:
            raise DataError(f"{file}: {in_words(error)}") from error

    def is_trading_day(self, day: date, exchange: str = "NSE") -> bool:
        """Return whether the exchange trades on `day`, if only for an hour.

        Raise `DataError` without a list.
        """
        year = self._holiday_year(day, exchange)
        # Muhurat trading and budget Saturdays are specials, on days that are otherwise closed.
        return (exchange, day) in self._specials or (day.weekday() < 5 and day not in year.closed)

    def trading_days(self, first: date, last: date, exchange: str = "NSE") -> list[date]:
        """Return the trading days from `first` to `last`, both included."""
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        return [day for day in days if self.is_trading_day(day, exchange)]

    def previous_trading_day(self, day: date, exchange: str = "NSE") -> date:
        """Return the last trading day before `day`."""
        return self.latest_trading_day(day - timedelta(days=1), exchange)

    def latest_trading_day(self, day: date, exchange: str = "NSE") -> date:
        """Return `day` itself if the exchange trades on it, else the last trading day before."""
        while not self.is_trading_day(day, exchange):
            day -= timedelta(days=1)
        return day

    def next_trading_day(self, day: date, exchange: str = "NSE") -> date:
        """Return the first trading day after `day`."""
        day += timedelta(days=1)
        while not self.is_trading_day(day, exchange):
            day += timedelta(days=1)
        return day

    def session(
        self,
        day: date,
        exchange: str = "NSE",
        kind: str = "EQ",
        cas: bool = False,
        expiring: bool = False,
    ) -> TradingSession | None:
        """Return the session of `day`, None without trading.

        Raise `DataError` where its clock time is not known.
        """
        return self._cached_session(day, HoursClass(exchange, kind, cas, expiring))

    def phase(
        self,
        ts: int,
        exchange: str = "NSE",
        kind: str = "EQ",
        cas: bool = False,
        expiring: bool = False,
    ) -> SessionPhase:
        """Return the phase at `ts`.

        "closed" reaches from one phase to the next, or to the end of the holiday lists. A session
        of unknown clock time counts as closed.
        """
        day, by = ist_day(ts), HoursClass(exchange, kind, cas, expiring)
        phases = self._day_phases(day, by)
        for phase in phases:
            if phase.start <= ts < phase.end:
                return phase
        before = [phase.end for phase in phases if phase.end <= ts]
        after = [phase.start for phase in phases if phase.start > ts]
        start = before[-1] if before else self._closed_edge(day, -1, by)
        end = after[0] if after else self._closed_edge(day, 1, by)
        return SessionPhase(CLOSED, start, end)

    def next_phase(
        self,
        ts: int,
        exchange: str = "NSE",
        kind: str = "EQ",
        cas: bool = False,
        expiring: bool = False,
    ) -> SessionPhase:
        """Return the phase that follows the one at `ts`.

        Raise `DataError` at the end of the holiday lists.
        """
        return self.phase(
            self.phase(ts, exchange, kind, cas, expiring).end, exchange, kind, cas, expiring
        )

    def expected_bars(
        self,
        day: date,
        span: int = 60,
        exchange: str = "NSE",
        kind: str = "EQ",
        cas: bool = False,
        expiring: bool = False,
    ) -> list[int]:
        """Return the starts of the day's bars of `span` seconds.

        They are aligned to the open; the last one is cut at the close.
        """
        session = self.session(day, exchange, kind, cas, expiring)
        if session is None:
            return []
        if span * SECOND >= DAY:
            return [session.open]
        return [
            start for part in session.parts for start in range(part.start, part.end, span * SECOND)
        ]

    def expects_bar(
        self, start: int, span: int, exchange: str = "NSE", kind: str = "EQ", cas: bool = False
    ) -> bool:
        """Return whether continuous trading makes a bar of `span` seconds from `start` on."""
        session = self.session(ist_day(start), exchange, kind, cas)
        if session is None:
            return False
        if span * SECOND >= DAY:
            return start == session.open
        part = next((part for part in session.parts if part.start <= start < part.end), None)
        return part is not None and (start - part.start) % (span * SECOND) == 0

    def missing_bars(
        self,
        starts: Iterable[int],
        day: date,
        span: int = 60,
        exchange: str = "NSE",
        kind: str = "EQ",
        cas: bool = False,
        expiring: bool = False,
    ) -> list[BarGap]:
        """Return the gaps among bars of `span` seconds that start at `starts`, in any order.

        Other starts are ignored. Two missing bars belong to one gap when no bar is expected between
        them.
        """
        there = set(starts)
        gaps: list[BarGap] = []
        open_gap = False
        for start in self.expected_bars(
            day, span, exchange=exchange, kind=kind, cas=cas, expiring=expiring
        ):
            missing = start not in there
            if missing and open_gap:
                gaps[-1] = BarGap(gaps[-1].start, start + span * SECOND, gaps[-1].bars + 1)
            elif missing:
                gaps.append(BarGap(start, start + span * SECOND, 1))
            open_gap = missing
        return gaps

    def square_off(
        self,
        day: date,
        exchange: str = "NSE",
        kind: str = "EQ",
        cas: bool = False,
        expiring: bool = False,
    ) -> int | None:
        """Return when the broker squares off MIS positions on `day`.

        It is None without trading, or on a special day.
        """
        by = HoursClass(exchange, kind, cas, expiring)
        session, row = self._cached_session(day, by), row_of(self._table.square_off, day, by)
        if session is None or row is None or not self._is_routine_day(day, exchange):
            return None
        old = self._row_before(self._table.square_off, row, by) or row
        rows = (old,) if self._held_back else (row, old)
        # The earlier of the two is right whichever holds: leaving early costs little, being squared
        # off late a charge.
        return min(
            _clock_ns(day, each.at)
            if each.at
            else session.close - each.before_close_minutes * MINUTE
            for each in rows
        )

    def amo(self, day: date, exchange: str = "NSE", kind: str = "EQ") -> tuple[int, int] | None:
        """Return [from, to) of the after-market orders that are sent on `day`.

        It is None where the times are not known.
        """
        row = row_of(self._table.amo, day, HoursClass(exchange, kind))
        if (
            row is None
            or not self.is_trading_day(day, exchange)
            or not self._is_routine_day(day, exchange)
        ):
            return None
        # On the first days of the first year on list the day before is not known.
        if (exchange, (day - timedelta(days=1)).year) not in self._years:
            return None
        previous = self.previous_trading_day(day, exchange)
        if not self._is_routine_day(previous, exchange):
            return None
        # NSE takes them from a fixed hour on, MCX from the close before.
        if row.opens:
            return _clock_ns(previous, row.opens), _clock_ns(day, row.closes)
        session = self.session(previous, exchange, kind)
        return (session.close, _clock_ns(day, row.closes)) if session else None

    def doubts(self, day: date) -> list[HoursDoubt]:
        """Return the new hours of a day that do not count alone.

        Such a day has the hours that are right under the old ones, too.
        """
        found: dict[date, list[DayPhases]] = {}
        for row in self._main:
            # One class stands for the row: all of its exchanges and kinds change on the same day.
            by = HoursClass(row.exchanges[0], row.kinds[0], bool(row.cas), bool(row.expiring))
            if row.first <= day <= row.last and self._row_before(self._main, row, by) is not None:
                found.setdefault(row.first, []).append(row)
        return [
            HoursDoubt(
                first,
                tuple(dict.fromkeys(exchange for row in rows for exchange in row.exchanges)),
                min((row.confidence for row in rows), key=("low", "medium").index),
                tuple(dict.fromkeys(source for row in rows for source in row.source)),
                max(row.read or self._table.read for row in rows),
            )
            for first, rows in sorted(found.items())
        ]

    def remarks(self, today: date) -> list[str]:
        """Return an operator's remarks on the table, a line each.

        They name unconfirmed hours, and lists to come.
        """
        soon = (
            doubt for ahead in range(SOON) for doubt in self.doubts(today + timedelta(days=ahead))
        )
        return [*(str(doubt) for doubt in dict.fromkeys(soon)), *self.missing_lists(today)]

    @property
    def changes(self) -> frozenset[date]:
        """Return the days on which a row of the hours begins: those an operator may confirm."""
        return frozenset(row.first for row in (*self._table.phases, *self._table.square_off))

    def settles(self, day: date, exchange: str = "NSE") -> bool:
        """Return whether shares and money change hands on `day`.

        Raise `DataError` for a year without a list.
        """
        row = self._unsettled.get((exchange, day.year))
        if row is None:
            raise DataError(
                f"no settlement holidays of {exchange} for {day.year}: add them to {FILE}"
            )
        return (
            # Banks close on days on which the exchange trades: a settlement holiday is not a
            # trading holiday.
            day.weekday() < 5 and day not in self._holiday_year(day, exchange).closed | row.closed
        )

    def settlement(self, day: date, exchange: str = "NSE") -> date:
        """Return the settlement day (T+1) of trades on `day`, when funds and shares are there.

        Raise `DataError` for a year without a list.
        """
        day += timedelta(days=1)
        while not self.settles(day, exchange):
            day += timedelta(days=1)
        return day

    def missing_lists(self, today: date) -> list[str]:
        """Return the holiday lists missing for the year to come, a line each; none before December.

        NSE publishes its list of the next year about 12 December.
        """
        # The exchanges publish in December; a warning in spring would be one to get used to.
        if today.month < 12:
            return []
        year = today.year + 1
        exchanges = [exchange for exchange, of in self._years if of == today.year]
        lacking = [exchange for exchange in exchanges if (exchange, year) not in self._years]
        if not lacking:
            return []
        return [
            (
                f"no holiday list of {', '.join(lacking)} for {year}: without one the desk does "
                f"not open from {year}-01-01 "
                f'on; add it to "holidays" in {FILE}'
            )
        ]

    def _holiday_year(self, day: date, exchange: str) -> HolidayYear:
        year = self._years.get((exchange, day.year))
        if year is None:
            raise DataError(f"no holiday list of {exchange} for {day.year}: add one to {FILE}")
        return year

    def _is_routine_day(self, day: date, exchange: str) -> bool:
        special = self._specials.get((exchange, day))
        return special is None or special.regular

    def _cached_session(self, day: date, by: HoursClass) -> TradingSession | None:
        key = (day, by)
        if key not in self._sessions:
            self._sessions[key] = self._build_session(day, by)
        return self._sessions[key]

    def _build_session(self, day: date, by: HoursClass) -> TradingSession | None:
        if not self.is_trading_day(day, by.exchange):
            return None
        phases = tuple(
            SessionPhase(name, _clock_ns(day, start), _clock_ns(day, end))
            for name, start, end in self._day_clocks(day, by)
        )
        parts = [phase for phase in phases if phase.name == CONTINUOUS]
        return TradingSession(day, by.exchange, parts[0].start, parts[-1].end, phases)

    def _day_clocks(self, day: date, by: HoursClass) -> list[Clock]:
        main = row_of(self._main, day, by)
        if main is None:
            raise DataError(f"no phases of {by.exchange} {by.kind} for {day}: add them to {FILE}")
        special = self._specials.get((by.exchange, day))
        if special and not special.regular:
            return self._special_clocks(special, main, by)
        old = self._row_before(self._main, main, by)
        phases = main.phases
        if old is not None:
            # What both have in common is right whichever turns out to hold.
            phases = old.phases if self._held_back else common_phases(main.phases, old.phases)
        before = row_of([row for row in self._table.phases if row.part == "pre-open"], day, by)
        return list(
            self._half_day_clocks(day, by.exchange, (before.phases if before else []) + phases)
        )

    def _special_clocks(self, special: SpecialDay, main: DayPhases, by: HoursClass) -> list[Clock]:
        """Return the phases of a special day.

        Since there is a rule for it, the phases after the usual close follow the special one.
        """
        day = special.date
        if special.phases is None:
            raise DataError(
                f"the clock time of the {special.name} session of {day} is not known: add it to "
                f"{FILE}"
            )
        own = [clock for clock in special.phases if by.kind == "EQ" or clock[0] == CONTINUOUS]
        rules = [row for row in self._table.special_closing if row.first <= day <= row.last]
        rule = next((row for row in rules if by.exchange in row.exchanges), None)
        shares = row_of(self._main, day, HoursClass("NSE", "EQ", cas=True))
        if (
            rule is None
            or shares is None
            or (self._held_back and not self._trusts_row(rule, rule.first))
        ):
            return own
        later = moved_phases(main.phases, own, close_of(shares.phases))
        return later if self._trusts_row(rule, rule.first) else common_phases(later, own)

    def _trusts_row(self, row: TableRow, first: date) -> bool:
        """Return whether a row counts alone.

        It does where it is certain, confirmed by an operator, or without money at stake.
        """
        return row.confidence == "high" or self._confirmed is None or first in self._confirmed

    def _row_before(self, rows: list[Row], row: Row, by: HoursClass) -> Row | None:
        """Return the row before one that does not count alone, None where there is none.

        An index has none, as it is not traded.
        """
        if self._trusts_row(row, row.first) or by.kind == "INDEX":
            return None
        return row_of(rows, row.first - timedelta(days=1), by)

    def _half_day_clocks(self, day: date, exchange: str, clocks: list[Clock]) -> Iterator[Clock]:
        year = self._holiday_year(day, exchange)
        from_time = EVENING if day in year.morning_closed else "00:00"
        to_time = EVENING if day in year.evening_closed else "24:00"
        for name, start, end in clocks:
            if start < to_time and end > from_time:
                yield name, max(start, from_time), min(end, to_time)

    def _day_phases(self, day: date, by: HoursClass) -> tuple[SessionPhase, ...]:
        special = self._specials.get((by.exchange, day))
        if special and special.phases is None and not special.regular:
            return ()
        session = self._cached_session(day, by)
        return session.phases if session else ()

    def _closed_edge(self, day: date, step: int, by: HoursClass) -> int:
        """Return the last phase's end before `day` (step -1), or the next start (step 1)."""
        while (by.exchange, (day + timedelta(days=step)).year) in self._years:
            day += timedelta(days=step)
            phases = self._day_phases(day, by)
            if phases:
                return phases[0].start if step > 0 else phases[-1].end
        return midnight(day + timedelta(days=step > 0))


def midnight(day: date) -> int:
    """Return the start of an IST day in ns UTC."""
    return (day.toordinal() - date(1970, 1, 1).toordinal()) * DAY - IST


def ist_day(ts: int) -> date:
    """Return the IST day of a time in ns UTC."""
    return date(1970, 1, 1) + timedelta(days=(ts + IST) // DAY)


def _clock_ns(day: date, clock: str) -> int:
    return midnight(day) + minutes_of(clock) * MINUTE
