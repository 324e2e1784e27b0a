"""Times in files of others: ISO, Indian dates, epochs, whole numbers; their zone and side."""

import re
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from compiled.model.values import SECOND
from engine.errors import DataError
from engine.history.bar_series import Ints
from engine.market.arrow_columns import array_of_texts, packed_numbers

Zone = Literal["IST", "UTC"]
Side = Literal["start", "end"]

DATES = (
    "%d-%m-%y",
    "%d/%m/%y",
    "%d-%b-%y",
    "%d-%m-%Y",
    "%d/%m/%Y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%d.%m.%Y",
    "%Y/%m/%d",
    "%Y%m%d",
    "%m/%d/%Y",
    "%m-%d-%Y",
)
"""Day first, as India writes it, before month first.

What both can be is what puts the days closer together.
"""
TIMES = ("", " %H:%M:%S", " %H:%M", " %H%M%S", " %H%M", "T%H:%M:%S", " %I:%M:%S %p", " %I:%M %p")
EPOCHS = ((1e17, 1), (1e14, 1_000), (1e11, 1_000_000), (0.0, SECOND))
"""From which size on a number counts ns, µs, ms or seconds."""
EARLIEST = 1e8
"""A day of 1973, in seconds; what is less counts no time since the epoch."""
OLDEST = -(2**31)
"""A day of 1901, in seconds: a year before it is one of two digits."""


class TimeStamps(NamedTuple):
    """Times in ns, -2**63 where there is none.

    They are since the epoch in UTC where `zoned`, else of the clock on some wall.
    """

    ns: Ints
    zoned: bool
    written: str


NONE = np.iinfo(np.int64).min


def read_stamps(column: pa.ChunkedArray, where: str) -> TimeStamps:
    """Return the times of a column; `where` names it in an error.

    Raises `DataError` in one line.
    """
    kind = column.type
    if pa.types.is_timestamp(kind):
        return TimeStamps(
            _ns_counts(column.cast(pa.timestamp("ns", kind.tz))), kind.tz is not None, str(kind)
        )
    if pa.types.is_date(kind):
        return TimeStamps(_ns_counts(column.cast(pa.timestamp("ns"))), zoned=False, written="dates")
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _counted_stamps(column, where)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise DataError(f"{where}: expected times, got {kind}")
    text = pc.utf8_trim_whitespace(column)
    for to, zoned, written in (
        (pa.timestamp("ns"), False, "ISO"),
        (pa.timestamp("ns", "UTC"), True, "ISO with a zone"),
    ):
        try:
            return TimeStamps(_ns_counts(text.cast(to)), zoned, written)
        except pa.ArrowInvalid:
            continue
    first = next((value.as_py() for value in text if value.is_valid and value.as_py()), None)
    if (
        first is not None
        and re.fullmatch(r"\d+(\.\d*)?(e\+?\d+)?", first, re.ASCII | re.IGNORECASE)
        and len(first) != 8
    ):
        try:
            return _counted_stamps(
                text.cast(pa.int64() if first.isdigit() else pa.float64()), where
            )
        except pa.ArrowInvalid:
            raise DataError(f"{where}: not all of it are numbers, as {first!r} is") from None
    if first is not None and iso_kind(first) is not None:
        row, wrong = next(
            (
                (n, value.as_py())
                for n, value in enumerate(text)
                if value.is_valid and iso_kind(value.as_py()) != iso_kind(first)
            ),
            (0, first),
        )
        raise DataError(f"{where}: row {row + 1}: {wrong!r} is no time as {first!r} is")
    return _formatted_stamps(text, first, where)


def join_date_and_time(dates: pa.ChunkedArray, times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return one column of text from a column of dates and one of times of day."""
    clock = times.cast(pa.string())
    if not pc.any(pc.match_substring(clock, ":")).as_py():
        # 91500 and 915 have lost their zero when a spreadsheet took them for numbers.
        width = 6 if (pc.max(pc.utf8_length(clock)).as_py() or 0) > 4 else 4
        clock = pc.utf8_lpad(clock, width, "0")
    return pc.binary_join_element_wise(dates.cast(pa.string()), clock, " ")


def iso_kind(text: str) -> pa.DataType | None:
    """Return as which of the two a text is ISO, without or with a zone."""
    for kind in (pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
        try:
            array_of_texts([text]).cast(kind)
        except pa.ArrowInvalid:
            continue
        return kind
    return None


def _counted_stamps(column: pa.ChunkedArray, where: str) -> TimeStamps:
    numbers = column.cast(pa.float64(), safe=False)
    largest = pc.max(numbers).as_py()
    if largest is None:
        return TimeStamps(np.full(len(column), NONE, np.int64), zoned=True, written="nothing")
    # 20240604 is a date written as a number, not the 23rd of August 1970.
    if 19_000_101 <= largest <= 29_991_231:
        return _formatted_stamps(
            column.cast(pa.int64()).cast(pa.string()), str(int(largest)), where
        )
    if largest < EARLIEST:
        raise DataError(f"{where}: {largest:.0f} is no time")
    unit = next(unit for least, unit in EPOCHS if largest >= least)
    known = pc.fill_null(pc.is_finite(numbers), fill_value=False).to_numpy()
    whole = pc.fill_null(column.cast(pa.int64(), safe=False), 0)
    ns = np.where(known, packed_numbers(whole, np.int64) * unit, NONE)
    return TimeStamps(
        ns,
        zoned=True,
        written={1: "epoch in ns", 1_000: "epoch in µs", 1_000_000: "epoch in ms"}.get(
            unit, "epoch in s"
        ),
    )


def _formatted_stamps(text: pa.ChunkedArray, first: str | None, where: str) -> TimeStamps:
    if first is None:
        return TimeStamps(np.full(len(text), NONE, np.int64), zoned=False, written="nothing")
    known = (
        text.is_valid().to_numpy()
        & pc.greater(pc.utf8_length(pc.fill_null(text, "")), 0).to_numpy()
    )
    best: tuple[int, str] | None = None
    found: list[TimeStamps] = []
    for form in (date + time for date in DATES for time in TIMES):
        if _parse_times(pa.chunked_array([[first]]), form).null_count:
            continue
        parsed = _parse_times(text, form)
        wrong = known & parsed.is_null().to_numpy()
        if not wrong.any():
            ns = _ns_counts(parsed.cast(pa.timestamp("ns")))
            found.append(TimeStamps(ns, zoned=False, written=form))
            continue
        row = int(np.argmax(wrong))
        best = max(best or (row, form), (row, form))
    if found:
        # 03/04 can be March or April; read wrongly, days of one month scatter over a year.
        return min(found, key=lambda stamps: int(np.ptp(stamps.ns[known])))
    if best is None:
        raise DataError(f"{where}: {first!r} is no time")
    raise DataError(
        f"{where}: row {best[0] + 1}: {text[best[0]].as_py()!r} is no time as {best[1]!r}, which "
        f"the rows before are"
    )


def _parse_times(text: pa.ChunkedArray, form: str) -> pa.ChunkedArray:
    parsed = pc.strptime(text, format=form, unit="s", error_is_null=True)
    return pc.if_else(pc.less(parsed.cast(pa.int64()), OLDEST), None, parsed)


def _ns_counts(column: pa.ChunkedArray) -> Ints:
    if not column.null_count:
        return packed_numbers(column.cast(pa.int64()), np.int64)
    known = column.is_valid().to_numpy()
    counts = packed_numbers(pc.fill_null(column.cast(pa.int64()), 0), np.int64)
    return counts if known.all() else np.where(known, counts, NONE)
