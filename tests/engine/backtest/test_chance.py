"""Chance alone, against published figures, tables of Student's t, and simulation."""

import math
import random
from statistics import NormalDist, mean, stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.backtest.statistics import significance


def test_the_published_example_of_the_deflated_sharpe_ratio():
    """Bailey and López de Prado 2014.

    100 trials, variance of their annual Sharpe ratios ½, 250 days a year.
    """
    best = significance.best_of_trials(100, math.sqrt(0.5 / 250))
    assert round(best, 4) == 0.1132
    deflated = significance.probabilistic_sharpe(2.5 / math.sqrt(250), -3.0, 10.0, 1250, best)
    assert round(deflated, 4) == 0.9004


def test_the_other_trials_of_the_published_example():
    """Of 46 trials the same strategy would pass; of normal returns it would for up to 88."""
    spread, sharpe = math.sqrt(0.5 / 250), 2.5 / math.sqrt(250)
    found = significance.probabilistic_sharpe(
        sharpe, -3.0, 10.0, 1250, significance.best_of_trials(46, spread)
    )
    assert round(found, 4) == 0.9505
    of_88, of_89 = (
        significance.probabilistic_sharpe(
            sharpe, 0.0, 3.0, 1250, significance.best_of_trials(n, spread)
        )
        for n in (88, 89)
    )
    assert of_88 >= 0.95 > of_89


def test_the_published_track_records():
    """Bailey and López de Prado 2012: the text, the code of its appendix, and figure 16.

    A Sharpe ratio of 2 a year is above 1 after 2.73 years of normal days, or after 59.895 months as
    hedge funds have them. The portfolios of figure 16 have 134 months.
    """
    days = significance.min_track_record(
        2.0 / math.sqrt(250), 0.0, 3.0, target=1.0 / math.sqrt(250)
    )
    assert round(days / 250, 2) == 2.73
    months = significance.min_track_record(
        2.0 / math.sqrt(12), -0.72, 5.78, target=1.0 / math.sqrt(12)
    )
    assert months == pytest.approx(59.895, abs=5e-4)
    for sharpe, skew, kurtosis, deviation, above_0, above_half in (
        (0.7079, -0.2250, 2.9570, 0.1028, 0.7152, 1.0804),
        (0.8183, -1.4455, 7.0497, 0.1550, 1.1593, 1.6695),
    ):
        found = significance._sharpe_variance(sharpe, skew, kurtosis)
        assert math.sqrt(found / 133) == pytest.approx(deviation, abs=5e-5)
        for target, years in ((0.0, above_0), (0.5 / math.sqrt(12), above_half)):
            months = significance.min_track_record(sharpe, skew, kurtosis, target=target)
            assert months / 12 == pytest.approx(years, abs=5e-4)
    probable = significance.probabilistic_sharpe(0.8183, -1.4455, 7.0497, 134, 0.5 / math.sqrt(12))
    assert round(probable, 5) == 0.99999


def test_the_best_of_many_trials_is_what_drawing_them_shows():
    draw = random.Random(3)
    best = [max(draw.gauss(0.0, 0.1) for _ in range(50)) for _ in range(4000)]
    assert significance.best_of_trials(50, 0.1) == pytest.approx(mean(best), rel=0.02)


def test_a_single_trial_is_not_deflated():
    assert significance.best_of_trials(1, 0.5) == 0.0


def test_after_the_min_track_record_the_probability_is_what_was_asked_for():
    for sharpe, skew, kurtosis in ((0.1, 0.0, 3.0), (0.05, -1.5, 9.0), (0.3, 0.8, 4.0)):
        days = significance.min_track_record(sharpe, skew, kurtosis)
        found = significance.probabilistic_sharpe(sharpe, skew, kurtosis, days)
        assert found == pytest.approx(0.95, abs=1e-12)
    assert significance.min_track_record(0.0, 0.0, 3.0) is None
    assert significance.min_track_record(-0.1, 0.0, 3.0) is None


@pytest.mark.parametrize(
    ("t", "freedom", "p"),
    [  # of printed tables, one-tailed
        (6.314, 1, 0.05),
        (63.657, 1, 0.005),
        (2.920, 2, 0.05),
        (2.015, 5, 0.05),
        (1.812, 10, 0.05),
        (2.764, 10, 0.01),
        (1.697, 30, 0.05),
        (2.457, 30, 0.01),
        (1.660, 100, 0.05),
    ],
)
def test_students_t_is_that_of_the_tables(t, freedom, p):
    assert 0.5 - significance._student_area(t, freedom) == pytest.approx(p, abs=6e-5)


def test_with_many_days_students_t_is_the_normal_one():
    assert 0.5 + significance._student_area(1.3, 200_000) == pytest.approx(
        NormalDist().cdf(1.3), abs=1e-5
    )


def test_the_p_of_a_mean_goes_by_its_t_and_its_sign():
    days = np.array([0.01, -0.005, 0.02, 0.003, -0.001])
    t = mean(days.tolist()) / stdev(days.tolist()) * math.sqrt(5)
    assert significance.above_zero(days) == pytest.approx(0.5 - significance._student_area(t, 4))
    assert significance.above_zero(-days) == pytest.approx(1.0 - significance.above_zero(days))
    assert significance.above_zero(np.full(5, 0.01)) is None
    assert significance.above_zero(np.array([0.01])) is None


def test_resampling_is_the_same_for_the_same_seed_and_another_for_another():
    days = np.random.default_rng(5).normal(0.001, 0.01, 250)
    assert (
        significance.resample_days(days, 1)
        == significance.resample_days(days, 1)
        != significance.resample_days(days, 2)
    )


def test_resampled_days_that_all_win_never_lose_and_never_fall():
    found = significance.resample_days(np.full(50, 0.01), 1)
    assert found.losing == 0.0
    assert found.low == pytest.approx(100.0 * (1.01**50 - 1.0))
    assert found.high == pytest.approx(found.low)
    assert found.drawdown == 0.0


def test_resampled_days_that_all_lose_fall_as_far_as_they_lose():
    found = significance.resample_days(np.full(50, -0.01), 1)
    assert found.losing == 1.0
    assert found.drawdown == pytest.approx(100.0 * (0.99**50 - 1.0))


def test_a_resampled_fair_coin_loses_about_half_of_the_time():
    days = np.random.default_rng(8).permutation(np.repeat([0.01, -0.01 / 1.01], 200))
    assert 0.4 < significance.resample_days(days, 1).losing < 0.6


def test_nothing_is_resampled_of_too_few_days_or_of_a_total_loss():
    assert significance.resample_days(np.full(39, 0.01), 1) is None
    assert significance.resample_days(np.append(np.full(50, 0.01), -1.0), 1) is None


@given(st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=60), st.integers(1, 1000))
def test_more_trials_never_raise_the_deflated_sharpe_ratio(days, trials):
    values = np.array(days)
    spread = significance.deviation(values)
    if spread == 0.0:
        return
    args = (
        float(values.mean()) / spread,
        significance.moment(values, 3),
        significance.moment(values, 4),
        len(values),
    )
    plain, deflated = (
        significance.probabilistic_sharpe(*args),
        significance.probabilistic_sharpe(*args, significance.best_of_trials(trials, 0.1)),
    )
    if plain is None:
        assert deflated is None
    else:
        assert 0.0 <= deflated <= plain <= 1.0


@given(st.floats(-1e9, 1e9), st.integers(2, 30))
def test_what_never_changes_does_not_deviate(value, count):
    assert significance.deviation(np.full(count, value)) == 0.0


def test_what_deviates_by_less_than_a_float_can_square_does_not():
    assert significance.deviation(np.array([0.0, 1e-116])) == 0.0
    assert significance.deviation(np.array([0.0, 1e-70])) > 0.0
