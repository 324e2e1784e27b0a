"""A sandbox's memory: a SQLite file from which the account comes back after a restart, and goes on into later days.

The exchange is a pure function of its configuration and of the requests that changed something, so these are what is
kept: a restart plays them again. A later date plays the last day to its end and carries over what is left of it.
"""

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self, final

import msgspec

from brokers.sandbox import carry
from brokers.sandbox.carry import Carried
from brokers.sandbox.choices import Choices
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.exchange import Exchange
from brokers.sandbox.routes import Api
from brokers.sandbox.wire import Request
from engine.errors import ConfigError, DataError

SCHEMA = """
create table if not exists day (
    date text primary key, config text not null, carried text, now integer not null default 0
) strict;
create table if not exists request (
    id integer primary key, date text not null, now integer not null, request text not null
) strict;
"""
SHAPE = ("seed", "symbols", "exchanges", "size", "tape", "instruments", "start", "cash", "holdings", "unsettled",
         "positions", "square_off", "post_close", "consent", "user_id", "choices")  # fmt: skip
"""What of a configuration a day's history depends on."""


@final
class State:
    """One file; raise `DataError` where it is no such file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("pragma journal_mode=wal")
            self._db.executescript(SCHEMA)
        except sqlite3.Error as error:
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
        last = self._row("select date, config, carried, now from day order by date desc limit 1")
        if last is None or last[0] < config.date:
            carried = None if last is None else self._finished(config, last)
            packed = None if carried is None else msgspec.json.encode(carried).decode()
            self._db.execute("insert into day (date, config, carried) values (?, ?, ?)",
                             (config.date, _packed(config), packed))  # fmt: skip
            exchange, api = self._begun(config, carried)
        elif last[0] > config.date:
            raise ConfigError(f"sandbox state {self._path} has come to {last[0]}; it cannot go back to {config.date}")
        else:
            _check_shape(config, last[1], self._path)
            exchange, api = self._replayed(config, last)
        api.performed = lambda request, now: self._keep(config.date, request, now)
        return exchange, api

    def tick(self, date: str, now: int) -> None:
        """Remember how far the clock has come."""
        self._db.execute("update day set now = max(now, ?) where date = ?", (now, date))

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
        shape = msgspec.json.decode(last[1])
        old = replace(config, date=last[0], **{key: _value(key, shape[key]) for key in SHAPE})
        exchange, _ = self._replayed(old, last)
        exchange.run(exchange.closes)
        return carry.collect(exchange)

    def _replayed(self, config: SandboxConfig, day: tuple[Any, ...]) -> tuple[Exchange, Api]:
        carried = None if day[2] is None else msgspec.json.decode(day[2], type=Carried)
        exchange, api = self._begun(config, carried)
        rows = self._db.execute("select now, request from request where date = ? order by id", (config.date,))
        for now, packed in rows.fetchall():
            exchange.run(now)
            fields = json.loads(packed)
            api.perform(Request(**fields | {"query": [tuple(pair) for pair in fields["query"]]}))
        exchange.run(day[3])
        return exchange, api

    @staticmethod
    def _begun(config: SandboxConfig, carried: Carried | None) -> tuple[Exchange, Api]:
        exchange = Exchange(config, carried)
        return exchange, Api(exchange)


def _packed(config: SandboxConfig) -> str:
    return msgspec.json.encode({key: _plain(getattr(config, key)) for key in SHAPE}).decode()


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
        if now[key] != then[key]:
            raise ConfigError(
                f"sandbox state {path}: {config.date} was begun with {key} {then[key]!r}, not {now[key]!r}"
            )
