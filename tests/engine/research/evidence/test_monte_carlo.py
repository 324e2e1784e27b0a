"""Resampled trades and days: laws, hand computations, and the length of blocks."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.research.evidence import monte_carlo
from engine.research.evidence.block_bootstrap import best_block, stationary_rows
from engine.research.evidence.monte_carlo import (
    PERCENTILES,
    resampled_returns,
    resampled_trades,
    shuffled_trades,
)


def remembering(days, memory, seed=1):
    drawn = np.random.default_rng(seed).normal(size=days)
    for at in range(1, days):
        drawn[at] += memory * drawn[at - 1]
    return drawn


def drawdown(steps):
    level = peak = worst = 0.0
    for step in steps:
        level += step
        peak = max(peak, level)
        worst = min(worst, level - peak)
    return worst


def test_shuffled_trades_end_alike_and_fall_as_their_orders_do():
    pnl = np.array([500.0, -300.0, 200.0, -400.0])
    found = shuffled_trades(pnl, seed=1, runs=20_000)
    assert (found.runs, found.block) == (20_000, None)
    assert found.final.actual == 0.0
    assert {value for _, value in found.final.percentiles} == {0.0}
    assert found.final.below == 0.5
    assert found.drawdown.actual == -500.0
    # of the 24 orders twelve fall by 700, four by 500 and eight by 400
    every = [drawdown(order) for order in permutations(pnl)]
    assert [every.count(value) for value in (-700.0, -500.0, -400.0)] == [12, 4, 8]
    assert found.drawdown.below == pytest.approx((12 + 4 / 2) / 24, abs=0.01)
    spread = dict(found.drawdown.percentiles)
    assert (spread[25], spread[75]) == (-700.0, -400.0)


def test_resampled_trades_end_around_what_they_made():
    pnl = np.random.default_rng(2).normal(100.0, 1000.0, 400)
    found = resampled_trades(pnl, seed=1, runs=4000)
    spread = dict(found.final.percentiles)
    assert [percent for percent, _ in found.final.percentiles] == list(PERCENTILES)
    assert found.final.actual == pytest.approx(pnl.sum())
    # the mean of n draws deviates by σ·√n
    deviation = pnl.std() * math.sqrt(400)
    assert spread[50] == pytest.approx(pnl.sum(), abs=0.06 * deviation)
    assert spread[95] - spread[5] == pytest.approx(2 * 1.645 * deviation, rel=0.05)
    assert found.final.below == pytest.approx(0.5, abs=0.03)


def test_the_same_seed_draws_the_same_and_another_draws_another():
    pnl = np.random.default_rng(3).normal(0.0, 1.0, 50)
    for draw in (shuffled_trades, resampled_trades, resampled_returns):
        assert draw(pnl / 100, 1, 300) == draw(pnl / 100, 1, 300) != draw(pnl / 100, 2, 300)


def test_trades_are_drawn_in_parts_that_fit(monkeypatch):
    pnl = np.random.default_rng(3).normal(10.0, 100.0, 40)
    monkeypatch.setattr(monte_carlo, "CELLS", 200)
    found = shuffled_trades(pnl, seed=1, runs=501)
    assert found.runs == 501
    assert dict(found.final.percentiles)[1] == pytest.approx(pnl.sum())


def test_days_that_all_win_never_fall_and_never_change():
    found = resampled_returns(np.full(50, 0.01), seed=1, runs=200)
    assert {round(value, 9) for _, value in found.final.percentiles} == {
        round(100 * (1.01**50 - 1), 9)
    }
    assert (found.drawdown.actual, found.drawdown.below) == (0.0, 0.5)
    assert found.block == 1.0


def test_days_are_compounded_and_fall_in_percent():
    found = resampled_returns(np.array([0.10, -0.20, 0.05]), seed=1, runs=50)
    assert found.final.actual == pytest.approx(100 * (1.1 * 0.8 * 1.05 - 1))
    assert found.drawdown.actual == pytest.approx(-20.0)
    assert min(value for _, value in found.drawdown.percentiles) >= 100 * (0.8**3 - 1) - 1e-9


def test_longer_blocks_keep_runs_of_bad_days_together():
    days = np.repeat([0.01, -0.01], 25)
    days = np.tile(days, 8)
    short, long = (
        dict(resampled_returns(days, seed=1, runs=1000, block=block).drawdown.percentiles)[50]
        for block in (1.0, 50.0)
    )
    assert long < short - 5.0


def test_nothing_is_drawn_of_nothing():
    assert shuffled_trades(np.empty(0), 1) is resampled_trades(np.empty(0), 1) is None
    assert resampled_returns(np.array([0.01]), 1) is None
    assert resampled_returns(np.array([0.01, -1.0]), 1) is None


def test_blocks_are_as_long_as_asked_for_on_average():
    rows = stationary_rows(500, 8.0, 400, np.random.default_rng(1))
    assert rows.shape == (400, 500)
    goes_on = (rows[:, 1:] == (rows[:, :-1] + 1) % 500).mean()
    # a new block begins with 1/8; one in 500 of them goes on by chance
    assert goes_on == pytest.approx(1 - 1 / 8, abs=0.003)
    counts = np.bincount(rows.ravel(), minlength=500)
    assert counts.min() > 0.6 * 400
    single = stationary_rows(50, 1.0, 2000, np.random.default_rng(1))
    assert (single[:, 1:] == (single[:, :-1] + 1) % 50).mean() == pytest.approx(0.02, abs=0.005)


def test_days_that_remember_longer_want_longer_blocks():
    lengths = [best_block(remembering(1000, memory)) for memory in (0.0, 0.5, 0.9)]
    assert lengths == sorted(lengths)
    assert lengths[0] < 5.0
    assert lengths[2] > 15.0
    assert best_block(np.zeros(100)) == best_block(np.array([1.0, 2.0])) == 1.0


def test_the_length_of_blocks_by_hand_where_nothing_is_remembered():
    """Lags 1 to 5 are silent, so the window is two lags wide, and weighs 1 and 0.

    G = 2·R(1) and g = R(0) + 2·R(1), and the length is (2·G² / (2·g²) · n)^⅓.
    """
    values = remembering(200, 0.0, seed=7)
    away = values - values.mean()
    one = float(away[1:] @ away[:-1]) / float(away @ away)
    silent = [abs(away[lag:] @ away[:-lag]) / (away @ away) for lag in range(1, 6)]
    assert max(silent) < 2 * math.sqrt(math.log10(200) / 200)
    expected = ((2 * one / (1 + 2 * one)) ** 2 * 200) ** (1 / 3)
    assert expected > 1.0
    assert best_block(values) == pytest.approx(expected)


def test_the_length_of_blocks_is_that_of_arch():
    bootstrap = pytest.importorskip("arch.bootstrap", reason="the research extra is not installed")
    for days, memory, seed in ((60, 0.3, 1), (250, -0.4, 2), (750, 0.7, 3), (1500, 0.05, 4)):
        values = remembering(days, memory, seed)
        theirs = float(bootstrap.optimal_block_length(values)["stationary"].iloc[0])
        assert best_block(values) == pytest.approx(max(theirs, 1.0))


@settings(max_examples=30)
@given(st.integers(0, 1000), st.floats(1e-3, 1e3), st.floats(-0.9, 0.9))
def test_scale_and_level_do_not_change_the_length_of_blocks(seed, scale, memory):
    days = remembering(120, memory, seed)
    assert best_block(scale * days + scale) == pytest.approx(best_block(days), rel=1e-6)


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=30), st.integers(0, 100))
def test_percentiles_ascend_and_drawdowns_are_losses(pnl, seed):
    for draw in (shuffled_trades, resampled_trades):
        found = draw(np.array(pnl, np.float64), seed, 50)
        for spread in (found.final, found.drawdown):
            values = [value for _, value in spread.percentiles]
            assert values == sorted(values)
            assert 0.0 <= spread.below <= 1.0
        assert found.drawdown.actual == drawdown(pnl)
        assert all(value <= 0.0 for _, value in found.drawdown.percentiles)
