"""Minutes in rupees with exponential averages of their closes: `market_data.ohlcv_data`."""

from collections.abc import Mapping
from math import isnan
from typing import Any

import numpy as np

from compiled.model.values import SECOND
from engine.history.bar_series import BarSeries, Floats, Ints, unique_starts
from engine.history.moving_averages import NAMES, PERIODS, continued_averages, moving_averages

COLUMNS = ", ".join(NAMES)
MICROS = '(extract(epoch FROM "timestamp") * 1000000)::bigint'
INTO = (
    'COPY market_data.ohlcv_data (symbol, "timestamp", open, high, low, close, volume, '
    f"{COLUMNS}) FROM STDIN"
)
LOCK = 7_310_018
"""The advisory lock of who writes the averages of a symbol."""


def replace_averages(
    connection: Any, symbol: str, series: BarSeries, columns: Mapping[str, Floats]
) -> None:
    """Store the bars of a symbol with their averages, in place of all before; NaN is none yet."""
    with connection.transaction():
        _lock_symbol(connection, symbol)
        connection.execute("DELETE FROM market_data.ohlcv_data WHERE symbol = %s", (symbol,))
        _copy_rows(connection, symbol, series, columns)


def stored_averages(connection: Any, symbol: str) -> tuple[Ints, dict[str, Floats]]:
    """Return the starts of a symbol's bars with averages, and those; nothing without any."""
    query = f"SELECT {MICROS}, {COLUMNS} FROM market_data.ohlcv_data WHERE symbol = %s ORDER BY 1"  # noqa: S608 - names of our own
    rows = connection.execute(query, (symbol,)).fetchall()
    if not rows:
        return np.zeros(0, np.int64), {}
    starts, *columns = zip(*rows, strict=True)
    return np.array(starts, np.int64) * 1_000, {
        name: np.array([np.nan if value is None else value for value in column])
        for name, column in zip(NAMES, columns, strict=True)
    }


def last_averaged(connection: Any, symbol: str) -> int | None:
    """Return the start of a symbol's last bar with averages (ns UTC), None without any."""
    query = f"SELECT max({MICROS}) FROM market_data.ohlcv_data WHERE symbol = %s"  # noqa: S608 - names of our own
    micros = connection.execute(query, (symbol,)).fetchone()[0]
    return None if micros is None else int(micros) * 1_000


def extend_averages(connection: Any, symbol: str, series: BarSeries) -> int:
    """Add bars after the last one to those of a symbol, with their averages; return how many."""
    with connection.transaction():
        _lock_symbol(connection, symbol)
        last = last_averaged(connection, symbol)
        # another desk may have added some of them meanwhile
        fresh = unique_starts(series)
        fresh = fresh if last is None else fresh.pick(fresh.start > last)
        if len(fresh.start):
            columns = _following_averages(connection, symbol, fresh.close)
            _copy_rows(connection, symbol, fresh, columns)
    return len(fresh.start)


def _following_averages(connection: Any, symbol: str, closes: Floats) -> dict[str, Floats]:
    query = (
        f"SELECT close, {COLUMNS} FROM market_data.ohlcv_data WHERE symbol = %s "  # noqa: S608 - names of our own
        f'ORDER BY "timestamp" DESC LIMIT {max(PERIODS)}'
    )
    rows = connection.execute(query, (symbol,)).fetchall()
    if rows and None not in rows[0]:
        return continued_averages(dict(zip(NAMES, rows[0][1:], strict=True)), closes)
    # until there are enough bars for all of them, these are every bar there is
    whole = np.concatenate([[float(row[0]) for row in reversed(rows)], closes])
    return {name: values[len(rows) :] for name, values in moving_averages(whole).items()}


def _copy_rows(
    connection: Any, symbol: str, series: BarSeries, columns: Mapping[str, Floats]
) -> None:
    stamps = (series.start // (SECOND // 1_000_000)).astype("datetime64[us]").astype(str).tolist()
    values = (each.tolist() for each in (*series[1:6], *(columns[name] for name in NAMES)))
    with connection.cursor().copy(INTO) as copy:
        for stamp, *numbers in zip(stamps, *values, strict=True):
            found = (None if isnan(number) else number for number in numbers)
            copy.write_row([symbol, f"{stamp}+00", *found])


def _lock_symbol(connection: Any, symbol: str) -> None:
    connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (LOCK, symbol))
