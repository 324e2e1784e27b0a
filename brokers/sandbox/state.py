"""A sandbox's memory: the account in a SQLite file, over restarts and into later days.

The exchange is a pure function of its configuration and of the requests that changed something, so
these are what is kept: a restart plays them again. A later date plays the last day to its end and
carries over what is left of it.
"""

import json
import os
import secrets
import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self, final

import msgspec

from brokers.sandbox import overnight
from brokers.sandbox.account.carried_account import CarriedAccount
from brokers.sandbox.api.admin_routes import FAULTS, WAKE
from brokers.sandbox.api.kite_routes import SandboxApi
from brokers.sandbox.assumptions import KiteAssumptions
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.corporate_actions import apply_corporate_actions
from brokers.sandbox.exchange import SandboxExchange
from brokers.sandbox.http import SandboxRequest
from brokers.sandbox.universe import known_shares
from compiled.model.values import MINUTE
from engine.errors import ConfigError, DataError

SCHEMA = """
create table if not exists day (
    date text primary key, config text not null, carried text, now integer not null default 0,
    prices text
) strict;
create table if not exists request (
    id integer primary key, date text not null, now integer not null, request text not null
) strict;
create table if not exists account (salt text not null) strict;
"""
SHAPE = (
    "seed",
    "symbols",
    "exchanges",
    "wide",
    "size",
    "tape",
    "instruments",
    "start",
    "cash",
    "holdings",
    "unsettled",
    "positions",
    "square_off",
    "post_close",
    "consent",
    "user_id",
    "choices",
)
"""What of a configuration a day's history depends on."""


LEG = 10 * MINUTE
"""Time that is played again between two calls of the progress, ns."""
INDEX_WORDS = ("NIFTY", "SENSEX", "BANKEX", "INDIA VIX")

Progress = Callable[[str, int], None]
"""Called with the day that is played again, and the instant (ns UTC) it has reached."""


@final
class SandboxStateFile:
    """One file; raise `DataError` where it is no such file."""

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self._path = path
        self._progress = progress
        self._priced = 0
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            path.chmod(0o600)  # it keeps what the tokens are made of
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("pragma journal_mode=wal")
            self._db.executescript(SCHEMA)
            # of an earlier version
            if not any(row[1] == "prices" for row in self._db.execute("pragma table_info(day)")):
                self._db.execute("alter table day add column prices text")
        except (sqlite3.Error, OSError) as error:
            raise DataError(f"sandbox state {path}: {error}") from None

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def open_exchange(self, config: SandboxConfig) -> tuple[SandboxExchange, SandboxApi]:
        """Return the exchange of a date from the file.

        Raise `ConfigError` where the two do not fit.
        """
        last = self._fetch_row(
            "select date, config, carried, now, prices from day order by date desc limit 1"
        )
        config = replace(
            config if last is None else _account_config(config, last),
            salt=config.salt or self._account_salt(),
        )
        if last is None or last[0] < config.date:
            carried = (
                None
                if last is None
                else apply_corporate_actions(config, self._play_last_day(config, last))
            )
            packed = None if carried is None else msgspec.json.encode(carried).decode()
            self._db.execute(
                "insert into day (date, config, carried) values (?, ?, ?)",
                (config.date, _packed_shape(config), packed),
            )
            exchange = SandboxExchange(config, carried)
            api = SandboxApi(exchange)
        elif last[0] > config.date:
            raise ConfigError(
                f"sandbox state {self._path} has come to {last[0]}; it cannot go back to "
                f"{config.date}"
            )
        else:
            _check_shape(config, last[1], self._path)
            exchange, api = self._replay_day(config, last, self._day_requests(config.date))
        # before the request is answered: a restart plays everything that a client knows of
        api.on_performed = lambda request, now: self._keep_request(config.date, request, now)
        return exchange, api

    def _account_salt(self) -> str:
        """Return what the account's key, secret and tokens are made of; drawn with the file."""
        if self._fetch_row("select salt from account") is None:
            self._db.execute("insert into account (salt) values (?)", (secrets.token_hex(32),))
        found = self._fetch_row("select salt from account")
        assert found is not None
        return str(found[0])

    def remember_time(self, date: str, now: int) -> None:
        """Remember how far the clock has come."""
        self._db.execute("update day set now = max(now, ?) where date = ?", (now, date))

    def remember_prices(self, exchange: SandboxExchange, *, last: bool = False) -> None:
        """Keep the last prices of all shares, now and then and at the `last`.

        The next day plays only the names that requests named.
        """
        if exchange.now - self._priced < LEG and not last:
            return
        self._priced = exchange.now
        prices = msgspec.json.encode(overnight.last_prices(exchange)).decode()
        self._db.execute("update day set prices = ? where date = ?", (prices, exchange.config.date))

    def _keep_request(self, date: str, request: SandboxRequest, now: int) -> None:
        self._db.execute(
            "insert into request (date, now, request) values (?, ?, ?)",
            (date, now, json.dumps(asdict(request))),
        )
        self.remember_time(date, now)

    def _fetch_row(self, query: str) -> tuple[Any, ...] | None:
        with closing(self._db.execute(query)) as rows:
            found: tuple[Any, ...] | None = rows.fetchone()
            return found

    def _play_last_day(self, config: SandboxConfig, last: tuple[Any, ...]) -> CarriedAccount:
        """Play the last day to its end and return what it leaves."""
        old = _config_as_begun(config, last)
        requests = self._day_requests(last[0])
        named = " ".join(
            [
                last[1],
                last[2] or "",
                *(
                    f"{each.path} {each.form} {each.body}"
                    for _, each in requests
                    if each.path != WAKE
                ),
            ]
        )
        # who is woken and then named by no request has moved for nobody
        kept = [
            row
            for row in requests
            if row[1].path != WAKE or row[1].form["key"].partition(":")[2] in named
        ]
        exchange, _ = self._replay_day(old, last, kept, _watched_names(old, named))
        self._play_until(exchange, exchange.closes)
        left = overnight.collect_account(exchange)
        shown = {} if last[4] is None else msgspec.json.decode(last[4], type=dict[str, float])
        return msgspec.structs.replace(left, closes=shown | left.closes)

    def _day_requests(self, date: str) -> list[tuple[int, SandboxRequest]]:
        """Return what changed something on a day, and when."""
        rows = self._db.execute(
            "select now, request from request where date = ? order by id", (date,)
        )
        found = []
        for now, packed in rows.fetchall():
            fields = json.loads(packed)
            found.append(
                (
                    now,
                    SandboxRequest(**fields | {"query": [tuple(pair) for pair in fields["query"]]}),
                )
            )
        return found

    def _replay_day(
        self,
        config: SandboxConfig,
        day: tuple[Any, ...],
        requests: list[tuple[int, SandboxRequest]],
        watched: Collection[str] | None = None,
    ) -> tuple[SandboxExchange, SandboxApi]:
        carried = None if day[2] is None else msgspec.json.decode(day[2], type=CarriedAccount)
        exchange = SandboxExchange(config, carried, watched)
        api = SandboxApi(exchange)
        for now, request in requests:
            self._play_until(exchange, now)
            api.perform(request)
        self._play_until(exchange, day[3])
        return exchange, api

    def _play_until(self, exchange: SandboxExchange, until: int) -> None:
        while not exchange.is_over and exchange.now < until:
            exchange.run(min(until, exchange.now + LEG))
            if self._progress is not None:
                self._progress(exchange.config.date, exchange.now)
        exchange.run(until)


def _config_as_begun(config: SandboxConfig, day: tuple[Any, ...]) -> SandboxConfig:
    """Return the configuration that a day of the file was begun with."""
    shape = msgspec.json.decode(day[1])
    return replace(
        config, date=day[0], **{key: _kept_value(key, shape[key]) for key in SHAPE if key in shape}
    )


def _account_config(config: SandboxConfig, last: tuple[Any, ...]) -> SandboxConfig:
    """Return a configuration for the file's account, with its user unless another is named."""
    old = _config_as_begun(config, last)
    user = old.user_id if old.date == config.date else old.user
    return replace(config, user_id=config.user_id or user)


def _packed_shape(config: SandboxConfig) -> str:
    return msgspec.json.encode({key: _plain_value(getattr(config, key)) for key in SHAPE}).decode()


def _watched_names(config: SandboxConfig, named: str) -> set[str] | None:
    """Return those of the twenty names that a day's requests name, None where all matter."""
    own = config.symbols or config.tape or config.instruments
    # an index, and a fault that moves prices, need all names to move
    if own or config.all_faults() or FAULTS in named or any(word in named for word in INDEX_WORDS):
        return None
    return {name for name in known_shares.NAMES if name in named}


def _plain_value(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


def _kept_value(key: str, kept: Any) -> Any:
    if key in {"tape", "instruments"}:
        return Path(kept) if kept else None
    if key == "choices":
        return msgspec.convert(kept, KiteAssumptions)
    return _nested_tuples(kept)


def _nested_tuples(kept: Any) -> Any:
    return tuple(_nested_tuples(one) for one in kept) if isinstance(kept, list) else kept


def _check_shape(config: SandboxConfig, kept: str, path: Path) -> None:
    now, then = json.loads(_packed_shape(config)), json.loads(kept)
    for key in SHAPE:
        if now[key] != then.get(key, now[key]):
            raise ConfigError(
                f"sandbox state {path}: {config.date} was begun with {key} {then[key]!r}, not "
                f"{now[key]!r}"
            )
