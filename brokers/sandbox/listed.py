"""What trades today, and when: the market of a configuration with its instruments, hours and past."""

from collections.abc import Sequence
from datetime import date
from random import Random
from typing import NamedTuple

from brokers.sandbox import ist, sessions, tape, universe
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.contracts import Made, generated
from brokers.sandbox.day_rules import DayRules
from brokers.sandbox.fair import Drift
from brokers.sandbox.history import Past, Recorded, Walk
from brokers.sandbox.listing import Index, Listing
from brokers.sandbox.market import Crowd, Market, Traders
from brokers.sandbox.sessions import CONTINUOUS, Group
from engine.errors import DataError
from engine.market.calendar import Phase
from engine.market.hours import Hours

RUN_CHANCE = 0.02
"""Of a share, each day, to run into its circuit limit."""
RUN_FROM = (3_600, 14_400)
"""Seconds after the open at which such a run begins."""


class Listed(NamedTuple):
    """A day's instruments."""

    market: Market
    past: Past
    basket: Index
    groups: list[Group]


def listed(config: SandboxConfig) -> Listed:
    """Return what a configuration lists; raise `ConfigError` or `DataError`."""
    dump, rules = universe.read_dump(config.instruments), DayRules(config.date)
    if config.tape is None:
        return _crowd(config, rules, dump)
    return _tape(config, rules, dump)


def _crowd(config: SandboxConfig, rules: DayRules, dump: universe.Dump) -> Listed:
    names = config.symbols or tuple(universe.NAMES)
    if config.size:
        names = names[: config.size]
    shares = [Listing(universe.default_share(name, rules, dump), rules, prints=True) for name in names]
    day = sessions.ist_date(config.date)
    index = Index(universe.nifty(), shares)
    traders = [_traders(share, config.seed) for share in shares]
    extra = list(generated(day, rules, config.seed, shares, index, config.exchanges, config.size))
    traders += [Traders(one.listing, one.fair, _random(config.seed, one)) for one in extra]
    for share in shares:
        share.book  # noqa: B018  the named shares trade in a book from the start
    listings = [*shares, *(one.listing for one in extra)]
    hours = sessions.keeping({share.instrument.symbol for share in shares})
    groups = _groups(day, hours, listings)
    main = groups[0]
    busy = (main.opens, max(phase.end for phase in main.phases if phase.name == CONTINUOUS))
    crowd = Crowd(listings, traders, config.seed, sessions.windows(groups), busy)
    return Listed(crowd, Walk(config.seed, config.date, hours), index, groups)


def _traders(share: Listing, seed: int) -> Traders:
    symbol = share.instrument.symbol
    random = Random(f"{seed}:{symbol}")  # noqa: S311 a simulation, not a secret
    fate = Random(f"{seed}:{symbol}:circuit")  # noqa: S311
    runs_at, runs_to = -1, 0.0
    if fate.random() < RUN_CHANCE:
        runs_at, runs_to = fate.randrange(*RUN_FROM), fate.choice((-1.0, 1.0))
    drift = Drift(share.instrument.close, universe.NAMES[symbol].beta, random, runs_at, runs_to)
    return Traders(share, drift, random)


def _random(seed: int, made: Made) -> Random:
    instrument = made.listing.instrument
    return Random(f"{seed}:{instrument.exchange}:{instrument.symbol}")  # noqa: S311 a simulation, not a secret


def _groups(day: date, hours: Hours, listings: Sequence[Listing]) -> list[Group]:
    """Return the listings by the hours they keep; the named shares have derivatives, generated ones have none."""
    groups: dict[tuple[str, str, bool, bool], Group] = {}
    near = _near(listings)
    for one in listings:
        exchange, kind = one.instrument.exchange, one.instrument.kind
        cas = hours.cas(day, one.instrument)
        called = one.contract is None or (
            kind == "FUT" and sessions.called_before_open(day, one.contract.expiry, near[exchange])
        )
        key = (exchange, kind if kind in {"EQ", "FUT"} else "CE", cas, called)
        if key not in groups:
            groups[key] = sessions.hours(day, exchange, key[1], cas=cas, called=called)
        groups[key].listings.append(one)
    return list(groups.values())


def _near(listings: Sequence[Listing]) -> dict[str, date]:
    """Return the first expiry of each exchange's futures."""
    found: dict[str, date] = {}
    for one in listings:
        if one.contract and one.instrument.kind == "FUT":
            exchange = one.instrument.exchange
            found[exchange] = min(one.contract.expiry, found.get(exchange, date.max))
    return found


def _tape(config: SandboxConfig, rules: DayRules, dump: universe.Dump) -> Listed:
    assert config.tape is not None
    records = tape.recorded(config.tape, config.symbols, config.date)
    shares = [tape.listed(symbol, config.date, record, rules, dump) for symbol, record in records.items()]
    days = [record.day(config.date) for record in records.values()]
    past = {int(share.token): record for share, record in zip(shares, records.values(), strict=True)}
    market = tape.Tape([Listing(share, rules, prints=False) for share in shares], days)
    group = Group(market.listings, (Phase(CONTINUOUS, market.opens, market.closes),))
    known = _known_hours(config.date)
    if known is not None:
        group = group._replace(square_off=known.square_off, amo=known.amo)
    return Listed(market, Recorded(past), Index(universe.nifty(), market.listings), [group])


def _known_hours(day: str) -> Group | None:
    """Return Zerodha's times for a recorded day; None where the calendar does not know the day."""
    try:
        return sessions.hours(date.fromisoformat(day), "NSE", "EQ", cas=False)
    except DataError:
        return None


def begin(config: SandboxConfig, market: Market) -> int:
    """Return the instant the clock starts at: the open, or the time asked for. A time before 09:15 is meant literally, later ones wait for the open."""
    if not config.start:
        return market.opens
    asked = ist.midnight(config.date) + ist.time_of_day(config.start)
    return asked if ist.time_of_day(config.start) < ist.time_of_day("09:15") else max(market.opens, asked)
