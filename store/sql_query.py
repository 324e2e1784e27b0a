"""SQL over everything that is stored, read-only.

Bars and instruments as they lie on disk, the records of a run beside them.

bars          symbol, span, version, start (IST), open, high, low, close (rupees), volume, ticks,
              token
instruments   of each exchange the last dump kept on or before a day, with Kite's columns and `day`
instruments_by_day   all dumps that are kept, the last of each day
trades, orders, fills, and the other tables of a run: as docs/store.md has them
"""

import contextlib
import csv
import json
import math
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import duckdb
import pyarrow as pa

from engine.errors import ConfigError, DataError, OperatorError, in_words
from engine.indian_time import INDIA
from engine.market.arrow_columns import array_of_numbers
from engine.market.instrument_dumps import DumpFolder
from engine.ports import BarStore
from engine.system.whole_files import replacing
from engine.texts import csv_cell
from store.schema import connect, refusal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Archived = Callable[[], Sequence[Path]]
END_OF_TIME = 2**62
MOST_ROWS = 50_000_000
"""About 5 GB in memory."""
READING = frozenset({"SELECT", "EXPLAIN"})
E4 = "1e4"
COLUMNS = """union_by_name = true, filename = true,
    types = {'instrument_token': 'BIGINT', 'expiry': 'DATE', 'strike': 'DOUBLE',
    'tick_size': 'DOUBLE', 'lot_size': 'BIGINT'}"""

FIELDS = f"""token, CAST(start AS TIMESTAMPTZ) AS start, open * unit / {E4} AS open,
    (greatest(open, close) + upper_wick) * unit / {E4} AS high,
    (least(open, close) - lower_wick) * unit / {E4} AS low,
    close * unit / {E4} AS close, volume, ticks"""
STORED = (
    "SELECT version, CAST(span AS BIGINT) AS span, symbol, {fields} FROM read_parquet([{paths}], "
    "hive_partitioning = true, hive_types_autocast = false)"
)
LAYERED = """SELECT version, CAST(span AS BIGINT) AS span, symbol, {fields} FROM (
    SELECT *, row_number() OVER (
        PARTITION BY version, span, symbol, token, start ORDER BY filename DESC) AS age
    FROM read_parquet([{paths}], hive_partitioning = true, hive_types_autocast = false,
    filename = true)) WHERE age = 1"""
"""Of files that may hold the same bar: that of the later name counts."""
KEYS = "version, span, symbol, token, start"
AVERAGES = """SELECT version, CAST(span AS BIGINT) AS span,
    url_decode(parse_filename(filename, true)) AS symbol,
    CAST(start AS TIMESTAMPTZ) AS start, * EXCLUDE (version, span, start, filename)
    FROM read_parquet([{paths}], hive_partitioning = true, hive_types_autocast = false,
    filename = true)"""
NONE = """SELECT '' AS version, 0::BIGINT AS span, '' AS symbol, 0::BIGINT AS token, now() AS start,
    0::DOUBLE AS open, 0::DOUBLE AS high,
    0::DOUBLE AS low, 0::DOUBLE AS close, 0::BIGINT AS volume, 0::BIGINT AS ticks WHERE false"""
"""No bars, with the columns of some."""


def run_query(
    query: str,
    bars: Path | BarStore,
    database: Path | None,
    dumps: Path,
    archived: Archived = tuple,
    day: date = date.max,
) -> pa.Table:
    """Answer one SELECT; raise `ConfigError` for another query, `DataError` for unreadable files.

    `dumps` is the folder of the instrument dumps, `day` the one whose `instruments` are meant.
    `archived` returns further files of bars, before which those of the folder count; it is asked
    when these are listed.
    """
    with contextlib.closing(duckdb.connect(":memory:")) as connection:
        _make_tables(
            connection,
            bars,
            database,
            _make_instruments(connection, DumpFolder(dumps), day),
            archived,
        )
        try:
            _refuse_changes(connection, query)
            return _distinct_columns(connection.sql(query).to_arrow_table())
        except duckdb.Error as error:
            raise ConfigError(f"the query: {_one_line(error)}") from None


def answer_rows(answer: pa.Table) -> Iterator[list[object]]:
    """Yield the rows of an answer with times in IST, and values that are no numbers as text.

    Raise `ConfigError` for a value there is no word for.
    """
    with _cast_errors():
        columns = [column.to_pylist() for column in answer.columns]
    for row in zip(*columns, strict=True):
        yield [_readable_value(value) for value in row]


def write_answer(answer: pa.Table, format: str, out: Path | None) -> None:
    """Write an answer as "csv", "json" or "parquet" to a file, or to standard output without one.

    The file is whole or not there. Raises `ConfigError` for a value the format has not,
    `OperatorError` for a full disk.
    """
    if out is None:
        if format == "parquet" and sys.stdout.isatty():
            raise ConfigError("parquet is no text for a terminal; name a file")
        sys.stdout.flush()
        _write_format(sys.stdout.buffer, answer, format)
        sys.stdout.buffer.flush()
        return
    try:
        with replacing(out) as fresh, fresh.open("wb") as file:
            _write_format(file, answer, format)
    except OSError as error:
        raise OperatorError(f"cannot write {out}: {in_words(error)}") from error


def _make_tables(
    connection: "DuckDBPyConnection",
    bars: Path | BarStore,
    database: Path | None,
    dumps: Sequence[Path],
    archived: Archived,
) -> None:
    """Make the tables; then nothing but the files of the bars can be read, and nothing written."""
    # a day and an hour in a query mean those of the exchange
    connection.execute("SET TimeZone = 'Asia/Kolkata'")
    files = (
        _make_bar_view(connection, bars, archived)
        if isinstance(bars, Path)
        else _copy_bars(connection, bars)
    )
    if database is not None:
        for name, table in _record_tables(database):
            connection.register(f"arrow_{name}", table)
            # copied: DuckDB must not reach out to a database that a desk is writing
            connection.execute(f'CREATE TABLE "{name}" AS FROM "arrow_{name}"')
            connection.unregister(f"arrow_{name}")
    # in this order: each forbids what the one before it needs, the last to change them back
    connection.execute(f"SET allowed_paths = [{', '.join(map(_quoted_path, [*files, *dumps]))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _make_instruments(connection: "DuckDBPyConnection", dumps: DumpFolder, day: date) -> list[Path]:
    """Make the tables of instruments; return the files that are read when they are asked."""
    last = {
        (exchange, each.day): each.path
        for exchange in dumps.exchanges()
        for each in dumps.versions(exchange)
    }
    # the days of an exchange come oldest first
    on = {exchange: each for exchange, each in last if each <= day}
    if not last:
        return []
    connection.execute(f"CREATE VIEW instruments_by_day AS {_dump_query([*last.values()])}")
    if on:
        connection.execute(
            f"CREATE TABLE instruments AS {_dump_query([last[key] for key in on.items()])}"
        )
    return [*last.values()]


def _dump_query(paths: Sequence[Path]) -> str:
    files = f"read_csv([{', '.join(map(_quoted_path, paths))}], {COLUMNS})"
    day = "CAST(parse_filename(filename)[:10] AS DATE) AS day"
    return f"SELECT * EXCLUDE (filename), {day} FROM {files}"  # noqa: S608 - the paths are quoted


def _make_bar_view(connection: "DuckDBPyConnection", folder: Path, more: Archived) -> list[Path]:
    """Make the bars of a folder's files, to be read where they lie; return the files."""
    stored = sorted(
        path
        for path in folder.glob("version=*/span=*[0-9]/symbol=*/*.parquet")
        if path.name[0] != "."
    )
    waiting = sorted(
        path
        for path in folder.glob("version=*/span=*[0-9]/recent/*.parquet")
        if path.name[0] != "."
    )
    archived = more()
    try:
        connection.execute(f"CREATE VIEW bars AS {_bars_query(archived, stored, waiting)}")
    except duckdb.Error as error:
        raise DataError(f"bars under {folder} cannot be read: {_one_line(error)}") from None
    made = sorted(folder.glob("averages/version=*/span=*/*.parquet"))
    if made:
        connection.execute(
            f"CREATE VIEW averages AS {AVERAGES.format(paths=', '.join(map(_quoted_path, made)))}"
        )
    return [*archived, *stored, *waiting, *made]


def _copy_bars(connection: "DuckDBPyConnection", store: BarStore) -> list[Path]:
    """Copy all bars of a server; raise `ConfigError` where they are too many.

    A server has no files that DuckDB could read where they lie.
    """
    connection.execute(f"CREATE TABLE bars AS {NONE}")
    count = 0
    for version, span, symbol, *_ in store.contents():
        series = store.columns(symbol, span, -END_OF_TIME, END_OF_TIME, version)
        count += len(series.start)
        if count > MOST_ROWS:
            raise ConfigError(
                f"more than {MOST_ROWS:,} bars are there: ask the server itself "
                "(market_data.bars_in_rupees)"
            )
        names = pa.table(dict(zip(series._fields, map(array_of_numbers, series), strict=True)))
        connection.register("fresh", names)
        connection.execute(
            "INSERT INTO bars SELECT ?, ?, ?, token, CAST(make_timestamp_ns(start) AS TIMESTAMP) "
            "AT TIME ZONE 'UTC', open, high, low, close, volume, ticks FROM fresh",
            (version, span, symbol),
        )
        connection.unregister("fresh")
    return []


def _bars_query(archived: Sequence[Path], stored: Sequence[Path], waiting: Sequence[Path]) -> str:
    """Return the query of all bars.

    A bar that waits in a batch replaces the one in its symbol's file, that one the archive's.
    """
    parts = [
        form.format(fields=FIELDS, paths=", ".join(map(_quoted_path, paths)))
        for form, paths in ((LAYERED, archived), (STORED, stored), (LAYERED, waiting))
        if paths
    ]
    query = parts[0] if parts else NONE
    for fresh in parts[1:]:
        query = f"""WITH fresh AS ({fresh}) SELECT * FROM ({query})
            WHERE ({KEYS}) NOT IN (SELECT ({KEYS}) FROM fresh) UNION ALL FROM fresh"""  # noqa: S608 - the paths are quoted
    return query


def _record_tables(database: Path) -> Iterator[tuple[str, pa.Table]]:
    """Yield the tables of a run's database, money in paise and times in ns UTC as they stand."""
    try:
        with contextlib.closing(connect(database, write=False)) as connection:
            names = [
                row[0]
                for row in connection.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE "
                    "'sqlite_%'"
                )
            ]
            for name in names:
                cursor = connection.execute(f'SELECT * FROM "{name}"')  # noqa: S608 - a name out of the schema
                columns = [column[0] for column in cursor.description]
                rows = cursor.fetchall()
                yield (
                    name,
                    pa.table(
                        {
                            column: _column_array([row[n] for row in rows])
                            for n, column in enumerate(columns)
                        }
                    ),
                )
    except sqlite3.Error as error:
        raise refusal(database, error) from error


def _column_array(values: list[Any]) -> pa.Array:
    """Return a column of SQLite, as text where its cells differ in type."""
    kinds = {type(value) for value in values if value is not None}
    # SQLite keeps any type in a cell
    if kinds <= {int} or kinds <= {int, float}:
        return pa.array(values, pa.int64() if kinds <= {int} else pa.float64())
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def _refuse_changes(connection: "DuckDBPyConnection", query: str) -> None:
    statements = connection.extract_statements(query)
    # a second one could hide behind the first
    if len(statements) != 1:
        raise ConfigError(f"the query: expected one statement, got {len(statements)}")
    kind = statements[0].type.name
    if kind not in READING:
        raise ConfigError(
            f"the query: {kind} changes something, and nothing is changed here; ask with SELECT"
        )


def _distinct_columns(answer: pa.Table) -> pa.Table:
    """Return a table with distinct column names; the second of a name, as of a join, is open_1."""
    names: list[str] = []
    for name in answer.column_names:
        again = (f"{name}_{number}" for number in count(1))
        names.append(
            name if name not in names else next(other for other in again if other not in names)
        )
    # JSON and Parquet have one column of a name
    return answer.rename_columns(names)


@contextlib.contextmanager
def _cast_errors() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, OverflowError) as error:
        raise ConfigError(f"the query: {_one_line(error)}: cast it to VARCHAR") from None


def _write_format(file: BinaryIO, answer: pa.Table, format: str) -> None:
    if format == "parquet":
        import pyarrow.parquet as pq  # noqa: PLC0415

        with _cast_errors():
            pq.write_table(answer, file, compression="zstd")
        return
    names = answer.column_names
    rows = answer_rows(answer)
    if format == "json":
        lines = [dict(zip(names, map(_finite_value, row), strict=True)) for row in rows]
        file.write(json.dumps(lines, default=str).encode() + b"\n")
    else:
        with _text_wrapper(file) as text:
            table = csv.writer(text, lineterminator="\n")
            table.writerow(names)
            table.writerows(
                [csv_cell(value) if isinstance(value, str) else value for value in row]
                for row in rows
            )


@contextlib.contextmanager
def _text_wrapper(file: BinaryIO) -> Iterator[Any]:
    import io  # noqa: PLC0415

    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    try:
        yield text
    finally:
        text.detach()


def _readable_value(value: object) -> object:
    if isinstance(value, datetime):
        moment = value.astimezone(INDIA) if value.tzinfo else value
        return moment.isoformat(
            sep=" ", timespec="seconds" if not moment.microsecond else "microseconds"
        )
    return str(value) if isinstance(value, date | timedelta | list | dict | bytes) else value


def _finite_value(value: object) -> object:
    """Return a value as JSON has it, which knows no infinity and no NaN."""
    # Python would write NaN, which is no JSON
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _quoted_path(path: Path) -> str:
    return "'" + str(path.absolute()).replace("'", "''") + "'"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
