"""Walk-forward runs whose winners and returns can be named."""

import numpy as np
import pytest

from engine.research.evidence.day_folds import DayFold
from engine.research.evidence.walk_forward import walk_forward
from tests.engine.research.evidence.made_trials import noise


def windows(*parts):
    return [DayFold(np.arange(a, b), np.arange(b, c)) for a, b, c in parts]


def test_the_best_of_each_window_is_followed_by_hand():
    returns = np.array(
        [
            [0.01, 0.03, -0.01, 0.005, 0.02, 0.01],
            [0.00, 0.01, 0.02, 0.03, 0.01, -0.03],
        ]
    ).T
    found = walk_forward(returns, windows((0, 2, 4), (2, 4, 6)))
    # 0.02 / 0.0141 beats 0.005 / 0.0071, then 0.025 / 0.0071 beats a loss
    assert found.winners == (0, 1)
    assert found.in_sample == pytest.approx((252 * 0.02, 252 * 0.025))
    assert found.out_of_sample == pytest.approx((252 * -0.0025, 252 * -0.01))
    assert found.returns.tolist() == [-0.01, 0.005, 0.01, -0.03]
    assert found.efficiency == pytest.approx(-0.00625 / 0.0225)


def test_what_goes_on_as_it_was_is_efficient():
    returns = np.tile([[0.01], [0.03]], (30, 1)) * np.array([[1.0, -1.0]])
    found = walk_forward(returns, windows((0, 20, 40), (20, 40, 60)))
    assert found.winners == (0, 0)
    assert found.efficiency == pytest.approx(1.0)


def test_noise_is_not_efficient():
    found = [
        walk_forward(noise(200, 30, seed), windows((0, 100, 150), (50, 150, 200))).efficiency
        for seed in range(80)
    ]
    assert np.mean(found) == pytest.approx(0.0, abs=0.12)


def test_without_a_gain_in_sample_there_is_no_efficiency():
    losing = np.tile([[-0.01], [-0.03]], (10, 1))
    assert walk_forward(losing, windows((0, 10, 20))).efficiency is None
    assert walk_forward(losing, []).efficiency is None


def test_a_window_in_which_nothing_traded_is_left_out():
    returns = noise(30, 2, seed=1)
    returns[:10] = 0.0
    found = walk_forward(returns, windows((0, 10, 20), (10, 20, 30)))
    assert len(found.winners) == 1
    assert found.returns.tolist() == returns[20:, found.winners[0]].tolist()


def test_scale_and_order_of_the_trials_do_not_matter():
    returns = noise(120, 8, seed=2)
    order = np.random.default_rng(1).permutation(8)
    spans = windows((0, 60, 80), (20, 80, 100), (40, 100, 120))
    found, moved = walk_forward(returns, spans), walk_forward(7.0 * returns[:, order], spans)
    assert tuple(order[list(moved.winners)]) == found.winners
    assert moved.efficiency == pytest.approx(found.efficiency)
