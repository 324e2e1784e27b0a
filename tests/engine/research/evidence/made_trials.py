"""Trials with figures that are known beforehand."""

import numpy as np


def columns_with(sharpes, shape):
    """Return a matrix whose columns are `shape` shifted to these Sharpe ratios (ddof 1)."""
    standard = (shape - shape.mean()) / shape.std(ddof=1)
    return 0.01 * (standard[:, np.newaxis] + np.asarray(sharpes))


def noise(days, trials, seed, spread=0.01):
    """Return trials without merit, independent of each other."""
    return np.random.default_rng(seed).normal(0.0, spread, (days, trials))


def correlated(days, correlations):
    """Return trials whose sample correlations are exactly these."""
    count = len(correlations)
    drawn = np.random.default_rng(4).normal(size=(days, count))
    away, _ = np.linalg.qr(drawn - drawn.mean(axis=0))
    return 0.01 * away @ np.linalg.cholesky(np.asarray(correlations)).T
