"""The calendar beside a second source: day by day, holiday by holiday, and now."""

import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Final, NamedTuple

from brokers.upstox.market_days import ExchangeStatus, TradingSpan, UpstoxHoliday, trading_spans
from engine.errors import DataError
from engine.market.calendar import Calendar, ist_day
from engine.market.session_table import CONTINUOUS
from tui.commands.market.charge_commands import KINDS, clock_text

EXCHANGES: Final = ("NSE", "BSE", "NFO", "BFO", "CDS", "BCD", "MCX")
SPECIAL: Final = "SPECIAL_TIMING"
SETTLEMENT: Final = "SETTLEMENT_HOLIDAY"
OPEN: Final = "NORMAL_OPEN"


class CalendarFinding(NamedTuple):
    """One comparison, and what it says."""

    agrees: bool
    text: str


class CalendarComparison:
    """Comparison of Upstox's times with our hours, of stocks without derivatives and of futures.

    `desk` is the calendar as the desk keeps it. Upstox has one open and one close of an exchange,
    which stocks with derivatives do not keep; how those stand, only its status says.
    """

    def __init__(self, desk: Calendar) -> None:
        self._desk = desk
        self._new, self._old = Calendar.load(), Calendar.load(held_back=True)

    def compare_day(
        self, day: date, theirs: Mapping[str, TradingSpan]
    ) -> Iterator[CalendarFinding]:
        """Compare the hours of a day: a finding for all that agree, one for each that does not."""
        same = []
        for exchange in EXCHANGES:
            finding = self._compare_hours(day, exchange, theirs.get(exchange))
            if finding is None:
                same.append(exchange)
            else:
                yield finding
        if same:
            # exchanges with the same hours stand in one line
            said = {exchange: _span_text(theirs.get(exchange)) for exchange in same}
            alike = {
                text: [each for each in same if said[each] == text]
                for text in dict.fromkeys(said.values())
            }
            yield CalendarFinding(
                True,
                f"{day}  " + "; ".join(f"{', '.join(who)} {text}" for text, who in alike.items()),
            )

    def _compare_hours(
        self, day: date, exchange: str, theirs: TradingSpan | None
    ) -> CalendarFinding | None:
        """Return the finding about an exchange on a day, None where both sides say the same."""
        try:
            new, old = (
                _session_span(self._new, day, exchange),
                _session_span(self._old, day, exchange),
            )
        except DataError as error:
            return CalendarFinding(
                False, f"{day}  {exchange}: Upstox has {_span_text(theirs)}; {error}"
            )
        doubts = [str(each.since) for each in self._desk.doubts(day) if exchange in each.exchanges]
        # where no change is due both calendars are the same, and one comparison is enough
        if new == old or not doubts:
            return (
                None
                if theirs == new
                else CalendarFinding(
                    False, f"{day}  {exchange}: ours {_span_text(new)}, Upstox {_span_text(theirs)}"
                )
            )
        # the second source confirms what is held back here until somebody has confirmed it
        if theirs == new:
            since = ", ".join(doubts)
            return CalendarFinding(
                True,
                f"{day}  {exchange}: {_span_text(new)}, as the new hours from {since} on, which "
                "are not confirmed",
            )
        text = "as before" if theirs == old else "as neither the new hours nor those before"
        return CalendarFinding(
            False,
            f"{day}  {exchange}: Upstox {_span_text(theirs)}, {text}; ours {_span_text(new)}, "
            "not confirmed",
        )

    def compare_holidays(
        self, first: date, theirs: list[UpstoxHoliday]
    ) -> Iterator[CalendarFinding]:
        """Compare the holidays from a day on: each of theirs, and ours that they lack."""
        known = {each.date: each for each in theirs}
        for each in sorted(theirs, key=lambda one: one.date):
            if each.date >= first:
                yield from self._compare_holiday(each)
        # beyond its last holiday the source may not have loaded more
        last = max(known, default=first)
        for ahead in range((last - first).days + 1):
            day = first + timedelta(days=ahead)
            # a weekend is nobody's holiday
            if day.weekday() < 5 and day not in known and not self._is_trading(day, "NSE"):
                yield CalendarFinding(False, f"{day}  a holiday of ours that Upstox does not list")

    def _compare_holiday(self, theirs: UpstoxHoliday) -> Iterator[CalendarFinding]:
        day, name = (
            theirs.date,
            (
                f"{theirs.date}  {theirs.description} "
                f"({theirs.holiday_type.lower().replace('_', ' ')})"
            ),
        )
        # the market trades that day, and only money and shares do not move
        if theirs.holiday_type == SETTLEMENT:
            try:
                settles = self._desk.settles(day)
            except DataError as error:
                yield CalendarFinding(False, f"{name}: {error}")
                return
            yield CalendarFinding(
                not settles, f"{name}: ours {'settles' if settles else 'does not settle'}"
            )
            return
        wrong = [
            each
            for each in theirs.closed_exchanges
            # it lists exchanges that we do not know, too
            if each in EXCHANGES and self._is_trading(day, each) is not False
        ]
        at = trading_spans(theirs.open_exchanges)
        found = [
            self._compare_hours(day, each, span) for each, span in at.items() if each in EXCHANGES
        ]
        told = [each for each in found if each is not None]
        yield from told
        if wrong:
            yield CalendarFinding(
                False, f"{name}: {', '.join(wrong)} closed, ours trades or is not known"
            )
        elif not told:
            yield CalendarFinding(True, name)

    def compare_status(self, now: int, theirs: ExchangeStatus) -> CalendarFinding:
        """Compare how an exchange stands now (ns UTC)."""
        phase = self._new.phase(now, theirs.exchange, KINDS.get(theirs.exchange, "FUT")).name
        cas = (
            f"; stocks that close by auction: {json.dumps(theirs.cas_eligible_status)}"
            if theirs.cas_eligible_status
            else ""
        )
        # its names for the other phases are not ours
        agrees = (theirs.status == OPEN) == (phase == CONTINUOUS)
        return CalendarFinding(
            agrees,
            f"{ist_day(now)} {clock_text(now)}  {theirs.exchange} {theirs.status}, ours "
            f"{phase}{cas}",
        )

    def _is_trading(self, day: date, exchange: str) -> bool | None:
        """Return whether an exchange trades on a day, None where it is unknown."""
        try:
            return self._new.is_trading_day(day, exchange)
        except DataError:
            return None


def _session_span(book: Calendar, day: date, exchange: str) -> TradingSpan | None:
    session = book.session(day, exchange, KINDS.get(exchange, "FUT"))
    return None if session is None else TradingSpan(session.open, session.close)


def _span_text(span: TradingSpan | None) -> str:
    return "closed" if span is None else f"{clock_text(span.start)}-{clock_text(span.end)}"
