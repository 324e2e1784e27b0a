"""What trades today, and when: the market of a configuration with its instruments, hours and past."""

from collections.abc import Sequence
from datetime import date
from random import Random
from typing import NamedTuple

from brokers.sandbox import ist, sessions, tape, universe
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.contracts import Made, generated
from brokers.sandbox.day_rules import DayRules
from brokers.sandbox.dump import DumpUniverse
from brokers.sandbox.fair import Drift
from brokers.sandbox.history import Past, Recorded, Walk
from brokers.sandbox.listing import CONTINUOUS, Index, Listing
from brokers.sandbox.market import Crowd, Market, Traders
from brokers.sandbox.sessions import Group
from engine.errors import ConfigError, DataError
from engine.market.calendar import Calendar, Phase
from engine.market.hours import Hours
from engine.market.instruments import Listing as Row
from engine.market.sessions import Keeping

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
    dump: DumpUniverse | None = None
    text: str = ""
    """The dump as it was given."""


def listed(config: SandboxConfig) -> Listed:
    """Return what a configuration lists; raise `ConfigError` or `DataError`."""
    rows, text = universe.read_dump(config.instruments)
    rules = DayRules(config.date)
    if config.tape is not None:
        return _tape(config, rules, universe.titles(rows))
    if rows:
        return _dumped(config, rules, rows, text)
    return _crowd(config, rules)


def _dumped(config: SandboxConfig, rules: DayRules, rows: list[Row], text: str) -> Listed:
    """Return everything a dump lists: the named shares trade in books, the rest is made when it is asked for."""
    day, new = sessions.ist_date(config.date), config.choices.new_hours
    dump = DumpUniverse(rows, day, rules, config.seed, new_hours=new)
    named = config.symbols or tuple(name for name in universe.NAMES if f"NSE:{name}" in dump.rows)
    for name in named:
        if f"NSE:{name}" not in dump.rows:
            raise ConfigError(f"symbol {name!r}: {config.instruments} does not list it on NSE")
    if not named:
        raise DataError(
            f"instrument dump {config.instruments}: it lists none of {', '.join(universe.NAMES)}; name symbols"
        )
    made = {f"NSE:{name}": dump.make(f"NSE:{name}", lambda _: None) for name in named}
    shares = [one.listing for one in made.values()]
    row = dump.rows.get("NSE:NIFTY 50")
    index = dump.index(row, shares) if row else Index(universe.nifty(), shares)
    for key, one in made.items():
        one.listing.book  # noqa: B018  the named shares trade in a book from the start
        dump.group_of(key).listings.append(one.listing)
    traders = [traders_of(one, config.seed) for one in made.values()]
    main = dump.group_of(f"NSE:{named[0]}")
    crowd = Crowd([*shares], traders, config.seed, sessions.windows(dump.groups), _busy(main))
    return Listed(crowd, Walk(config.seed, config.date, dump.keeping), index, dump.groups, dump, text)


def traders_of(made: Made, seed: int) -> Traders:
    """Return who trades an instrument that is made from a dump."""
    return Traders(made.listing, made.fair, _random(seed, made))


def _busy(main: Group) -> tuple[int, int]:
    return main.opens, max(phase.end for phase in main.phases if phase.name == CONTINUOUS)


def _crowd(config: SandboxConfig, rules: DayRules) -> Listed:
    names = config.symbols or tuple(universe.NAMES)
    if config.size:
        names = names[: config.size]
    shares = [Listing(universe.default_share(name, rules), rules, prints=True) for name in names]
    day = sessions.ist_date(config.date)
    index = Index(universe.nifty(), shares)
    traders = [_traders(share, config.seed) for share in shares]
    extra = list(generated(day, rules, config.seed, shares, index, config.exchanges, config.size))
    traders += [Traders(one.listing, one.fair, _random(config.seed, one)) for one in extra]
    for share in shares:
        share.book  # noqa: B018  the named shares trade in a book from the start
    listings = [*shares, *(one.listing for one in extra)]
    hours = sessions.keeping({share.instrument.symbol for share in shares}, new=config.choices.new_hours)
    groups = _groups(day, hours, listings)
    crowd = Crowd(listings, traders, config.seed, sessions.windows(groups), _busy(groups[0]))
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
    groups: dict[tuple[Keeping, bool], Group] = {}
    near = _near(listings)
    for one in listings:
        exchange, kind = one.instrument.exchange, one.instrument.kind
        called = one.contract is None or (
            kind == "FUT" and sessions.called_before_open(day, one.contract.expiry, near[exchange])
        )
        by = hours.keeping(day, one.instrument)._replace(kind=kind if kind in {"EQ", "FUT"} else "CE")
        key = (by, called)
        if key not in groups:
            groups[key] = sessions.hours(hours.calendar, day, by, called=called)
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
        _within(config, market, known)
        group = group._replace(square_off=known.square_off, amo=known.amo)
    return Listed(market, Recorded(past), Index(universe.nifty(), market.listings), [group])


def _within(config: SandboxConfig, market: Market, known: Group) -> None:
    """Refuse a record whose clock is another one: its bars begin before the day does, or go on after its end."""
    opens, ends = min(phase.start for phase in known.phases), max(phase.end for phase in known.phases)
    if market.opens < opens or market.closes > ends:
        bars, hours = (
            f"{ist.text(start)[11:16]} to {ist.text(end)[11:16]}"
            for start, end in ((market.opens, market.closes), (opens, ends))
        )
        raise DataError(
            f"tape {config.tape}: its bars of {config.date} run from {bars} IST, the market from {hours}: "
            "stamps without a time zone are taken for IST"
        )


def _known_hours(day: str) -> Group | None:
    """Return Zerodha's times for a recorded day; None where the calendar does not know the day."""
    try:
        return sessions.hours(Calendar.load(), date.fromisoformat(day), Keeping("NSE", "EQ"))
    except DataError:
        return None


def begin(config: SandboxConfig, market: Market) -> int:
    """Return the instant the clock starts at: the open, or the time asked for. A time before 09:15 is meant literally, later ones wait for the open."""
    if not config.start:
        return market.opens
    asked = ist.midnight(config.date) + ist.time_of_day(config.start)
    return asked if ist.time_of_day(config.start) < ist.time_of_day("09:15") else max(market.opens, asked)
