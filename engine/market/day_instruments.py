"""Shares and contracts of a past day: symbols, tokens, ticks and lots, for replays and tests."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple, Protocol

from compiled.model.values import Instrument
from engine.errors import DataError
from engine.market.instruments import InstrumentList


class KeptDumps(Protocol):
    """Dumps by day, in files (`engine.market.instrument_dumps.DumpFolder`) or in a server."""

    def days(self, exchange: str) -> Sequence[date]:
        """Return the days with a dump of an exchange, oldest first."""
        ...

    def load(self, day: date, exchanges: Iterable[str] = ()) -> InstrumentList:
        """Return the instruments of exactly this day; raise `DataError`."""
        ...


class DayInstruments(NamedTuple):
    """The instruments of a day, by symbol, as the dump of the day `dump` has them.

    `missing` are those it does not list.
    """

    day: date
    dump: date
    instruments: dict[str, Instrument]
    missing: tuple[str, ...]

    @property
    def remark(self) -> str:
        """Return the remark on a day without a complete dump of its own, empty where it has one."""
        renamed = (
            []
            if self.dump == self.day
            else [f"no dump of {self.day} is kept: instruments as of {self.dump}"]
        )
        return "; ".join(
            [*renamed, *([f"not listed then: {', '.join(self.missing)}"] if self.missing else [])]
        )


def instruments_of_day(
    dumps: KeptDumps, day: date, exchange: str = "NSE", symbols: Iterable[str] = ()
) -> DayInstruments:
    """Return an exchange's instruments of a day, or only these symbols.

    Raise `DataError` where no dump is kept. A day without a dump has those of the last one before
    it: what was listed then is what traded. Before the first dump it is the first, whose ticks and
    lots may be later ones; `dump` and `remark` say so.
    """
    days = dumps.days(exchange)
    if not days:
        raise DataError(f"no instrument dump of {exchange} is kept: see patang instruments keep")
    used = max((each for each in days if each <= day), default=days[0])
    book = dumps.load(used, [exchange])
    wanted = list(symbols)
    found = (
        {name: book.find(exchange, name) for name in wanted}
        if wanted
        else {each.symbol: each for each in book if each.exchange == exchange}
    )
    there = {name: listing.instrument() for name, listing in found.items() if listing is not None}
    return DayInstruments(day, used, there, tuple(name for name in wanted if name not in there))
