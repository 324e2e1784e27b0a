"""Averages of closes, held against pandas."""

import numpy as np
import pandas as pd

from engine.history.moving_averages import NAMES, continued_averages, moving_averages


def test_averages_begin_with_the_mean_of_their_period_and_then_follow_pandas():
    closes = np.round(500 + np.cumsum(np.random.default_rng(3).normal(0, 1, 1_000)), 2)
    found = moving_averages(closes)
    assert tuple(found) == NAMES
    for period in (9, 21, 50, 200):
        mine = found[f"ema_{period}"]
        assert np.isnan(mine[: period - 1]).all()
        begun = np.concatenate([[closes[:period].mean()], closes[period:]])
        theirs = pd.Series(begun).ewm(span=period, adjust=False).mean().to_numpy()
        assert np.allclose(mine[period - 1 :], theirs, rtol=1e-12)


def test_fewer_closes_than_a_period_have_no_average():
    assert np.isnan(moving_averages(np.array([1.0, 2.0]))["ema_9"]).all()
    assert len(moving_averages(np.zeros(0))["ema_200"]) == 0


def test_averages_that_go_on_are_those_of_the_whole_to_the_bit():
    closes = np.round(500 + np.cumsum(np.random.default_rng(4).normal(0, 1, 600)), 2)
    whole = moving_averages(closes)
    before = {name: float(values[399]) for name, values in whole.items()}
    for name, values in continued_averages(before, closes[400:]).items():
        assert values.tolist() == whole[name][400:].tolist()
