"""Monte Carlo: the same trades in another order or mix, and the same days in other blocks."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from engine.history.bar_series import Floats
from engine.research.evidence.block_bootstrap import best_block, stationary_rows

PERCENTILES: Final = (1, 5, 10, 25, 50, 75, 90, 95, 99)
RUNS: Final = 2000
CELLS: Final = 1 << 21
"""Values drawn at once: 16 MB an array, whatever the number of trades."""


class ChanceSpread(NamedTuple):
    """One figure of all runs: its percentiles, beside the value it really had.

    `percentiles` are pairs of percent and value. `below` is the share of runs under `actual`;
    those that equal it count half.
    """

    actual: float
    below: float
    percentiles: tuple[tuple[int, float], ...]


class MonteCarloRuns(NamedTuple):
    """The end and the maximum drawdown, at most 0, of all runs.

    `block` is the mean length of blocks in days, None where single trades were drawn.
    """

    runs: int
    block: float | None
    final: ChanceSpread
    drawdown: ChanceSpread


def shuffled_trades(pnl: Floats, seed: int, runs: int = RUNS) -> MonteCarloRuns | None:
    """Put the trades into random orders: the end stays, the drawdown shows what order did.

    `pnl` is the P&L of each trade in the order of exits, of shape (trades,), in ₹ or any other unit
    of money, which is that of the figures too; the drawdown is below the highest P&L so far, 0 at
    the beginning. It is None without trades.
    """
    return _trade_runs(pnl, seed, runs, lambda random, rows: random.permuted(rows, axis=1))


def resampled_trades(pnl: Floats, seed: int, runs: int = RUNS) -> MonteCarloRuns | None:
    """Draw as many trades out of all of them, some more than once: as `shuffled_trades` else."""
    return _trade_runs(
        pnl, seed, runs, lambda random, rows: random.integers(0, rows.shape[1], rows.shape)
    )


def resampled_returns(
    returns: Floats, seed: int, runs: int = RUNS, block: float | None = None
) -> MonteCarloRuns | None:
    """Draw runs of as many days in blocks, by the stationary bootstrap, and compound them.

    `returns` are daily, of shape (days,). `block` is the mean length of a block in days, that of
    `best_block` where it is not given. Figures are in %: 12.5 is an eighth. It is None where there
    are fewer than two days, or one that lost everything.
    """
    if len(returns) < 2 or float(returns.min()) <= -1.0:
        return None
    length = best_block(returns) if block is None else block
    random = np.random.default_rng(seed)
    grown = np.log1p(returns)
    parts = [
        curve_figures(grown[stationary_rows(len(grown), length, count, random)])
        for count in _run_counts(runs, len(grown))
    ]
    drawn = np.concatenate([curve_figures(grown[np.newaxis]), *parts], axis=1)
    return _run_spreads(100.0 * np.expm1(drawn), length)


def _trade_runs(
    pnl: Floats,
    seed: int,
    runs: int,
    draw: Callable[[np.random.Generator, np.ndarray], np.ndarray],
) -> MonteCarloRuns | None:
    if not len(pnl):
        return None
    random = np.random.default_rng(seed)
    parts = [
        curve_figures(pnl[draw(random, np.tile(np.arange(len(pnl)), (count, 1)))])
        for count in _run_counts(runs, len(pnl))
    ]
    return _run_spreads(np.concatenate([curve_figures(pnl[np.newaxis]), *parts], axis=1), None)


def _run_counts(runs: int, length: int) -> list[int]:
    most = max(1, CELLS // length)
    return [min(most, runs - done) for done in range(0, runs, most)]


def curve_figures(steps: Floats) -> Floats:
    """Return end and maximum drawdown, of shape (2, runs), of sums of steps of (runs, steps)."""
    curves = steps.cumsum(axis=1)
    peaks = np.maximum(np.maximum.accumulate(curves, axis=1), 0.0)
    return np.array([curves[:, -1], (curves - peaks).min(axis=1)])


def _run_spreads(figures: Floats, block: float | None) -> MonteCarloRuns:
    """Return the spread of each figure, (2, 1 + runs); the first column is what really was."""
    final, drawdown = (chance_spread(row[0], row[1:]) for row in figures)
    return MonteCarloRuns(figures.shape[1] - 1, block, final, drawdown)


def chance_spread(actual: float, drawn: Floats) -> ChanceSpread:
    """Return where a figure stands among those that were drawn, of shape (runs,)."""
    # Sums of the same trades in another order differ in their last bits.
    hair = 1e-9 * max(abs(float(actual)), float(np.abs(drawn).max()))
    below, above = (drawn < actual - hair).mean(), (drawn > actual + hair).mean()
    values = np.percentile(drawn, PERCENTILES)
    return ChanceSpread(
        float(actual),
        below=float(0.5 + (below - above) / 2.0),
        percentiles=tuple(zip(PERCENTILES, map(float, values), strict=True)),
    )
