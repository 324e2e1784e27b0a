"""The effective number of trials against what it must be where that is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.research.evidence.effective_trials import effective_trials
from tests.engine.research.evidence.made_trials import correlated, noise


@pytest.mark.parametrize("r", [0.0, 0.3, 0.6, -0.6, 0.8, 0.99])
def test_two_trials_count_one_and_the_root_of_what_they_do_not_share(r):
    """Eigenvalues 1 ± r: (√(1+r) + √(1−r))² / 2 = 1 + √(1 − r²)."""
    found = effective_trials(correlated(50, [[1.0, r], [r, 1.0]]))
    assert found == pytest.approx(1.0 + math.sqrt(1.0 - r * r))


def test_equal_correlations_have_one_large_eigenvalue_and_equal_small_ones():
    trials, r = 20, 0.5
    found = effective_trials(
        correlated(100, np.full((trials, trials), r) + (1 - r) * np.eye(trials))
    )
    large, small = 1 + (trials - 1) * r, 1 - r
    expected = (math.sqrt(large) + (trials - 1) * math.sqrt(small)) ** 2 / trials
    assert found == pytest.approx(expected)


def test_trials_without_a_correlation_all_count():
    assert effective_trials(correlated(60, np.eye(12))) == pytest.approx(12.0)


def test_copies_count_once_and_so_do_opposites():
    one = noise(80, 3, seed=2)
    assert effective_trials(np.repeat(one[:, :1], 7, axis=1)) == pytest.approx(1.0)
    assert effective_trials(np.hstack([one[:, :1], -3.0 * one[:, :1]])) == pytest.approx(1.0)
    five_of_each = np.repeat(correlated(80, np.eye(3)), 5, axis=1)
    assert effective_trials(five_of_each) == pytest.approx(3.0)


def test_more_trials_than_days_are_as_many_as_their_days_at_most():
    wide = noise(30, 2000, seed=3)
    assert 25.0 < effective_trials(wide) <= 29.0 + 1e-6
    values = np.linalg.eigvalsh(np.corrcoef(wide[:, :100], rowvar=False))
    values = values[values > 1e-9]
    expected = np.sqrt(values).sum() ** 2 / values.sum()
    assert effective_trials(wide[:, :100]) == pytest.approx(expected)


def test_trials_that_never_move_do_not_count():
    moving = noise(40, 4, seed=5)
    still = np.hstack([moving, np.zeros((40, 3)), np.full((40, 1), 0.001)])
    assert effective_trials(still) == pytest.approx(effective_trials(moving))
    assert effective_trials(still[:, 4:]) == 0.0
    assert effective_trials(moving[:1]) == 0.0


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(5, 40))
def test_neither_scale_nor_sign_nor_order_of_the_trials_counts(seed, trials, days):
    random = np.random.default_rng(seed)
    returns = random.normal(size=(days, trials)) @ random.normal(size=(trials, trials))
    found = effective_trials(returns)
    factors = random.uniform(0.1, 9.0, trials) * random.choice([-1.0, 1.0], trials)
    shifted = (returns * factors + random.normal(size=trials))[:, random.permutation(trials)]
    assert effective_trials(shifted) == pytest.approx(found, rel=1e-6)
    assert 1.0 - 1e-9 <= found <= min(trials, days - 1) + 1e-6


@pytest.mark.parametrize("returns", [np.zeros(5), np.array([[0.0, np.nan]]), [[np.inf], [0.0]]])
def test_what_is_no_matrix_of_finite_returns_is_refused(returns):
    with pytest.raises(ValueError, match="returns"):
        effective_trials(returns)
