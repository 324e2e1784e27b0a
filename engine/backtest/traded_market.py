"""The market of a backtest as of its days: instruments, sessions, and daily charges."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

import numpy as np

from compiled.accounting.charges import ChargeRates, rates_key
from compiled.backtest.recording import RecordedSessions
from compiled.model.values import SECOND, Instrument, Product, TradingHours
from engine.backtest.clocked_bars import is_on_grid
from engine.errors import DataError
from engine.history.bar_series import BarSeries, Floats
from engine.market.calendar import Calendar
from engine.market.charges import ChargeSource, charge_segment
from engine.market.instrument_hours import InstrumentHours
from engine.market.instruments import INDICES, InstrumentList, day_as_number
from engine.market.order_rules import OrderRules
from engine.market.safeguards import TradingSafeguards

PRODUCTS: Final = (Product.CNC, Product.MIS, Product.MTF)
INDEX_NAMES: Final = frozenset(symbol for _, symbol in INDICES.values()) | {*INDICES, "INDIA VIX"}
TICKS: Final = (0.05, 0.01)
CONTRACT: Final = re.compile(r"\d{2}([A-Z]{3}|[1-9OND]\d{2})\d*(\.\d+)?(FUT|CE|PE)$")
"""How the exchanges call futures and options: NIFTY26NOVFUT, NIFTY26N1026000CE."""


class TradedMarket(NamedTuple):
    """The traded instruments and their sessions.

    `days` are those of the sessions, `left` the omitted ones with the reason.
    """

    instruments: dict[str, Instrument]
    sessions: RecordedSessions
    days: list[date]
    left: dict[date, str]

    def since(self, first: int = 0) -> "TradedMarket":
        """Return it without its first sessions, its sessions at their beginning.

        A replay goes through them once.
        """
        return self._with_sessions(range(first, len(self.days)))

    def on_days(self, days: Collection[date]) -> "TradedMarket":
        """Return it with its sessions on these days alone, at their beginning."""
        return self._with_sessions([at for at, day in enumerate(self.days) if day in days])

    def _with_sessions(self, places: Sequence[int]) -> "TradedMarket":
        its = self.sessions
        sessions = RecordedSessions(
            [its.opens[at] for at in places],
            [its.closes[at] for at in places],
            [its.hours[at] for at in places],
            [its.rates[at] for at in places],
        )
        return self._replace(sessions=sessions, days=[self.days[at] for at in places])


def instruments_of(
    series: Mapping[str, BarSeries],
    listed: InstrumentList | None,
    day: date,
    *,
    adjusted: Collection[str] = (),
    grids: Mapping[str, int] | None = None,
) -> dict[str, Instrument]:
    """Return the instruments by symbol, as the list of a day has them, else as rules and prices do.

    An instrument missing in the list gets a token of its own, above all that an exchange gives.
    Raises `DataError` for a contract: the desk trades shares.
    """
    prices = {symbol: bars[1:5] for symbol, bars in series.items()}
    return instruments_by_prices(prices, listed, day, adjusted=adjusted, grids=grids)


def instruments_by_prices(
    prices: Mapping[str, Sequence[Floats]],
    listed: InstrumentList | None,
    day: date,
    *,
    adjusted: Collection[str] = (),
    grids: Mapping[str, int] | None = None,
) -> dict[str, Instrument]:
    """Return instruments as `instruments_of` does, of columns of prices (₹), the newest last."""
    found: dict[str, Instrument] = {}
    rules = OrderRules.load()
    limits = rules.order_limits(max(day, rules.begins))
    for number, (symbol, columns) in enumerate(prices.items(), start=1):
        if CONTRACT.search(symbol):
            raise DataError(
                f"{symbol} is a contract: the desk trades shares, and so do its backtests"
            )
        usual = rules.tick_size(max(day, rules.begins), float(columns[-1][-1]))
        row = listed.find("NSE", symbol) if listed is not None else None
        if row is not None:
            token, tick, lot, kind, name = row.token, row.tick, row.lot, row.kind, row.name
        else:
            token, tick, lot, kind, name = (
                10**9 + number,
                usual,
                1,
                "INDEX" if symbol in INDEX_NAMES else "EQ",
                "",
            )
        tick = usual if symbol in adjusted else tick_of(columns, tick, (grids or {}).get(symbol, 0))
        found[symbol] = Instrument(
            token, "NSE", symbol=symbol, tick=tick, lot=lot, kind=kind, name=name
        )
        if kind == "EQ":
            found[symbol].freeze = limits.max_quantity
    return found


def tick_of(prices: Sequence[Floats], usual: float, grid: int = 0) -> float:
    """Return the grid (₹) of columns of prices, whose `price_grid` may be known.

    It is the usual one where they all stand on it, or the coarsest finer one on which they do.
    """
    for tick in (usual, *(each for each in TICKS if each < usual)):
        if is_on_grid(grid, tick) or all(_are_on_grid(column, tick) for column in prices):
            return tick
    return TICKS[-1]


def _are_on_grid(prices: Floats, tick: float) -> bool:
    exact = prices / tick
    return bool((np.abs(exact - np.rint(exact)) < 1e-3).all())


def market_of(
    instruments: Mapping[str, Instrument],
    days: Sequence[date],
    calendar: Calendar,
    table: ChargeSource,
    derivatives: Collection[str] | None,
    early: int,
    span: int = 60,
) -> TradedMarket:
    """Return the sessions of some days, each with its hours and charges.

    `early` (ns) as `InstrumentHours.trading` has it. Intraday positions are left with a bar of
    `span` seconds that begins before the broker squares them off: where none does, as with bars of
    days, there are none; with ticks (0) it is `early` alone that says when. A day unknown to the
    calendar or the table of charges is left out and named.
    """
    hours = InstrumentHours(calendar, TradingSafeguards.load(), derivatives)
    traded = [each for each in instruments.values() if each.kind != "INDEX"]
    opens: list[int] = []
    closes: list[int] = []
    kept = []
    rates: list[dict[int, ChargeRates]] = []
    kept_days: list[date] = []
    left: dict[date, str] = {}
    known: dict[tuple[str, ...], dict[int, ChargeRates]] = {}
    for day in days:
        try:
            one = hours.sessions([day], list(instruments.values()), early)
            charges = _day_charges(table, traded, day, known)
        except (DataError, LookupError, ValueError) as error:
            left[day] = str(error.args[0])
            continue
        for each in one.hours[0].values() if span else ():
            each.square_off = min(int(each.square_off), _last_bar_start(each, span))
        opens.append(int(one.opens[0]))
        closes.append(int(one.closes[0]))
        kept.append(one.hours[0])
        rates.append(charges)
        kept_days.append(day)
    if not kept_days:
        why = next(iter(left.values()), "the history has no bars there")
        raise DataError(f"no day of these can be traded: {why}")
    return TradedMarket(
        dict(instruments), RecordedSessions(opens, closes, kept, rates), kept_days, left
    )


def _last_bar_start(hours: TradingHours, span: int) -> int:
    """Return the start of the last bar (ns) that an intraday position can be left with."""
    opens = int(hours.opens)
    return (
        opens + (int(hours.squared or hours.closes) - 1 - opens) // (span * SECOND) * span * SECOND
    )


def _day_charges(
    table: ChargeSource,
    traded: Sequence[Instrument],
    day: date,
    known: dict[tuple[str, ...], dict[int, ChargeRates]],
) -> dict[int, ChargeRates]:
    """Return the charges of a day by `rates_key`.

    It is the same object as long as they do not change.
    """
    rates: dict[tuple[str, str], ChargeRates] = {}
    for product in PRODUCTS:
        for key in {(charge_segment(each, product), each.exchange) for each in traded}:
            try:
                rates[key] = table.rates(*key, day_as_number(day))
            except LookupError:
                # what it cost is not known of all days: none is bought on these
                if product is not Product.MTF:
                    raise
    # rates are new objects each time they are asked for: what they say is compared
    said = tuple(
        sorted(" ".join(map(str, (*key, *_rate_numbers(each)))) for key, each in rates.items())
    )
    if said not in known:
        known[said] = {
            int(rates_key(each.token, product)): rates[charge_segment(each, product), each.exchange]
            for each in traded
            for product in PRODUCTS
            if (charge_segment(each, product), each.exchange) in rates
        }
    return known[said]


def _rate_numbers(rates: ChargeRates) -> tuple[int, ...]:
    return (
        int(rates.brokerage),
        int(rates.flat),
        int(rates.cap),
        int(rates.tax_buy),
        int(rates.tax_sell),
        int(rates.txn),
        int(rates.ipft),
        int(rates.sebi),
        int(rates.stamp_buy),
        int(rates.stamp_sell),
        int(rates.gst),
    )
