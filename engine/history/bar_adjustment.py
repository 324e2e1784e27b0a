"""Bars as if every split, bonus and demerger had always held; the raw ones stay as they are."""

from bisect import bisect_right
from collections.abc import Sequence
from math import prod

import numpy as np

from compiled.model.values import E4
from engine.history.bar_series import BarSeries, Floats, ist_days, numbered_day
from engine.market.calendar import midnight
from engine.market.corporate_actions.action_list import AdjustmentStep, CorporateActions


def adjusted_series(series: BarSeries, steps: Sequence[AdjustmentStep]) -> BarSeries:
    """Return the bars adjusted: prices to a ten-thousandth of a rupee, volumes to the share.

    `steps` are ordered by day, as `CorporateActions.steps` gives them; a bar of the ex-date is none
    before it.
    """
    # Cumulated from the end: a bar before several actions is divided by all of them.
    prices = np.array([prod(step.price for step in steps[n:]) for n in range(len(steps) + 1)])
    shares = np.array([prod(step.shares for step in steps[n:]) for n in range(len(steps) + 1)])
    at = np.searchsorted([midnight(step.ex) for step in steps], series.start, side="right")
    factor, many = prices[at], shares[at]

    def divided(column: Floats) -> Floats:
        to_grid: Floats = np.rint(column / factor * E4) / E4
        return to_grid

    opened, high, low, close = (divided(column) for column in series[1:5])
    whole = many == 1.0  # a float would not hold every volume
    volume = np.where(
        whole,
        series.volume,
        np.floor(np.where(whole, 0, series.volume) * many + 0.5).astype(np.int64),
    )
    return series._replace(open=opened, high=high, low=low, close=close, volume=volume)


def adjustment_steps(
    series: BarSeries, actions: CorporateActions, symbol: str
) -> list[AdjustmentStep]:
    """Return the adjustments of a share's bars to the day of the last.

    Raise `DataError` as `CorporateActions.steps`.
    """
    if not len(series.start):
        return []
    days = ist_days(series.start)
    last = np.append(np.flatnonzero(np.diff(days)), len(days) - 1)
    closes = {
        numbered_day(int(day)): float(close)
        for day, close in zip(days[last], series.close[last], strict=True)
    }
    return actions.steps(symbol, min(closes), max(closes), closes)


def adjustment_factor(steps: Sequence[AdjustmentStep], start: int) -> float:
    """Return the divisor of the prices of a time.

    Times it, the adjusted price is the raw one again.
    """
    return prod(
        step.price for step in steps[bisect_right([midnight(step.ex) for step in steps], start) :]
    )
