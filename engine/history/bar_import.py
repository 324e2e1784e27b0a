"""The way from rows of a file to bars of a store: zone, stamps, span, session, duplicates.

Facts a file does not state are detected and reported: whether naive times are IST or UTC, by which
of the two lies within trading hours, and whether a stamp is a bar's start or its end, by which of
the session's edges carries one. A row that is no bar (an empty price, a high below the close) or
lies outside the session is left out, counted and named.
"""

import re
from collections.abc import Iterator
from datetime import date
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from compiled.model.values import E4, SECOND
from engine.errors import DataError
from engine.history.bar_files import RawTable, Words
from engine.history.bar_series import BarSeries, Floats, Ints, ist_days, numbered_day
from engine.history.column_layouts import TRADED, symbol_of
from engine.history.expected_bars import DAY_S, ExpectedBars, is_among
from engine.history.time_stamps import NONE, Side, Zone
from engine.indian_time import IST
from engine.market.calendar import ist_day, midnight
from engine.texts import is_symbol

SPANS = (1, 5, 10, 15, 30, 60, 120, 180, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, DAY_S)
WEEK_S = 7 * DAY_S
OPEN_S, CLOSE_S = 33_300, 55_800
"""09:15 and 15:30 IST, in seconds of the day: the hours of a day whose own are not known."""
SAMPLE = 200_000
"""Rows that tell the distance of bars."""
NAMED = 5
"""Rows of each kind that a report names."""
LARGEST = 9e12
"""Rupees or shares; beyond it a number is a mistake."""

Bools = npt.NDArray[np.bool_]


class ImportOptions(NamedTuple):
    """Declarations of the operator; None or empty: detected."""

    symbol: str = ""
    span: int = 0
    zone: Zone | None = None
    side: Side | None = None
    outside: bool = False


class FileTiming(NamedTuple):
    """A file's way of writing times.

    `starts` is when the bar of each row starts (ns UTC, or NONE), beside the rows of a series that
    is taken.
    """

    zone: str
    span: int
    side: Side
    start: Ints
    traded: Bools


class SymbolRows(NamedTuple):
    """The rows of one symbol, with the start of each one's bar."""

    start: Ints
    traded: Bools
    prices: tuple[Floats, ...]
    volume: Floats

    def pick(self, rows: Ints | Bools) -> "SymbolRows":
        """Return some of the rows."""
        prices = tuple(column[rows] for column in self.prices)
        return SymbolRows(self.start[rows], self.traded[rows], prices, self.volume[rows])


Why = Literal[
    "no symbol",
    "empty",
    "impossible",
    "outside the session",
    "repeated",
    "conflicting",
    "another series",
]


class LeftOut(NamedTuple):
    """Rows that did not become bars, and the reason.

    `rows` are the first of them, counted from 1 below the header.
    """

    why: Why
    total: int
    rows: tuple[int, ...]


class ImportReport(NamedTuple):
    """The outcome of a file's rows of one symbol."""

    symbol: str
    span: int
    zone: str
    side: Side
    rows: int
    bars: int
    first: int
    last: int
    rounded: int
    left_out: tuple[LeftOut, ...]
    unknown: tuple[date, ...]


class ImportedBars(NamedTuple):
    """The bars of one symbol in a file, and the report on them."""

    symbol: str
    series: BarSeries
    report: ImportReport


def import_bars(
    table: RawTable, options: ImportOptions, expected: ExpectedBars
) -> Iterator[ImportedBars]:
    """Yield the bars of each symbol in a file.

    Raise `DataError` where there are no rows, or a symbol or the span cannot be determined.
    """
    if not table.rows:
        raise DataError(f"{table.file}: no rows below its header")
    if options.symbol and table.symbols is not None and len(np.unique(table.symbols)) > 1:
        raise DataError(f"{table.file} holds several symbols: leave --symbol out")
    manner = _file_timing(table, options, expected)
    for symbol, rows in _rows_by_symbol(table, options):
        yield _import_symbol(symbol, rows, table, manner, expected, outside=options.outside)


def _file_timing(table: RawTable, options: ImportOptions, expected: ExpectedBars) -> FileTiming:
    """Return zone, span and side by all rows of a file.

    The rows of a share that seldom trades would not show them.
    """
    traded = (
        np.isin(table.series, [*TRADED, ""])
        if table.series is not None
        else np.ones(table.rows, np.bool_)
    )
    clear = (table.stamps.ns != NONE) & traded
    known = slice(None) if clear.all() else clear  # all of them without a copy
    zone, utc = _zone_and_times(table, table.stamps.ns[known], options)
    names = table.symbols[known] if table.symbols is not None and not options.symbol else None
    span = options.span or (_detect_span(table, names, utc) if len(utc) else DAY_S)
    side, starts = _bar_starts(utc, span, options, expected)
    start = np.full(table.rows, NONE, np.int64)
    start[known] = starts
    return FileTiming(zone, span, side, start, traded)


def _rows_by_symbol(table: RawTable, options: ImportOptions) -> Iterator[tuple[str, Ints]]:
    everything = np.arange(table.rows, dtype=np.int64)
    if options.symbol or table.symbols is None:
        name = options.symbol or symbol_of(table.file)
        if not name:
            raise DataError(
                f"{table.file}: no column and no file name says whose bars these are: --symbol NAME"
            )
        if not can_be_symbol(name):
            raise DataError(f"{table.file}: {name!r} is no symbol: --symbol NAME")
        yield name, everything
        return
    order = np.argsort(table.symbols, kind="stable")
    names, firsts = np.unique(table.symbols[order], return_index=True)
    ends = [*firsts.tolist()[1:], table.rows]
    whose: dict[str, str] = {}
    for name in names.tolist():
        plain = re.sub(r"^(NSE|BSE|NFO|BFO):|(-EQ|\.(NS|BO|NSE|BSE|NFO|BFO))$", "", name)
        if whose.setdefault(plain, name) != name:
            raise DataError(
                f"{table.file} holds {whose[plain]} and {name}, both {plain}: a file for each "
                f"exchange"
            )
    for symbol, low, high in zip(whose, firsts.tolist(), ends, strict=True):
        yield symbol, order[low:high]


def can_be_symbol(name: str) -> bool:
    """Return whether bars can be kept under a name; yfinance's indices begin with a ^."""
    return is_symbol(name.removeprefix("^"))


def _import_symbol(
    symbol: str,
    rows: Ints,
    table: RawTable,
    manner: FileTiming,
    expected: ExpectedBars,
    *,
    outside: bool,
) -> ImportedBars:
    taken = rows
    part = _rows_of(table, manner, rows)
    left: list[LeftOut] = []

    def leave(why: Why, wrong: Bools) -> None:
        nonlocal taken, part
        if wrong.any():
            first = tuple((np.sort(taken[wrong])[:NAMED] + 1).tolist())
            left.append(LeftOut(why, int(wrong.sum()), first))
            taken, part = taken[~wrong], part.pick(~wrong)

    leave("no symbol", np.full(len(rows), not can_be_symbol(symbol)))
    leave("another series", ~part.traded)
    empty = part.start == NONE
    for column in part.prices:
        empty |= np.isnan(column)
    leave("empty", empty)
    leave("impossible", _impossible_rows(part))
    zone, span, side = manner.zone, manner.span, manner.side
    known, inside, unknown = _in_session(part.start, span, expected)
    if not outside:
        leave("outside the session", known & ~inside)
    if not bool((np.diff(part.start) > 0).all()):
        # of equal starts the last row of the file comes last
        order = np.lexsort((taken, part.start))
        taken, part = taken[order], part.pick(order)
    series, rounded = _rounded_series(part)
    again = np.zeros(len(taken), np.bool_)
    again[:-1] = series.start[1:] == series.start[:-1]
    if again.any():
        other = np.zeros(len(taken), np.bool_)
        for field in series[1:6]:
            other[:-1] |= field[1:] != field[:-1]
        # Told apart from a conflict: a file that was joined of overlapping parts is well.
        leave("repeated", again & ~other)
        leave("conflicting", (again & other)[~again | other])
        series = series.pick(~again)
    ends = (int(series.start[0]), int(series.start[-1])) if len(series.start) else (0, 0)
    report = ImportReport(
        symbol, span, zone, side, len(rows), len(series.start), *ends, rounded, tuple(left), unknown
    )
    return ImportedBars(symbol, series, report)


def _rows_of(table: RawTable, manner: FileTiming, rows: Ints) -> SymbolRows:
    whole = SymbolRows(manner.start, manner.traded, table.prices, table.volume)
    # the file of a single symbol is taken as it is, without a copy
    return whole if len(rows) == table.rows and table.symbols is None else whole.pick(rows)


def _impossible_rows(rows: SymbolRows) -> Bools:
    opened, high, low, close = rows.prices
    wrong: Bools = (
        (low <= 0)
        | (high > LARGEST)
        | (high < np.maximum(opened, close))
        | (low > np.minimum(opened, close))
    )
    return wrong | ((rows.volume < 0) | (rows.volume > LARGEST))


def _zone_and_times(table: RawTable, ns: Ints, options: ImportOptions) -> tuple[str, Ints]:
    """Return the zone in words, and times in ns UTC."""
    if table.stamps.zoned and options.zone is None:
        return "as written", ns
    if table.stamps.zoned:
        raise DataError(
            f"{table.file}: its times say their zone ({table.stamps.written}): leave --zone out"
        )
    zone = options.zone
    if zone is None:
        of_day = ns // SECOND % DAY_S
        # Read as UTC, a session in India lies between 03:45 and 10:00.
        as_ist = int(((of_day >= OPEN_S) & (of_day <= CLOSE_S)).sum())
        as_utc = int(
            ((of_day >= OPEN_S - IST // SECOND) & (of_day <= CLOSE_S - IST // SECOND)).sum()
        )
        zone = "UTC" if as_utc > as_ist else "IST"
    return zone, ns if zone == "UTC" else ns - IST


def _detect_span(table: RawTable, names: Words | None, utc: Ints) -> int:
    utc = utc[:SAMPLE]
    if names is None:
        steps = np.diff(utc)
        # A file in order, as most are, need not be sorted for it.
        if not (steps > 0).all():
            steps = np.diff(np.unique(utc))
    else:
        names = names[:SAMPLE]
        order = np.lexsort((utc, names))
        steps = np.diff(utc[order])[names[order][1:] == names[order][:-1]]
        steps = steps[steps > 0]
    if not len(steps):
        of_day = (utc + IST) // SECOND % DAY_S
        if not of_day.any():
            return DAY_S
        raise DataError(f"{table.file}: one bar does not tell its length: --span SECONDS")
    values, counts = np.unique(steps, return_counts=True)
    # The most frequent distance: gaps and nights are seldom the same twice.
    usual = int(values[np.argmax(counts)]) // SECOND
    if usual >= WEEK_S:
        raise DataError(
            f"{table.file}: bars are mostly {usual // DAY_S} days apart, and weeks and months are "
            f"not stored; "
            "are they of days: --span 86400"
        )
    if usual >= DAY_S:
        return DAY_S
    if usual not in SPANS:
        raise DataError(
            f"{table.file}: bars are mostly {usual} s apart, which is no usual length: --span "
            f"SECONDS"
        )
    return usual


def _bar_starts(
    utc: Ints, span: int, options: ImportOptions, expected: ExpectedBars
) -> tuple[Side, Ints]:
    """Return which end of the bar the stamps name, and when each bar starts."""
    if span == DAY_S:
        return "start", day_starts(utc, expected)
    step = span * SECOND
    of_day = (utc + IST) // SECOND % DAY_S
    # 09:15:59: the last second of a bar, which begins on its grid
    late = (of_day + 1 - OPEN_S) % span == 0
    side = options.side
    if len(utc) and late.mean() > 0.5 and side != "start" and span > 1:
        utc, of_day, side = utc + SECOND, of_day + 1, "end"
    if side is None:
        # the last hour's end is 15:30, or said to be 16:15
        edges = (CLOSE_S, OPEN_S + -(-(CLOSE_S - OPEN_S) // span) * span)
        side = (
            "end" if int(np.isin(of_day, edges).sum()) > int((of_day == OPEN_S).sum()) else "start"
        )
    if side == "start":
        return side, utc
    # by how much the close cuts the last bar short
    cut = np.where(of_day == CLOSE_S, (OPEN_S - CLOSE_S) % span, 0)
    return side, utc - step + cut * SECOND


def day_starts(utc: Ints, expected: ExpectedBars) -> Ints:
    """Return when the session of each bar's day opens.

    It is 09:15 where its hours are not known, or it has none.
    """
    days, place = np.unique(ist_days(utc), return_inverse=True)
    opens = []
    for number in days.tolist():
        day = numbered_day(number)
        found = expected.on(day, DAY_S)
        opens.append(found[0][0] if found and found[0] else midnight(day) + OPEN_S * SECOND)
    starts: Ints = np.array(opens, np.int64)[place] if opens else utc
    return starts


def _in_session(
    start: Ints, span: int, expected: ExpectedBars
) -> tuple[Bools, Bools, tuple[date, ...]]:
    """Return whether each bar lies within known hours of its day, and the days of unknown ones."""
    if not len(start):
        return np.zeros(0, np.bool_), np.zeros(0, np.bool_), ()
    wanted = expected.between(ist_day(int(start.min())), ist_day(int(start.max())), span)
    known = np.ones(len(start), np.bool_)
    unknown: list[date] = []
    for day in wanted.unknown:
        there = (start >= midnight(day)) & (start < midnight(day) + DAY_S * SECOND)
        if there.any():
            unknown.append(day)
            known &= ~there
    return known, is_among(start, wanted.starts), tuple(unknown)


def _rounded_series(rows: SymbolRows) -> tuple[BarSeries, int]:
    """Return bars with prices to a ten-thousandth of a rupee, and how many had more digits."""
    finer = np.zeros(len(rows.start), np.bool_)

    def rounded(column: Floats) -> Floats:
        exact = column * E4
        whole = np.rint(exact)
        np.logical_or(finer, np.abs(exact - whole) > 1e-3, out=finer)
        to_grid: Floats = whole / E4
        return to_grid

    opened, high, low, close = (rounded(column) for column in rows.prices)
    volume = np.rint(np.nan_to_num(rows.volume)).astype(np.int64)
    nothing = np.zeros(len(rows.start), np.int64)
    series = BarSeries(rows.start, opened, high, low, close, volume, ticks=nothing, token=nothing)
    return series, int(finer.sum())
