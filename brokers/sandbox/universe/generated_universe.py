"""The rows of a generated universe: what an instrument dump of it would list.

Sizes and expiries are plausible, not the exchanges': NFO contracts expire on the last Tuesday of
their month, commodities on its 20th, or the trading day before; lots are those of `rules.json` or
about ₹7.5 lakh's worth.
"""

import calendar
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import count
from random import Random
from typing import NamedTuple, final

from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.market import session_phases
from brokers.sandbox.market.day_rules import DayRules
from brokers.sandbox.universe import known_shares
from brokers.sandbox.universe.known_indices import INDEX_NAMES, NIFTY_50
from engine.market.instruments import INDICES
from engine.market.instruments import InstrumentListing as Row

SEGMENTS: Mapping[str, int] = {"NSE": 1, "NFO": 2, "BSE": 4, "BFO": 5, "MCX": 7}
COMMODITIES: Mapping[str, tuple[float, float]] = {
    "GOLD": (128_400.0, 1.0),
    "SILVER": (161_250.0, 1.0),
    "CRUDEOIL": (5_312.0, 1.0),
    "NATURALGAS": (398.4, 0.1),
    "COPPER": (1_012.35, 0.05),
}
"""Name → previous close of the near month, and tick."""
MONTHS = 3
STRIKES = 20
"""Each side of the money, of the near month."""


class ContractUnderlying(NamedTuple):
    """Underlying of contracts: name in symbols, previous close in rupees, whether an index."""

    name: str
    close: float
    is_index: bool


NSE_INDICES = ("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY")
BSE_INDICES = ("SENSEX", "BANKEX")
WEEKLIES: Mapping[str, int] = {"NIFTY": 1, "SENSEX": 3}
"""Index with options that expire every week → their weekday (Monday 0)."""
WEEKS = 4


def monthly_expiries(day: date, months: int, last_weekday: int | None, exchange: str) -> list[date]:
    """Return the next monthly expiries: the last such weekday of the month (Monday 0), or its 20th.

    One on a holiday of the exchange moves to the trading day before.
    """
    found: list[date] = []
    year, month = day.year, day.month
    while len(found) < months:
        expiry = date(
            year, month, 20 if last_weekday is None else calendar.monthrange(year, month)[1]
        )
        while last_weekday is not None and expiry.weekday() != last_weekday:
            expiry -= timedelta(days=1)
        # Only now: a holiday moves the expiry, and may move it before the day.
        expiry = session_phases.trading_day(expiry, exchange)
        if expiry >= day:
            found.append(expiry)
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return found


def weekly_expiries(day: date, weekday: int, exchange: str) -> list[date]:
    """Return the next weekly expiries, one on a holiday moved to the trading day before."""
    first = day + timedelta(days=(weekday - day.weekday()) % 7)
    dates = (
        session_phases.trading_day(first + timedelta(weeks=ahead), exchange)
        for ahead in range(WEEKS + 1)
    )
    return [expiry for expiry in dates if expiry >= day][:WEEKS]


def contract_symbol(
    name: str, expiry: date, strike: float = 0.0, kind: str = "FUT", *, weekly: bool = False
) -> str:
    """Return a symbol as Kite writes it.

    NIFTY26NOVFUT, NIFTY26NOV26000CE; NIFTY26N1026000CE is a weekly option.
    """
    month = expiry.strftime("%y%b").upper()
    if weekly:
        # Weeklies have one sign for the month: 1 to 9, then O, N and D.
        digit = expiry.month if expiry.month < 10 else "OND"[expiry.month - 10]
        month = f"{expiry:%y}{digit}{expiry:%d}"
    return f"{name}{month}FUT" if not strike else f"{name}{month}{strike:g}{kind}"


@final
class RowMaker:
    """Maker of rows with tokens of their exchange.

    `closes` collects previous closes in rupees, by symbol or underlying. Strikes stand around the
    known prices, wherever a share has `moved` to (rupees, by symbol).
    """

    def __init__(
        self, day: date, rules: DayRules, seed: int, moved: Mapping[str, float] | None = None
    ) -> None:
        self._day = day
        self._rules = rules
        self._seed = seed
        self._moved = moved or {}
        self._numbers = count(100_001)
        self.closes: dict[str, float] = {}

    def _next_token(self, exchange: str) -> int:
        return next(self._numbers) << 8 | SEGMENTS[exchange]

    def share(self, symbol: str) -> Row:
        """Return a known NSE share."""
        known = known_shares.KNOWN[symbol]
        # The tick follows from the price as it is by now, and the strikes from the known one.
        tick = self._rules.tick(self._moved.get(symbol, known.price))
        self.closes[symbol] = known.price
        return Row(known.token, "NSE", symbol=symbol, name=known.title, kind="EQ", tick=tick, lot=1)

    def index(self, symbol: str) -> Row:
        """Return an index."""
        of = INDEX_NAMES[symbol]
        self.closes[symbol] = of.level
        return Row(
            of.token, of.exchange, symbol=symbol, name=symbol, kind="INDEX", tick=0.01, lot=1
        )

    def twin(self, share: Row) -> Row:
        """Return the same share on BSE."""
        return Row(
            self._next_token("BSE"),
            "BSE",
            symbol=share.symbol,
            name=share.name,
            kind="EQ",
            tick=share.tick,
            lot=1,
        )

    def commodity(self, name: str, expiry: date) -> Row:
        """Return an MCX future, which has no underlying here."""
        return Row(
            self._next_token("MCX"),
            "MCX",
            symbol=contract_symbol(name, expiry),
            name=name,
            kind="FUT",
            tick=COMMODITIES[name][1],
            lot=1,
            expiry=expiry,
        )

    def future(self, exchange: str, of: ContractUnderlying, expiry: date) -> Row:
        """Return a future on a share or an index."""
        tick = self._rules.tick(of.close, "index future" if of.is_index else "stock future")
        lot = self._rules.lot(of.name, of.close)
        return Row(
            self._next_token(exchange),
            exchange,
            symbol=contract_symbol(of.name, expiry),
            name=of.name,
            kind="FUT",
            tick=tick,
            lot=lot,
            expiry=expiry,
        )

    def option_chain(
        self, exchange: str, of: ContractUnderlying, expiry: date, *, weekly: bool = False
    ) -> Iterator[Row]:
        """Yield the options of one expiry: calls and puts around the money."""
        step = strike_step(of.close)
        middle = round(of.close / step) * step
        lot, tick = self._rules.lot(of.name, of.close), self._rules.tick(of.close, "option")
        for away in range(-STRIKES, STRIKES + 1):
            strike = middle + away * step
            if strike > step and abs(strike / of.close - 1.0) < 0.25:
                for kind in ("CE", "PE"):
                    symbol = contract_symbol(of.name, expiry, strike, kind, weekly=weekly)
                    yield Row(
                        self._next_token(exchange),
                        exchange,
                        symbol=symbol,
                        name=of.name,
                        kind=kind,
                        tick=tick,
                        lot=lot,
                        expiry=expiry,
                        strike=strike,
                    )

    def made_up_share(self, number: int) -> Row:
        """Return an NSE share that is made up."""
        symbol = f"SBX{number:05d}"
        random = Random(f"{self._seed}:{symbol}:close")  # noqa: S311 a simulation, not a secret
        self.closes[symbol] = close = round(10 ** random.uniform(1.3, 3.6), 2)
        return Row(
            self._next_token("NSE"),
            "NSE",
            symbol=symbol,
            name=f"SANDBOX {number}",
            kind="EQ",
            tick=self._rules.tick(close),
            lot=1,
        )


def generated_rows(
    maker: RowMaker, day: date, names: Sequence[str], config: SandboxConfig
) -> list[Row]:
    """Return the rows of a configuration: named shares and their index first, made-up ones last."""
    shares = [maker.share(name) for name in names]
    rows = [*shares, maker.index(NIFTY_50)]
    if config.wide:
        rest = [maker.share(name) for name in known_shares.KNOWN if name not in names]
        rows += [*rest, *(maker.index(name) for name in INDEX_NAMES if name != NIFTY_50)]
        shares += rest
    rows += _contract_rows(maker, day, shares, config)
    if not config.size:
        return rows
    return rows[: config.size] + [
        maker.made_up_share(number + 1) for number in range(config.size - len(rows))
    ]


def _contract_rows(
    maker: RowMaker, day: date, shares: list[Row], config: SandboxConfig
) -> Iterator[Row]:
    exchanges = config.exchanges
    if "BSE" in exchanges:
        yield from (maker.twin(share) for share in shares)
    if "MCX" in exchanges:
        dates = monthly_expiries(day, 2, None, "MCX")
        yield from (maker.commodity(name, expiry) for name in COMMODITIES for expiry in dates)
    if "NFO" in exchanges:
        indices = _index_underlyings(NSE_INDICES if config.wide else NSE_INDICES[:1])
        spots = [
            ContractUnderlying(share.symbol, maker.closes[share.symbol], is_index=False)
            for share in shares
        ]
        yield from _derivative_rows(maker, day, "NFO", 1, [*indices, *spots])
    if "BFO" in exchanges and config.wide:
        yield from _derivative_rows(maker, day, "BFO", 3, _index_underlyings(BSE_INDICES))


def _index_underlyings(names: Sequence[str]) -> list[ContractUnderlying]:
    return [
        ContractUnderlying(name, INDEX_NAMES[INDICES[name][1]].level, is_index=True)
        for name in names
    ]


def _derivative_rows(
    maker: RowMaker,
    day: date,
    exchange: str,
    weekday: int,
    underlyings: Sequence[ContractUnderlying],
) -> Iterator[Row]:
    """Yield three months of futures, and options of the near month and of four weeks."""
    dates = monthly_expiries(day, MONTHS, weekday, exchange)
    for of in underlyings:
        yield from (maker.future(exchange, of, expiry) for expiry in dates)
    for of in underlyings:
        yield from maker.option_chain(exchange, of, dates[0])
        for expiry in (
            weekly_expiries(day, WEEKLIES[of.name], exchange) if of.name in WEEKLIES else ()
        ):
            if expiry not in dates:
                yield from maker.option_chain(exchange, of, expiry, weekly=True)


def strike_step(close: float) -> float:
    """Return the distance between two strikes: 0.5 % to 1 % of the price, on a round number."""
    steps = (1.0, 2.5, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
    return next((step for step in steps if step >= close * 0.0035), 1_000.0)
