"""The bars that a desk heard of a day, and the minutes that it did not."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

import numpy as np

from compiled.model.values import MINUTE
from engine.backtest.parity.day_records import GAP, DayIncident
from engine.history.bar_series import BarSeries, Ints, merge
from engine.market.calendar import TradingSession

ALIKE: Final = 0.005
"""How far a close may be from the desk's in a history of the same market, as a part of it."""


def heard_bars(
    bars: Mapping[str, BarSeries], incidents: Iterable[DayIncident]
) -> dict[str, BarSeries]:
    """Return bars without the whole minutes that the feed was not heard in, by symbol.

    Those that were read afterwards are among `bars`; the desk decided without them.
    """
    found = dict(bars)
    for each in incidents:
        for symbol in (each.symbol,) if each.symbol else tuple(found):
            if each.what == GAP and symbol in found:
                start = found[symbol].start
                lost = (start >= each.began) & (start + MINUTE <= each.ended)
                found[symbol] = found[symbol].pick(~lost)
    return found


def fill_holes(own: BarSeries, past: BarSeries, first: int, last: int) -> BarSeries:
    """Return a desk's bars with those of a history that lie between [first, last] and it lacks.

    A history of another market, whose closes are others, fills nothing.
    """
    _, at, there = np.intersect1d(own.start, past.start, return_indices=True)
    apart = np.abs(own.close[at] - past.close[there]) > ALIKE * own.close[at]
    if not len(at) or 2 * int(apart.sum()) > len(at):
        return own
    holes = ~np.isin(past.start, own.start) & (past.start >= first) & (past.start <= last)
    return merge([own, past.pick(holes)])


def lost_minutes(bars: Iterable[BarSeries], session: TradingSession) -> list[tuple[int, int]]:
    """Return the stretches [start, end) of a session between two bars in which nothing has one."""
    starts: Ints = np.unique(
        np.concatenate([np.zeros(0, np.int64), *(each.start for each in bars)])
    )
    return [
        (int(before) + MINUTE, int(after))
        for before, after in pairwise(starts)
        if after - before > MINUTE
        and any(part.start <= before and after < part.end for part in session.parts)
    ]
