"""Bars in Postgres, for a desk that shares them with other machines.

They go in and out by binary COPY, into partitions by month.

This needs the extra `postgres` (psycopg 3). A password comes from `.pgpass`, a service file or the
environment, as libpq finds it; none stands in the configuration.
"""

import os
import re
import struct
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, final

import numpy as np
import numpy.typing as npt

from compiled.model.values import E4, SECOND, Bar
from engine.config.schema import StoreSettings
from engine.errors import ConfigError, DataError, OperatorError
from engine.history.bar_series import (
    BarSeries,
    Floats,
    Ints,
    StoredSeries,
    from_bars,
    merge,
    to_bars,
)
from store.bars.bar_encoding import coarsest_unit, to_e4
from store.bars.postgres_averages import (
    extend_averages,
    last_averaged,
    replace_averages,
    stored_averages,
)
from store.bars.postgres_schema import LOCK, TimescaleExtension, migrate

Answer = TypeVar("Answer")

EPOCH = 946_684_800 * SECOND
"""2000-01-01 UTC, from which Postgres counts microseconds."""
# Binary COPY, big-endian:
#
#   head  signature (11 bytes), flags (4), length of an extension (4), both 0
#   row   number of fields (2), then of each its length (4) and its bytes
#   tail  -1 in the place of a row's number of fields (2)
#
# All our fields have a fixed length, so a row is one numpy record, and a table is a head, an
# array of records and a tail.
HEAD = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
TAIL = struct.pack(">h", -1)
FIELDS: tuple[tuple[str, str], ...] = (
    ("series", ">i4"),
    ("start", ">i8"),
    ("token", ">i8"),
    ("unit", ">i4"),
    ("open", ">i4"),
    ("high", ">i4"),
    ("low", ">i4"),
    ("close", ">i4"),
    ("volume", ">i8"),
    ("ticks", ">i4"),
)
"""A row of the table, and of what COPY sends in binary: each field after its length."""
NAMES = ", ".join(name for name, _ in FIELDS)
COLUMNS = dict(FIELDS[1:])
# Of an array COPY sends the length of the field, then the number of dimensions, whether there are
# nulls, the type, the number of elements and the first index; then each element after its length.
ARRAY = struct.Struct(">6i")
ARRAY_LENGTH = 4
LARGEST = 2**31 - 1
CHUNK = 1 << 20
MONTH = """CREATE TABLE IF NOT EXISTS market_data.bars_{name} PARTITION OF market_data.bars
    FOR VALUES FROM ('{first}-01 00:00:00+00') TO ('{after}-01 00:00:00+00')"""
UPSERT = f"""INSERT INTO market_data.bars ({NAMES}) SELECT {NAMES} FROM fresh
    ON CONFLICT (series, start, token) DO UPDATE SET
    unit = excluded.unit, open = excluded.open, high = excluded.high,
    low = excluded.low, close = excluded.close,
    volume = excluded.volume, ticks = excluded.ticks"""  # noqa: S608 - names of our own

# prices are compared by value: the same one may be stored in another unit
REMOVE = """DELETE FROM market_data.bars b USING fresh f
    WHERE (b.series, b.start, b.token, b.volume, b.ticks)
        = (f.series, f.start, f.token, f.volume, f.ticks)
    AND b.open::bigint * b.unit = f.open::bigint * f.unit
    AND b.high::bigint * b.unit = f.high::bigint * f.unit
    AND b.low::bigint * b.unit = f.low::bigint * f.unit
    AND b.close::bigint * b.unit = f.close::bigint * f.unit"""


def _row_type() -> np.dtype[np.void]:
    parts: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in FIELDS:
        parts += [(f"{name}_length", ">i4"), (name, kind)]
    return np.dtype(parts)


ROW = _row_type()

# either form of a connection string may carry one
SECRET = re.compile(r"password\s*=|^\w+://[^/@\s]*:[^/@\s]*@", re.IGNORECASE)


@final
class PostgresBars:
    """Implements `engine.ports.BarStore` in the database of a connection string.

    One connection at a time and one at most, made anew where it broke; safe for several threads.
    Raises `OperatorError` where the server is away or refuses, `DataError` for a bar that cannot be
    stored; what was stored before then stands unchanged.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._connection: Any = None
        self._series: dict[tuple[str, int, str], int] = {}
        self._months: set[str] = set()
        self.extension = TimescaleExtension("", compresses=False)

    def write(self, bars: Sequence[Bar], symbols: dict[int, str], version: str) -> None:
        """Store bars of any spans, durably; the same bar (token, span, start) again replaces it."""
        unnamed = {bar.token for bar in bars} - symbols.keys()
        if unnamed:
            raise DataError(
                f"no symbol is known for the tokens {sorted(unnamed)} of {len(bars)} bars"
            )
        parts: defaultdict[tuple[str, int, str], list[Bar]] = defaultdict(list)
        for bar in bars:
            parts[version, int(bar.span), symbols[bar.token]].append(bar)
        self._store_series({key: from_bars(rows) for key, rows in parts.items()})

    def write_columns(self, symbol: str, span: int, version: str, columns: BarSeries) -> None:
        """Store many bars of one symbol."""
        self._store_series({(version, span, symbol): columns})

    def write_many(self, parts: Mapping[str, BarSeries], span: int, version: str) -> None:
        """Store bars of several symbols in one transaction."""
        self._store_series({(version, span, symbol): each for symbol, each in parts.items()})

    def read(self, symbol: str, span: int, start: int, end: int, version: str) -> list[Bar]:
        """Return the bars of a symbol that start in [start, end), oldest first."""
        return to_bars(self.columns(symbol, span, start, end, version), span)

    def read_many(
        self, symbols: Sequence[str], span: int, start: int, end: int, version: str
    ) -> dict[str, list[Bar]]:
        """Return what `read` returns of each symbol."""
        return {symbol: self.read(symbol, span, start, end, version) for symbol in symbols}

    def columns(self, symbol: str, span: int, start: int, end: int, version: str) -> BarSeries:
        """Return what `read` returns, as arrays."""
        low, high = _moment_sql(_ceil_micros(start)), _moment_sql(_ceil_micros(end))

        def there(connection: Any) -> dict[str, Ints]:
            series = self._find_series(connection, (version, span, symbol))
            if series is None:
                return dict.fromkeys(COLUMNS, np.zeros(0, np.int64))
            where = f"series = {series} AND start >= {low} AND start < {high}"
            return _copy_out(connection, where)

        return merge([_decode_columns(self._run_work(there))])

    def starts(self, symbol: str, span: int, version: str) -> Ints:
        """Return when the bars of a symbol start (ns UTC), each time once."""
        return np.unique(self.columns(symbol, span, -(2**62), 2**62, version).start)

    def symbols(self, span: int, version: str) -> list[str]:
        """Return the symbols that have bars, in order."""
        query = (
            "SELECT symbol FROM market_data.series s WHERE span = %s AND version = %s AND EXISTS "
            "(SELECT FROM market_data.bars WHERE series = s.id)"
        )
        return sorted(
            self._run_work(
                lambda connection: [row[0] for row in connection.execute(query, (span, version))]
            )
        )

    def identity(self, symbols: Sequence[str], span: int, version: str) -> str:
        """Return nothing: others write here, too, and leave no trace but their bars."""
        del symbols, span, version
        return ""

    def contents(self) -> list[StoredSeries]:
        """Return the stored series by version, span and symbol.

        The size is a share of the table's, by rows.
        """

        def there(connection: Any) -> list[StoredSeries]:
            query = (
                "SELECT version, span, symbol, count(*) FROM market_data.bars JOIN "
                "market_data.series ON id = series GROUP BY version, span, symbol"
            )
            rows = connection.execute(query).fetchall()
            sizes = (
                "SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM "
                "pg_partition_tree('market_data.bars')"
            )
            if self.extension.version:
                sizes = "SELECT hypertable_size('market_data.bars')"
            size, total = connection.execute(sizes).fetchone()[0], sum(count for *_, count in rows)
            return [
                StoredSeries(version, span, symbol, int(size * count / total))
                for version, span, symbol, count in rows
            ]

        return sorted(self._run_work(there))

    def write_averages(
        self, symbol: str, span: int, version: str, starts: Ints, columns: Mapping[str, Floats]
    ) -> None:
        """Store the bars of a symbol with their averages in `ohlcv_data`, in place of all before.

        NaN stands for no average yet.
        """
        series = self.columns(symbol, span, -(2**62), 2**62, version)
        if not np.array_equal(series.start, starts):
            raise DataError(
                f"the bars of {symbol} have changed since their averages were computed: once more"
            )
        self._run_work(lambda connection: replace_averages(connection, symbol, series, columns))

    def follow_averages(self, version: str) -> int:
        """Add the minutes of a version that came after them to `ohlcv_data`; return how many."""
        there = (
            "SELECT id, symbol FROM market_data.series WHERE version = %s AND span = 60 ORDER BY 2"
        )

        def follow(connection: Any) -> int:
            added = 0
            for series, symbol in connection.execute(there, (version,)).fetchall():
                last = last_averaged(connection, symbol)
                since = _moment_sql(_ceil_micros(-(2**62) if last is None else last + 1))
                fresh = _copy_out(connection, f"series = {int(series)} AND start >= {since}")
                if len(fresh["start"]):
                    added += extend_averages(connection, symbol, _decode_columns(fresh))
            return added

        return self._run_work(follow)

    def averages(self, symbol: str, span: int, version: str) -> tuple[Ints, dict[str, Floats]]:
        """Return the starts of bars with stored averages, and those by name.

        Nothing where there are none.
        """
        # the table holds those of the version they were last made of
        del span, version
        return self._run_work(lambda connection: stored_averages(connection, symbol))

    def remove(self, symbol: str, span: int, version: str, columns: BarSeries) -> None:
        """Remove bars where they still are as given: another bar of the same time stays."""

        def go(connection: Any) -> None:
            series = self._find_series(connection, (version, span, symbol))
            if series is not None and len(columns.start):
                with connection.transaction():
                    # with the removal in one transaction: no reader sees bars gone under the old
                    # count
                    connection.execute("INSERT INTO market_data.removals DEFAULT VALUES")
                    connection.execute(
                        "CREATE TEMP TABLE fresh (LIKE market_data.bars) ON COMMIT DROP"
                    )
                    rows = _encode_rows(series, merge([columns]))
                    _copy_in(connection, "fresh", rows)
                    first, last = (
                        _moment_sql(int(rows["start"][0])),
                        _moment_sql(int(rows["start"][-1])),
                    )
                    connection.execute(f"{REMOVE} AND b.start BETWEEN {first} AND {last}")

        self._run_work(go)

    def removals(self) -> int:
        """Return how often bars have been removed."""
        query = "SELECT coalesce(max(id), 0) FROM market_data.removals"
        return int(self._run_work(lambda connection: connection.execute(query).fetchone()[0]))

    def claim(self, version: str) -> bool:
        """Write the name of a version down as a series without bars.

        Return False where it is taken.
        """
        taken = "SELECT 1 FROM market_data.series WHERE version = %s LIMIT 1"
        name = (
            "INSERT INTO market_data.series (version, span, symbol) VALUES (%s, 0, '') ON "
            "CONFLICT DO NOTHING RETURNING id"
        )

        def take(connection: Any) -> bool:
            # a version with bars is taken as well
            if connection.execute(taken, (version,)).fetchone() is not None:
                return False
            return connection.execute(name, (version,)).fetchone() is not None

        return self._run_work(take)

    def fold(self) -> None:
        """Do nothing: there are no batches here."""

    def describe(self) -> str:
        """Return the version of the server and that of its TimescaleDB."""
        version = self._run_work(
            lambda connection: connection.info.parameter_status("server_version")
        )
        extension = self.extension
        timescale = (
            f"TimescaleDB {extension.version}"
            if extension.version
            else "no TimescaleDB: tables by month"
        )
        plain = bool(extension.version) and not extension.compresses
        return f"Postgres {version}, {timescale}{', without compression' if plain else ''}"

    def run(self, work: Callable[[Any], Answer]) -> Answer:
        """Run other work with the connection, by the same rules.

        A transaction is the work's own.
        """
        return self._run_work(work)

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._drop_connection()

    def _store_series(self, parts: dict[tuple[str, int, str], BarSeries]) -> None:
        merged = {key: merge([series]) for key, series in parts.items() if len(series.start)}

        def store(connection: Any) -> None:
            numbers = {key: self._series_number(connection, key) for key in merged}
            encoded = [_encode_rows(numbers[key], series) for key, series in sorted(merged.items())]
            rows = np.concatenate(encoded, dtype=ROW)
            self._make_partitions(connection, rows["start"])
            with connection.transaction():
                # the look for overlaps holds until the commit; in one order, so that no two desks
                # wait for each other
                for number in sorted(numbers.values()):
                    connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (LOCK, number))
                # new bars come after all others as a rule, and then need no table beside
                if any(_overlaps_stored(connection, part) for part in encoded):
                    connection.execute(
                        "CREATE TEMP TABLE fresh (LIKE market_data.bars) ON COMMIT DROP"
                    )
                    _copy_in(connection, "fresh", rows)
                    connection.execute(UPSERT)
                else:
                    _copy_in(connection, "market_data.bars", rows)

        if merged:
            self._run_work(store)

    def _series_number(self, connection: Any, key: tuple[str, int, str]) -> int:
        """Return the number of a series, which is made where there is none."""
        found = self._find_series(connection, key)
        if found is None:
            connection.execute(
                "INSERT INTO market_data.series (version, span, symbol) VALUES (%s, %s, %s) ON "
                "CONFLICT DO NOTHING",
                key,
            )
            found = self._find_series(connection, key)
        assert found is not None
        return found

    def _find_series(self, connection: Any, key: tuple[str, int, str]) -> int | None:
        if key not in self._series:
            query = (
                "SELECT id FROM market_data.series WHERE version = %s AND span = %s AND symbol = %s"
            )
            row = connection.execute(query, key).fetchone()
            if row is None:
                return None
            self._series[key] = row[0]
        return self._series[key]

    def _make_partitions(self, connection: Any, micros: Ints) -> None:
        """Make the tables of the months that bars fall into."""
        if self.extension.version:
            return
        stamps = micros.astype(np.int64).astype("datetime64[us]") + np.timedelta64(
            EPOCH // 1_000, "us"
        )
        for month in sorted(
            {str(each) for each in np.unique(stamps.astype("datetime64[M]"))} - self._months
        ):
            with connection.transaction():
                # IF NOT EXISTS alone fails where two desks make the same table at once
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
                connection.execute(
                    MONTH.format(
                        name=month.replace("-", "_"), first=month, after=np.datetime64(month) + 1
                    )
                )
            self._months.add(month)

    def _run_work(self, work: Callable[[Any], Answer]) -> Answer:
        with self._lock, self._server_errors():
            for again in (True, False):
                there = self._connection is not None and not self._connection.closed
                try:
                    return work(self._open_connection())
                except _import_psycopg().OperationalError:
                    self._drop_connection()
                    if not (there and again):
                        # else it broke since it was last used, and what was under way was undone
                        raise
            raise AssertionError

    def _open_connection(self) -> Any:
        if self._connection is None or self._connection.closed:
            psycopg = _import_psycopg()
            self._connection = psycopg.connect(
                self._target, autocommit=True, connect_timeout=5, application_name="patang"
            )
            # the text of a time must not depend on the server
            self._connection.execute("SET TimeZone = 'UTC'")
            self.extension = migrate(self._connection)
            # it may be another server, or one restored, where series have other numbers
            self._series.clear()
            self._months.clear()
        return self._connection

    @contextmanager
    def _server_errors(self) -> Iterator[None]:
        psycopg = _import_psycopg()
        try:
            yield
        except psycopg.OperationalError as error:
            self._drop_connection()
            raise OperatorError(f"bars in Postgres: {_one_line(error)}") from None
        except psycopg.Error as error:
            self._drop_connection()
            raise OperatorError(
                f"bars in Postgres: {_one_line(error)}; see docs/history.md"
            ) from None
        except BaseException:
            # whatever was under way on it
            self._drop_connection()
            raise

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _import_psycopg() -> Any:
    try:
        import psycopg  # noqa: PLC0415  only where Postgres is chosen
    except ImportError:
        raise OperatorError(
            'bars in Postgres need psycopg: pip install "patang[postgres]"'
        ) from None
    return psycopg


def _overlaps_stored(connection: Any, rows: npt.NDArray[np.void]) -> bool:
    """Return whether bars of this series are stored between the first and the last new one."""
    first, last = int(rows["start"][0]), int(rows["start"][-1])
    where = (
        f"series = {int(rows['series'][0])} AND start BETWEEN {_moment_sql(first)} AND "
        f"{_moment_sql(last)}"
    )
    query = f"SELECT EXISTS (SELECT FROM market_data.bars WHERE {where})"  # noqa: S608 - numbers of our own
    return bool(connection.execute(query).fetchone()[0])


def _copy_in(connection: Any, table: str, rows: npt.NDArray[np.void]) -> None:
    view = memoryview(rows.tobytes())
    with connection.cursor().copy(f"COPY {table} ({NAMES}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(HEAD)
        for low in range(0, len(view), CHUNK):
            copy.write(view[low : low + CHUNK])
        copy.write(TAIL)


def _copy_out(connection: Any, where: str) -> dict[str, Ints]:
    """Return the columns of some bars, by month."""
    # An array of each column: a row of its own for each bar takes client and server four times as
    # long.
    arrays = ", ".join(f"array_agg({name})" for name in COLUMNS)
    query = (
        f"SELECT {arrays} FROM market_data.bars WHERE {where} GROUP BY date_trunc('month', start)"  # noqa: S608 - names of our own
    )
    with connection.cursor().copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)") as copy:
        content = b"".join(copy)
    months, at = [], len(HEAD)
    while content[at : at + len(TAIL)] != TAIL:
        at += struct.calcsize(">h")
        month = {}
        for name, kind in COLUMNS.items():
            length, *_, count, _ = ARRAY.unpack_from(content, at)
            pairs = np.dtype([("length", ">i4"), ("value", kind)])
            month[name] = np.frombuffer(content, pairs, count, at + ARRAY.size)["value"]
            at += ARRAY_LENGTH + length
        months.append(month)
    months.sort(key=lambda month: int(month["start"][0]))
    return {
        name: np.concatenate([np.zeros(0, np.int64), *(month[name] for month in months)])
        for name in COLUMNS
    }


def _encode_rows(number: int, series: BarSeries) -> npt.NDArray[np.void]:
    unit, scaled = coarsest_unit([to_e4(series, each) for each in series[1:5]])
    rows = np.zeros(len(series.start), ROW)
    rows["fields"] = len(FIELDS)
    for name, kind in FIELDS:
        rows[f"{name}_length"] = int(kind[-1])
    for name, values in (
        ("volume", series.volume),
        *zip(("open", "high", "low", "close"), scaled, strict=True),
    ):
        if name != "volume" and len(values) and int(values.max()) > LARGEST:
            raise DataError(
                f"a bar of token {series.token[int(np.argmax(values))]}: "
                f"{int(values.max()) * unit / E4:g} rupees are too many here"
            )
        rows[name] = values
    rows["series"], rows["start"], rows["token"], rows["unit"] = (
        number,
        _start_micros(series.start),
        series.token,
        unit,
    )
    # a count of ticks is for information: it is capped rather than refused
    rows["ticks"] = np.minimum(series.ticks, LARGEST)
    return rows


def _decode_columns(columns: Mapping[str, Ints]) -> BarSeries:
    unit = columns["unit"]
    opened, high, low, close = (
        columns[name] * unit / E4 for name in ("open", "high", "low", "close")
    )
    return BarSeries(
        columns["start"] * 1_000 + EPOCH,
        opened,
        high=high,
        low=low,
        close=close,
        volume=columns["volume"],
        ticks=columns["ticks"],
        token=columns["token"],
    )


def _start_micros(starts: Ints) -> Ints:
    micros: Ints = (starts - EPOCH) // 1_000
    return micros


def _ceil_micros(ts: int) -> int:
    """Return the first microsecond at or after a time in ns."""
    return -((EPOCH - int(ts)) // 1_000)


def _moment_sql(micros: int) -> str:
    """Return a time as SQL that needs no parsing of dates.

    A time beyond those of Postgres is its first or its last.
    """
    if micros < -(2**47):
        return "'-infinity'::timestamptz"
    if micros > 2**52:
        return "'infinity'::timestamptz"
    return f"('2000-01-01 00:00:00+00'::timestamptz + {micros} * interval '1 microsecond')"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def postgres_target(settings: StoreSettings) -> str:
    """Return the server's connection string.

    Raise `ConfigError` for a password in the configuration, or where there is none.
    """
    if settings.dsn_env:
        found = os.environ.get(settings.dsn_env, "")
        if not found:
            raise ConfigError(
                f"store.dsn_env: the environment variable {settings.dsn_env} is not set"
            )
        return found
    if SECRET.search(settings.dsn):
        raise ConfigError(
            "store.dsn holds a password: put it into ~/.pgpass, or the whole into a variable "
            "named by store.dsn_env"
        )
    if not settings.dsn:
        raise ConfigError(
            'store.backend is "postgres": say where in store.dsn, as "host=db dbname=patang", or '
            "in store.dsn_env"
        )
    return settings.dsn


def open_store(settings: StoreSettings) -> PostgresBars:
    """Return the store on the server that is configured; raise `ConfigError` as its target does."""
    return PostgresBars(postgres_target(settings))
