"""Dated rules that stop or bound trading: halts, price bands, LPP, closing auction, expiry days.

Prices are rupees. A date before the first row of a rule raises `DataError`. A quote's own price
band has the last word.
"""

from datetime import date, timedelta
from math import ceil, floor
from pathlib import Path
from typing import Literal, NamedTuple, Self

import msgspec

from engine.market.calendar import Calendar
from engine.market.dated_rows import PeriodRow, read_table, row_on

FILE = Path(__file__).with_name("safeguards.json")

BandClass = Literal["fixed", "derivative stock", "etf"]
Underlying = Literal["index", "stock"]


class MarketHalt(NamedTuple):
    """A market-wide halt, then a pre-open of `pre_open_minutes`.

    `minutes` is its length, None the rest of the day.
    """

    percent: float
    minutes: int | None
    pre_open_minutes: int


class BandFlex(NamedTuple):
    """A flexed price band.

    It has a percent, and the minutes the flexing takes, later in the day or in its end.
    """

    percent: float
    minutes: int
    late_minutes: int


class _HaltRow(PeriodRow, frozen=True, kw_only=True):
    percent: float
    since: str
    before: str
    minutes: int | None
    pre_open_minutes: int = 0


class _BandRow(
    PeriodRow,
    frozen=True,
    kw_only=True,
    rename={"first": "from", "last": "until", "band_class": "class"},
):
    band_class: BandClass
    start: list[float]
    flex: tuple[tuple[float, int, int], ...] = ()
    ceiling: float = 0.0


class _AuctionRow(
    PeriodRow, frozen=True, kw_only=True, rename={"first": "from", "last": "until", "but": "except"}
):
    percent: float
    but: frozenset[str]
    futures: frozenset[Underlying]
    icebergs_stay: bool = False


class _DistanceRow(PeriodRow, frozen=True, kw_only=True):
    kinds: list[str]
    percent: float
    rupees: float

    def at(self, price: float) -> float:
        return max(price * self.percent / 100.0, self.rupees)


class _ExecutionRangeRow(_DistanceRow, frozen=True, kw_only=True):
    exchange: str
    on: list[Underlying]


class _ExpiryRow(PeriodRow, frozen=True, kw_only=True):
    exchange: str
    names: list[str]
    weekday: int
    weekly: bool


class _SafeguardTable(msgspec.Struct, forbid_unknown_fields=True):
    about: str
    read: date
    sources: dict[str, str]
    halts: list[_HaltRow]
    bands: list[_BandRow]
    auction: list[_AuctionRow]
    protection: list[_ExecutionRangeRow]
    stop_gap: list[_DistanceRow]
    expiries: list[_ExpiryRow]


class TradingSafeguards:
    """The rules of every day the table covers."""

    def __init__(self, table: _SafeguardTable) -> None:
        self._table = table

    @classmethod
    def load(cls, file: Path = FILE) -> Self:
        """Read the table; raise `DataError` where it is missing or malformed."""
        return cls(read_table(file, _SafeguardTable))

    def halt(self, day: date, percent: float, clock: str) -> MarketHalt | None:
        """Return the halt after a move of NIFTY 50 or SENSEX by `percent` (either way).

        `clock` is the time of day in IST, HH:MM.
        """
        row_on(self._table.halts, day, "market-wide halts", FILE)
        hit = None
        for row in self._table.halts:
            there = row.first <= day <= row.last and row.since <= clock < row.before
            # The three stages (10, 15, 20 %) have rows of their own; the highest that is reached
            # counts.
            if there and abs(percent) >= row.percent and (hit is None or row.percent > hit.percent):
                hit = row
        return MarketHalt(hit.percent, hit.minutes, hit.pre_open_minutes) if hit else None

    def band_percents(self, day: date, kind: BandClass) -> list[float]:
        """Return the price bands a share of this class can begin the day with, in percent."""
        return self._band_row(day, kind).start

    def flexes(self, day: date, count: int, kind: BandClass = "derivative stock") -> list[BandFlex]:
        """Return how the band widens when it is hit `count` times; empty for a band that stays."""
        row = self._band_row(day, kind)
        percent, found = row.start[0], []
        for number in range(count if row.flex else 0):
            # The last step goes on for every further hit.
            more, minutes, late = row.flex[min(number, len(row.flex) - 1)]
            percent += more
            found.append(BandFlex(percent, minutes, late))
        return found

    def auction_percent(self, day: date) -> float:
        """Return how far from its reference price the closing auction may end."""
        return row_on(self._table.auction, day, "closing auction", FILE).percent

    def bands_futures(self, day: date, underlying: Underlying) -> bool:
        """Return whether the closing auction's band bounds futures as well.

        It then does so from its beginning to their own close.
        """
        return any(
            underlying in row.futures for row in self._table.auction if row.first <= day <= row.last
        )

    def icebergs_stay(self, day: date) -> bool:
        """Return whether an iceberg order within the band is carried into the closing auction.

        Otherwise it is cancelled.
        """
        return any(row.icebergs_stay for row in self._table.auction if row.first <= day <= row.last)

    def closes_by_auction(
        self, day: date, exchange: str, symbol: str, *, has_derivatives: bool
    ) -> bool:
        """Return whether a share's day ends in the closing auction (`cas` in the calendar)."""
        rows = (row for row in self._table.auction if row.first <= day <= row.last)
        return has_derivatives and any(f"{exchange}:{symbol}" not in row.but for row in rows)

    def execution_range(
        self, day: date, exchange: str, kind: str, underlying: Underlying, reference: float
    ) -> tuple[float, float]:
        """Return the range in which limit price protection lets a contract trade.

        It lies around the average of the last 30 seconds.
        """
        rows = (
            row
            for row in self._table.protection
            if row.exchange == exchange and kind in row.kinds and underlying in row.on
        )
        distance = row_on(
            rows, day, f"limit price protection of {underlying} {kind} on {exchange}", FILE
        ).at(reference)
        return max(reference - distance, 0.0), reference + distance

    def stop_limit_gap(self, day: date, kind: str, trigger: float) -> float:
        """Return the largest gap of trigger and limit of a stop order in an index contract."""
        rows = (row for row in self._table.stop_gap if kind in row.kinds)
        return row_on(rows, day, f"stop-limit gap of {kind}", FILE).at(trigger)

    def expiries(
        self,
        calendar: Calendar,
        name: str,
        first: date,
        last: date,
        exchange: str = "NFO",
        *,
        monthly: bool = False,
    ) -> list[date]:
        """Return the days from `first` to `last` on which contracts on an underlying expire.

        They are all of them, or the monthly ones. An expiry on a holiday is on the trading day
        before (one that so moves into the month before is not seen from there). Raises `DataError`
        beyond the holiday lists.
        """
        found = set()
        end = _month_end(last)
        for ordinal in range(first.toordinal(), end.toordinal() + 1):
            day = date.fromordinal(ordinal)
            row = self._expiry_row(day, name, exchange)
            # Monthly contracts expire on the last such weekday of the month.
            last_of_month = (day + timedelta(days=7)).month != day.month
            if day.weekday() == row.weekday and (last_of_month or (row.weekly and not monthly)):
                found.add(calendar.latest_trading_day(day, exchange))
        return sorted(day for day in found if first <= day <= last)

    def _expiry_row(self, day: date, name: str, exchange: str) -> _ExpiryRow:
        rows = [
            row
            for row in self._table.expiries
            if row.exchange == exchange and (name in row.names or not row.names)
        ]
        # A row that names the underlying goes before the one for all.
        rows.sort(key=lambda row: not row.names)
        return row_on(rows, day, f"expiry day of {name} on {exchange}", FILE)

    def _band_row(self, day: date, kind: BandClass) -> _BandRow:
        rows = (row for row in self._table.bands if row.band_class == kind)
        return row_on(rows, day, f"price band of a {kind}", FILE)


def price_band(close: float, percent: float, tick: float) -> tuple[float, float]:
    """Return the lowest and the highest price on the grid within `percent` of a close."""
    grid = tick * 100.0
    # Rounded first: a quotient that should be whole must not go up by one for its last bit.
    lowest = ceil(round(close * (100.0 - percent) / grid, 6))
    highest = floor(round(close * (100.0 + percent) / grid, 6))
    return round(lowest * tick, 4), round(highest * tick, 4)


def _month_end(day: date) -> date:
    # The 28th plus four days is in the next month whatever the month.
    following = day.replace(day=28) + timedelta(days=4)
    return following - timedelta(days=following.day)
