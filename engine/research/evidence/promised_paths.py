"""The paths that a trial's days lead to by chance, and where a realised one lies among them."""

from typing import Final, final

import numpy as np

from engine.history.bar_series import Floats
from engine.research.evidence.block_bootstrap import best_block, stationary_rows
from engine.research.evidence.monte_carlo import RUNS, ChanceSpread, chance_spread, curve_figures

BAND: Final = (5, 95)
"""Percentiles between which luck alone leads nine times of ten."""


@final
class PromisedPaths:
    """So many sessions drawn again and again out of a trial's, by the stationary bootstrap.

    `pnl` is the trial's P&L of each day, of shape (days,), in any unit of money, which is that of
    all figures. The same seed draws the same paths.
    """

    def __init__(self, pnl: Floats, sessions: int, seed: int, runs: int = RUNS) -> None:
        random = np.random.default_rng(seed)
        rows = stationary_rows(len(pnl), best_block(pnl), runs, random, sessions)
        self._steps = pnl[rows]
        self._curves = self._steps.cumsum(axis=1)

    def spread(self, total: float, session: int) -> ChanceSpread:
        """Return where a P&L of the first so many sessions together lies."""
        return chance_spread(total, self._curves[:, session - 1])

    def drawdown_spread(self, drawdown: float) -> ChanceSpread:
        """Return where a maximum drawdown, at most 0, of all sessions lies."""
        return chance_spread(drawdown, curve_figures(self._steps)[1])

    def band(self) -> Floats:
        """Return the percentiles of `BAND` after each session, of shape (2, sessions)."""
        found: Floats = np.percentile(self._curves, BAND, axis=0)
        return found
