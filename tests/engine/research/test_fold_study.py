"""Cross-validation of a sweep: folds, their purge, and who was the best on the other days."""

from datetime import date

import numpy as np
import pytest

from engine.research.fold_study import sessions_reached, study_folds
from tests.engine.research.evidence.test_day_folds import weekdays

DAYS = weekdays(date(2026, 1, 5), date(2026, 1, 30))  # four weeks, Monday to Friday
HOUR, DAY = 3_600, 86_400


def test_each_fold_is_judged_by_the_best_of_the_others():
    """Trial 0 earns 1 % and 3 % in turn but in the first week, where trial 1 does."""
    wave = np.tile([0.01, 0.03], 10)
    returns = np.stack([np.where(np.arange(20) < 5, -wave, wave), np.tile([0.001, -0.001], 10)], 1)
    returns[:5, 1] = wave[:5]
    found = study_folds(returns, DAYS, 4, embargo=1, longest_s=6 * HOUR)
    assert (found.purge, found.embargo, found.note) == (0, 1, "")
    first, *_, last = found.folds
    assert (first.first, first.last) == (date(2026, 1, 5), date(2026, 1, 9))
    # of 20 days 5 are judged, and one after them is under the embargo; none is after the last
    assert (first.learned, last.learned) == (14, 15)
    # on all other days trial 0 is the best, and in the week that judges it loses
    assert first.winner == 0
    assert first.out_of_sample == pytest.approx(252 * -(3 * 0.01 + 2 * 0.03) / 5)
    assert first.in_sample == pytest.approx(252 * wave[6:].mean())


def test_a_trade_that_is_held_overnight_purges_days_on_both_sides():
    random = np.random.default_rng(3)
    returns = random.normal(0.001, 0.01, (20, 3))
    found = study_folds(returns, DAYS, 4, embargo=2, longest_s=18 * HOUR)
    assert found.purge == 1
    # 20 − 5 judged − 1 before − 1 after − 2 of embargo; the first fold has none before it
    assert [each.learned for each in found.folds] == [12, 11, 11, 14]


@pytest.mark.parametrize(
    ("seconds", "sessions"),
    # from Friday afternoon to Monday morning there is one session more, in 3 × 24 h at most three
    [(0, 0), (6 * HOUR, 0), (18 * HOUR, 1), (3 * DAY, 3), (7 * DAY, 5), (8 * DAY, 6)],
)
def test_a_purge_reaches_as_many_sessions_as_a_trade_may(seconds, sessions):
    assert sessions_reached(DAYS, seconds) == sessions


def test_nothing_left_to_learn_from_is_said():
    returns = np.random.default_rng(3).normal(0.001, 0.01, (20, 3))
    found = study_folds(returns, DAYS, 4, embargo=1, longest_s=60 * DAY)
    assert found.folds == []
    assert found.efficiency is None
    assert found.note == "no days are left to learn from: a trade is held for 19 days"


def test_more_folds_than_days_are_said():
    found = study_folds(np.zeros((3, 2)), DAYS[:3], 5, embargo=1, longest_s=0)
    assert found.note == "3 days are fewer than 5 folds"
