"""Where orders go and prices come from, for one run: Kite, a sandbox that runs elsewhere, or an embedded one."""

import os
import random
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple, cast

from brokers.kite.feed import KiteFeed
from brokers.kite.gaps import Gap
from brokers.kite.rerun import RecordedMarket
from brokers.kite.rest import KiteBroker
from brokers.kite.session import REST
from brokers.kite.translation import Account
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.lockstep import LockstepPacer
from brokers.sandbox.nights import over_night
from brokers.sandbox.server import Sandbox
from engine.config import paths
from engine.errors import DataError
from engine.market.calendar import Calendar
from engine.market.dumps import Dumps
from engine.ports import FeedRecord
from engine.trading.clock import ScaledClock, SteppedClock
from tui.access import Access, access
from tui.login import Place
from tui.pace import clock_at
from tui.station import Station

IST = timezone(timedelta(hours=5, minutes=30))


class Exchange(NamedTuple):
    """Where orders go, by which clock, and the hand on that clock where it waits for us."""

    access: Access
    clock: ScaledClock | SteppedClock
    pacer: LockstepPacer | RecordedMarket | None


def exchange_of(station: Station) -> Exchange:
    """Return the exchange the configuration names, or start the embedded one; or a recorded market."""
    if station.rerun is not None:
        market = station.rerun.market
        return Exchange(Access(Place("", "", "", "", sandbox=True)), SteppedClock(market.begins), market)
    found = _embedded(station) if station.embedded else station.access or access(station.config)
    station.access = found
    clock = clock_at(found.place.rest)
    return Exchange(found, clock, LockstepPacer(found.place.rest) if isinstance(clock, SteppedClock) else None)


def embedded(station: Station) -> SandboxConfig:
    """Return what the exchange of a run is made from."""
    config, run = station.config.sandbox, station.run
    speed = config.speed if run.speed is None else run.speed
    return SandboxConfig(
        seed=config.seed if run.seed is None else run.seed,
        date=run.day or config.date or latest_day(),
        start=run.start or config.start,
        speed=speed or None,
        symbols=run.symbols or config.symbols,
        tape=run.tape,
        port=config.port,
        cash=config.cash * 100,
        limits="kite" if speed else "off",
        user_id=run.evening.user if run.evening is not None else "",
        actions=Path(actions).expanduser() if (actions := station.config.desk.corporate_actions) else None,
    )  # fmt: skip


def _embedded(station: Station) -> Access:
    config, evening = embedded(station), station.run.evening
    carried = over_night(config, evening.carried) if evening is not None else None
    sandbox = station.sandbox = Sandbox(config, carried=carried)
    sandbox.on_failure = station.fail
    endpoint = station.endpoint = sandbox.start()
    station.closers.append(sandbox.stop)
    return Access(Place(endpoint.rest, endpoint.ws, "", endpoint.api_key, endpoint.access_token, sandbox=True))


def connect(
    station: Station,
    exchange: Exchange,
    died: Callable[[], None],
    on_gap: Callable[[Sequence[Gap]], None] | None = None,
    heard: Callable[[int, float], None] | None = None,
    record: FeedRecord | None = None,
) -> tuple[KiteBroker, KiteFeed]:
    """Return the broker and the feed; `died` hears, on the event loop, that the token is refused, `heard` of the dates of answers, `record` gets what the feed sends."""
    if isinstance(exchange.pacer, RecordedMarket):
        return cast("KiteBroker", exchange.pacer), cast("KiteFeed", exchange.pacer)
    place, clock, lockstep = exchange.access.place, exchange.clock, exchange.pacer is not None
    settings = station.config.broker
    kept = Dumps(paths(station.config, os.environ).state / "instruments") if place.rest == REST else None
    broker = KiteBroker(
        place.rest, place.api_key, place.token, clock, settings.workers, settings.timeout_s, limits=not lockstep,
        on_token_death=died, standing=Account(settings.market_protection, settings.algo_id), source=settings.bind_ip,
        environment=settings.environment, dumps=kept, heard=heard,
    )  # fmt: skip
    feed = KiteFeed(
        place.ws, place.api_key, place.token, clock, rng=random.Random(),  # noqa: S311  back-off jitter
        dead_after=float("inf") if lockstep else station.config.feed.dead_after_s, on_token_death=died,
        renewable=exchange.access.session is not None, on_gap=on_gap, user_id=place.user,
        environment=settings.environment, record=record,
    )  # fmt: skip
    return broker, feed


def latest_day() -> str:
    """Return the latest trading day on or before today whose hours are known: an exchange of our own needs no list of today."""
    calendar, day = Calendar.load(), datetime.now(IST).date()
    while True:
        try:
            day = calendar.latest_trading_day(day)
            if calendar.session(day) is not None:
                return str(day)
        except DataError:  # a special session whose clock time nobody knows, or a year without a list
            day -= timedelta(days=1)


def last_days(count: int, last: str) -> list[str]:
    """Return so many trading days up to one, oldest first; raise `DataError` where the calendar ends."""
    calendar, days, day = Calendar.load(), list[str](), date.fromisoformat(last or latest_day())
    while len(days) < count:
        if calendar.session(day) is not None:
            days.append(day.isoformat())
        day -= timedelta(days=1)
    return days[::-1]
