"""Results by chance: the Sharpe ratio's probability and deflation, a t-test, resampled days.

Sharpe ratios here are of one day, not annualised; `skew` and `kurtosis` (3 for a normal one) those
of the daily returns. Bailey and López de Prado, "The Sharpe Ratio Efficient Frontier" (2012) and
"The Deflated Sharpe Ratio" (2014).
"""

import math
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np

from engine.history.bar_series import Floats

NORMAL: Final = NormalDist()
EULER: Final = 0.5772156649015329
# About a month of sessions.
BLOCK: Final = 20
"""Days that a resample keeps together: runs of good and bad days stay as they were."""
RESAMPLES: Final = 2000


def deviation(values: Floats) -> float:
    """Return the standard deviation (ddof 1).

    It is 0 where there is none but for the last bits, or none that a float squares.
    """
    # Equal returns differ in their last bits: dividing by that would make a Sharpe ratio of
    # millions.
    if len(values) < 2 or np.ptp(values) <= max(1e-12 * float(np.abs(values).max()), 1e-75):
        return 0.0
    return float(values.std(ddof=1))


def moment(values: Floats, power: int) -> float:
    """Return the standardised moment of the population; `values` must differ."""
    away = values - values.mean()
    return float((away**power).mean() / (away**2).mean() ** (power / 2))


def probabilistic_sharpe(
    sharpe: float, skew: float, kurtosis: float, days: int, target: float = 0.0
) -> float | None:
    """Return the probability of a true Sharpe ratio above `target`, where that is defined."""
    spread = _sharpe_variance(sharpe, skew, kurtosis)
    # The approximation has no variance to offer for a large ratio with a strong skew.
    return None if spread <= 0.0 else NORMAL.cdf((sharpe - target) * math.sqrt((days - 1) / spread))


def best_of_trials(trials: int, deviation: float) -> float:
    """Return the best Sharpe ratio to expect of so many trials without merit.

    `deviation` is that of the trials' ratios.
    """
    # The formula takes 1 - 1/N to the normal's inverse, which has none at 0.
    if trials < 2:
        return 0.0
    return deviation * (
        (1.0 - EULER) * NORMAL.inv_cdf(1.0 - 1.0 / trials)
        + EULER * NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    )


def min_track_record(
    sharpe: float, skew: float, kurtosis: float, sure: float = 0.95, target: float = 0.0
) -> float | None:
    """Return the days after which such a Sharpe ratio is above `target` with that probability.

    It is None where the ratio is not above it.
    """
    if sharpe <= target:
        return None
    spread = _sharpe_variance(sharpe, skew, kurtosis)
    return 1.0 + spread * (NORMAL.inv_cdf(sure) / (sharpe - target)) ** 2


def _sharpe_variance(sharpe: float, skew: float, kurtosis: float) -> float:
    return 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe


def above_zero(returns: Floats) -> float | None:
    """Return the one-tailed p of Student's t-test.

    It is how often returns without merit would have such a mean or a better one.
    """
    spread = deviation(returns)
    if spread == 0.0:
        return None
    days = len(returns)
    t = float(returns.mean()) / spread * math.sqrt(days)
    return 0.5 - math.copysign(_student_area(abs(t), days - 1), t)


def _student_area(t: float, freedom: int) -> float:
    """Return the area of Student's density from 0 to `t`, by Simpson's rule over its angle."""
    # Over the angle the integrand is a power of a cosine, without the density's long tail.
    angles, step = np.linspace(0.0, math.atan(t / math.sqrt(freedom)), 2001, retstep=True)
    heights = np.cos(angles) ** (freedom - 1)
    area = (
        float(step)
        / 3.0
        * float(heights[0] + 4.0 * heights[1::2].sum() + 2.0 * heights[2:-1:2].sum() + heights[-1])
    )
    return (
        area
        # Gamma itself leaves a float beyond 171; its logarithm does not.
        * math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
        / math.sqrt(math.pi)
    )


class ResampledRuns(NamedTuple):
    """Runs resampled from the same days.

    `losing` is the share of resamples that end below their start. `low` and `high` are the 5th and
    the 95th percentile of their returns, `drawdown` the 5th of their max. drawdowns, in %.
    """

    losing: float
    low: float
    high: float
    drawdown: float


def resample_days(returns: Floats, seed: int) -> ResampledRuns | None:
    """Draw `RESAMPLES` runs from blocks of `BLOCK` days (circular block bootstrap).

    The last day is followed by the first. It is None where there are fewer than two blocks, or a
    day that lost everything.
    """
    days = len(returns)
    if days < 2 * BLOCK or float(returns.min()) <= -1.0:
        return None
    blocks = -(-days // BLOCK)
    # Seeded by the run: the same result always gets the same verdict.
    starts = np.random.default_rng(seed).integers(0, days, (RESAMPLES, blocks, 1))
    rows = ((starts + np.arange(BLOCK)) % days).reshape(RESAMPLES, -1)[:, :days]
    # Sums of logarithms: products of thousands of runs at once would cost a loop.
    grown = np.log1p(returns)[rows].cumsum(axis=1)
    below = grown - np.maximum(np.maximum.accumulate(grown, axis=1), 0.0)
    low, high = np.percentile(grown[:, -1], (5, 95))
    return ResampledRuns(
        losing=float((grown[:, -1] < 0.0).mean()),
        low=100.0 * math.expm1(low),
        high=100.0 * math.expm1(high),
        drawdown=100.0 * math.expm1(float(np.percentile(below.min(axis=1), 5))),
    )
