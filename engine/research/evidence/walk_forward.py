"""Walk-forward: what the best trial of each window does in the days after it."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from engine.history.bar_series import Floats
from engine.research.evidence.day_folds import DayFold
from engine.research.evidence.trial_sharpes import trial_matrix, trial_sharpes

YEAR: Final = 252
"""Sessions of a year, as all figures of a backtest have it."""


class WalkForwardRun(NamedTuple):
    """The trials chosen one window after the other, and what became of them.

    `winners` are their columns, `in_sample` and `out_of_sample` their returns of a year in the
    window that chose them and in the days that judge them (mean of a day × 252, 0.12 is 12 %).
    `returns` are the daily returns of all days that judge, one after the other. `efficiency` is
    the return of a year out of sample / that in sample, both over all their days; None where the
    latter is not above 0.
    """

    winners: tuple[int, ...]
    in_sample: tuple[float, ...]
    out_of_sample: tuple[float, ...]
    returns: Floats
    efficiency: float | None


def walk_forward(returns: Floats, windows: Sequence[DayFold]) -> WalkForwardRun:
    """Choose the trial with the highest Sharpe ratio in each window, and follow it out of sample.

    Pardo, "The Evaluation and Optimization of Trading Strategies" (2008), for the efficiency.
    `returns` is of shape (days, trials). A window in which no trial has a Sharpe ratio is left out.
    """
    matrix = trial_matrix(returns)
    winners, learned, judged = [], [], []
    for train, test in windows:
        sharpes = trial_sharpes(matrix[train])
        if np.isnan(sharpes).all():
            continue
        winner = int(np.nanargmax(sharpes))
        winners.append(winner)
        learned.append(matrix[train, winner])
        judged.append(matrix[test, winner])
    flat = [np.concatenate(parts) if parts else np.empty(0) for parts in (learned, judged)]
    base = float(flat[0].mean()) if winners else 0.0
    return WalkForwardRun(
        tuple(winners),
        in_sample=tuple(YEAR * float(part.mean()) for part in learned),
        out_of_sample=tuple(YEAR * float(part.mean()) for part in judged),
        returns=flat[1],
        efficiency=float(flat[1].mean()) / base if base > 0.0 else None,
    )
