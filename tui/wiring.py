"""Hand the outside world to the engine: which exchange, which clock, which files, for one run of the desk."""

import json
import os
import random
import resource
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec

from compiled.model import SECOND, Bar
from compiled.risk import Limits
from compiled.strategy import Strategy
from engine.config import Config, paths
from engine.desk import Desk, Ports, Settings
from engine.errors import ConfigError, OperatorError
from engine.market import charges
from engine.market.calendar import Calendar
from engine.ops import logs
from engine.ops.control import Door, socket_path
from engine.trading.board import Board
from engine.trading.clock import ScaledClock, SteppedClock
from engine.trading.gateway import Patience
from engine.trading.governor import Rates
from engine.trading.killswitch import HALT, KillSwitch
from strategies import build

IST = timezone(timedelta(hours=5, minutes=30))
KEPT_RUNS = 20
MINUTE_SPAN = 60
BUILT = ("sandbox", "replay")


@dataclass(frozen=True, slots=True)
class Run:
    """What one run adds to the configuration: a tape to replay, a day, a pace (0: lockstep), a fresh kill state."""

    mode: str = "sandbox"
    tape: Path | None = None
    day: str = ""
    symbols: tuple[str, ...] = ()
    speed: float | None = None
    seed: int | None = None
    start: str = ""


class Station:
    """A desk with everything around it; `open` starts it, `close` ends it and says how the day went."""

    def __init__(self, config: Config, run: Run) -> None:
        if run.mode not in BUILT:
            raise ConfigError(f"mode {run.mode} is not built yet; built: {', '.join(BUILT)}")
        self.config = config
        self.run = run
        self.state = state_folder(config, run.mode)
        self.began = time.monotonic()
        self.board = Board(run.mode.upper())
        self.spans = tuple(config.feed.spans_s)
        self.failures: list[tuple[str, BaseException]] = []
        self._closers: list[Callable[[], None]] = []
        self._closed = False
        self.desk: Desk
        self.kill: KillSwitch
        self.endpoint: Any
        self.database: Path

    def open(self) -> Desk:
        """Start the exchange, the journal, the door and the desk; return the desk once its thread runs."""
        try:
            return self._open()
        except BaseException:
            self._undo()
            raise

    def _open(self) -> Desk:
        try:
            self.state.mkdir(parents=True, exist_ok=True)
            logs.open_log(self.state / "patang.log")
        except OSError as error:
            raise OperatorError(f"cannot write in {self.state}: {error.strerror}") from None
        self.kill = KillSwitch(self.state / "KILL")
        endpoint, clock, pacer = self._exchange()
        self.endpoint = endpoint
        journal = self._journal()
        keep = self._bars()
        broker, feed = self._kite(endpoint, clock, lockstep=pacer is not None)
        salt = self._salt(journal, fixed=pacer is not None)
        ports = Ports(
            broker, feed, journal, clock, self.kill, Calendar.load(), charges.load(), pacer, keep,
        )  # fmt: skip
        self.desk = Desk(self._settings(salt), ports, strategies_of(self.config), self.fail, self.board)
        door = Door(socket_path(self.state), self.desk, self.kill, self.fail)
        self._closers.append(door.close)
        logs.hook(self.fail)
        self.desk.start()
        return self.desk

    def close(self) -> None:
        """Stop the desk, wait for it, and let go of everything."""
        if self._closed:
            return
        self._closed = True
        self.desk.stop()
        self.desk.join(30.0)
        self._undo()

    def _undo(self) -> None:
        while self._closers:
            self._closers.pop()()

    def fail(self, name: str, error: BaseException) -> None:
        """Log what killed a thread and latch the kill switch; the engine latches it itself, once it has opened."""
        logs.log_failure(name, error)
        self.failures.append((name, error))
        if name != "engine":
            self.kill.trigger(HALT, f"{name} died: {error}", name)

    def summary(self) -> dict[str, object]:
        """Return the day in figures, money in rupees."""
        facts = self.desk.facts()
        for key in ("gross", "charges", "net", "start_cash", "end_cash"):
            facts[key] = int(str(facts[key])) / 100
        return facts | {
            "wall_s": round(time.monotonic() - self.began, 3),
            "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        }

    # the exchange

    def _exchange(self) -> tuple[Any, ScaledClock | SteppedClock, Any]:
        """Return (endpoint, clock, pacer): the embedded exchange, or the one the configuration names."""
        from brokers.sandbox.config import Endpoint  # noqa: PLC0415  only a run needs a broker
        from brokers.sandbox.lockstep import LockstepPacer  # noqa: PLC0415

        broker = self.config.broker
        if broker.rest:
            key, token = broker.credentials(os.environ)
            endpoint = Endpoint(broker.rest, broker.ws, key, "", token, "")
            told = _sandbox_clock(broker.rest)
            if told is None:
                return endpoint, ScaledClock.real(), None
            now, speed = int(told["now"]), told["speed"]
        else:
            endpoint, now, speed = self._embedded()
        if speed is None:
            return endpoint, SteppedClock(now), LockstepPacer(endpoint.rest)
        return endpoint, ScaledClock(now, speed), None

    def _embedded(self) -> tuple[Any, int, float | None]:
        from brokers.sandbox.config import SandboxConfig  # noqa: PLC0415
        from brokers.sandbox.server import Sandbox  # noqa: PLC0415

        config, run = self.config.sandbox, self.run
        speed = config.speed if run.speed is None else run.speed
        sandbox = Sandbox(SandboxConfig(
            seed=config.seed if run.seed is None else run.seed,
            date=run.day or config.date or latest_day(),
            start=run.start or config.start,
            speed=speed or None,
            symbols=run.symbols or config.symbols,
            tape=run.tape,
            port=config.port,
            cash=config.cash * 100,
            limits=bool(speed),
        ))  # fmt: skip
        sandbox.on_failure = self.fail
        endpoint = sandbox.start()
        self._closers.append(sandbox.stop)
        told = _sandbox_clock(endpoint.rest)
        assert told is not None
        return endpoint, int(told["now"]), told["speed"]

    def _kite(self, endpoint: Any, clock: Any, *, lockstep: bool) -> tuple[Any, Any]:
        from brokers.kite.feed import KiteFeed  # noqa: PLC0415
        from brokers.kite.rest import KiteBroker  # noqa: PLC0415

        settings = self.config.broker
        stale = float("inf") if lockstep else self.config.feed.stale_after_s
        broker = KiteBroker(
            endpoint.rest, endpoint.api_key, endpoint.access_token, clock, settings.workers, settings.timeout_s,
            limits=not lockstep, on_token_death=self._token_died,
        )  # fmt: skip
        feed = KiteFeed(
            endpoint.ws, endpoint.api_key, endpoint.access_token, clock, rng=random.Random(),  # noqa: S311  back-off jitter
            stale_after=stale, on_token_death=self._token_died,
        )  # fmt: skip
        return broker, feed

    def _token_died(self) -> None:
        self.kill.trigger(HALT, "the access token has died; log in again", "broker")

    # files

    def _journal(self) -> Any:
        from store.sqlite import SqliteJournal  # noqa: PLC0415

        self.database = self._database()
        journal = SqliteJournal(self.database, self.fail)
        self._closers.append(journal.close)
        return journal

    def _database(self) -> Path:
        """Return the database: the configured one, or with the embedded exchange a new one for each run."""
        if self.config.store.database or self.config.broker.rest:
            return paths(self.config, os.environ).database if self.config.store.database else self.state / "desk.db"
        runs = sorted(self.state.glob("run-*.db"))
        for old in runs[: max(0, len(runs) - KEPT_RUNS + 1)]:
            for file in old.parent.glob(old.name + "*"):
                file.unlink(missing_ok=True)
        return self.state / f"run-{datetime.now(IST):%Y%m%d-%H%M%S}-{os.getpid()}.db"

    def _salt(self, journal: Any, *, fixed: bool) -> str:
        """Return what sets this database's tags apart from any other's on the account."""
        known = {row["key"]: row["value"] for row in journal.load("meta")}
        if "salt" in known:
            return str(known["salt"])
        salt = "0000" if fixed else secrets.token_hex(2)
        journal.append("meta", {"key": "salt", "value": salt})
        return salt

    def _bars(self) -> Callable[[list[Bar]], None] | None:
        """Return what stores the closed one-minute bars, None where bars are not kept."""
        if not self.config.store.bars:
            return None
        from store.bars.parquet import ParquetBars  # noqa: PLC0415
        from store.bars.writer import BarWriter  # noqa: PLC0415

        names: dict[int, str] = {}
        store = ParquetBars(bars_folder(self.config, self.run.mode))
        writer = BarWriter(store, names, self.fail)
        self._closers += [store.fold, writer.close]

        def keep(bars: list[Bar]) -> None:
            if not names:
                names.update({token: m.instrument.symbol for token, m in self.desk.kernel.markets.items()})
            writer.offer(bar for bar in bars if bar.span == MINUTE_SPAN)

        return keep

    # settings

    def _settings(self, salt: str) -> Settings:
        config = self.config
        return Settings(
            mode=self.run.mode,
            limits=limits_of(config),
            spans=tuple(config.feed.spans_s),
            watch=self.run.symbols or tuple(config.feed.watch),
            rates=Rates(
                config.governor.orders_per_second, config.governor.orders_per_minute,
                config.governor.orders_per_day, config.governor.reserve_per_second,
            ),
            patience=Patience(config.gateway.settle_s, config.gateway.lookup_every_s, config.gateway.lookups),
            poll_s=config.gateway.poll_s,
            positions_every_s=config.gateway.positions_every_s,
            stale_after_s=config.feed.stale_after_s,
            subscriptions={name: symbols for name, symbols, _ in enabled(self.config)},
            tag_salt=salt,
        )  # fmt: skip


def enabled(config: Config) -> list[tuple[str, tuple[str, ...], dict[str, Any]]]:
    """Return (name, symbols, parameters) of every strategy that runs, in configured order."""
    tables = msgspec.to_builtins(config.strategy)
    others = tables.pop("other")
    return [
        (name, tuple(table.get("symbols", ())), table)
        for name, table in (tables | others).items()
        if table.get("enabled", True)
    ]


def strategies_of(config: Config) -> list[Strategy]:
    """Build every strategy that runs; raise `ConfigError` for a parameter it cannot use."""
    return [build(name, table) for name, _, table in enabled(config)]


def state_folder(config: Config, mode: str) -> Path:
    """Return where the desk of a mode keeps its things."""
    return paths(config, os.environ).state / mode


def bars_folder(config: Config, mode: str) -> Path:
    """Return where the bars of a mode are kept."""
    if config.store.bars_dir:
        return paths(config, os.environ).bars
    return state_folder(config, mode) / "bars"


def latest_database(config: Config, mode: str) -> Path:
    """Return the database to read: the configured one, the desk's own, or the last run's; raise `OperatorError`."""
    if config.store.database:
        return paths(config, os.environ).database
    folder = state_folder(config, mode)
    found = sorted([*folder.glob("desk.db"), *folder.glob("run-*.db")], key=lambda path: path.stat().st_mtime)
    if not found:
        raise OperatorError(f"nothing has run yet: no database in {folder}")
    return found[-1]


def limits_of(config: Config) -> Limits:
    """Return the configured limits in paise and ns."""
    risk = config.risk
    limits = Limits(
        risk.max_order_value * 100, risk.max_exposure * 100, risk.max_positions, risk.max_positions_per_symbol,
        risk.max_trades_per_day, risk.max_daily_loss * 100, risk.max_drawdown * 100, risk.max_consecutive_losses,
        risk.price_range_percent, int(config.feed.stale_after_s * SECOND),
    )  # fmt: skip
    for name, rupees in risk.budget.items():
        limits.budgets[name] = rupees * 100
    return limits


def latest_day() -> str:
    """Return the latest trading day on or before today."""
    return str(Calendar.load().latest_trading_day(datetime.now(IST).date()))


def _sandbox_clock(rest: str) -> dict[str, Any] | None:
    """Return a sandbox's clock, None if the endpoint is no sandbox (or not there: the broker call will tell)."""
    if not rest.startswith("http://"):
        return None
    try:
        with urllib.request.urlopen(rest.rstrip("/") + "/sandbox/clock", timeout=5) as answer:  # noqa: S310  http only, checked above
            clock = json.loads(answer.read())
    except (urllib.error.URLError, OSError, ValueError):
        return None
    return dict(clock) if "now" in clock else None
