"""Trades, orders, fills, positions and bars, written for other programs.

Rupees with two decimals, times in IST.
"""

import contextlib
import csv
import difflib
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from compiled.model.values import Bar
from engine.errors import ConfigError, OperatorError, in_words
from engine.history.bar_adjustment import adjusted_series, adjustment_steps
from engine.history.bar_series import to_bars
from engine.indian_time import INDIA
from engine.market.corporate_actions.action_list import CorporateActions
from engine.ports import BarStore
from engine.system.whole_files import replacing
from engine.texts import csv_cell, plain_text
from store.database_integrity import open_for_reading

BATCH = 10_000
"""Rows in memory at a time."""


class ColumnKind(Enum):
    """Kind of a column, and so how it is written."""

    TEXT = "text"
    INT = "int"
    PRICE = "price"
    MONEY = "money"
    TIME = "time"


Column = tuple[str, ColumnKind]
Rows = Iterable[Sequence[object]]

PRICES = (
    "price trigger_price average_price entry_price exit_price stop_loss target high_water pnl_pct "
    "open high low close"
)
MONEY = "charges realised pnl"
TIMES = "ts placed updated entry_time exit_time since start"
TEXTS = (
    "order_id trade_id strategy symbol exchange side order_type product status reason exit_reason "
    "tag"
)
KINDS = (
    dict.fromkeys(PRICES.split(), ColumnKind.PRICE)
    | dict.fromkeys(MONEY.split(), ColumnKind.MONEY)
    | dict.fromkeys(TIMES.split(), ColumnKind.TIME)
    | dict.fromkeys(TEXTS.split(), ColumnKind.TEXT)
)

DECIDED = """
SELECT '' AS order_id, intent, tag, strategy, token, symbol, exchange, side, quantity, 0, 0, price,
    trigger_price, 0.0,
       order_type, product, 'DRY_RUN', 'would have been sent', created, updated
FROM intents WHERE kind = 'order' AND reason LIKE 'DRY_RUN:%'
"""
QUERIES = {
    # a dry run books what it would hold: those are no trades
    "trades": (
        "SELECT * FROM trades WHERE exit_reason IS NULL OR exit_reason NOT LIKE 'DRY_RUN:%' "
        "ORDER BY trade_id"
    ),
    "orders": f"SELECT * FROM orders UNION ALL {DECIDED} ORDER BY placed, order_id, intent",  # noqa: S608  our own
    "fills": "SELECT * FROM fills ORDER BY ts, trade_id",
}
WHAT = ("trades", "orders", "fills", "positions", "bars")
FORMATS = ("csv", "json", "parquet")
BAR_COLUMNS = ("symbol", "start", "open", "high", "low", "close", "volume", "ticks")


class BarRange(NamedTuple):
    """Bars to export, of the symbols, in order.

    Their span is in seconds, and they start in [start, end) ns UTC.

    With `actions` prices and volumes are adjusted to the day of a symbol's last bar, without them
    they are raw.
    """

    store: BarStore
    symbols: tuple[str, ...]
    span: int
    start: int
    end: int
    version: str = "live"
    actions: CorporateActions | None = None

    def read(self, symbol: str) -> list[Bar]:
        """Return the bars of one symbol.

        Raise `DataError` for a corporate action of unknown effect.
        """
        series = self.store.columns(symbol, self.span, self.start, self.end, self.version)
        if self.actions is not None:
            series = adjusted_series(series, adjustment_steps(series, self.actions, symbol))
        return to_bars(series, self.span)


def export_table(
    database: Path, what: str, out: Path | None, format: str, bars: BarRange | None = None
) -> int:
    """Write a table to the file `out`, whole or not at all, or to standard output; return its rows.

    `what` is one of `WHAT`, `format` one of `FORMATS`; `bars` says which when `what` is "bars". The
    database is opened read-only, whether its desk runs or not. Raises `ConfigError` for an unknown
    name, `DataError` for a database that is missing or is none of ours, `OperatorError` when the
    file cannot be written.
    """
    _check_name("what to export", what, WHAT)
    _check_name("export format", format, FORMATS)
    if what == "bars" and bars is None:
        raise ConfigError("an export of bars needs a symbol, a span and a range of time")
    with _open_source(database, what, bars) as (columns, rows):
        return write_rows(out, format, columns, rows)


def write_rows(out: Path | None, format: str, columns: list[Column], rows: Rows) -> int:
    """Write rows as `export_table` does; return how many they were."""
    # bytes would spoil the terminal
    if out is None and format == "parquet" and sys.stdout.isatty():
        raise ConfigError("parquet is no text for a terminal; name a file")
    if out is None:
        # a file gets texts as they are
        shown = _terminal_rows(rows) if sys.stdout.isatty() else rows
        count = _write_format(sys.stdout.buffer, format, columns, shown)
        sys.stdout.buffer.flush()
        return count
    try:
        with replacing(out) as fresh, fresh.open("wb") as file:
            return _write_format(file, format, columns, rows)
    except OSError as error:
        raise OperatorError(f"cannot write {out}: {in_words(error)}") from error


def _check_name(name: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        near = difflib.get_close_matches(given, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise ConfigError(f"unknown {name} {given!r}; {hint}")


@contextlib.contextmanager
def _open_source(
    database: Path, what: str, bars: BarRange | None
) -> Iterator[tuple[list[Column], Rows]]:
    if bars is not None and what == "bars":
        lines = (
            (symbol, b.start, b.open, b.high, b.low, b.close, b.volume, b.ticks)
            for symbol in bars.symbols
            for b in bars.read(symbol)
        )
        yield [(name, KINDS.get(name, ColumnKind.INT)) for name in BAR_COLUMNS], lines
        return
    with open_for_reading(database) as connection:
        cursor = connection.execute(_table_query(what))
        yield [(name, _column_kind(what, name)) for name, *_ in cursor.description], cursor


def _table_query(what: str) -> str:
    if what == "positions":
        return files("store").joinpath("positions.sql").read_text(encoding="utf-8")
    return QUERIES[what]


def _column_kind(what: str, name: str) -> ColumnKind:
    if (what, name) == ("trades", "trade_id"):
        return ColumnKind.INT
    return KINDS.get(name, ColumnKind.INT)


def _write_format(file: BinaryIO, format: str, columns: list[Column], rows: Rows) -> int:
    writer = {"csv": _write_csv, "json": _write_json, "parquet": _write_parquet}[format]
    return writer(file, columns, rows)


def _write_csv(file: BinaryIO, columns: list[Column], rows: Rows) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([name for name, _ in columns])
    count = 0
    for count, row in enumerate(_readable_rows(columns, rows), 1):  # noqa: B007 - the last number is the answer
        lines.writerow([csv_cell(value) if isinstance(value, str) else value for value in row])
    # its end would close stdout
    text.detach()
    return count


def _write_json(file: BinaryIO, columns: list[Column], rows: Rows) -> int:
    # money as a number, with its two decimals
    encoder = msgspec.json.Encoder(decimal_format="number")
    names = [name for name, _ in columns]
    count = 0
    file.write(b"[")
    for row in _readable_rows(columns, rows):
        file.write(b",\n" if count else b"\n")
        file.write(encoder.encode(dict(zip(names, row, strict=True))))
        count += 1
    file.write(b"\n]\n")
    return count


def _write_parquet(file: BinaryIO, columns: list[Column], rows: Rows) -> int:
    import pyarrow as pa  # noqa: PLC0415 - 0.2 s that an export to text need not pay
    import pyarrow.parquet as pq  # noqa: PLC0415

    types = {
        ColumnKind.TEXT: pa.string(),
        ColumnKind.INT: pa.int64(),
        ColumnKind.PRICE: pa.float64(),
        # exact, where a float would add up to other paise
        ColumnKind.MONEY: pa.decimal128(18, 2),
        ColumnKind.TIME: pa.timestamp("ns", "Asia/Kolkata"),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in columns])
    count = 0
    left = iter(rows)
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        # a year of bars does not fit into memory as rows
        while batch := list(islice(left, BATCH)):
            values = [
                [
                    _as_rupees(value) if kind is ColumnKind.MONEY else _known_value(value, kind)
                    for value in column
                ]
                for (_, kind), column in zip(columns, zip(*batch, strict=True), strict=True)
            ]
            arrays = [
                pa.array(column, field.type) for column, field in zip(values, schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema))
            count += len(batch)
    return count


def _terminal_rows(rows: Rows) -> Rows:
    """Yield rows as a terminal may have them."""
    return (
        [plain_text(value) if isinstance(value, str) else value for value in row] for row in rows
    )


def _readable_rows(columns: list[Column], rows: Rows) -> Iterator[list[object]]:
    """Yield rows with money as decimals and times as text."""
    kinds = [kind for _, kind in columns]
    for row in rows:
        yield [_readable_value(value, kind) for value, kind in zip(row, kinds, strict=True)]


def _readable_value(value: object, kind: ColumnKind) -> object:
    if kind is ColumnKind.MONEY:
        return _as_rupees(value)
    if kind is ColumnKind.TIME and isinstance(value, int) and value:
        return ist_text(value)
    return _known_value(value, kind)


def _known_value(value: object, kind: ColumnKind) -> object:
    """Return the value, None for a time that has not come yet."""
    # 0 would be 1970 in a spreadsheet
    return None if kind is ColumnKind.TIME and value == 0 else value


def _as_rupees(value: object) -> Decimal | None:
    return Decimal(value).scaleb(-2) if isinstance(value, int) else None


def ist_text(ts: int) -> str:
    """Return a time in ns UTC as ISO 8601 in IST, with as many decimals as it has."""
    seconds, fraction = divmod(ts, 1_000_000_000)
    text = datetime.fromtimestamp(seconds, UTC).astimezone(INDIA).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}{f'.{fraction:09}'.rstrip('0') if fraction else ''}+05:30"


__all__ = ["FORMATS", "WHAT", "BarRange", "export_table", "ist_text"]
