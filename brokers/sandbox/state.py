"""A sandbox's memory: a SQLite file from which the account comes back after a restart, and goes on into later days.

The exchange is a pure function of its configuration and of the requests that changed something, so these are what is
kept: a restart plays them again. A later date plays the last day to its end and carries over what is left of it.
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

from brokers.sandbox import carry, universe
from brokers.sandbox.admin import FAULTS, WAKE
from brokers.sandbox.carry import Carried
from brokers.sandbox.choices import Choices
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.exchange import Exchange
from brokers.sandbox.nights import over_night
from brokers.sandbox.routes import Api
from brokers.sandbox.wire import Request
from compiled.model import MINUTE
from engine.errors import ConfigError, DataError

SCHEMA = """
create table if not exists day (
    date text primary key, config text not null, carried text, now integer not null default 0, prices text
) strict;
create table if not exists request (
    id integer primary key, date text not null, now integer not null, request text not null
) strict;
create table if not exists account (salt text not null) strict;
"""
SHAPE = ("seed", "symbols", "exchanges", "wide", "size", "tape", "instruments", "start", "cash", "holdings", "unsettled",
         "positions", "square_off", "post_close", "consent", "user_id", "choices")  # fmt: skip
"""What of a configuration a day's history depends on."""


LEG = 10 * MINUTE
"""How far a day is played again before the progress is told, ns."""
INDEX_WORDS = ("NIFTY", "SENSEX", "BANKEX", "INDIA VIX")

Progress = Callable[[str, int], None]
"""Hears which day is being played again, and to what instant (ns UTC) it has come."""


@final
class State:
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
            if not any(
                row[1] == "prices" for row in self._db.execute("pragma table_info(day)")
            ):  # of an earlier version
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

    def open(self, config: SandboxConfig) -> tuple[Exchange, Api]:
        """Return the exchange of a date as the file knows it; raise `ConfigError` where the two do not fit."""
        last = self._row("select date, config, carried, now, prices from day order by date desc limit 1")
        config = replace(config if last is None else _of_account(config, last), salt=config.salt or self._salt())
        if last is None or last[0] < config.date:
            carried = None if last is None else over_night(config, self._finished(config, last))
            packed = None if carried is None else msgspec.json.encode(carried).decode()
            self._db.execute("insert into day (date, config, carried) values (?, ?, ?)",
                             (config.date, _packed(config), packed))  # fmt: skip
            exchange = Exchange(config, carried)
            api = Api(exchange)
        elif last[0] > config.date:
            raise ConfigError(f"sandbox state {self._path} has come to {last[0]}; it cannot go back to {config.date}")
        else:
            _check_shape(config, last[1], self._path)
            exchange, api = self._replayed(config, last, self._requests(config.date))
        api.performed = lambda request, now: self._keep(config.date, request, now)
        return exchange, api

    def _salt(self) -> str:
        """Return what the account's key, secret and tokens are made of; drawn with the file."""
        if self._row("select salt from account") is None:
            self._db.execute("insert into account (salt) values (?)", (secrets.token_hex(32),))
        found = self._row("select salt from account")
        assert found is not None
        return str(found[0])

    def tick(self, date: str, now: int) -> None:
        """Remember how far the clock has come."""
        self._db.execute("update day set now = max(now, ?) where date = ?", (now, date))

    def remember(self, exchange: Exchange, *, last: bool = False) -> None:
        """Keep the last prices of all shares, now and then and at the `last`: the next day plays only what was named again."""
        if exchange.now - self._priced < LEG and not last:
            return
        self._priced = exchange.now
        prices = msgspec.json.encode(carry.prices(exchange)).decode()
        self._db.execute("update day set prices = ? where date = ?", (prices, exchange.config.date))

    def _keep(self, date: str, request: Request, now: int) -> None:
        self._db.execute(
            "insert into request (date, now, request) values (?, ?, ?)", (date, now, json.dumps(asdict(request)))
        )
        self.tick(date, now)

    def _row(self, query: str) -> tuple[Any, ...] | None:
        with closing(self._db.execute(query)) as rows:
            found: tuple[Any, ...] | None = rows.fetchone()
            return found

    def _finished(self, config: SandboxConfig, last: tuple[Any, ...]) -> Carried:
        """Play the last day to its end and return what it leaves."""
        old = _as_begun(config, last)
        requests = self._requests(last[0])
        named = " ".join(
            [
                last[1],
                last[2] or "",
                *(f"{each.path} {each.form} {each.body}" for _, each in requests if each.path != WAKE),
            ]
        )
        # who is woken and then named by no request has moved for nobody
        kept = [row for row in requests if row[1].path != WAKE or row[1].form["key"].partition(":")[2] in named]
        exchange, _ = self._replayed(old, last, kept, _watched(old, named))
        self._play(exchange, exchange.closes)
        left = carry.collect(exchange)
        shown = {} if last[4] is None else msgspec.json.decode(last[4], type=dict[str, float])
        return msgspec.structs.replace(left, closes=shown | left.closes)

    def _requests(self, date: str) -> list[tuple[int, Request]]:
        """Return what changed something on a day, and when."""
        rows = self._db.execute("select now, request from request where date = ? order by id", (date,))
        found = []
        for now, packed in rows.fetchall():
            fields = json.loads(packed)
            found.append((now, Request(**fields | {"query": [tuple(pair) for pair in fields["query"]]})))
        return found

    def _replayed(
        self,
        config: SandboxConfig,
        day: tuple[Any, ...],
        requests: list[tuple[int, Request]],
        watched: Collection[str] | None = None,
    ) -> tuple[Exchange, Api]:
        carried = None if day[2] is None else msgspec.json.decode(day[2], type=Carried)
        exchange = Exchange(config, carried, watched)
        api = Api(exchange)
        for now, request in requests:
            self._play(exchange, now)
            api.perform(request)
        self._play(exchange, day[3])
        return exchange, api

    def _play(self, exchange: Exchange, until: int) -> None:
        while not exchange.over and exchange.now < until:
            exchange.run(min(until, exchange.now + LEG))
            if self._progress is not None:
                self._progress(exchange.config.date, exchange.now)
        exchange.run(until)


def _as_begun(config: SandboxConfig, day: tuple[Any, ...]) -> SandboxConfig:
    """Return the configuration that a day of the file was begun with."""
    shape = msgspec.json.decode(day[1])
    return replace(config, date=day[0], **{key: _value(key, shape[key]) for key in SHAPE if key in shape})


def _of_account(config: SandboxConfig, last: tuple[Any, ...]) -> SandboxConfig:
    """Return a configuration for the account of the file, which keeps its user over the days unless another is named."""
    old = _as_begun(config, last)
    user = old.user_id if old.date == config.date else old.user
    return replace(config, user_id=config.user_id or user)


def _packed(config: SandboxConfig) -> str:
    return msgspec.json.encode({key: _plain(getattr(config, key)) for key in SHAPE}).decode()


def _watched(config: SandboxConfig, named: str) -> set[str] | None:
    """Return which of the twenty names a day's requests name in any way; None where all of them matter."""
    own = config.symbols or config.tape or config.instruments
    if own or config.all_faults() or FAULTS in named or any(word in named for word in INDEX_WORDS):
        return None
    return {name for name in universe.NAMES if name in named}


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


def _value(key: str, kept: Any) -> Any:
    if key in {"tape", "instruments"}:
        return Path(kept) if kept else None
    if key == "choices":
        return msgspec.convert(kept, Choices)
    return _tuples(kept)


def _tuples(kept: Any) -> Any:
    return tuple(_tuples(one) for one in kept) if isinstance(kept, list) else kept


def _check_shape(config: SandboxConfig, kept: str, path: Path) -> None:
    now, then = json.loads(_packed(config)), json.loads(kept)
    for key in SHAPE:
        if now[key] != then.get(key, now[key]):
            raise ConfigError(
                f"sandbox state {path}: {config.date} was begun with {key} {then[key]!r}, not {now[key]!r}"
            )
