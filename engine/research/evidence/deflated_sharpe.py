"""The Sharpe ratio of the best trial, deflated by the number of trials it was chosen from."""

import math
from typing import NamedTuple

import numpy as np

from engine.backtest.statistics import significance
from engine.history.bar_series import Floats
from engine.research.evidence.effective_trials import effective_trials
from engine.research.evidence.trial_sharpes import trial_matrix, trial_sharpes


class DeflatedSharpe(NamedTuple):
    """The best of the trials against the best to expect of as many without merit.

    `best` is its column. Sharpe ratios are of one day; `skew` and `kurtosis` (3 for a normal one)
    are of its returns, `deviation` (ddof 1) is of all trials' Sharpe ratios. `trials` counts those
    that have one, `effective` as if they were independent. `expected`, `deflated` and
    `days_needed` are of all trials, those with `effective_` before them of the effective ones:
    the best Sharpe ratio to expect without merit (SR₀), the probability that the true one is
    above it, and the days after which it is so with 95 % (None: not above it at all).
    `probabilistic` and `days_above_zero` are the same of a trial that was not chosen, SR₀ = 0.
    """

    best: int
    sharpe: float
    skew: float
    kurtosis: float
    days: int
    trials: int
    effective: float
    deviation: float
    probabilistic: float | None
    days_above_zero: float | None
    expected: float
    deflated: float | None
    days_needed: float | None
    effective_expected: float
    effective_deflated: float | None
    effective_days_needed: float | None


def deflated_sharpe(returns: Floats, best: int | None = None) -> DeflatedSharpe | None:
    """Deflate the Sharpe ratio of the trial that has the highest, or of `best`.

    Bailey and López de Prado, "The Deflated Sharpe Ratio" (2014): SR₀ = σ·[(1−γ)·Φ⁻¹(1−1/N) +
    γ·Φ⁻¹(1−1/(N·e))]. `returns` is of shape (days, trials), and of every trial that was run, not of
    the good ones alone. It is None where the trial has no Sharpe ratio.
    """
    matrix = trial_matrix(returns)
    sharpes = trial_sharpes(matrix)
    known = sharpes[~np.isnan(sharpes)]
    if not len(known):
        return None
    chosen = int(np.nanargmax(sharpes)) if best is None else best
    sharpe = float(sharpes[chosen])
    if math.isnan(sharpe):
        return None
    spread = float(known.std(ddof=1)) if len(known) > 1 else 0.0
    effective = effective_trials(matrix)
    # Rounded up: SR₀ of less than two trials is 0, and half a trial is not to be had for nothing.
    counts = len(known), math.ceil(round(effective, 6))
    expected, effective_expected = (significance.best_of_trials(n, spread) for n in counts)
    column = matrix[:, chosen]
    skew, kurtosis = significance.moment(column, 3), significance.moment(column, 4)
    probable, needed = zip(
        *(
            (
                significance.probabilistic_sharpe(sharpe, skew, kurtosis, len(column), target),
                significance.min_track_record(sharpe, skew, kurtosis, target=target),
            )
            for target in (0.0, expected, effective_expected)
        ),
        strict=True,
    )
    return DeflatedSharpe(
        best=chosen,
        sharpe=sharpe,
        skew=skew,
        kurtosis=kurtosis,
        days=len(column),
        trials=len(known),
        effective=effective,
        deviation=spread,
        probabilistic=probable[0],
        days_above_zero=needed[0],
        expected=expected,
        deflated=probable[1],
        days_needed=needed[1],
        effective_expected=effective_expected,
        effective_deflated=probable[2],
        effective_days_needed=needed[2],
    )
