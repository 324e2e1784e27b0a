"""What luck makes of a trial, against cases worked out by hand; and what weekly looks cost."""

import numpy as np
import pytest

from engine.config.promotion_settings import PromotionSettings
from engine.research.evidence.promised_paths import PromisedPaths

LEAST = PromotionSettings().min_percentile / 100.0
LOOKS = range(5, 66, 5)
"""The ends of thirteen weeks."""


def test_a_trial_that_earned_the_same_every_day_leads_to_one_path_alone():
    paths = PromisedPaths(np.full(8, 3.0), 20, seed=1)
    spread = paths.spread(60.0, 20)
    assert spread.below == 0.5
    assert {value for _, value in spread.percentiles} == {60.0}
    assert paths.spread(59.9, 20).below == 0.0
    assert paths.spread(60.1, 20).below == 1.0
    assert paths.band().tolist() == [(3.0 * np.arange(1, 21)).tolist()] * 2
    assert paths.drawdown_spread(0.0).below == 0.5
    assert paths.drawdown_spread(-0.1).below == 0.0


def test_one_session_is_as_likely_as_the_trial_had_it():
    # three days in ten lost, two stood still: below 0 are 30 %, at 0 20 %, which count half
    pnl = np.array([-4.0, 0.0, 5.0, -1.0, 2.0, 0.0, 6.0, -2.0, 1.0, 3.0])
    found = PromisedPaths(pnl, 1, seed=2, runs=20_000)
    assert found.spread(0.0, 1).below == pytest.approx(0.40, abs=0.01)
    assert found.spread(-1.5, 1).below == pytest.approx(0.20, abs=0.01)
    # the drawdown of one session is its loss
    assert found.drawdown_spread(-1.5).below == pytest.approx(0.20, abs=0.01)


def test_two_sessions_together_are_spread_as_two_throws_of_a_coin():
    found = PromisedPaths(np.array([-1.0, 1.0]), 2, seed=3, runs=20_000)
    # two days are too few to have a memory: -2, 0, 0, 2
    assert found.spread(-1.0, 2).below == pytest.approx(0.25, abs=0.01)
    assert found.spread(0.0, 2).below == pytest.approx(0.50, abs=0.01)
    # fallen by 2: only both lost; by 1: lost once, in either order
    assert found.drawdown_spread(-1.5).below == pytest.approx(0.25, abs=0.01)
    assert found.drawdown_spread(-0.5).below == pytest.approx(0.75, abs=0.01)


def test_more_sessions_than_the_trial_had_can_be_drawn_and_the_same_seed_draws_the_same():
    pnl = np.random.default_rng(4).standard_normal(10)
    one, same, other = (PromisedPaths(pnl, 40, seed).band() for seed in (1, 1, 2))
    assert one.shape == (2, 40)
    assert (one == same).all()
    assert (one != other).any()


def demoted_share(random, sharpe, *, promised, strategies=250):
    """Return the share that thirteen weekly looks at the percentile demote."""
    found = []
    for _ in range(8):
        trial = random.standard_normal(125)
        trial += promised / 252**0.5 - trial.mean()
        paths = PromisedPaths(trial, LOOKS[-1], seed=1, runs=1000)
        lived = random.standard_normal((strategies // 8, LOOKS[-1])) + sharpe / 252**0.5
        totals = lived.cumsum(axis=1)
        found += [
            any(paths.spread(line[look - 1], look).below < LEAST for look in LOOKS)
            for line in totals
        ]
    return float(np.mean(found))


def test_weekly_looks_demote_at_most_one_honest_strategy_in_five_and_find_an_edge_that_is_gone():
    """The figures of docs/promotion.md; each look alone would demote 4 % of honest ones."""
    random = np.random.default_rng(5)
    honest = demoted_share(random, 2.5, promised=2.5, strategies=800)
    assert 0.10 < honest <= 0.20
    gone = demoted_share(random, 0.0, promised=2.5, strategies=800)
    assert 0.40 < gone < 0.60
    assert demoted_share(random, 0.0, promised=4.0) > 0.65
