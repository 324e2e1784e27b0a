"""The day's P&L on both sides, bar by bar, and how far apart the two run."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from compiled.model.values import SECOND
from engine.backtest.parity.day_records import BacktestDay, DeskDay, ParityTrip
from engine.history.bar_series import BarSeries, Floats, Ints


class ParityCurves(NamedTuple):
    """P&L after charges (paise) at the end of every bar of the day (ns UTC), and its likeness.

    `correlation` is that of their changes from bar to bar, None where one of them never moves.
    `distance` is dynamic time warping: the least sum of |desk - backtest| (₹) over a path that goes
    through both from end to end, and may wait on either side, over the steps of both (Sakoe and
    Chiba 1978).
    """

    times: Ints
    desk: Ints
    backtest: Ints
    correlation: float | None
    distance: float


def parity_curves(desk: DeskDay, backtest: BacktestDay) -> ParityCurves:
    """Return the curves of both sides, each by its own bars.

    A round trip is held from its first fill to its first exit.
    """
    starts = [bars.start for day in (desk, backtest) for bars in day.bars.values()]
    times = np.unique(np.concatenate([np.zeros(0, np.int64), *starts])) + backtest.span * SECOND
    one, two = (
        _side_curve(desk.trips, desk.bars, times),
        _side_curve(backtest.trips, backtest.bars, times),
    )
    changes = [np.diff(each, prepend=0) for each in (one, two)]
    moves = len(times) > 1 and all(change.any() and np.ptp(change) > 0 for change in changes)
    correlation = float(np.corrcoef(changes[0], changes[1])[0, 1]) if moves else None
    return ParityCurves(times, one, two, correlation, warping_distance(one / 100.0, two / 100.0))


def _side_curve(trips: Sequence[ParityTrip], bars: Mapping[str, BarSeries], times: Ints) -> Ints:
    total = np.zeros(len(times), np.int64)
    for trip in trips:
        net = np.full(len(times), trip.net, np.int64)
        series = bars.get(trip.symbol)
        if series is not None and len(series.start):
            at = np.maximum(np.searchsorted(series.start, times, side="left") - 1, 0)
            worth = np.rint(series.close[at] * trip.entry.quantity * 100.0).astype(np.int64)
            held = trip.side * (worth - trip.entry.value) - trip.entry.charges
            net = np.where(times > trip.exit.ts, net, held) if trip.exit.quantity else held
            if not trip.exit.quantity and len(net):
                net[-1] = trip.net
        total += np.where(times > trip.entry.ts, net, 0)
    return total


def warping_distance(one: Floats, two: Floats) -> float:
    """Return the distance of two curves by dynamic time warping, over the steps of both.

    It is 0 where one is empty.
    """
    if not len(one) or not len(two):
        return 0.0
    before = np.full(len(two) + 1, np.inf)
    before[0] = 0.0
    for value in one.tolist():
        cost = np.abs(value - two)
        cheapest = np.minimum(before[:-1], before[1:]).tolist()
        row, left = [np.inf], np.inf
        for step, least in zip(cost.tolist(), cheapest, strict=True):
            left = step + min(least, left)
            row.append(left)
        before = np.array(row)
    return float(before[-1]) / (len(one) + len(two))
