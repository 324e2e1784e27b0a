"""Tests of superior predictive ability: does any of the trials beat doing nothing, and which."""

import math
from typing import Final, NamedTuple

import numpy as np

from engine.history.bar_series import Floats
from engine.research.evidence.block_bootstrap import stationary_rows
from engine.research.evidence.trial_sharpes import moving_trials, trial_matrix

FEWEST_DAYS: Final = 20
"""Of fewer the tests say nothing; their bound √(2·ln ln days) is not even defined for two."""
DRAWN_AT_ONCE: Final = 100


class SuperiorAbility(NamedTuple):
    """The p-values of the null hypothesis that no trial beats the benchmark.

    `spa` is Hansen's consistent one, between `lower` and `upper`; the latter is that of White's
    Reality Check. `superior` are the columns that Romano and Wolf's StepM finds better, with
    the whole set's error at `size`. All are None or empty where the tests did not run, and `text`
    then says why.
    """

    spa: float | None
    lower: float | None
    upper: float | None
    superior: tuple[int, ...]
    size: float
    text: str


def superior_ability(
    returns: Floats,
    seed: int,
    benchmark: Floats | None = None,
    block: int | None = None,
    resamples: int = 1000,
    size: float = 0.05,
) -> SuperiorAbility:
    """Resample the days of all trials together, and see how high the best rises without merit.

    Hansen, "A Test for Superior Predictive Ability" (2005); White, "A Reality Check for Data
    Snooping" (2000); Romano and Wolf, "Stepwise Multiple Testing as Formalized Data Snooping"
    (2005). `returns` is of shape (days, trials), `benchmark` of (days,), 0 where it is not given.
    `block` is the mean length of the blocks in days, √days where it is not given. 24 kB are held
    for each trial and thousand resamples.
    """
    matrix = trial_matrix(returns)
    if benchmark is not None:
        matrix = matrix - benchmark[:, np.newaxis]
    moves = moving_trials(matrix)
    if len(matrix) < FEWEST_DAYS or not moves.any():
        text = f"there is no trial of {FEWEST_DAYS} days that moves"
        return SuperiorAbility(None, None, None, (), size=size, text=text)
    # Each trial in units of its own deviation, or the one that moves most would decide alone.
    scaled = matrix[:, moves] / matrix[:, moves].std(axis=0)
    length = block or math.isqrt(len(scaled))
    means, drawn = scaled.mean(axis=0), _drawn_means(scaled, length, resamples, seed)
    # Far below the benchmark a trial says nothing of how high luck lifts the best: it stays there.
    bound = -np.sqrt(_mean_variances(scaled, length) * 2.0 * math.log(math.log(len(scaled))))
    centres = np.maximum(means, 0.0), np.where(means >= bound, means, 0.0), means
    lower, consistent, upper = (
        float(((drawn - centre).max(axis=1) > means.max()).mean()) for centre in centres
    )
    superior = np.flatnonzero(moves)[_superior_trials(means, drawn - centres[1], size)]
    return SuperiorAbility(consistent, lower, upper, tuple(map(int, superior)), size=size, text="")


def _drawn_means(scaled: Floats, block: int, resamples: int, seed: int) -> Floats:
    """Return each trial's mean over so many draws of the days; shape (resamples, trials)."""
    days, random = len(scaled), np.random.default_rng(seed)
    found = np.empty((resamples, scaled.shape[1]))
    for first in range(0, resamples, DRAWN_AT_ONCE):
        part = found[first : first + DRAWN_AT_ONCE]
        rows = stationary_rows(days, block, len(part), random)
        numbered = rows + days * np.arange(len(part))[:, np.newaxis]
        counts = np.bincount(numbered.ravel(), minlength=days * len(part))
        part[:] = counts.reshape(len(part), days) @ scaled / days
    return found


def _mean_variances(scaled: Floats, block: int) -> Floats:
    """Return the variance of each trial's mean under the stationary bootstrap; shape (trials,).

    Politis and Romano, "The Stationary Bootstrap" (1994), lemma 1.
    """
    days, stays = len(scaled), 1.0 - 1.0 / block
    away = scaled - scaled.mean(axis=0)
    total = (away**2).sum(axis=0)
    for lag in range(1, days):
        part = lag / days
        weight = (1.0 - part) * stays**lag + part * stays ** (days - lag)
        total += 2.0 * weight * (away[:-lag] * away[lag:]).sum(axis=0)
    found: Floats = total / days**2
    return found


def _superior_trials(means: Floats, chance: Floats, size: float) -> list[int]:
    """Return what StepM rejects: the better ones are set aside until no other is better."""
    left = np.ones(len(means), np.bool_)
    while left.any():
        better = left & (means > np.percentile(chance[:, left].max(axis=1), 100.0 * (1.0 - size)))
        if not better.any():
            break
        left &= ~better
    return [int(at) for at in np.flatnonzero(~left)]
