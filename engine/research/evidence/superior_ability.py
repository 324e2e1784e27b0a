"""Tests of superior predictive ability: does any of the trials beat doing nothing, and which."""

import importlib
import math
from typing import Any, Final, NamedTuple

import numpy as np

from engine.history.bar_series import Floats
from engine.research.evidence.trial_sharpes import moving_trials, trial_matrix

FEWEST_DAYS: Final = 20
"""Of fewer the tests say nothing; their bound √(2·ln ln days) is not even defined for two."""


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
    (2005); all by the library arch. `returns` is of shape (days, trials), `benchmark` of (days,),
    0 where it is not given. `block` is the mean length of the blocks in days, √days where it is not
    given. 24 kB are held for each trial and thousand resamples.
    """
    matrix = trial_matrix(returns)
    if benchmark is not None:
        matrix = matrix - benchmark[:, np.newaxis]
    moves = moving_trials(matrix)
    if len(matrix) < FEWEST_DAYS or not moves.any():
        return _not_run(f"there is no trial of {FEWEST_DAYS} days that moves", size)
    try:
        bootstrap = importlib.import_module("arch.bootstrap")
    except ImportError:
        return _not_run('SPA and StepM need arch: pip install "patang[research]"', size)
    # Each trial in units of its own deviation: arch 8 compares raw means, whatever `studentize`
    # says, and the trial that moves most would decide alone.
    scaled = matrix[:, moves] / matrix[:, moves].std(axis=0)
    spa = bootstrap.SPA(
        np.zeros(len(scaled)),
        # It takes losses: what earns is a negative one.
        -scaled,
        block_size=block or math.isqrt(len(scaled)),
        reps=resamples,
        seed=seed,
    )
    spa.compute()
    lower, consistent, upper = (float(p) for p in spa.pvalues[["lower", "consistent", "upper"]])
    columns = np.flatnonzero(moves)
    superior = tuple(int(columns[at]) for at in _superior_columns(spa, scaled.shape[1], size))
    return SuperiorAbility(consistent, lower, upper, superior, size=size, text="")


def _superior_columns(spa: Any, trials: int, size: float) -> list[int]:
    """Return what StepM rejects: the better ones are set aside until no other is better.

    The library's own StepM fails where a second step leaves none, so its steps stand here.
    """
    left = np.ones(trials, np.bool_)
    while left.any():
        spa.subset(left)
        spa.compute()
        better = [int(at) for at in spa.better_models(size)]
        if not better:
            break
        left[better] = False
    return [int(at) for at in np.flatnonzero(~left)]


def _not_run(text: str, size: float) -> SuperiorAbility:
    return SuperiorAbility(None, None, None, (), size=size, text=text)
