"""The probability of backtest overfitting, by combinatorially symmetric cross-validation (CSCV)."""

import math
from collections.abc import Iterator
from itertools import combinations, islice
from typing import Final, NamedTuple

import numpy as np

from engine.history.bar_series import Floats, Ints
from engine.research.evidence.trial_sharpes import trial_matrix

CELLS: Final = 1 << 20
"""Sharpe ratios held at once: 8 MB an array, and about ten arrays, whatever the trials."""


class OverfittingEstimate(NamedTuple):
    """The fate of the best trial of one half of the days in the other half.

    `probability` (PBO) is the share of partitions where it ends in the lower half of the trials
    there, `loss` where it loses there. `slope` is that of its Sharpe ratio out of sample on the one
    in sample; None where the latter never changes. The arrays have one entry a partition, Sharpe
    ratios are of one day: `logits` ln(w / (1 − w)) of its relative rank w = rank / (trials + 1) out
    of sample, `winners` its column.
    """

    probability: float
    slope: float | None
    loss: float
    logits: Floats
    in_sample: Floats
    out_of_sample: Floats
    winners: Ints


def overfitting_probability(returns: Floats, blocks: int = 16) -> OverfittingEstimate | None:
    """Choose the best trial on each half of the blocks of days, and rank it on the other half.

    Bailey, Borwein, López de Prado and Zhu, "The Probability of Backtest Overfitting" (Journal of
    Computational Finance 20, 2017). `returns` is of shape (days, trials). 16 blocks have 12,870
    partitions. A trial that stands still for a half has a Sharpe ratio of 0 there. Trials of one
    rank share its mean. It is None where there are fewer than two trials, or than two days a block;
    an odd number of blocks is a ValueError.
    """
    if blocks < 2 or blocks % 2:
        raise ValueError(f"an even number of blocks is needed, not {blocks}")
    matrix = trial_matrix(returns)
    days, trials = matrix.shape
    if trials < 2 or days < 2 * blocks:
        return None
    halves = _BlockHalves(matrix, blocks)
    count = math.comb(blocks, blocks // 2)
    found = np.empty((3, count))
    winners = np.empty(count, np.int64)
    done = 0
    for chosen in _block_partitions(blocks, max(1, CELLS // trials)):
        one, other = halves.sharpes(chosen), halves.sharpes(1.0 - chosen)
        # In lexicographic order the n-th partition and the n-th from the end are each other's
        # complement: what is in sample of one is out of sample of the other.
        ahead = np.arange(done, done + len(chosen))
        for places, inside, outside in ((ahead, one, other), (count - 1 - ahead, other, one)):
            found[:, places], winners[places] = _winner_fates(inside, outside)
        done += len(chosen)
    logits, in_sample, out_of_sample = found
    return OverfittingEstimate(
        probability=float((logits <= 0.0).mean()),
        slope=_fitted_slope(in_sample, out_of_sample),
        loss=float((out_of_sample < 0.0).mean()),
        logits=logits,
        in_sample=in_sample,
        out_of_sample=out_of_sample,
        winners=winners,
    )


class _BlockHalves:
    """Sums of each block of days, and Sharpe ratios of halves that are put together from them."""

    def __init__(self, returns: Floats, blocks: int) -> None:
        # Variances are a difference of sums, which keeps few digits where the mean is large.
        self._center = returns.mean(axis=0)
        parts = np.array_split(returns, blocks)
        self._days = np.array([len(part) for part in parts], np.float64)
        self._sums = np.array([(part - self._center).sum(axis=0) for part in parts])
        self._squares = np.array([((part - self._center) ** 2).sum(axis=0) for part in parts])

    def sharpes(self, chosen: Floats) -> Floats:
        """Return the Sharpe ratio of each trial in each half.

        `chosen` is 1 for the blocks of a half and 0 for the others, of shape (halves, blocks); the
        result is of shape (halves, trials).
        """
        days = (chosen @ self._days)[:, np.newaxis]
        means = chosen @ self._sums / days
        squares = chosen @ self._squares
        variances = (squares - days * means**2) / (days - 1.0)
        means += self._center
        still = variances <= 1e-14 * np.maximum(squares / days, self._center**2)
        variances[still] = np.inf
        return np.asarray(means / np.sqrt(variances))


def _block_partitions(blocks: int, most: int) -> Iterator[Floats]:
    """Yield those halves that have the first block, in order, at most so many at once."""
    halves = combinations(range(1, blocks), blocks // 2 - 1)
    while rest := list(islice(halves, most)):
        chosen = np.zeros((len(rest), blocks))
        chosen[:, 0] = 1.0
        np.put_along_axis(chosen, np.array(rest, np.int64).reshape(len(rest), -1), 1.0, axis=1)
        yield chosen


def _winner_fates(inside: Floats, outside: Floats) -> tuple[Floats, Ints]:
    """Return logit, Sharpe ratio inside and outside, (3, halves), of the best trial inside."""
    rows, trials = np.arange(len(inside)), inside.shape[1]
    winners = inside.argmax(axis=1)
    reached = outside[rows, winners]
    # Trials of a grid are often copies, whose sums may differ in their last bits.
    hair = 1e-12 * (1.0 + np.abs(reached))
    below = (outside < (reached - hair)[:, np.newaxis]).sum(axis=1)
    above = (outside > (reached + hair)[:, np.newaxis]).sum(axis=1)
    ranks = below + (trials - below - above + 1) / 2.0
    logits = np.log(ranks / (trials + 1.0 - ranks))
    return np.array([logits, inside[rows, winners], reached]), winners


def _fitted_slope(inside: Floats, outside: Floats) -> float | None:
    away = inside - inside.mean()
    spread = float(away @ away)
    return None if spread <= 1e-24 * len(away) else float(away @ outside) / spread
