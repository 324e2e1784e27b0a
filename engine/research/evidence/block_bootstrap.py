"""The stationary bootstrap: blocks of random length, and how long they should be."""

import math

import numpy as np

from engine.backtest.statistics import significance
from engine.history.bar_series import Floats, Ints


def stationary_rows(
    days: int, block: float, runs: int, random: np.random.Generator, drawn: int | None = None
) -> Ints:
    """Draw places of days, of shape (runs, drawn), in blocks of `block` days on average.

    As many are drawn as there are `days`, where it is not said. Politis and Romano, "The Stationary
    Bootstrap" (1994): after each day a new block begins with the probability 1 / block; the last
    day is followed by the first.
    """
    shape = (runs, days if drawn is None else drawn)
    begins = random.random(shape) < 1.0 / block
    begins[:, 0] = True
    starts = random.integers(0, days, shape)
    places = np.arange(shape[1])
    last = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    rows: Ints = (np.take_along_axis(starts, last, axis=1) + places - last) % days
    return rows


def best_block(values: Floats) -> float:
    """Return the mean length of blocks that suits how long the values remember, at least 1.

    Politis and White, "Automatic Block-Length Selection" (2004), corrected by Patton, Politis and
    White (2009), for the stationary bootstrap. `values` is of shape (days,).
    """
    days = len(values)
    if days < 3 or significance.deviation(values) == 0.0:
        return 1.0
    away = values - values.mean()
    # Five lags in a row without a correlation, as the paper has it (its K, from 10⁵ days on more),
    # and none searched beyond √days: longer lags have too few days to say anything.
    row = max(5, int(math.log10(days)))
    most = min(math.ceil(math.sqrt(days)) + row, days - 2)
    covariances = np.array([float(away[lag:] @ away[: days - lag]) for lag in range(most + 1)])
    # Of the days that both sides have, less the one at the border, as arch has them.
    scales = [
        math.sqrt(
            float(away[lag + 1 :] @ away[lag + 1 :]) * float(away[: -lag - 1] @ away[: -lag - 1])
        )
        for lag in range(most + 1)
    ]
    silent = np.abs(covariances) < 2.0 * math.sqrt(math.log10(days) / days) * np.array(scales)
    quiet = (lag for lag in range(most - row + 1) if silent[lag : lag + row].all())
    memory = next(quiet, None)
    width = most if memory is None else min(2 * max(memory, 1), most)
    lags = np.arange(1, width + 1)
    # The flat-top window: whole up to half of the width, then down to nothing.
    weights = 2.0 * np.minimum(1.0, 2.0 * (1.0 - lags / width)) * covariances[1 : width + 1] / days
    long_run = covariances[0] / days + float(weights.sum())
    longest = math.ceil(min(3.0 * math.sqrt(days), days / 3.0))
    if long_run == 0.0:
        return float(longest)
    length = math.cbrt((float(weights @ lags) / long_run) ** 2 * days)
    return min(max(length, 1.0), float(longest))
