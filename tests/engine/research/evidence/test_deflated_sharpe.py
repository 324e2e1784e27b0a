"""The deflated Sharpe ratio of a whole set of trials."""

import math
from statistics import NormalDist, stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.research.evidence.deflated_sharpe import deflated_sharpe
from tests.engine.research.evidence.made_trials import columns_with, noise


def test_the_published_example_as_a_matrix_of_returns():
    """Bailey and López de Prado 2014: 100 trials of five years of 250 days.

    A skew of −3 and a kurtosis of 10 are those of two values, one of them on 8.4 % of days. 105 of
    1250 days are the nearest to it, which moves the fourth digit by one at most.
    """
    shape = np.full(1250, 1.0)
    shape[:105] = -1.0
    best = 2.5 / math.sqrt(250)

    def others(size):
        return [best, *(size if at % 2 else -size for at in range(99))]

    low, high = 0.0, best
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if stdev(others(middle)) ** 2 < 0.5 / 250 else (low, middle)
    returns = columns_with(others(low), shape)
    # the order of the days is another one in each, or all of them would be one trial
    random = np.random.default_rng(1)
    returns = np.array([random.permutation(column) for column in returns.T]).T
    found = deflated_sharpe(returns)
    assert (found.best, found.days, found.trials) == (0, 1250, 100)
    assert found.skew == pytest.approx(-3.0, abs=1e-3)
    assert found.kurtosis == pytest.approx(10.0, abs=1e-2)
    assert found.deviation**2 * 250 == pytest.approx(0.5)
    assert found.expected == pytest.approx(0.1132, abs=5e-5)
    assert found.deflated == pytest.approx(0.9004, abs=2e-4)
    # correlations of 1250 days that are all chance leave nearly all of them
    assert 96.0 < found.effective < 100.0
    assert found.deflated <= found.effective_deflated < found.deflated + 0.01


def test_a_trial_of_its_own_is_not_deflated():
    found = deflated_sharpe(columns_with([0.1], noise(300, 1, seed=1)[:, 0]))
    assert found.expected == found.effective_expected == 0.0
    assert found.deflated == found.effective_deflated == found.probabilistic
    assert found.probabilistic == pytest.approx(
        NormalDist().cdf(
            0.1 * math.sqrt(299 / (1 - 0.1 * found.skew + (found.kurtosis - 1) / 4 * 0.01))
        )
    )


def test_copies_deflate_by_their_number_and_not_by_the_effective_one():
    two = noise(500, 2, seed=7)
    copies = np.repeat(two, 40, axis=1)
    found = deflated_sharpe(copies)
    assert (found.trials, found.best % 40) == (80, 0)
    assert found.effective == pytest.approx(2.0, abs=0.01)
    assert found.effective_expected < found.expected
    sharpes = copies.mean(axis=0) / copies.std(axis=0, ddof=1)
    gamma = 0.5772156649015329
    of_two = (1 - gamma) * 0.0 + gamma * NormalDist().inv_cdf(1 - 1 / (2 * math.e))
    assert found.effective_expected == pytest.approx(stdev(sharpes.tolist()) * of_two)


def test_after_the_days_needed_it_is_as_probable_as_asked_for():
    found = deflated_sharpe(columns_with([0.2, 0.05, 0.0, -0.05], noise(400, 1, seed=3)[:, 0]))
    variance = 1 - found.skew * 0.2 + (found.kurtosis - 1) / 4 * 0.04
    for days, target in (
        (found.days_above_zero, 0.0),
        (found.days_needed, found.expected),
        (found.effective_days_needed, found.effective_expected),
    ):
        assert NormalDist().cdf((0.2 - target) * math.sqrt((days - 1) / variance)) == pytest.approx(
            0.95
        )


def test_one_that_is_not_above_what_luck_does_is_never_old_enough():
    found = deflated_sharpe(noise(250, 60, seed=10))
    assert found.sharpe > 0.0
    assert found.days_above_zero is not None
    assert found.sharpe < found.expected
    assert found.days_needed is None


def test_another_than_the_best_can_be_asked_for():
    returns = noise(100, 5, seed=4)
    sharpes = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
    assert deflated_sharpe(returns).best == int(sharpes.argmax())
    found = deflated_sharpe(returns, best=int(sharpes.argmin()))
    assert found.sharpe == pytest.approx(sharpes.min())
    assert found.deflated < deflated_sharpe(returns).deflated


def test_trials_that_never_trade_are_not_counted():
    returns = np.hstack([np.zeros((100, 5)), noise(100, 3, seed=4)])
    found, alone = deflated_sharpe(returns), deflated_sharpe(returns[:, 5:])
    assert found == alone._replace(best=alone.best + 5)
    assert deflated_sharpe(returns[:, :5]) is None
    assert deflated_sharpe(returns, best=2) is None


@given(st.integers(0, 10_000), st.integers(1, 15), st.floats(1e-4, 1e4))
def test_scale_and_order_of_the_trials_do_not_matter(seed, trials, scale):
    random = np.random.default_rng(seed)
    returns = random.standard_t(4, (60, trials))
    order = random.permutation(trials)
    found, moved = deflated_sharpe(returns), deflated_sharpe(scale * returns[:, order])
    assert order[moved.best] == found.best
    for ours, theirs in zip(found[1:], moved[1:], strict=True):
        assert theirs == (None if ours is None else pytest.approx(ours, rel=1e-6))
    assert found.deflated <= found.effective_deflated <= found.probabilistic
