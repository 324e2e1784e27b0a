"""Exchange of one run: Kite, a sandbox that runs elsewhere, or an embedded one."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from brokers.backfill.feed_gaps import FeedGap
from brokers.connection import Connection, ConnectionTerms
from brokers.recorded.recorded_market import RecordedMarket
from brokers.registry import connect
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.corporate_actions import apply_corporate_actions
from brokers.sandbox.lockstep import LockstepPacer
from brokers.sandbox.server import Sandbox
from engine.config.disk_places import desk_paths
from engine.day.desk_clocks import ScaledClock, SteppedClock
from engine.market.instrument_dumps import DumpFolder
from engine.ports import FeedRecord
from tui.run.credentials import BrokerEndpoint, Credentials, find_credentials
from tui.run.exchange_clock import clock_at
from tui.run.session import DeskSession
from tui.run.settings import latest_day


class ExchangeLink(NamedTuple):
    """Link to an exchange: broker, clock, and the hand on that clock where it waits for us."""

    access: Credentials
    clock: ScaledClock | SteppedClock
    pacer: LockstepPacer | RecordedMarket | None


def exchange_of(station: DeskSession) -> ExchangeLink:
    """Return the exchange of the configuration, an embedded one, or a recorded market."""
    if station.rerun is not None:
        market = station.rerun.market
        return ExchangeLink(
            Credentials(BrokerEndpoint("", "", "", "", sandbox=True)),
            # a recording is played by its own times: the desk's clock begins where its recorder's
            # did
            SteppedClock(market.begins),
            market,
        )
    found = (
        _start_sandbox(station)
        if station.is_embedded
        else station.access or find_credentials(station.config)
    )
    station.access = found
    clock = clock_at(found.place.rest)
    return ExchangeLink(
        # a clock that stands until it is moved belongs to an exchange that waits for the desk
        found,
        clock,
        LockstepPacer(found.place.rest) if isinstance(clock, SteppedClock) else None,
    )


def sandbox_config(station: DeskSession) -> SandboxConfig:
    """Return the configuration of a run's exchange."""
    config, run = station.config.sandbox, station.run
    speed = config.speed if run.speed is None else run.speed
    return SandboxConfig(
        seed=config.seed if run.seed is None else run.seed,
        date=run.day or config.date or latest_day(),
        start=run.start or config.start,
        # 0 is lockstep, which the exchange calls None
        speed=speed or None,
        symbols=run.symbols or config.symbols,
        tape=run.tape,
        port=config.port,
        cash=config.cash * 100,
        # no real second passes in lockstep: a rate by the second would hold everything up
        limits="kite" if speed else "off",
        user_id=run.evening.user if run.evening is not None else "",
        actions=Path(actions).expanduser()
        if (actions := station.config.desk.corporate_actions)
        else None,
    )


def _start_sandbox(station: DeskSession) -> Credentials:
    config, evening = sandbox_config(station), station.run.evening
    carried = apply_corporate_actions(config, evening.carried) if evening is not None else None
    sandbox = station.sandbox = Sandbox(config, carried=carried)
    sandbox.on_failure = station.fail
    endpoint = station.endpoint = sandbox.start()
    station.closers.append(sandbox.stop)
    return Credentials(
        BrokerEndpoint(
            endpoint.rest, endpoint.ws, "", endpoint.api_key, endpoint.access_token, sandbox=True
        )
    )


def connect_broker(
    station: DeskSession,
    exchange: ExchangeLink,
    died: Callable[[], None],
    on_gap: Callable[[Sequence[FeedGap]], None] | None = None,
    heard: Callable[[int, float], None] | None = None,
    record: FeedRecord | None = None,
) -> Connection:
    """Return the connection to the exchange's broker.

    `died` is called, on the event loop, when the token is refused, `heard` with the dates of
    answers; `record` gets the messages of the feed.
    """
    if isinstance(exchange.pacer, RecordedMarket):
        return exchange.pacer.connection()
    place, config = exchange.access.place, station.config
    terms = ConnectionTerms(
        settings=config.broker,
        clock=exchange.clock,
        workers=config.broker.workers,
        paced=exchange.pacer is not None,
        renewable=exchange.access.session is not None,
        dead_after_s=config.feed.dead_after_s,
        dumps=DumpFolder(desk_paths(config, os.environ).state / "instruments"),
        record=record,
        on_token_death=died,
        on_gap=on_gap,
        on_answer=heard,
    )
    return connect(station.broker_name, place, terms)
