"""Exponential averages of closes, as strategies compute them, to be stored beside the bars."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from compiled.indicators import EMA
from engine.history.bar_series import Floats

PERIODS: Final = (9, 21, 50, 200)
NAMES: Final = tuple(f"ema_{period}" for period in PERIODS)


def moving_averages(closes: Floats) -> dict[str, Floats]:
    """Return the average of each period after each close (₹), NaN before there are enough."""
    return {
        name: _exponential_average(closes, period)
        for name, period in zip(NAMES, PERIODS, strict=True)
    }


def continued_averages(before: Mapping[str, float], closes: Floats) -> dict[str, Floats]:
    """Return the average of each period after further closes (₹); `before` are those until then."""
    found = {}
    for name, period in zip(NAMES, PERIODS, strict=True):
        indicator = EMA(period)
        indicator.value, indicator.ready = before[name], True
        found[name] = np.array([indicator.update(close) for close in closes.tolist()])
    return found


def _exponential_average(closes: Floats, period: int) -> Floats:
    indicator = EMA(period)
    found = np.full(len(closes), np.nan)
    for number, close in enumerate(closes.tolist()):
        indicator.update(close)
        if indicator.ready:
            found[number] = indicator.value
    return found
