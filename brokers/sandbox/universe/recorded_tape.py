"""A recorded day: 1-minute bars played as four prints a minute, against which our orders fill.

Each bar becomes open → nearer extreme → further extreme → close (equally near: the low first) at
seconds 0, 20, 40 and 59, a quarter of its volume each, the rest with the close. Prices, range and
volume come from the record alone. At each print the replay agent withdraws its quotes, sweeps our
resting orders that the price reaches or crosses (up to the print's volume), and quotes five levels
on each side of the new price.
"""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple, final

import numpy as np

from brokers.sandbox import kite_times
from brokers.sandbox.market.day_rules import DayRules
from brokers.sandbox.market.exchange_listing import ExchangeListing
from brokers.sandbox.universe.known_shares import Dump, make_share
from brokers.sandbox.universe.minute_file import read_minutes
from compiled.book.order_book import IOC
from compiled.model.values import MINUTE, SECOND, Instrument
from compiled.venue import intrabar
from engine.errors import DataError
from engine.indian_time import IST

SECONDS = (0, 20, 40, 59)
LEVELS = 5


class PriceCandle(NamedTuple):
    """One recorded bar: start (ns UTC), prices in rupees, shares."""

    start: int
    open: float
    high: float
    low: float
    close: float
    volume: int


class TapePrint(NamedTuple):
    """One point of the path: listing, price in ticks, shares, and size of each quote after it."""

    listing: ExchangeListing
    ticks: int
    quantity: int
    quote: int


@final
class TapeRecord:
    """One symbol's recorded bars, packed, oldest first; of a repeated stamp the last row counts."""

    def __init__(self, file: Path) -> None:
        bars = read_minutes(file)
        order = np.argsort(bars.starts, kind="stable")
        stamps = bars.starts[order]
        kept = np.append(stamps[1:] != stamps[:-1], True)[: len(stamps)]
        self.name = f"tape {file.parent}: {file.stem}"
        self._stamps = stamps[kept]
        self._columns = [column[order][kept] for column in (*bars.prices, bars.volumes)]

    def between(self, start: int, end: int) -> list[PriceCandle]:
        """Return the bars that start in [start, end)."""
        first, last = (int(at) for at in np.searchsorted(self._stamps, [start, end]))
        columns = (column[first:last].tolist() for column in (self._stamps, *self._columns))
        return [PriceCandle(*row) for row in zip(*columns, strict=True)]

    def bars_of_day(self, date: str) -> list[PriceCandle]:
        """Return the bars of a day, perhaps none."""
        midnight = kite_times.midnight(date)
        return self.between(midnight, midnight + kite_times.DAY)

    def days(self, first: str, last: str) -> set[str]:
        """Return the days of a span that have bars."""
        start, end = np.searchsorted(
            self._stamps, [kite_times.midnight(first), kite_times.midnight(last) + kite_times.DAY]
        )
        days = np.unique((self._stamps[start:end] + IST) // kite_times.DAY)
        return {kite_times.day_of(int(day) * kite_times.DAY - IST) for day in days}

    def no_bars_error(self, date: str) -> DataError:
        """Return that it has no bars on a day, naming the days there are."""
        days = (
            [kite_times.day_of(int(stamp)) for stamp in self._stamps[[0, -1]]]
            if len(self._stamps)
            else []
        )
        there = f"its days run from {days[0]} to {days[1]}" if days else "it is empty"
        return DataError(f"{self.name} has no bars on {date}; {there}")

    def close_before(self, date: str) -> float:
        """Return the last close before a day, 0.0 where there is none."""
        at = int(np.searchsorted(self._stamps, kite_times.midnight(date)))
        return float(self._columns[3][at - 1]) if at else 0.0


def folder_symbols(folder: Path) -> list[str]:
    """Return the symbols a tape folder holds; raise `DataError` for a folder without any."""
    found = sorted(file.stem for file in folder.glob("*.parquet"))
    if not found:
        raise DataError(f"tape {folder}: no such folder, or no SYMBOL.parquet in it")
    return found


def _spelt_symbols(folder: Path, wanted: tuple[str, ...]) -> list[str]:
    """Return the wanted symbols as the folder spells them, all without any; raise `DataError`."""
    there = folder_symbols(folder)
    spelt = {name.upper(): name for name in there}
    found = [name if name in there else spelt.get(name.upper(), name) for name in wanted or there]
    for name in found:
        if name not in there:
            raise DataError(f"tape {folder}: no symbol {name}; there are {', '.join(there)}")
    return found


def tape_days(folder: Path, wanted: tuple[str, ...], first: str, last: str) -> list[str]:
    """Return the days of a span on which a wanted symbol (any without one) traded.

    Raise `DataError`.
    """
    found: set[str] = set()
    for name in _spelt_symbols(folder, wanted):
        found.update(TapeRecord(folder / f"{name}.parquet").days(first, last))
    if not found:
        raise DataError(f"tape {folder}: no bars from {first} to {last}")
    return sorted(found)


def load_records(
    folder: Path, wanted: tuple[str, ...], date: str, held: Collection[str] = ()
) -> dict[str, TapeRecord]:
    """Return the records of wanted symbols, all without any, on `date`, and of those `held`.

    Raise `DataError` where none traded.
    """
    further = (name for name in folder_symbols(folder) if name in held)
    records = {
        name: TapeRecord(folder / f"{name}.parquet")
        for name in dict.fromkeys([*_spelt_symbols(folder, wanted), *further])
    }
    traded = {name for name, record in records.items() if record.bars_of_day(date)}
    if not traded:
        raise next(iter(records.values())).no_bars_error(date)
    return {name: record for name, record in records.items() if name in traded or name in held}


def recorded_share(
    symbol: str, date: str, record: TapeRecord, rules: DayRules, dump: Dump, close: float = 0.0
) -> Instrument:
    """Return the share of a recorded day.

    Its previous close is the last recorded one (the day's open where there is none), if no other is
    given; its tick comes from the date's rule, or is a paisa where the record (adjusted for a
    split, say) does not stand on that grid; its band is ±10 % of the previous close, widened to
    what was traded.
    """
    today = record.bars_of_day(date)
    close = close or record.close_before(date) or today[0].open
    tick = rules.tick(close)
    rule = Instrument(0, "NSE", symbol, tick)
    if not all(
        rule.on_grid(price) for candle in today for price in candle[1:5]
    ) or not rule.on_grid(close):
        tick = 0.01
    low = min([close * 0.9, *(candle.low for candle in today)])
    high = max([close * 1.1, *(candle.high for candle in today)])
    return make_share(
        symbol, close, tick=tick, band=(low - tick / 4, high + tick / 4), rules=rules, dump=dump
    )


def printed_prices(instrument: Instrument, candle: PriceCandle) -> list[float]:
    """Return the four prices of a bar in the order they are printed.

    That is its path in a backtest (`docs/fills.md`, rule 1).
    """
    to_low = intrabar.low_first(instrument, candle.open, candle.high, candle.low)
    return [
        intrabar.path_point(
            k, to_low, open=candle.open, high=candle.high, low=candle.low, close=candle.close
        )
        for k in range(intrabar.POINTS)
    ]


@final
class RecordedTape:
    """The recorded day, one symbol per listing."""

    def __init__(self, listings: list[ExchangeListing], bars: list[list[PriceCandle]]) -> None:
        self.listings = listings
        self.opens = min(candles[0].start for candles in bars if candles)
        self.closes = max(candles[-1].start for candles in bars if candles) + MINUTE
        self.shift = 0.0
        self.skips_to = 0
        self._prints: dict[int, list[TapePrint]] = {}
        for listing, candles in zip(listings, bars, strict=True):
            for candle in candles:
                self._lay_candle(listing, candle)
        self._instants = sorted(self._prints)
        self._at = 0

    def _lay_candle(self, listing: ExchangeListing, candle: PriceCandle) -> None:
        quarter = candle.volume // 4
        parts = (quarter, quarter, quarter, candle.volume - 3 * quarter)
        for second, price, quantity in zip(
            SECONDS, printed_prices(listing.instrument, candle), parts, strict=True
        ):
            ticks = listing.instrument.ticks(price)
            row = TapePrint(listing, ticks, quantity, max(1, quarter // LEVELS))
            self._prints.setdefault(candle.start + second * SECOND, []).append(row)

    def next(self, after: int) -> int:
        """Return the next instant with a print; the end of the session after the last."""
        while self._at < len(self._instants) and self._instants[self._at] <= after:
            self._at += 1
        return (
            self._instants[self._at]
            if self._at < len(self._instants)
            else max(after + SECOND, self.closes)
        )

    def step(self, now: int) -> list[ExchangeListing]:
        """Play the prints of an instant."""
        due = self._prints.get(now, [])
        for row in due:
            self._play_print(row, now)
        return [row.listing for row in due]

    def _play_print(self, row: TapePrint, now: int) -> None:
        listing = row.listing
        listing.print_trade(row.ticks, row.quantity, now)
        if not listing.own_orders:
            listing.show_quotes(row.ticks - 1, row.ticks + 1, row.quote)
            return
        self.leave(listing)
        book = listing.book
        if row.quantity:
            # against both sides: whatever of ours the price reaches or crosses trades, up to the
            # volume
            bought = book.limit(
                listing.next_number(), -1, price=row.ticks, quantity=row.quantity, owner=0, tif=IOC
            )
            if bought < row.quantity:
                book.limit(
                    listing.next_number(),
                    1,
                    price=row.ticks,
                    quantity=row.quantity - bought,
                    owner=0,
                    tif=IOC,
                )
        bid, ask = book.best(1), book.best(-1)
        # an order of ours that is left inside keeps its place: the quotes stand back from it
        highest = row.ticks - 1 if ask < 0 else min(row.ticks - 1, ask - 1)
        lowest = max(row.ticks, bid) + 1
        for distance in range(LEVELS):
            self._quote_level(listing, 1, listing.bids, highest - distance, row.quote)
            self._quote_level(listing, -1, listing.asks, lowest + distance, row.quote)

    def leave(self, listing: ExchangeListing) -> None:
        """Withdraw the replay agent's quotes."""
        for quotes in (listing.bids, listing.asks):
            for number in quotes.values():
                listing.book.cancel(number)
            quotes.clear()

    def match(self, listing: ExchangeListing, now: int) -> None:
        """Print nothing: the record has the prints of the day's auctions."""

    def _quote_level(
        self, listing: ExchangeListing, side: int, held: dict[int, int], ticks: int, quantity: int
    ) -> None:
        if listing.low_band <= ticks <= listing.high_band:
            held[ticks] = listing.next_number()
            listing.book.limit(held[ticks], side, ticks, quantity)
