"""Universe of a day: the market of a configuration with its instruments, hours and past."""

from collections.abc import Collection, Mapping
from datetime import date
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from brokers.sandbox import kite_times
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.market import session_phases
from brokers.sandbox.market.crowd import InstrumentTraders, PriceSource, SeededCrowd
from brokers.sandbox.market.day_rules import DayRules
from brokers.sandbox.market.exchange_listing import CONTINUOUS, ExchangeListing, ListedIndex
from brokers.sandbox.market.fair_value import DriftingValue
from brokers.sandbox.market.session_phases import SessionGroup
from brokers.sandbox.universe import known_shares, recorded_tape
from brokers.sandbox.universe.dump_universe import AwakeInstrument, DumpUniverse
from brokers.sandbox.universe.generated_universe import RowMaker, generated_rows
from brokers.sandbox.universe.price_history import Past, RecordedPast, SeededPast
from engine.errors import ConfigError, DataError
from engine.market.calendar import Calendar, SessionPhase
from engine.market.instruments import InstrumentListing as Row
from engine.market.session_table import HoursClass

if TYPE_CHECKING:
    from brokers.sandbox.account.carried_account import CarriedAccount

RUN_CHANCE = 0.02
"""Of a share, each day, to run into its circuit limit."""
RUN_FROM = (3_600, 14_400)
"""Seconds after the open at which such a run begins."""


class DayUniverse(NamedTuple):
    """A day's instruments."""

    market: PriceSource
    past: Past
    basket: ListedIndex
    groups: list[SessionGroup]
    dump: DumpUniverse | None = None
    text: str = ""
    """The dump as it was given."""


def build_universe(
    config: SandboxConfig,
    watched: Collection[str] | None = None,
    carried: "CarriedAccount | None" = None,
) -> DayUniverse:
    """Return what a configuration lists; raise `ConfigError` or `DataError`.

    `watched`: which of the twenty names shall move from the open; None: all of them. Prices go on
    from what was `carried`.
    """
    closes = carried.closes if carried is not None else {}
    rows, text = known_shares.load_dump(config.instruments)
    rules = DayRules(config.date)
    if config.tape is not None:
        return _tape_universe(config, rules, known_shares.dump_titles(rows), carried)
    # Names go on at last night's prices, or an account would gain or lose over it.
    symbols = {key.removeprefix("NSE:"): close for key, close in closes.items()}
    if rows:
        return _dump_universe(config, rules, rows, text, symbols)
    return _crowd_universe(config, rules, watched, symbols)


def _dump_universe(
    config: SandboxConfig, rules: DayRules, rows: list[Row], text: str, closes: Mapping[str, float]
) -> DayUniverse:
    """Return the universe of a dump: named shares in books, the rest made when it is asked for."""
    day, new = session_phases.ist_date(config.date), config.choices.new_hours
    dump = DumpUniverse(rows, day, rules, config.seed, closes, new_hours=new)
    named = config.symbols or tuple(
        name for name in known_shares.NAMES if f"NSE:{name}" in dump.rows
    )
    for name in named:
        if f"NSE:{name}" not in dump.rows:
            raise ConfigError(f"symbol {name!r}: {config.instruments} does not list it on NSE")
    if not named:
        raise DataError(
            f"instrument dump {config.instruments}: it lists none of "
            f"{', '.join(known_shares.NAMES)}; name symbols"
        )
    made = {f"NSE:{name}": dump.make(f"NSE:{name}", lambda _: None) for name in named}
    shares = [one.listing for one in made.values()]
    row = dump.rows.get("NSE:NIFTY 50")
    index = dump.index(row, shares) if row else ListedIndex(known_shares.nifty_index(), shares)
    for key, one in made.items():
        dump.group_of(key).listings.append(one.listing)
    traders = [traders_of(one, config.seed) for one in made.values()]
    main = dump.group_of(f"NSE:{named[0]}")
    crowd = SeededCrowd(
        [*shares],
        traders,
        config.seed,
        session_phases.trading_windows(dump.groups),
        _trading_span(main),
    )
    return DayUniverse(
        crowd,
        SeededPast(config.seed, config.date, dump.trading_hours),
        basket=index,
        groups=dump.groups,
        dump=dump,
        text=text,
    )


def traders_of(made: AwakeInstrument, seed: int) -> InstrumentTraders:
    """Return the traders of an instrument that is made from a row."""
    instrument = made.listing.instrument
    random = Random(f"{seed}:{instrument.exchange}:{instrument.symbol}")  # noqa: S311 a simulation, not a secret
    return InstrumentTraders(made.listing, made.fair, random)


def _trading_span(main: SessionGroup) -> tuple[int, int]:
    return main.opens, max(phase.end for phase in main.phases if phase.name == CONTINUOUS)


def _crowd_universe(
    config: SandboxConfig,
    rules: DayRules,
    watched: Collection[str] | None,
    closes: dict[str, float],
) -> DayUniverse:
    """Return the universe of named shares, which trade from the open, and of rows on demand."""
    names = config.symbols or tuple(known_shares.NAMES)
    if config.size:
        names = names[: config.size]
    awake = names if watched is None else [name for name in names if name in watched] or names[:1]
    shares = [
        ExchangeListing(
            known_shares.default_share(name, rules, closes.get(name)), rules, prints=True
        )
        for name in awake
    ]
    day = session_phases.ist_date(config.date)
    maker = RowMaker(day, rules, config.seed, closes)
    rows = generated_rows(maker, day, names, config)
    optioned = {*names, *known_shares.KNOWN} if config.wide else names
    new = config.choices.new_hours
    dump = DumpUniverse(
        rows,
        day,
        rules=rules,
        seed=config.seed,
        closes=maker.closes | closes,
        optioned=optioned,
        new_hours=new,
    )
    for share in shares:
        if share.key not in dump.rows:
            raise DataError(f"{config.date} is no trading day of NSE")
        dump.group_of(share.key).listings.append(share)
    traders = [_named_traders(share, config.seed) for share in shares]
    main = dump.group_of(f"NSE:{names[0]}")
    crowd = SeededCrowd(
        [*shares],
        traders,
        config.seed,
        session_phases.trading_windows(dump.groups),
        _trading_span(main),
    )
    index = ListedIndex(known_shares.nifty_index(), shares)
    return DayUniverse(
        crowd, SeededPast(config.seed, config.date, dump.trading_hours), index, dump.groups, dump
    )


def _named_traders(share: ExchangeListing, seed: int) -> InstrumentTraders:
    symbol = share.instrument.symbol
    random = Random(f"{seed}:{symbol}")  # noqa: S311 a simulation, not a secret
    fate = Random(f"{seed}:{symbol}:circuit")  # noqa: S311
    runs_at, runs_to = -1, 0.0
    if fate.random() < RUN_CHANCE:
        runs_at, runs_to = fate.randrange(*RUN_FROM), fate.choice((-1.0, 1.0))
    drift = DriftingValue(
        share.instrument.close, known_shares.KNOWN[symbol].beta, random, runs_at, runs_to
    )
    return InstrumentTraders(share, drift, random)


def _tape_universe(
    config: SandboxConfig,
    rules: DayRules,
    dump: known_shares.Dump,
    carried: "CarriedAccount | None",
) -> DayUniverse:
    assert config.tape is not None
    held = {key.partition(":")[2] for key in carried.held_keys} if carried is not None else ()
    closes = carried.closes if carried is not None else {}
    records = recorded_tape.load_records(config.tape, config.symbols, config.date, held)
    shares = [
        recorded_tape.recorded_share(
            symbol,
            config.date,
            record=record,
            rules=rules,
            dump=dump,
            close=closes.get(f"NSE:{symbol}", 0.0),
        )
        for symbol, record in records.items()
    ]
    days = [record.bars_of_day(config.date) for record in records.values()]
    past = {
        int(share.token): record for share, record in zip(shares, records.values(), strict=True)
    }
    market = recorded_tape.RecordedTape(
        [ExchangeListing(share, rules, prints=False) for share in shares], days
    )
    group = SessionGroup(market.listings, (SessionPhase(CONTINUOUS, market.opens, market.closes),))
    known = _known_hours(config.date)
    if known is not None:
        _check_hours(config, market, known)
        group = group._replace(square_off=known.square_off, amo=known.amo)
    return DayUniverse(
        market,
        RecordedPast(past),
        ListedIndex(known_shares.nifty_index(), market.listings),
        [group],
    )


def _check_hours(config: SandboxConfig, market: PriceSource, known: SessionGroup) -> None:
    """Refuse a record with another clock: bars before the day begins, or after its end."""
    opens, ends = (
        min(phase.start for phase in known.phases),
        max(phase.end for phase in known.phases),
    )
    if market.opens < opens or market.closes > ends:
        bars, hours = (
            f"{kite_times.text(start)[11:16]} to {kite_times.text(end)[11:16]}"
            for start, end in ((market.opens, market.closes), (opens, ends))
        )
        raise DataError(
            f"tape {config.tape}: its bars of {config.date} run from {bars} IST, the market from "
            f"{hours}: "
            "stamps without a time zone are taken for IST"
        )


def _known_hours(day: str) -> SessionGroup | None:
    """Return Zerodha's times for a recorded day; None where the calendar does not know the day."""
    try:
        return session_phases.group_hours(
            Calendar.load(), date.fromisoformat(day), HoursClass("NSE", "EQ")
        )
    except DataError:
        return None


def starting_instant(config: SandboxConfig, market: PriceSource) -> int:
    """Return the instant the clock starts at: the open, or the time asked for.

    A time before 09:15 is meant literally, later ones wait for the open.
    """
    if not config.start:
        return market.opens
    asked = kite_times.midnight(config.date) + kite_times.time_of_day(config.start)
    return (
        asked
        if kite_times.time_of_day(config.start) < kite_times.time_of_day("09:15")
        else max(market.opens, asked)
    )
