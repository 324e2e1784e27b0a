"""The figures of a strategy's sessions, against sums by hand."""

import statistics
from datetime import date

import numpy as np
import pytest

from engine.research.realised_days import (
    SessionResult,
    promised_pnl,
    realised_figures,
)

DAYS = [date(2024, 6, day) for day in (3, 4, 5, 6)]
PNL = (300_00, -500_00, 100_00, 200_00)


def test_the_figures_are_those_of_a_sum_by_hand():
    closed = ((100_00, 200_00), (-500_00,), (), (300_00,))
    figures = realised_figures(
        [
            SessionResult(day, net, trips, len(trips))
            for day, net, trips in zip(DAYS, PNL, closed, strict=True)
        ],
        20_000_00,
    )
    assert (figures.sessions, figures.net, figures.trades, figures.entered) == (4, 100_00, 4, 4)
    assert figures.total_return == 0.005  # ₹100 of ₹20,000
    assert figures.annual_return == pytest.approx(25 * 252 / 20_000)
    assert figures.win_rate == 0.75
    assert figures.trades_a_day == 1.0
    # 300, -200, -100, 100: from the first down to the second
    assert figures.drawdown == -500_00
    wanted = statistics.mean(PNL) / statistics.stdev(PNL) * 252**0.5
    assert figures.sharpe == pytest.approx(wanted)


def test_a_loss_on_the_first_day_is_a_drawdown_from_nothing():
    assert realised_figures([SessionResult(DAYS[0], -70)], 100).drawdown == -70


def test_no_session_has_no_ratios():
    figures = realised_figures([], 100)
    assert (figures.sessions, figures.net, figures.drawdown, figures.trades) == (0, 0, 0, 0)
    assert figures.annual_return is figures.sharpe is figures.win_rate is None


def test_returns_become_the_rupees_that_the_account_made():
    # ₹1,00,000, then 1,10,000, then 99,000
    assert promised_pnl([0.1, -0.1], 100_000) == pytest.approx(np.array([10_000_00, -11_000_00]))
