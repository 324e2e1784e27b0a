"""The calendar by instrument instead of class; derivatives decide the closing auction."""

from collections.abc import Callable, Collection, Iterable
from datetime import date
from typing import NamedTuple, final

from compiled.backtest.recording import RecordedSessions
from compiled.model.values import MINUTE, Instrument, TradingHours
from engine.errors import DataError
from engine.market.calendar import BarGap, Calendar, SessionPhase, TradingSession, ist_day
from engine.market.instruments import INDICES, day_as_number
from engine.market.safeguards import TradingSafeguards
from engine.market.session_table import CLOSED, CONTINUOUS, MATCHES, UNCONFIRMED, HoursClass

TAKES_MARKET = "auction entry"
WITHDRAWN = MINUTE
"""How long before a close that may be the exchange's an entry is taken back at the latest.

After it that may be refused.
"""


class DayStage(NamedTuple):
    """The common stage of several instruments in their day.

    It is the phase, its end (ns UTC), and the phase after it.
    """

    name: str
    ends: int
    then: str


@final
class InstrumentHours:
    """The trading hours of each instrument.

    `derivatives` are the names on which contracts are listed (`Instruments.names`). Where they are
    not known (None) every share counts as having some: its continuous trading then ends no later
    than it may.
    """

    def __init__(
        self, calendar: Calendar, safeguards: TradingSafeguards, derivatives: Collection[str] | None
    ) -> None:
        self.calendar = calendar
        self._safeguards = safeguards
        self._derivatives = None if derivatives is None else frozenset(derivatives)

    def cas(self, day: date, instrument: Instrument) -> bool:
        """Return whether its day ends in the closing auction."""
        listed = self._derivatives is None or instrument.symbol in self._derivatives
        return instrument.kind == "EQ" and self._safeguards.closes_by_auction(
            day, instrument.exchange, instrument.symbol, has_derivatives=listed
        )

    def hours_class(self, day: date, instrument: Instrument) -> HoursClass:
        """Return the class of its hours on a day."""
        expiring = int(instrument.expiry) == day_as_number(day) and instrument.name in INDICES
        return HoursClass(instrument.exchange, instrument.kind, self.cas(day, instrument), expiring)

    def session(self, day: date, instrument: Instrument) -> TradingSession | None:
        """Return its session, None without trading.

        Raise `DataError` where its clock time is not known.
        """
        return self.calendar.session(day, *self.hours_class(day, instrument))

    def phase(self, ts: int, instrument: Instrument) -> SessionPhase:
        """Return its phase at `ts` (ns UTC)."""
        return self.calendar.phase(ts, *self.hours_class(ist_day(ts), instrument))

    def square_off(self, day: date, instrument: Instrument) -> int | None:
        """Return when the broker squares off its MIS positions (ns UTC), None if unknown."""
        return self.calendar.square_off(day, *self.hours_class(day, instrument))

    def expected_bars(self, day: date, instrument: Instrument, span: int = 60) -> list[int]:
        """Return the starts of its bars of `span` seconds on a day, in ns UTC."""
        return self.calendar.expected_bars(day, span, *self.hours_class(day, instrument))

    def missing_bars(
        self, starts: Iterable[int], day: date, instrument: Instrument, span: int = 60
    ) -> list[BarGap]:
        """Return the gaps among its bars of `span` seconds that start at `starts` (ns UTC)."""
        return self.calendar.missing_bars(starts, day, span, *self.hours_class(day, instrument))

    def trading_hours(
        self, day: date, instrument: Instrument, early: int = 0
    ) -> TradingHours | None:
        """Return its day as the core keeps it, None without trading.

        Intraday positions end `early` ns before the broker's time. On a day without a known one
        there are none: the square-off stands at the open. Where its hours are not confirmed entries
        end `early` ns (a minute at least) before the close, and an index contract that expires is
        left like intraday ones.
        """
        session = self.session(day, instrument)
        if session is None:
            return None
        made = TradingHours(session.open, session.close)
        first, *others = session.parts
        if others:
            made.pause, made.resumes = first.end, others[-1].start
        for phase in session.phases:
            if phase.name == TAKES_MARKET:
                made.auction, made.auction_ends = phase.start, phase.end
            elif phase.name == MATCHES:
                made.ends = phase.end
            elif phase.name == UNCONFIRMED:
                made.ends = phase.end
                made.last_entry = max(session.open, session.close - max(early, WITHDRAWN))
                made.clears = self.hours_class(day, instrument).expiring
        known = self.square_off(day, instrument)
        made.square_off = session.open if known is None else max(session.open, known - early)
        made.squared = known if known is not None and early else 0
        return made

    def hours_of_day(
        self, day: date, instruments: Iterable[Instrument], early: int = 0
    ) -> dict[int, TradingHours]:
        """Return the hours of several instruments by token.

        Raise `DataError` for one that does not trade.
        """
        found: dict[int, TradingHours] = {}
        for instrument in instruments:
            hours = self.trading_hours(day, instrument, early)
            if hours is None:
                raise DataError(
                    f"{instrument.exchange} {instrument.symbol} does not trade on {day}"
                )
            found[int(instrument.token)] = hours
        return found

    def sessions(
        self, days: Iterable[date], instruments: Collection[Instrument], early: int = 0
    ) -> RecordedSessions:
        """Return the sessions of the days that trade, for a replay.

        Each is from the first open to the last order's end.
        """
        opens, closes, hours = [], [], []
        for day in days:
            same: dict[HoursClass, TradingHours | None] = {}
            own: dict[int, TradingHours] = {}
            for each in instruments:
                keeping = self.hours_class(day, each)
                if keeping not in same:
                    same[keeping] = self.trading_hours(day, each, early)
                kept = same[keeping]
                if kept is not None:
                    own[int(each.token)] = kept
            if own:
                opens.append(min(int(kept.opens) for kept in own.values()))
                closes.append(max(int(kept.ends) for kept in own.values()))
                hours.append(own)
        return RecordedSessions(opens, closes, hours)

    def session_before(self, day: date, instrument: Instrument) -> TradingSession:
        """Return its last session before a day, of those whose clock time is known.

        Raise `DataError` beyond the lists.
        """
        return self._first_known(self.calendar.previous_trading_day, day, instrument)

    def session_after(self, day: date, instrument: Instrument) -> TradingSession:
        """Return its first session after a day, of those whose clock time is known.

        Raise `DataError` beyond the lists.
        """
        return self._first_known(self.calendar.next_trading_day, day, instrument)

    def _first_known(
        self, step: Callable[[date, str], date], day: date, instrument: Instrument
    ) -> TradingSession:
        while True:
            # beyond the lists the step itself raises
            day = step(day, instrument.exchange)
            try:
                session = self.session(day, instrument)
            except DataError:
                continue
            if session is not None:
                return session

    def stage(self, ts: int, instruments: Iterable[Instrument]) -> DayStage:
        """Return the stage of instruments at `ts`: continuous while any trades.

        Of several phases it is the first to end.
        """
        day = ist_day(ts)
        classes = {self.hours_class(day, each) for each in instruments} or {HoursClass("NSE", "EQ")}
        phases = [(self.calendar.phase(ts, *one), one) for one in sorted(classes)]
        trading = [pair for pair in phases if pair[0].name == CONTINUOUS]
        busy = [pair for pair in phases if pair[0].name != CLOSED]
        phase, one = min(trading or busy or phases, key=lambda pair: pair[0].end)
        return DayStage(phase.name, phase.end, self.calendar.phase(phase.end, *one).name)
