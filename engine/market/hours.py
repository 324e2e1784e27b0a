"""The calendar asked for an instrument instead of its class: who closes by auction is known by who has derivatives."""

from collections.abc import Collection
from datetime import date
from typing import final

from compiled.model import Instrument
from engine.market.calendar import Calendar, Phase, Session, ist_day
from engine.market.safeguards import Safeguards


@final
class Hours:
    """When each instrument trades; `derivatives` are the names on which contracts are listed (`Instruments.names`)."""

    def __init__(self, calendar: Calendar, safeguards: Safeguards, derivatives: Collection[str]) -> None:
        self.calendar = calendar
        self._safeguards = safeguards
        self._derivatives = frozenset(derivatives)

    def cas(self, day: date, instrument: Instrument) -> bool:
        """Tell whether its day ends in the closing auction."""
        listed = instrument.symbol in self._derivatives
        return instrument.kind == "EQ" and self._safeguards.closes_by_auction(
            day, instrument.exchange, instrument.symbol, has_derivatives=listed
        )

    def session(self, day: date, instrument: Instrument) -> Session | None:
        """Return its session, None without trading; raise `DataError` where its clock time is not known."""
        return self.calendar.session(day, instrument.exchange, instrument.kind, self.cas(day, instrument))

    def phase(self, ts: int, instrument: Instrument) -> Phase:
        """Return its phase at `ts` (ns UTC)."""
        return self.calendar.phase(ts, instrument.exchange, instrument.kind, self.cas(ist_day(ts), instrument))

    def square_off(self, day: date, instrument: Instrument) -> int | None:
        """Return when the broker squares off its MIS positions (ns UTC), None where there is no known time."""
        return self.calendar.square_off(day, instrument.exchange, instrument.kind, self.cas(day, instrument))

    def expected_bars(self, day: date, instrument: Instrument, span: int = 60) -> list[int]:
        """Return the starts of its bars of `span` seconds on a day, in ns UTC."""
        return self.calendar.expected_bars(day, span, instrument.exchange, instrument.kind, self.cas(day, instrument))
