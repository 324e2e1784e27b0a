"""The generated part of the universe: futures and options, BSE twins, commodities, and as many shares as asked for.

Sizes and expiries are plausible, not the exchanges': NFO contracts expire on the last Tuesday of their month,
commodities on its 20th, or the trading day before; lots are those of `rules.json` or about ₹7.5 lakh's worth.
"""

import calendar
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import count
from random import Random
from typing import Literal, NamedTuple

from brokers.sandbox import sessions
from brokers.sandbox.day_rules import DayRules
from brokers.sandbox.fair import Drift, Fair, Follow, Option
from brokers.sandbox.listing import Contract, Index, Listing, Spot
from compiled.model import Instrument
from engine.market.instruments import as_number

SEGMENTS: Mapping[str, int] = {"NSE": 1, "NFO": 2, "BSE": 4, "MCX": 7}
TYPES: Mapping[str, str] = {"FUT": "FUT", "CE": "OPT", "PE": "OPT"}
COMMODITIES: Mapping[str, tuple[float, float]] = {
    "GOLD": (128_400.0, 1.0),
    "SILVER": (161_250.0, 1.0),
    "CRUDEOIL": (5_312.0, 1.0),
    "NATURALGAS": (398.4, 0.1),
    "COPPER": (1_012.35, 0.05),
}
"""Name → previous close of the near month, and tick."""
MONTHS = 3
INDEX_SIGMA, SHARE_SIGMA = 0.13, 0.26
STRIKES = 20
"""Each side of the money, of the near month."""
BAND = 0.1
OPTION_REACH = 4.0
"""Band of an option: this many times its previous close, or rupees 10 more."""
LOW_PRICE = 1.0


class Made(NamedTuple):
    """One generated listing and what it is worth."""

    listing: Listing
    fair: Fair


def expiries(day: date, months: int, last_weekday: int | None, exchange: str) -> list[date]:
    """Return the next monthly expiries: the last such weekday of the month (Monday 0), or its 20th.

    One on a holiday of the exchange moves to the trading day before.
    """
    found: list[date] = []
    year, month = day.year, day.month
    while len(found) < months:
        expiry = date(year, month, 20 if last_weekday is None else calendar.monthrange(year, month)[1])
        while last_weekday is not None and expiry.weekday() != last_weekday:
            expiry -= timedelta(days=1)
        expiry = sessions.trading_day(expiry, exchange)
        if expiry >= day:
            found.append(expiry)
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return found


def contract_symbol(name: str, expiry: date, strike: float = 0.0, kind: str = "FUT") -> str:
    """Return a symbol as Kite writes it: NIFTY26NOVFUT, NIFTY26NOV26000CE."""
    month = expiry.strftime("%y%b").upper()
    return f"{name}{month}FUT" if not strike else f"{name}{month}{strike:g}{kind}"


class Maker:
    """Makes listings with tokens of their exchange."""

    def __init__(self, day: date, rules: DayRules, seed: int) -> None:
        self._day = day
        self._rules = rules
        self._seed = seed
        self._numbers = count(100_001)

    def _years(self, expiry: date) -> float:
        return max(0.5, (expiry - self._day).days) / 365.0

    def _random(self, key: str) -> Random:
        return Random(f"{self._seed}:{key}")  # noqa: S311 a simulation, not a secret

    def _listing(
        self, exchange: str, symbol: str, close: float, tick: float, kind: Literal["EQ", "FUT", "CE", "PE"],
        lot: int, freeze: int, name: str, contract: Contract | None,
    ) -> Listing:  # fmt: skip
        token = next(self._numbers) << 8 | SEGMENTS[exchange]
        made = Instrument(token, exchange, symbol, tick, lot, kind, name, freeze=freeze)
        made.expiry = as_number(contract.expiry if contract else None)
        made.close = max(tick, made.snap(close))
        if kind in TYPES and kind != "FUT":
            made.lower, made.upper = tick, made.snap(made.close * OPTION_REACH + 10.0)
        else:
            made.lower, made.upper = made.snap(made.close * (1 - BAND), 1), made.snap(made.close * (1 + BAND), -1)
        multiplier = self._rules.multiplier(exchange, symbol)
        listing = Listing(made, self._rules, prints=True, contract=contract, multiplier=multiplier)
        listing.oi = lot * self._random(f"{symbol}:oi").randrange(500, 50_000) if contract else 0
        return listing

    def future(self, name: str, spot: Spot, close: float, expiry: date, *, index: bool) -> Made:
        """Return an NFO future."""
        lot = self._rules.lot(name, close)
        fair = Follow(spot, self._years(expiry))
        tick = self._rules.tick(close, "index future" if index else "stock future")
        symbol = contract_symbol(name, expiry)
        return Made(
            self._listing(
                "NFO", symbol, fair.step(0, 0), tick, "FUT", lot, self._rules.freeze(name, lot), name,
                Contract(name, expiry, 0.0, spot, self._years(expiry)),
            ),
            fair,
        )  # fmt: skip

    def option(self, name: str, spot: Spot, close: float, expiry: date, strike: float, sign: int, sigma: float) -> Made:
        """Return an NFO option; `sign` 1: a call, -1: a put."""
        lot = self._rules.lot(name, close)
        fair = Option(spot, strike, self._years(expiry), sigma, sign)
        kind: Literal["CE", "PE"] = "CE" if sign > 0 else "PE"
        tick = self._rules.tick(close, "option")
        symbol = contract_symbol(name, expiry, strike, kind)
        return Made(
            self._listing(
                "NFO", symbol, fair.step(0, 0), tick, kind, lot, self._rules.freeze(name, lot), name,
                Contract(name, expiry, strike, spot, self._years(expiry), sigma),
            ),
            fair,
        )  # fmt: skip

    def twin(self, share: Listing) -> Made:
        """Return the same share on BSE."""
        of = share.instrument
        listing = self._listing("BSE", of.symbol, of.close, of.tick, "EQ", 1, int(of.freeze), of.name, None)
        return Made(listing, Follow(share))

    def commodity(self, name: str, expiry: date) -> Made:
        """Return an MCX future, which has no underlying here."""
        close, tick = COMMODITIES[name]
        close *= 1.0 + 0.005 * self._years(expiry)
        symbol = contract_symbol(name, expiry)
        listing = self._listing("MCX", symbol, close, tick, "FUT", 1, 1_000, name, Contract(name, expiry))
        return Made(listing, Drift(listing.instrument.close, 0.1, self._random(symbol)))

    def share(self, number: int) -> Made:
        """Return an NSE share that is made up."""
        symbol = f"SBX{number:05d}"
        random = self._random(f"{symbol}:close")
        close = round(10 ** random.uniform(1.3, 3.6), 2)
        tick = self._rules.tick(close)
        listing = self._listing(
            "NSE", symbol, close, tick, "EQ", 1, self._rules.orders.max_quantity, f"SANDBOX {number}", None
        )
        beta = random.uniform(0.4, 1.6)
        return Made(listing, Drift(listing.instrument.close, beta, self._random(symbol)))


def generated(
    day: date, rules: DayRules, seed: int, shares: list[Listing], index: Index, exchanges: tuple[str, ...], size: int
) -> Iterator[Made]:
    """Return the listings beside the named shares: the exchanges' contracts first, then shares until there are `size`."""
    maker = Maker(day, rules, seed)
    made = len(shares) + 1
    for one in _contracts(maker, day, shares, index, exchanges):
        if size and made >= size:
            return
        made += 1
        yield one
    for number in range(1, size - made + 1):
        yield maker.share(number)


def _contracts(
    maker: Maker, day: date, shares: list[Listing], index: Index, exchanges: tuple[str, ...]
) -> Iterator[Made]:
    if "BSE" in exchanges:
        yield from (maker.twin(share) for share in shares)
    if "MCX" in exchanges:
        dates = expiries(day, 2, None, "MCX")
        yield from (maker.commodity(name, expiry) for name in COMMODITIES for expiry in dates)
    if "NFO" not in exchanges:
        return
    dates = expiries(day, MONTHS, 1, "NFO")
    spots: list[tuple[str, Spot, float]] = [("NIFTY", index, index.instrument.close)]
    spots += [(share.instrument.symbol, share, share.instrument.close) for share in shares]
    for name, spot, close in spots:
        yield from (maker.future(name, spot, close, expiry, index=name == "NIFTY") for expiry in dates)
    for name, spot, close in spots:
        yield from _chain(maker, name, spot, close, dates[0])


def _chain(maker: Maker, name: str, spot: Spot, close: float, expiry: date) -> Iterator[Made]:
    step = strike_step(close)
    middle = round(close / step) * step
    sigma = INDEX_SIGMA if name == "NIFTY" else SHARE_SIGMA
    for away in range(-STRIKES, STRIKES + 1):
        strike = middle + away * step
        if strike > step and abs(strike / close - 1.0) < 0.25:
            for sign in (1, -1):
                yield maker.option(name, spot, close, expiry, strike, sign, sigma)


def strike_step(close: float) -> float:
    """Return the distance between two strikes: about 0.5 % to 1 % of the price, on a round number."""
    steps = (1.0, 2.5, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
    return next((step for step in steps if step >= close * 0.0035), 1_000.0)
