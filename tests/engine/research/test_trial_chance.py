"""Chance in a trial: what is drawn, and in which unit."""

import numpy as np
import pytest

from engine.research.trial_chance import chance_lines, trial_chance

DAILY = np.array([0.01, -0.02, 0.03, 0.0, 0.01] * 8)


def test_trades_are_percent_of_the_cash_and_their_order_moves_the_drawdown_alone():
    """+5, −3, +2, −4 thousandths: 0 in any order, at worst −0.7 %, at best −0.2 % … real −0.5 %."""
    lines = [*chance_lines(trial_chance(DAILY, np.array([0.005, -0.003, 0.002, -0.004]), 1))]
    shuffled = lines[0]
    assert shuffled.drawn == "trades in another order"
    assert shuffled.final == pytest.approx((0.0, 0.0, 0.0))
    assert shuffled.final_real == pytest.approx(0.0)
    # 0.5, 0.2, 0.4, 0: from the peak 0.5 down to 0
    assert shuffled.drawdown_real == pytest.approx(-0.5)
    assert shuffled.drawdown[0] == pytest.approx(-0.7)
    assert [each.drawn for each in lines[1:2]] == ["trades drawn again"]
    assert lines[1].final[0] < lines[1].final[1] < lines[1].final[2]


def test_days_are_compounded_and_a_block_is_named():
    [days] = chance_lines(trial_chance(DAILY, None, 1))
    assert days.drawn.startswith("days drawn in blocks of ")
    assert days.final_real == pytest.approx(100 * (np.prod(1 + DAILY) - 1))
    # the deepest fall is that of one bad day
    assert days.drawdown_real == pytest.approx(-2.0)


def test_the_same_seed_draws_the_same():
    trades = np.array([0.01, -0.02, 0.005, 0.03])
    assert trial_chance(DAILY, trades, 5) == trial_chance(DAILY, trades, 5)
    assert trial_chance(DAILY, trades, 5) != trial_chance(DAILY, trades, 6)


@pytest.mark.parametrize("trades", [[], [0.01]])
def test_a_single_trade_has_no_other_order(trades):
    found = trial_chance(DAILY, np.array(trades), 1)
    assert found.shuffled is None
    assert found.resampled is None


def test_an_account_that_is_used_up_has_no_days_to_draw():
    assert trial_chance(np.array([0.1, -1.0, 0.0]), None, 1).days is None
