"""A universe of rows, of a real instrument dump or generated, made into instruments on demand.

A dump has no prices. A previous close is the middle of the strikes of the nearest expiry, the known
price of a named share, or drawn within what the row's tick size says; contracts are worth what
follows from their underlying.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from random import Random
from statistics import median
from typing import Final, Literal, NamedTuple, final

from brokers.sandbox.market import session_phases
from brokers.sandbox.market.day_rules import DayRules
from brokers.sandbox.market.exchange_listing import DerivativeContract, ExchangeListing, ListedIndex
from brokers.sandbox.market.fair_value import DriftingValue, Fair, FollowingValue, OptionValue
from brokers.sandbox.market.session_phases import SessionGroup
from brokers.sandbox.universe import known_shares
from brokers.sandbox.universe.generated_universe import COMMODITIES
from brokers.sandbox.universe.known_indices import FEWEST, FINE, INDEX_NAMES
from compiled.model.values import Instrument
from engine.errors import DataError
from engine.market.instruments import INDICES, day_as_number
from engine.market.instruments import InstrumentListing as Row
from engine.market.session_table import HoursClass

CONTRACTS: Final = {"FUT", "CE", "PE"}
INDEX_SIGMA, SHARE_SIGMA = 0.13, 0.26
"""Yearly volatility of options."""
BAND = 0.1
OPTION_REACH = 4.0
"""Band of an option: this many times its previous close, or rupees 10 more."""
HOMES = {"NFO": "NSE", "BFO": "BSE"}
"""Where the underlyings of a derivatives market stand."""
PRICES: dict[float, tuple[float, float]] = {
    0.01: (20.0, 240.0),
    0.05: (260.0, 990.0),
    0.1: (1_010.0, 4_900.0),
    0.5: (5_100.0, 9_900.0),
    1.0: (10_500.0, 19_500.0),
    5.0: (21_000.0, 60_000.0),
}
"""Tick of a share → between which prices it stands, by NSE's table."""

Find = Callable[[str], ExchangeListing | ListedIndex | None]
"""Return an instrument by its key, awake or made now."""


class AwakeInstrument(NamedTuple):
    """One instrument that is awake, and its fair value."""

    listing: ExchangeListing
    fair: Fair


class HoursKey(NamedTuple):
    """Key of the group an instrument belongs to."""

    exchange: str
    kind: str
    cas: bool
    expiring: bool
    called: bool


@final
class DumpUniverse:
    """The rows that are traded on a day.

    `closes`: previous closes that are known, by symbol or underlying, in rupees; `optioned`: shares
    that have derivatives whatever the rows say.
    """

    def __init__(
        self,
        rows: Iterable[Row],
        day: date,
        rules: DayRules,
        seed: int,
        closes: Mapping[str, float] | None = None,
        optioned: Collection[str] = (),
        *,
        new_hours: bool = True,
    ) -> None:
        self._day = day
        self._rules = rules
        self._seed = seed
        self._closes = closes or {}
        self._hours: dict[HoursKey, SessionGroup | None] = {}
        # A dump of an earlier day may still list contracts that have expired.
        alive = [row for row in rows if row.expiry is None or row.expiry >= day]
        self._optioned = {
            row.name for row in alive if row.kind in CONTRACTS and row.exchange in HOMES
        } | {*optioned}
        self.trading_hours = session_phases.instrument_hours(self._optioned, new=new_hours)
        """What says which shares close in an auction."""
        self._near: dict[str, date] = {}
        for row in alive:
            if row.kind == "FUT" and row.expiry is not None:
                self._near[row.exchange] = min(row.expiry, self._near.get(row.exchange, date.max))
        self.rows = {f"{row.exchange}:{row.symbol}": row for row in alive if self._is_traded(row)}
        self._strikes = _middle_strikes(alive)

    def _is_traded(self, row: Row) -> bool:
        return row.kind == "INDEX" or self.group(row) is not None

    def band_slides(self, row: Row) -> bool:
        """Return whether the band of a row slides during the day, as for F&O shares and futures."""
        if row.kind == "EQ":
            return row.exchange == "NSE" and row.symbol in self._optioned
        return row.kind == "FUT" and row.exchange in HOMES

    @property
    def groups(self) -> list[SessionGroup]:
        """Return every group an instrument of the dump may join."""
        return [group for group in self._hours.values() if group is not None]

    def group(self, row: Row) -> SessionGroup | None:
        """Return the hours a row keeps; None where they are unknown."""
        called = (
            row.kind != "FUT"
            or row.exchange == "MCX"
            or row.expiry is None
            or session_phases.called_before_open(self._day, row.expiry, self._near[row.exchange])
        )
        keeping = self.trading_hours.hours_class(self._day, row.instrument())
        # Calls and puts keep the same hours: one group for both.
        kind = "CE" if row.kind == "PE" else row.kind
        key = HoursKey(
            row.exchange,
            kind,
            keeping.cas,
            keeping.expiring,
            called and row.kind not in {"CE", "PE"},
        )
        if key not in self._hours:
            try:
                self._hours[key] = session_phases.group_hours(
                    self.trading_hours.calendar, self._day, HoursClass(*key[:4]), called=key.called
                )
            except DataError:
                # A class without known hours is not traded, rather than at hours that are made up.
                self._hours[key] = None
        return self._hours[key]

    def group_of(self, key: str) -> SessionGroup:
        """Return the hours of an instrument that is listed."""
        group = self.group(self.rows[key])
        assert group is not None
        return group

    def previous_close(self, row: Row) -> float:
        """Return a previous close that is plausible, rupees, off the grid."""
        name = row.symbol if row.kind in {"EQ", "INDEX"} else row.name
        if name in self._closes:
            return self._closes[name]
        for key, (exchange, symbol) in INDICES.items():
            if row.kind == "INDEX" and (exchange, symbol) == (row.exchange, row.symbol):
                name = key
        # Exchanges list strikes around the price, so their middle is a good guess at it.
        if name in self._strikes:
            return self._strikes[name]
        if row.exchange in {"NSE", "BSE"} and name in known_shares.KNOWN:
            return known_shares.KNOWN[name].price
        if name in COMMODITIES:
            # Later months stand a little higher, for the cost of carry.
            return COMMODITIES[name][0] * (1.0 + 0.005 * self._years_left(row))
        if row.kind == "INDEX" and row.symbol in INDEX_NAMES:
            return INDEX_NAMES[row.symbol].level
        low, high = PRICES.get(row.tick, (50.0, 500.0)) if row.kind == "EQ" else (1_000.0, 30_000.0)
        return self._seeded_random(f"{row.name}:{row.symbol}:close").uniform(low, high)

    def _years_left(self, row: Row) -> float:
        # Half a day at least: an option's value divides by the root of its time.
        return max(0.5, ((row.expiry or self._day) - self._day).days) / 365.0

    def _seeded_random(self, key: str) -> Random:
        return Random(f"{self._seed}:{key}")  # noqa: S311 a simulation, not a secret

    def index(self, row: Row, members: list[ExchangeListing]) -> ListedIndex:
        """Return an index, which moves with its members among the named shares, or with all."""
        of, close = INDEX_NAMES.get(row.symbol), round(self.previous_close(row), 2)
        step = FINE if row.exchange != "NSE" or (of is not None and of.gain != 1.0) else 0.05
        made = Instrument(
            row.token, row.exchange, row.symbol, step, kind="INDEX", name=row.name, close=close
        )
        if of is None:
            return ListedIndex(made, members)
        inside = [share for share in members if share.instrument.symbol in of.members]
        return ListedIndex(made, inside if len(inside) >= FEWEST else members, of.gain)

    def make(self, key: str, find: Find) -> AwakeInstrument:
        """Return a share or a contract, with whatever it follows made before it."""
        row = self.rows[key]
        spot = find(self._underlying_key(row))
        if row.kind == "EQ":
            twin = spot if isinstance(spot, ExchangeListing) else None
            fair: Fair = (
                FollowingValue(twin)
                if twin
                else DriftingValue(
                    self.previous_close(row), self._share_beta(row), self._seeded_random(key)
                )
            )
            return AwakeInstrument(
                self._make_listing(
                    row, twin.instrument.close if twin else self.previous_close(row), None
                ),
                fair,
            )
        years = self._years_left(row)
        sigma = SHARE_SIGMA if isinstance(spot, ExchangeListing) else INDEX_SIGMA
        contract = DerivativeContract(
            row.name,
            row.expiry or self._day,
            strike=row.strike,
            underlying=spot,
            years=years,
            sigma=sigma,
        )
        fair, close = _contract_value(
            row, contract, self.previous_close(row), self._seeded_random(key)
        )
        return AwakeInstrument(self._make_listing(row, close, contract), fair)

    def _share_beta(self, row: Row) -> float:
        known = known_shares.KNOWN.get(row.symbol)
        return known.beta if known else self._seeded_random(f"{row.symbol}:beta").uniform(0.4, 1.6)

    def _underlying_key(self, row: Row) -> str:
        """Return the key a row follows: a contract its underlying, BSE's share the one on NSE."""
        if row.kind == "EQ":
            # One share at two exchanges has one value: apart, they would invite arbitrage.
            return f"NSE:{row.symbol}" if row.exchange == "BSE" else ""
        home = HOMES.get(row.exchange, row.exchange)
        exchange, symbol = INDICES.get(row.name, (home, row.name))
        return f"{exchange}:{symbol}"

    def _make_listing(
        self, row: Row, close: float, contract: DerivativeContract | None
    ) -> ExchangeListing:
        kind: Literal["EQ", "FUT", "CE", "PE"] = row.kind  # type: ignore[assignment]  # no index comes here
        made = Instrument(
            row.token,
            row.exchange,
            symbol=row.symbol,
            tick=row.tick,
            lot=row.lot,
            kind=kind,
            name=row.name,
        )
        made.expiry = day_as_number(row.expiry)
        made.freeze = (
            self._rules.freeze(row.name, row.lot) if contract else self._rules.orders.max_quantity
        )
        # Far options are worth less than a tick, and still have a price.
        made.close = max(row.tick, made.snap(close))
        if kind in {"CE", "PE"}:
            made.lower, made.upper = row.tick, made.snap(made.close * OPTION_REACH + 10.0)
        else:
            made.lower, made.upper = (
                made.snap(made.close * (1 - BAND), 1),
                made.snap(made.close * (1 + BAND), -1),
            )
        times = self._rules.multiplier(row.exchange, row.symbol)
        listing = ExchangeListing(
            made, self._rules, prints=True, contract=contract, multiplier=times
        )
        listing.oi = (
            row.lot * self._seeded_random(f"{row.symbol}:oi").randrange(500, 50_000)
            if contract
            else 0
        )
        return listing


def _contract_value(
    row: Row, contract: DerivativeContract, close: float, random: Random
) -> tuple[Fair, float]:
    """Return the value of a contract from now on, and at the previous close."""
    spot = contract.underlying
    if spot is None:
        return DriftingValue(close, 0.1, random), close
    follows = (
        FollowingValue(spot, contract.years)
        if row.kind == "FUT"
        else OptionValue(
            spot, row.strike, contract.years, contract.sigma, 1 if row.kind == "CE" else -1
        )
    )
    return follows, follows.at(spot.instrument.close)


def _middle_strikes(rows: Iterable[Row]) -> dict[str, float]:
    """Return the middle of the strikes of each name's nearest expiry."""
    nearest: dict[str, tuple[date, list[float]]] = {}
    for row in rows:
        if row.kind not in {"CE", "PE"} or row.expiry is None or row.strike <= 0:
            continue
        expiry, strikes = nearest.get(row.name, (date.max, []))
        if row.expiry < expiry:
            nearest[row.name] = (row.expiry, [row.strike])
        elif row.expiry == expiry:
            strikes.append(row.strike)
    return {name: median(strikes) for name, (_, strikes) in nearest.items()}
