"""Bars of an author's feed, as a backtest reads those of the history."""

from collections.abc import Sequence
from typing import Final, final

import numpy as np

from engine.backtest.clocked_bars import can_be_true
from engine.errors import DataError, PatangError
from engine.history.bar_series import BarSeries, StoredSeries
from strategies.author_faults import AUTHOR_FAULTS, failure_text
from strategies.replaced_models import DataFeed

VERSION: Final = "feed"
"""The version of its bars in a manifest."""


@final
class FeedBars:
    """The bars of a feed, checked as they are read."""

    def __init__(self, feed: DataFeed) -> None:
        self._feed = feed

    def contents(self) -> list[StoredSeries]:
        """Return the series there are; raise `DataError` with the author's line."""
        try:
            return [
                StoredSeries(VERSION, int(span), str(symbol), 0)
                for span in self._feed.spans()
                for symbol in self._feed.symbols(span)
            ]
        except PatangError:
            raise
        except AUTHOR_FAULTS as error:
            raise DataError(f"the feed failed: {failure_text(error)}") from error

    def identity(self, symbols: Sequence[str], span: int, version: str) -> str:
        """Return nothing: a feed may bring others the next time."""
        del symbols, span, version
        return ""

    def columns(self, symbol: str, span: int, start: int, end: int, version: str) -> BarSeries:
        """Return the bars of a symbol that start in [start, end) ns UTC.

        Raise `DataError` for what is no bar, or with the author's line.
        """
        del version
        try:
            # a generator fails only while it is read, and its line is wanted then
            rows = [tuple(row) for row in self._feed.bars(symbol, span, start, end)]
            columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(6)]
            series = _bar_series(columns)
        except PatangError:
            raise
        except AUTHOR_FAULTS as error:
            raise DataError(f"the feed failed for {symbol}: {failure_text(error)}") from error
        if fault := _bar_fault(series):
            raise DataError(f"the feed's bars of {symbol}: {fault}")
        return series.pick((series.start >= start) & (series.start < end))


def _bar_series(columns: Sequence[list[float]]) -> BarSeries:
    starts, opens, highs, lows, closes, volumes = columns
    none = np.zeros(len(starts), np.int64)
    return BarSeries(
        np.array(starts, np.int64),
        open=np.array(opens, np.float64),
        high=np.array(highs, np.float64),
        low=np.array(lows, np.float64),
        close=np.array(closes, np.float64),
        volume=np.array(volumes, np.int64),
        ticks=none,
        token=none,
    )


def _bar_fault(series: BarSeries) -> str:
    """Return the first thing that cannot be true of bars, empty where there is none."""
    wrong = ~can_be_true(series) | (series.volume < 0)
    if wrong.any():
        return f"row {int(np.argmax(wrong)) + 1} is no bar: its prices or its volume"
    # bars of one symbol in another order would make another run of the same file
    back = np.diff(series.start) <= 0
    return (
        f"row {int(np.argmax(back)) + 2} does not start after the one before" if back.any() else ""
    )
