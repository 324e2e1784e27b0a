"""The bars that a desk heard of a day, and the minutes that it did not."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from compiled.model.values import MINUTE
from engine.backtest.parity.bar_prices import TINY
from engine.backtest.parity.day_records import CLOSED, GAP, DayIncident
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
                # A minute that was heard in part had a bar, and the strategies heard it.
                start = found[symbol].start
                lost = (start >= each.began) & (start + MINUTE <= each.ended)
                found[symbol] = found[symbol].pick(~lost)
    return found


def fill_holes(own: BarSeries, past: BarSeries, first: int, last: int) -> BarSeries:
    """Return a desk's bars with those of a history that lie between [first, last] and it lacks.

    A history of another market, whose closes are others, fills nothing.
    """
    # The history of a day that a sandbox has made up is that of the real market.
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


def are_alike(seen: Mapping[str, BarSeries], made: Mapping[str, BarSeries]) -> bool:
    """Return whether most bars that both have are the same: those of one market's same day.

    They are, too, where there is none to tell by.
    """
    both = same = 0
    for symbol in seen.keys() & made.keys():
        _, at, there = np.intersect1d(seen[symbol].start, made[symbol].start, return_indices=True)
        both += len(at)
        same += int((np.abs(seen[symbol].close[at] - made[symbol].close[there]) < TINY).sum())
    return 2 * same >= both


def unrecorded_time(
    stretches: Sequence[tuple[int, int]],
    opened: int,
    ended: int,
    incidents: Iterable[DayIncident],
    session: TradingSession | None,
) -> int:
    """Return how long (ns) a desk ran within a session without a recording.

    It ran from when it was opened until it ended but for its incidents; `stretches` are recorded.
    """
    if session is None:
        return 0
    # Before the session and after it there is nothing to record.
    first, last = max(opened, session.open), min(ended, session.close)
    known = [*stretches, *((each.began, each.ended) for each in incidents if each.what == CLOSED)]
    missing, at = 0, first
    for begin, end in sorted(known):
        missing += max(min(begin, last) - at, 0)
        at = max(at, end)
    return missing + max(last - at, 0)
