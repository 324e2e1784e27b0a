"""The effective number of independent trials among correlated ones."""

import numpy as np

from engine.history.bar_series import Floats
from engine.research.evidence.trial_sharpes import moving_trials, trial_matrix


def effective_trials(returns: Floats) -> float:
    """Return (Σ√λ)² / Σλ over the eigenvalues λ of the trials' correlation matrix.

    Galwey, "A New Measure of the Effective Number of Tests" (Genetic Epidemiology 33, 2009). It is
    between 1 (all alike) and the number of trials (none correlated), and never above the days less
    1, of which the correlations are made. Neither the scale of a trial nor its sign counts, nor do
    trials whose returns never change. It is 0 where there are no others.

    `returns` is of shape (days, trials). The eigenvalues are those of the smaller of the two Gram
    matrices, so thousands of trials cost no more than their days do.
    """
    matrix = trial_matrix(returns)
    matrix = matrix[:, moving_trials(matrix)]
    if matrix.shape[1] == 0:
        return 0.0
    # The participation ratio (Σλ)² / Σλ² would be cheaper, but one eigenvalue rules it: of 200
    # trials without merit that correlate by 0.5 it leaves 4, and one best in five then passes the
    # deflated Sharpe ratio at 0.95. With the roots 103 are left, and one in forty passes.
    standard = matrix - matrix.mean(axis=0)
    standard /= np.sqrt((standard**2).sum(axis=0))
    days, trials = standard.shape
    gram = standard.T @ standard if trials <= days else standard @ standard.T
    # Σλ is the number of trials, as a correlation matrix has ones in its diagonal. Eigenvalues of
    # nought come out as ±1e-16, and a root makes 1e-8 of that, for each of thousands of copies.
    values = np.linalg.eigvalsh(gram)
    values = values[values > 1e-12 * trials * max(days, trials)]
    return float(np.sqrt(values).sum() ** 2 / trials)
