"""Bars of one symbol and span as arrays: the form that stores, files and backtests exchange."""

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from compiled.model.values import Bar
from engine.indian_time import IST
from engine.market.calendar import DAY

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

EPOCH: Final = date(1970, 1, 1).toordinal()


class BarSeries(NamedTuple):
    """Bars of one symbol and span, one array per field.

    `start` is ns UTC, prices are rupees, `volume` is shares.
    """

    start: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Ints
    ticks: Ints
    token: Ints

    def pick(self, rows: slice | npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> "BarSeries":
        """Return some of the rows."""
        start, open_, high, low, close, volume, ticks, token = self
        prices = open_[rows], high[rows], low[rows], close[rows]
        return BarSeries(start[rows], *prices, volume[rows], ticks[rows], token[rows])


class StoredSeries(NamedTuple):
    """The bars of one symbol and span in a store under a version; `size` in bytes on disk.

    `archived` are the months ("2024-06") with bars in an archive.
    """

    version: str
    span: int
    symbol: str
    size: int
    archived: tuple[str, ...] = ()


def from_bars(bars: Sequence[Bar]) -> BarSeries:
    """Return bars as arrays."""
    return BarSeries(
        start=np.array([bar.start for bar in bars], np.int64),
        open=np.array([bar.open for bar in bars], np.float64),
        high=np.array([bar.high for bar in bars], np.float64),
        low=np.array([bar.low for bar in bars], np.float64),
        close=np.array([bar.close for bar in bars], np.float64),
        volume=np.array([bar.volume for bar in bars], np.int64),
        ticks=np.array([bar.ticks for bar in bars], np.int64),
        token=np.array([bar.token for bar in bars], np.int64),
    )


def to_bars(series: BarSeries, span: int) -> list[Bar]:
    """Return arrays as bars of `span` seconds."""
    start, open_, high, low, close, volume, ticks, token = (column.tolist() for column in series)
    return [
        Bar(*fields)
        for fields in zip(
            token, start, [span] * len(start), open_, high, low, close, volume, ticks, strict=True
        )
    ]


def merge(parts: Sequence[BarSeries]) -> BarSeries:
    """Return all rows by time, one for each token and start: the one of the latest part."""
    whole = (
        parts[0]
        if len(parts) == 1
        else BarSeries(*(np.concatenate(fields) for fields in zip(*parts, strict=True)))
    )
    if bool((np.diff(whole.start) > 0).all()):
        return whole
    # stable: of equal keys the latest part comes last
    order = np.lexsort((whole.token, whole.start))
    start, token = whole.start[order], whole.token[order]
    last = np.ones(len(order), np.bool_)
    last[:-1] = (start[1:] != start[:-1]) | (token[1:] != token[:-1])
    return whole.pick(order[last])


def without_tokens(series: BarSeries) -> BarSeries:
    """Return bars without their tokens, so that of one time there is one."""
    return series._replace(token=np.zeros(len(series.start), np.int64))


def unique_starts(series: BarSeries) -> BarSeries:
    """Return bars in order, one of each time whatever its token, without their tokens."""
    return merge([without_tokens(series)])


def without_rows(series: BarSeries, gone: BarSeries) -> BarSeries:
    """Return the rows that are not among `gone`, field by field.

    Both are in order of their starts.
    """
    if not len(gone.start):
        return series
    low, high = np.searchsorted(series.start, [gone.start[0], gone.start[-1] + 1])
    rows = zip(*(column[low:high].tolist() for column in series), strict=True)
    going = {*zip(*(column.tolist() for column in gone), strict=True)}
    left = np.ones(len(series.start), np.bool_)
    left[low:high] = [row not in going for row in rows]
    return series.pick(left)


def ist_days(times: Ints) -> Ints:
    """Return the number of the IST day of each time (ns UTC), counted from 1970-01-01."""
    days: Ints = (times + IST) // DAY
    return days


def numbered_day(number: int) -> date:
    """Return the day of a number as `ist_days` counts them."""
    return date.fromordinal(EPOCH + number)


def day_number(day: date) -> int:
    """Return the number of a day in `ist_days`."""
    return day.toordinal() - EPOCH
