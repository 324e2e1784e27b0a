"""A curve over time, of an account or an index: its returns, months, and ways down from a peak."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.history.bar_series import Floats, Ints

Numbers = Ints | Floats


def returns(equity: Numbers, first: float) -> Floats:
    """Return each value over the one before, less 1, the first over `first`.

    It is empty if one of those is not above 0.
    """
    before = np.concatenate(([float(first)], equity[:-1]))
    # Beyond nothing a return has no meaning, and neither have those after it.
    if not bool((before > 0.0).all()):
        return np.empty(0)
    found: Floats = equity / before - 1.0
    return found


def below_peak(values: Numbers, first: float) -> Floats:
    """Return each value over the highest so far, `first` included, less 1.

    `first` must be above 0.
    """
    found: Floats = values / np.maximum(np.maximum.accumulate(values), first) - 1.0
    return found


class DrawdownSpans(NamedTuple):
    """Ways down from a peak, in order, as places in a curve; -1 is the one before its first.

    `peak` is the last place before it falls, `end` the one at which the peak is reached again: the
    curve's length where it is not. `depth` is a fraction, at most 0.
    """

    peak: Ints
    end: Ints
    depth: Floats


def drawdown_spans(below: Floats) -> DrawdownSpans:
    """Return where a curve is below its peak, given how far it is (`below_peak`)."""
    edges = np.flatnonzero(np.diff(below < 0.0, prepend=False, append=False)).astype(np.int64)
    begins, ends = edges[::2], edges[1::2]
    depth = np.minimum.reduceat(below, begins) if len(begins) else np.empty(0)
    return DrawdownSpans(begins - 1, ends, depth)


def month_numbers(days: Ints) -> Ints:
    """Return the number of each day's month, counted from January 1970."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def last_places(periods: Ints) -> npt.NDArray[np.intp]:
    """Return the last place of each stretch of equal periods."""
    return np.flatnonzero(np.diff(periods, append=np.iinfo(np.int64).max))
