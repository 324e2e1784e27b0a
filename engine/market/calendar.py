"""When the exchanges trade: holidays, special sessions and phases, from the dated table in `sessions.json`.

Times are nanoseconds UTC, days are IST dates. A year without a holiday list, or a session whose clock time is not
known, raises `DataError`: the calendar never guesses. `cas` says that a stock has derivatives, and so closes in the
closing auction session since 2026-08-03.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Literal, NamedTuple, Self, TypeVar

import msgspec

from compiled.model import MINUTE, SECOND
from engine.errors import DataError

FILE = Path(__file__).with_name("sessions.json")

CONTINUOUS = "continuous"
CLOSED = "closed"

DAY = 86_400 * SECOND
IST = 19_800 * SECOND
"""UTC+5:30, the whole year."""
EVENING = "17:00"
"""Where MCX splits a half day."""


class Phase(NamedTuple):
    """A stretch of the day: [start, end) in ns UTC; `name` is "closed" outside every session."""

    name: str
    start: int
    end: int


class Session(NamedTuple):
    """One trading day: `open` and `close` of continuous trading in ns UTC, and all phases in order."""

    day: date
    exchange: str
    open: int
    close: int
    phases: tuple[Phase, ...]

    @property
    def parts(self) -> tuple[Phase, ...]:
        """Return the stretches of continuous trading: one, on a few special days two."""
        return tuple(phase for phase in self.phases if phase.name == CONTINUOUS)


class Gap(NamedTuple):
    """Expected bars that are not there: `bars` of them, starting in [start, end)."""

    start: int
    end: int
    bars: int


Clock = tuple[str, str, str]
"""A phase in the file: its name, and from when to when as HH:MM."""


class _Row(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    exchanges: list[str]
    source: list[str]
    confidence: Literal["high", "medium", "low"]
    note: str = ""


class _Year(_Row, kw_only=True):
    year: int
    closed: frozenset[date]
    morning_closed: frozenset[date] = frozenset()
    evening_closed: frozenset[date] = frozenset()


class _Special(_Row, kw_only=True):
    date: date
    name: str
    regular: bool = False
    phases: list[Clock] | None = None


class _Dated(_Row, rename={"first": "from", "last": "until"}, kw_only=True):
    kinds: list[str]
    cas: bool | None = None
    first: date
    last: date = date.max

    def serves(self, day: date, exchange: str, kind: str, cas: bool) -> bool:
        return (
            self.first <= day <= self.last
            and exchange in self.exchanges
            and kind in self.kinds
            and self.cas in {None, cas}
        )


class _Phases(_Dated, kw_only=True):
    part: Literal["pre-open", "main"]
    phases: list[Clock]


class _SquareOff(_Dated, kw_only=True):
    at: str = ""
    before_close_minutes: int = 0


class _Amo(_Dated, kw_only=True):
    opens: str
    closes: str


Row = TypeVar("Row", bound=_Dated)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    about: str
    read: date
    sources: dict[str, str]
    holidays: list[_Year]
    days: list[_Special]
    phases: list[_Phases]
    square_off: list[_SquareOff]
    amo: list[_Amo]


class Calendar:
    """The trading calendar of all exchanges; immutable, cheap to ask."""

    def __init__(self, table: _File) -> None:
        self._table = table
        self._years = {(exchange, row.year): row for row in table.holidays for exchange in row.exchanges}
        self._specials = {(exchange, row.date): row for row in table.days for exchange in row.exchanges}
        self._sessions: dict[tuple[date, str, str, bool], Session | None] = {}

    @classmethod
    def load(cls, file: Path = FILE) -> Self:
        """Read the table; raise `DataError` where it is missing or malformed."""
        try:
            return cls(msgspec.json.decode(file.read_bytes(), type=_File))
        except (OSError, msgspec.DecodeError) as error:
            raise DataError(f"{file}: {error}") from error

    def is_trading_day(self, day: date, exchange: str = "NSE") -> bool:
        """Tell whether the exchange trades on `day`, if only for an hour; raise `DataError` without a list."""
        year = self._year(day, exchange)
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

    def session(self, day: date, exchange: str = "NSE", kind: str = "EQ", cas: bool = False) -> Session | None:
        """Return the session of `day`, None without trading; raise `DataError` where its clock time is not known."""
        key = (day, exchange, kind, cas)
        if key not in self._sessions:
            self._sessions[key] = self._session(*key)
        return self._sessions[key]

    def phase(self, ts: int, exchange: str = "NSE", kind: str = "EQ", cas: bool = False) -> Phase:
        """Return the phase at `ts`; "closed" reaches from one phase to the next, or to the end of the holiday lists.

        A session of unknown clock time counts as closed.
        """
        day = ist_day(ts)
        phases = self._phases(day, exchange, kind, cas)
        for phase in phases:
            if phase.start <= ts < phase.end:
                return phase
        before = [phase.end for phase in phases if phase.end <= ts]
        after = [phase.start for phase in phases if phase.start > ts]
        start = before[-1] if before else self._edge(day, -1, exchange, kind, cas)
        end = after[0] if after else self._edge(day, 1, exchange, kind, cas)
        return Phase(CLOSED, start, end)

    def next_phase(self, ts: int, exchange: str = "NSE", kind: str = "EQ", cas: bool = False) -> Phase:
        """Return the phase that follows the one at `ts`; raise `DataError` at the end of the holiday lists."""
        return self.phase(self.phase(ts, exchange, kind, cas).end, exchange, kind, cas)

    def expected_bars(
        self, day: date, span: int = 60, exchange: str = "NSE", kind: str = "EQ", cas: bool = False
    ) -> list[int]:
        """Return the starts of the day's bars of `span` seconds: aligned to the open, the last one cut at the close."""
        session = self.session(day, exchange, kind, cas)
        if session is None:
            return []
        if span * SECOND >= DAY:
            return [session.open]
        return [start for part in session.parts for start in range(part.start, part.end, span * SECOND)]

    def expects_bar(self, start: int, span: int, exchange: str = "NSE", kind: str = "EQ", cas: bool = False) -> bool:
        """Tell whether continuous trading makes a bar of `span` seconds that starts at `start`."""
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
    ) -> list[Gap]:
        """Return the gaps among bars of `span` seconds that start at `starts`, in any order; others are ignored.

        Two missing bars belong to one gap when no bar is expected between them.
        """
        there = set(starts)
        gaps: list[Gap] = []
        open_gap = False
        for start in self.expected_bars(day, span, exchange, kind, cas):
            missing = start not in there
            if missing and open_gap:
                gaps[-1] = Gap(gaps[-1].start, start + span * SECOND, gaps[-1].bars + 1)
            elif missing:
                gaps.append(Gap(start, start + span * SECOND, 1))
            open_gap = missing
        return gaps

    def square_off(self, day: date, exchange: str = "NSE", kind: str = "EQ", cas: bool = False) -> int | None:
        """Return when Zerodha squares off MIS positions on `day`; None without trading, or on a special day."""
        session = self.session(day, exchange, kind, cas)
        row = self._row(self._table.square_off, day, exchange, kind, cas)
        if session is None or row is None or not self._is_routine(day, exchange):
            return None
        return _at(day, row.at) if row.at else session.close - row.before_close_minutes * MINUTE

    def amo(self, day: date, exchange: str = "NSE", kind: str = "EQ") -> tuple[int, int] | None:
        """Return [from, to) of the after-market orders that are sent on `day`; None where it is not known."""
        row = self._row(self._table.amo, day, exchange, kind, False)
        if row is None or not self.is_trading_day(day, exchange) or not self._is_routine(day, exchange):
            return None
        if (exchange, (day - timedelta(days=1)).year) not in self._years:
            return None
        previous = self.previous_trading_day(day, exchange)
        if not self._is_routine(previous, exchange):
            return None
        if row.opens:
            return _at(previous, row.opens), _at(day, row.closes)
        session = self.session(previous, exchange, kind)
        return (session.close, _at(day, row.closes)) if session else None

    def _year(self, day: date, exchange: str) -> _Year:
        year = self._years.get((exchange, day.year))
        if year is None:
            raise DataError(f"no holiday list of {exchange} for {day.year}: add one to {FILE}")
        return year

    def _is_routine(self, day: date, exchange: str) -> bool:
        special = self._specials.get((exchange, day))
        return special is None or special.regular

    def _session(self, day: date, exchange: str, kind: str, cas: bool) -> Session | None:
        if not self.is_trading_day(day, exchange):
            return None
        clocks = self._clocks(day, exchange, kind, cas)
        phases = tuple(Phase(name, _at(day, start), _at(day, end)) for name, start, end in clocks)
        parts = [phase for phase in phases if phase.name == CONTINUOUS]
        return Session(day, exchange, parts[0].start, parts[-1].end, phases)

    def _clocks(self, day: date, exchange: str, kind: str, cas: bool) -> list[Clock]:
        main = self._row([row for row in self._table.phases if row.part == "main"], day, exchange, kind, cas)
        if main is None:
            raise DataError(f"no phases of {exchange} {kind} for {day}: add them to {FILE}")
        special = self._specials.get((exchange, day))
        if special and not special.regular:
            if special.phases is None:
                raise DataError(f"the clock time of the {special.name} session of {day} is not known: add it to {FILE}")
            return [clock for clock in special.phases if kind == "EQ" or clock[0] == CONTINUOUS]
        before = self._row([row for row in self._table.phases if row.part == "pre-open"], day, exchange, kind, cas)
        return list(self._half(day, exchange, (before.phases if before else []) + main.phases))

    def _half(self, day: date, exchange: str, clocks: list[Clock]) -> Iterator[Clock]:
        year = self._year(day, exchange)
        from_time = EVENING if day in year.morning_closed else "00:00"
        to_time = EVENING if day in year.evening_closed else "24:00"
        for name, start, end in clocks:
            if start < to_time and end > from_time:
                yield name, max(start, from_time), min(end, to_time)

    def _row(self, rows: list[Row], day: date, exchange: str, kind: str, cas: bool) -> Row | None:
        return next((row for row in rows if row.serves(day, exchange, kind, cas)), None)

    def _phases(self, day: date, exchange: str, kind: str, cas: bool) -> tuple[Phase, ...]:
        special = self._specials.get((exchange, day))
        if special and special.phases is None and not special.regular:
            return ()
        session = self.session(day, exchange, kind, cas)
        return session.phases if session else ()

    def _edge(self, day: date, step: int, exchange: str, kind: str, cas: bool) -> int:
        """Return the end of the last phase before `day` (step -1), or the start of the first one after it (step 1)."""
        while (exchange, (day + timedelta(days=step)).year) in self._years:
            day += timedelta(days=step)
            phases = self._phases(day, exchange, kind, cas)
            if phases:
                return phases[0].start if step > 0 else phases[-1].end
        return midnight(day + timedelta(days=step > 0))


def midnight(day: date) -> int:
    """Return the start of an IST day in ns UTC."""
    return (day.toordinal() - date(1970, 1, 1).toordinal()) * DAY - IST


def ist_day(ts: int) -> date:
    """Return the IST day of a time in ns UTC."""
    return date(1970, 1, 1) + timedelta(days=(ts + IST) // DAY)


def _at(day: date, clock: str) -> int:
    hours, minutes = clock.split(":")
    return midnight(day) + (int(hours) * 60 + int(minutes)) * MINUTE
