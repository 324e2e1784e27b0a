"""Simulated days on which the strategy is stopped, started and changed, whatever else happens.

A stopped strategy enters nothing and stays stopped over a crash; what it holds is protected.
"""

import pytest

from tests.simulation.instructed import instructed

DAYS = (1, 2, 3, 5, 8, 13)
SOAK = 500


def test_whenever_a_strategy_is_stopped_or_changed_every_promise_holds():
    days = [instructed(seed) for seed in DAYS]
    # Days on which nothing was stopped, or no restart found it so, would prove nothing.
    assert sum(instructor.kept_stops for _, instructor in days) >= 2
    assert all(instructor.stops for _, instructor in days)
    assert sum(figures.trades for figures, _ in days) > 50


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(10_000, 10_000 + SOAK, 50))
def test_many_more_days_of_stopped_strategies_hold(first):
    for seed in range(first, first + 50):
        instructed(seed)
