"""Prices of bars at a moment, and the bars in which two sides differ."""

from typing import Final

import numpy as np

from compiled.model.values import SECOND
from compiled.venue.intrabar import path_point
from engine.history.bar_series import BarSeries, Ints

TINY: Final = 1e-6
"""Prices of a grid in binary: equal ones may differ in their last bit."""


def differing_starts(mine: BarSeries | None, theirs: BarSeries | None) -> Ints:
    """Return the starts of the bars whose prices are not the same, or that only one side has.

    None are named where a side has no bars at all: nothing is known then, and no bar differs.
    """
    if mine is None or theirs is None:
        return np.zeros(0, np.int64)
    both, at, there = np.intersect1d(mine.start, theirs.start, return_indices=True)
    other = np.zeros(len(both), np.bool_)
    for one, two in zip(mine[1:5], theirs[1:5], strict=True):
        other |= np.abs(one[at] - two[there]) > TINY
    return np.sort(np.concatenate([np.setxor1d(mine.start, theirs.start), both[other]]))


def price_at(series: BarSeries | None, ts: int, length: int) -> int:
    """Return the price (paise) at a moment, by the path of its bar; 0 before the first.

    The path is rule 1 of `docs/fills.md`; `length` of a bar is ns. After the end of a bar, and in
    its last second, the price is its close.
    """
    at = -1 if series is None else int(np.searchsorted(series.start, ts, side="right")) - 1
    if series is None or at < 0:
        return 0
    into = ts - int(series.start[at])
    # The replay is at the close in the last ns alone; a desk's fills are of whole seconds.
    point = 3 if into >= length - SECOND else 3 * into // length
    begun, high, low, close = (float(column[at]) for column in series[1:5])
    # Counted in paise: in rupees rounding noise would decide which extreme is the nearer one.
    to_low = round(begun * 100) - round(low * 100) <= round(high * 100) - round(begun * 100)
    return round(path_point(point, to_low, begun, high, low, close) * 100)
