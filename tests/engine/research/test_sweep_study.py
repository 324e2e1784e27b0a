"""The study of a sweep: what of a trial is scored, and how old it is."""

import math
from datetime import date

import numpy as np
import pytest

from engine.config.scoring_settings import ScoringSettings
from engine.errors import ConfigError
from engine.research.sweep_study import freshness_of, study_sweep, trial_table
from engine.research.trials import StudyTerms, SweepRow, SweepTrial, TrialResult, pack_returns
from tests.engine.research.evidence.test_day_folds import weekdays

DAYS = weekdays(date(2026, 1, 1), date(2026, 3, 31))
LAST = DAYS[-1]


def row(name, metrics, symbol="A", returns=(0.0, 0.0), **parameters):
    trial = SweepTrial(strategy="s", symbol=symbol, parameters={"n": 1} | parameters)
    packed = pack_returns(np.array(returns))
    return SweepRow(name, trial, 60, TrialResult(trial=name, metrics=metrics, returns=packed))


def scored(**metrics):
    [found] = trial_table([row("t", {"sessions": 20.0} | metrics)], LAST).to_dict("records")
    return found


def test_a_trial_that_never_lost_a_day_has_the_highest_sortino_there_is():
    found = scored(**{"return": 2.0}, sharpe=3.0, sortino=None)
    assert (found["sharpe"], found["sortino"]) == (3.0, math.inf)


def test_a_trial_that_never_traded_has_no_ratio_no_win_rate_and_no_holding_time():
    found = scored(**{"return": 0.0}, sharpe=None, sortino=None, win_rate=None, trades=0.0)
    assert all(
        math.isnan(found[name]) for name in ("sharpe", "sortino", "win_rate", "average_holding_s")
    )
    assert found["trades"] == 0.0


def test_an_account_that_is_used_up_has_the_lowest_ratios_there_are():
    found = scored(**{"return": -104.0}, sharpe=None, sortino=None, annual_turnover=-3.0)
    assert (found["sharpe"], found["sortino"]) == (-math.inf, -math.inf)
    assert math.isnan(found["turnover"])


def test_one_session_decides_no_ratio():
    found = scored(**{"return": 2.0}, sessions=1.0, sharpe=None, sortino=None)
    assert math.isnan(found["sharpe"])
    assert math.isnan(found["sortino"])


def test_every_trial_knows_the_last_session_of_its_window():
    assert scored()["last_day"] == "2026-03-31"


def studied(as_of):
    """Return the study of three trials that differ in their returns alone."""
    random = np.random.default_rng(1)
    rows = []
    for number, edge in enumerate((0.002, 0.0, -0.002)):
        returns = random.normal(edge, 0.01, len(DAYS))
        metrics = {"return": 100.0 * float(returns.sum()), "sessions": float(len(DAYS))}
        rows.append(row(f"t{number}", metrics, returns=returns, n=number))
    return study_sweep(rows, DAYS, ScoringSettings(), StudyTerms(as_of=as_of))


def test_trials_age_to_the_day_that_is_named():
    """90 days after their last session a score above 0 is halved, one below half as low again."""
    fresh, old = (by_name(studied(day)) for day in (None, date.fromordinal(LAST.toordinal() + 90)))
    assert fresh["t0"] > 0 > fresh["t2"]
    assert old["t0"] == pytest.approx(fresh["t0"] / 2)
    assert old["t2"] == pytest.approx(fresh["t2"] * 1.5)


def by_name(study):
    return dict(zip(study.scores.trials["trial"], study.scores.trials["score"], strict=True))


def test_a_day_before_the_last_session_is_refused():
    with pytest.raises(ConfigError, match="--as-of 2026-03-30: the last session is 2026-03-31"):
        freshness_of(LAST, ScoringSettings(), date(2026, 3, 30))


def test_freshness_is_said_in_days_and_in_what_is_left():
    found = freshness_of(LAST, ScoringSettings(half_life_days=30.0), date(2026, 4, 30))
    assert (found.age_days, found.decay) == (30, 0.5)
    assert freshness_of(LAST, ScoringSettings(half_life_days=0.0), date(2030, 1, 1)).decay == 1.0
