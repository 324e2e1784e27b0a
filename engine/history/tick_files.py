"""Tick files of others (time, price, maybe the day's volume), made into bars of one minute."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from compiled.market_data.bar_builder import BarBuilder
from compiled.model.values import NEVER, Bar
from engine.errors import DataError, in_words
from engine.history.bar_import import LARGEST, can_be_symbol
from engine.history.bar_series import Floats, Ints, ist_days
from engine.history.column_layouts import symbol_of
from engine.history.time_stamps import NONE, read_stamps
from engine.indian_time import IST
from engine.market.calendar import Calendar, ist_day

SPAN: Final = 60
TIME, PRICE, VOLUME, TOKEN, SYMBOL = "timestamp", "ltp", "volume", "token", "symbol"


class TickReport(NamedTuple):
    """The outcome of a symbol's ticks.

    It has the bars, and the ticks outside the session, without a price, of a lower volume.
    """

    symbol: str
    ticks: int
    bars: int
    outside: int
    unpriced: int
    dipped: int


class SymbolTicks(NamedTuple):
    """The ticks of a symbol in a file, in order of time.

    Times are ns UTC, prices rupees (0.0: none), volumes the day's so far (-1: not known).
    """

    symbol: str
    times: Ints
    prices: Floats
    volumes: Ints
    tokens: Ints


def ticks_of(file: Path, symbol: str) -> Iterator[SymbolTicks]:
    """Yield the ticks of each symbol in a file.

    Columns are `timestamp` (IST where it names no zone) and `ltp`, and where there are any `volume`
    (the day's so far), `token` and `symbol`; without that, `symbol` or the file's name says it.
    A price that is not above zero, or beyond what can be one, is none. Raises `DataError` for
    another file, and for a row without a time or a symbol.
    """
    table = _read_ticks(file)
    stamps = read_stamps(table[TIME], f"{file}: column {TIME}")
    if (untimed := stamps.ns == NONE).any():
        raise DataError(f"{file}: column {TIME}: row {int(untimed.argmax()) + 1} is empty")
    times = stamps.ns if stamps.zoned else stamps.ns - IST
    # Stable: of ticks stamped in the same second the file's order is the exchange's.
    order = np.argsort(times, kind="stable")
    prices = _tick_column(table, PRICE, pa.float64(), 0.0, file).astype("<f8")
    prices[~((prices > 0.0) & (prices <= LARGEST))] = 0.0
    volumes = _tick_column(table, VOLUME, pa.int64(), -1, file).astype("<i8")
    tokens = _tick_column(table, TOKEN, pa.int64(), 0, file).astype("<i8")
    names = (
        np.array([str(name or "").upper() for name in table[SYMBOL].to_pylist()])
        if SYMBOL in table.column_names and not symbol
        else None
    )
    whose = [symbol or symbol_of(file)] if names is None else np.unique(names).tolist()
    spoken = [name.replace("_", " ") for name in whose]
    for called in spoken:
        if not can_be_symbol(called):
            raise DataError(f"{file}: {called!r} is no symbol: --symbol NAME")
    for name, called in zip(whose, spoken, strict=True):
        rows = order if names is None else order[names[order] == name]
        yield SymbolTicks(called, times[rows], prices[rows], volumes[rows], tokens[rows])


def bars_of(ticks: SymbolTicks, calendar: Calendar) -> tuple[TickReport, list[Bar]]:
    """Return the minutes of a symbol's ticks, by the rules of `docs/bars.md`.

    Raise `DataError` for a day that the calendar does not know.
    """
    built, made, away = BarBuilder([SPAN]), list[Bar](), 0
    days = ist_days(ticks.times)
    for day in np.unique(days):
        rows = days == day
        session = calendar.session(ist_day(int(ticks.times[rows][0])))
        if session is None:
            away += int(np.count_nonzero(rows))
            continue
        built.begin_session(session.open, session.close)
        columns = ticks.tokens, ticks.times, ticks.prices, ticks.volumes
        built.feed(*(column[rows].tobytes() for column in columns))
        # The last bar of a day has no later tick that would close it.
        built.advance(NEVER)
        made += built.take_bars()
    counts = int(built.outside) + away, int(built.unpriced), int(built.dipped)
    return TickReport(ticks.symbol, len(ticks.times), len(made), *counts), made


def _read_ticks(file: Path) -> pa.Table:
    try:
        table = pq.read_table(file) if file.suffix in {".parquet", ".pq"} else pacsv.read_csv(file)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{file}: {' '.join(str(error).split())}") from None
    except OSError as error:
        raise DataError(f"{file}: {in_words(error)}") from None
    table = table.rename_columns([name.strip().lower() for name in table.column_names])
    if missing := {TIME, PRICE} - {*table.column_names}:
        raise DataError(f"{file}: no ticks: there is no column {', '.join(sorted(missing))}")
    return table


def _tick_column(
    table: pa.Table, name: str, kind: pa.DataType, none: float, file: Path
) -> "np.ndarray[tuple[int], np.dtype[np.generic]]":
    if name not in table.column_names:
        return np.full(len(table), none)
    try:
        found: np.ndarray[tuple[int], np.dtype[np.generic]] = (
            table[name].cast(kind).fill_null(none).to_numpy()
        )
    except pa.ArrowInvalid as error:
        raise DataError(f"{file}: column {name}: {' '.join(str(error).split())}") from None
    return found
