"""Simulated days on which the strategy is stopped, started and changed, whatever else happens.

A stopped strategy enters nothing and stays stopped over a crash; what it holds is protected.
"""

import pytest

from tests.simulation.instructed import instructed

DAYS = (65, 74, 143, 144)
"""Days on which it stood when the desk crashed, and enough was traded besides."""
SOAK = 500


def test_whenever_a_strategy_is_stopped_or_changed_every_promise_holds():
    days = [instructed(seed) for seed in DAYS]
    # Days on which nothing was stopped, or no restart found it so, would prove nothing.
    assert sum(instructor.kept_stops for _, instructor in days) >= 4
    assert all(instructor.stops for _, instructor in days)
    assert sum(figures.trades for figures, _ in days) > 30


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(10_000, 10_000 + SOAK, 50))
def test_many_more_days_of_stopped_strategies_hold(first):
    for seed in range(first, first + 50):
        instructed(seed)
