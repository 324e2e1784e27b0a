"""Wiring of one run: exchange, clock and files are handed to the engine."""

import json
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from brokers.paper.paper_broker import PaperWorld
from compiled.model.values import Bar
from compiled.trading.strategy import Strategy
from engine.board_rows import RecordPlaces
from engine.board_writer import BoardWriter
from engine.config.risk_limits import configured_limits
from engine.config.schema import DeskConfig
from engine.day.replay_control import WATCHED
from engine.day.warm_up import Stored
from engine.desk import Desk, EnginePorts, EngineSettings
from engine.errors import DataError, OperatorError, in_words
from engine.numbers import gain
from engine.ops.control_socket import ControlSocket, socket_path
from engine.ops.freeze_timer import FreezeTimer, read_freeze_record
from engine.ops.health_sources import HealthSources
from engine.ops.watchdog import Watchdog
from engine.orders.killswitch import HALT
from engine.ports import BarStore, BrokerRules
from engine.system import structured_logs
from store.bars.bar_writer import CAPACITY, WARM_UP, BarWriter
from store.bars.parquet_bars import ParquetBars
from store.bars.waiting_bars import WaitingBars
from store.database_integrity import log_of
from store.recordings.feed_writer import GB, FeedWriter, RecordingBounds
from store.sqlite_journal import SqliteJournal
from strategies.replaced_models import paper_charges
from tui.attach.operator_passphrase import passphrase_file
from tui.attach.screen_server import ScreenServer
from tui.run.bar_stores import live_store, share_averages, share_dumps
from tui.run.broker import ExchangeLink, exchange_of
from tui.run.feed import MarketConnection
from tui.run.modes import adapters_for_mode, part_fault
from tui.run.opening import OpeningDesk
from tui.run.preflight import check_symbols
from tui.run.recording_replay import RecordingReplay
from tui.run.run_records import own_database, recordings_folder
from tui.run.session import SENDING, DeskSession
from tui.run.settings import (
    PromotionFollower,
    calendar_of,
    check_promoted,
    check_timeframes,
    enabled_strategies,
    exits_of,
    modes_of,
    settings_of,
    strategies_of,
    totals_of,
)

MINUTE_SPAN = 60
MB = 1_000_000
# the same tags in every run, or no two digests would be equal
LOCKSTEP_SALT = "0000"
LIVE = "live"
MOST_PAST = 10_000_000
"""Minutes of earlier days that may wait for the disk.

A whole market is read in one go where the exchange waits for us.
"""
NOBODYS_CASH = 2**62
"""Rupees by which an account's cash may differ from that of a run which never touches it."""


def open_desk(station: DeskSession) -> Desk:
    """Start the exchange, the journal, the door and the desk.

    Return the desk once its thread runs.
    """
    try:
        station.claim()
        # a desk that comes by another way than `launch` (a drill) has not claimed its folder yet
        return wire_desk(station)
    # at ctrl-c, too: half an exchange must not stay behind
    except BaseException:
        station.undo_all()
        raise


def wire_desk(station: DeskSession) -> Desk:
    """Start everything a desk needs, and the desk; `station.closers` takes what must be undone."""
    try:
        log = structured_logs.open_log(station.state / "patang.log")
    except OSError as error:
        raise OperatorError(f"cannot write in {station.state}: {in_words(error)}") from None
    station.closers.append(log.end)
    config = station.config
    rerun = station.rerun = _recording_replay(station)
    strategies = check_timeframes(station.strategies, station.spans) or (
        [] if station.run.by_hand else strategies_of(config)
    )
    check_promoted(station.next_day, station.state)
    follower = PromotionFollower(station, strategies, _watched_symbols(station))
    if station.is_embedded and station.run.tape is None and station.run.recording is None:
        check_symbols(station)
    exchange = exchange_of(station)
    speed = exchange.clock.speed if rerun is None else rerun.speed
    evening = station.run.evening
    station.database = (
        evening.database
        if evening is not None
        else own_database(config, station.run.mode, embedded=station.is_embedded)
    )
    journal = SqliteJournal(station.database, station.fail)
    station.closers.append(journal.close)
    lockstep = exchange.pacer is not None
    bounds = config.watchdog
    health = HealthSources(
        disk_mb=bounds.disk_mb, memory_mb=bounds.memory_mb, clock_s=bounds.clock_s
    )
    store, version = _bar_store(station, exchange)
    recorded = rerun.market if rerun is not None else None
    # a day in lockstep comes again from its seed: there is nothing to record
    record = recorded or (None if lockstep else _feed_record(station, health))
    market = MarketConnection(
        station,
        exchange,
        journal=journal,
        keep_bars=_keep_bars(station, store, version, health),
        totals=totals_of(config),
        record=record,
    )
    # no order path but paper's is charged by anything but the table
    on_paper = station.run.mode == "paper" or station.rerun is not None
    fees = config.paper.fees if on_paper else ""
    rates = paper_charges(fees, part_fault(station, "Fees"))
    world = PaperWorld(exchange.clock, calendar_of(config), rates, journal)
    trading = adapters_for_mode(station, market, world, lockstep=lockstep)
    ports = EnginePorts(
        trading.broker,
        trading.feed,
        journal=journal,
        clock=world.clock,
        kill=station.kill,
        calendar=world.calendar,
        charges=world.charges,
        pacer=exchange.pacer,
        keep_bars=market.keep_bars,
        beside=trading.beside,
        # an own exchange ends with its day
        tomorrow=None if exchange.access.place.sandbox else follower.rebuild,
        margins=market.connection.margins,
        stored=stored_minutes(store, version) if store is not None else None,
        consents=_consent_source(config, station.run.mode, market),
        throughout=trading.throughout,
        record=record,
        script=recorded,
        keep_past=_keep_past(station, store, health),
        terms=follower.terms if follower.is_needed else None,
        workshop=follower.workshop,
        control=station.run.control,
        health=health,
        note_event=structured_logs.log_event,
    )
    health.session_ends = market.session_ends
    BoardWriter(station.board).set_places(
        RecordPlaces(str(station.database), str(station.state / "patang.log"))
    )
    rules = market.connection.rules
    # the exchange is our own
    if station.run.mode not in SENDING:
        rules = rules._replace(limit_only=False)
    salt = LOCKSTEP_SALT if lockstep else _tag_salt(journal)
    settings = _desk_settings(station, strategies, salt, speed, rules)
    desk = station.desk = Desk(settings, ports, strategies, station.fail, station.board)
    # before the desk runs: it can be asked, and stopped, while it is opening
    screens = ScreenServer(
        station.board,
        lambda who: OpeningDesk(station, who=who, author=who),
        passphrase_file(station.state),
        desk.note_act,
        # A screen that fails is no reason to stop the desk.
        structured_logs.log_failure,
    )
    station.closers.append(lambda: screens.close(_farewell_text(station)))
    door = ControlSocket(
        socket_path(station.state), desk, station.kill, station.fail, screens.receive, health
    )
    station.closers.append(door.close)
    structured_logs.hook_exceptions(station.fail)
    # the last thing to be undone
    station.closers.insert(0, structured_logs.unhook_exceptions)

    def tell(text: str) -> None:
        structured_logs.log_alarm(text)
        desk.alarm(text)

    if journal.remark:
        tell(journal.remark)
    frozen = _freeze_guard(station, tell)
    station.closers.append(frozen.close)
    watchdog = Watchdog(
        config.watchdog,
        station.board,
        kill=station.kill,
        folder=station.state,
        tell=tell,
        failure=station.fail,
        paced=lockstep,
        engine=desk,
        wind=frozen.wind,
        health=health,
        journal=(station.database, log_of(station.database)),
    )
    station.closers.append(watchdog.close)
    # before the first turn, which would find the desk halted
    station.release_outlived_latch()
    desk.start()
    # last: before the desk turns there is no heartbeat to watch
    watchdog.start()
    return desk


def _farewell_text(station: DeskSession) -> str:
    """Return what an attached screen is told of the day at its end."""
    if station.deck is not None and station.deck.moving is not None:
        return "the day is played from its start"
    return f"P&L {gain(station.board.header.pnl).strip()}"


def _recording_replay(station: DeskSession) -> RecordingReplay | None:
    """Return the recording to be played, None for a market that is not over."""
    run = station.run
    if run.recording is None:
        return None
    made = RecordingReplay(station.config, run.recording, run.until)
    station.spans = made.spans
    return made


# files


def _freeze_guard(station: DeskSession, tell: Callable[[str], None]) -> FreezeTimer:
    """Return the guard that ends a process held by native code for ever.

    Latch and report where the one before was ended so.
    """
    try:
        record = read_freeze_record(station.state)
        if record:
            structured_logs.log_alarm(record)
            text = (
                "native code of a strategy held the desk before, and it was ended: patang.log "
                "tells where"
            )
            station.kill.trigger(HALT, text, "watchdog")
            tell(f"{text}; take that strategy out, then resume")
        return FreezeTimer(station.state)
    except OSError as error:
        raise OperatorError(f"cannot write in {station.state}: {in_words(error)}") from None


def _tag_salt(journal: SqliteJournal) -> str:
    """Return what sets this database's tags apart from any other's on the account."""
    known = {row["key"]: row["value"] for row in journal.load("meta")}
    if "salt" in known:
        return str(known["salt"])
    salt = secrets.token_hex(2)
    journal.append("meta", {"key": "salt", "value": salt})
    return salt


def _consent_source(
    config: DeskConfig, mode: str, market: MarketConnection
) -> Callable[[], bool | None]:
    """Return the source of whether holdings sell without the day's authorisation.

    No simulated account needs one.
    """
    if mode in {"paper", "dry-run"}:
        return lambda: None
    if config.broker.demat != "auto":
        return lambda: config.broker.demat == "standing"
    return market.connection.session.consents


def _bar_store(station: DeskSession, exchange: ExchangeLink) -> tuple[BarStore | None, str]:
    """Return where the desk's bars are kept, None where they are not, and under which version."""
    config = station.config
    if not config.store.bars:
        return None, LIVE

    def tell(text: str) -> None:
        structured_logs.log_alarm(text)
        station.desk.alarm(text)

    store = live_store(
        config, station.run.mode, station.database, tell, embedded=station.is_embedded
    )
    if not station.is_embedded:
        station.closers.append(partial(_share_day, config))
    # others read that server: a sandbox's bars must not pass for the market's
    shared = isinstance(store, ParquetBars) or not exchange.access.place.sandbox
    return store, LIVE if shared else "sandbox"


def _feed_record(station: DeskSession, health: HealthSources) -> FeedWriter | None:
    """Return what records the feed, None where nothing does."""
    feed = station.config.feed
    if not feed.record:
        return None

    def tell(text: str) -> None:
        structured_logs.log_alarm(text)
        station.desk.alarm(text)

    # the recording stops well before the watchdog halts the desk for want of space
    spare = station.config.watchdog.disk_mb * 2 * MB
    bounds = RecordingBounds(feed.record_days, int(feed.record_gb * GB), spare)
    record = FeedWriter(recordings_folder(station.config, station.run.mode), bounds, tell)
    station.closers.append(record.close)
    health.gauges.append(record.health)
    return record


def _share_day(config: DeskConfig) -> None:
    """Give the server of the bars the day's instrument dumps, and averages of its minutes.

    What it does not take now, the next desk gives it.
    """
    try:
        share_dumps(config)
        share_averages(config, LIVE)
    except OperatorError as error:
        structured_logs.log_alarm(f"instrument dumps or averages are not shared: {error}")


def stored_minutes(store: BarStore, version: str) -> Stored:
    """Return what looks up kept minutes; a store that cannot be read has none."""

    def stored(symbols: Sequence[str], start: int, end: int) -> dict[str, list[Bar]]:
        try:
            return store.read_many(symbols, MINUTE_SPAN, start, end, version)
        except (DataError, OperatorError):
            return {}

    return stored


def _keep_bars(
    station: DeskSession, store: BarStore | None, version: str, health: HealthSources
) -> Callable[[list[Bar]], None] | None:
    """Return what stores the closed one-minute bars, None where bars are not kept."""
    if store is None:
        return None
    station.closers.append(store.fold)
    if isinstance(store, WaitingBars):
        health.gauges.append(store.health)
    return _bar_keeper(station, store, version, health)


def _keep_past(
    station: DeskSession, store: BarStore | None, health: HealthSources
) -> Callable[[list[Bar]], None] | None:
    """Return the keeper of earlier minutes that warmed strategies up, beside the desk's own.

    A server that others read as well is not given them.
    """
    if not isinstance(store, ParquetBars):
        return None
    return _bar_keeper(station, store, WARM_UP, health, MOST_PAST)


def _bar_keeper(
    station: DeskSession,
    store: BarStore,
    version: str,
    health: HealthSources,
    capacity: int = CAPACITY,
) -> Callable[[list[Bar]], None]:
    """Return a keeper of one-minute bars, with so many waiting for the disk at most."""
    # the writer names bars by it in its own thread: it only ever grows
    names: dict[int, str] = {}
    writer = BarWriter(store, names, station.fail, version, capacity=capacity)
    station.closers.append(writer.close)
    health.gauges.append(writer.health)

    def keep(bars: list[Bar]) -> None:
        # an instrument may come up in the middle of the day
        if any(int(bar.token) not in names for bar in bars):
            names.update(
                {
                    token: market.instrument.symbol
                    for token, market in station.desk.kernel.state.markets.items()
                }
            )
        writer.offer(bar for bar in bars if bar.span == MINUTE_SPAN)

    return keep


# settings


def _watched_symbols(station: DeskSession) -> tuple[str, ...]:
    """Return the symbols that a desk is to see, none: all."""
    return station.run.symbols or (
        station.rerun.symbols if station.rerun else tuple(station.config.feed.watch)
    )


def _desk_settings(
    station: DeskSession,
    strategies: Sequence[Strategy],
    salt: str,
    speed: float,
    rules: BrokerRules,
) -> EngineSettings:
    config = station.config
    watch = _watched_symbols(station)
    return EngineSettings(
        mode=station.run.mode,
        broker=station.broker_name,
        rules=rules,
        speed=speed,
        refusal=WATCHED if station.run.control is not None and not station.run.practice else "",
        simulated=station.run.mode == "paper" or station.rerun is not None,
        limits=configured_limits(config.risk, config.feed.stale_after_s),
        spans=station.spans,
        watch=watch,
        watch_mode=config.feed.mode,
        modes={} if station.run.symbols or station.rerun else modes_of(config),
        governor=config.governor,
        gateway=config.gateway,
        exits=exits_of(config),
        reconcile=replace(config.reconcile, funds_bound=NOBODYS_CASH)
        if station.run.mode == "dry-run"
        else config.reconcile,
        lanes=config.broker.workers // 2,
        stale_after_s=config.feed.stale_after_s,
        # in real seconds: at N times the pace as many of the exchange's go by in one
        late_after_s=config.feed.late_after_s * max(1.0, speed),
        bands_every_s=config.feed.bands_every_s,
        # nothing may differ between two runs in lockstep
        jitter=0 if salt == LOCKSTEP_SALT else secrets.randbits(32),
        actions=Path(config.desk.corporate_actions).expanduser()
        if config.desk.corporate_actions
        else None,
        square_off_before_s=config.risk.square_off_before_s,
        subscriptions={name: symbols for name, symbols, _ in enabled_strategies(config)},
        tag_salt=salt,
        ran=json.dumps(settings_of(config, strategies, watch)),
    )
