"""Sharpe ratios of trials: one column of daily returns each, all on one calendar."""

import numpy as np
import numpy.typing as npt

from engine.history.bar_series import Floats


def trial_matrix(returns: npt.ArrayLike) -> Floats:
    """Return daily returns as float64 of shape (days, trials).

    Raise ValueError where they are no such matrix, or where one of them is no finite number.
    """
    matrix = np.asarray(returns, np.float64)
    if matrix.ndim != 2:
        raise ValueError(f"returns are a matrix of days and trials, not of shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("returns have to be finite: a day without trades returns 0")
    return matrix


def moving_trials(returns: Floats) -> npt.NDArray[np.bool_]:
    """Return which trials have returns that differ; shape (trials,).

    The others have no Sharpe ratio and no correlation: most of them never traded. The bounds are
    those of `significance.deviation`.
    """
    if len(returns) < 2:
        return np.zeros(returns.shape[1], np.bool_)
    least = np.maximum(1e-12 * np.abs(returns).max(axis=0), 1e-75)
    moves: npt.NDArray[np.bool_] = np.ptp(returns, axis=0) > least
    return moves


def trial_sharpes(returns: Floats) -> Floats:
    """Return each trial's Sharpe ratio of a day (ddof 1), NaN where it has none; (trials,)."""
    sharpes = np.full(returns.shape[1], np.nan)
    moves = moving_trials(returns)
    if not moves.any():
        return sharpes
    moving = returns[:, moves]
    sharpes[moves] = moving.mean(axis=0) / moving.std(axis=0, ddof=1)
    return sharpes
