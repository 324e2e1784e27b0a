"""Simulated days with bands that slide and lock, and days in a row with long evenings.

Protection has to be able to fill.
"""

import pytest

from tests.simulation.day import CALM_S, build, settle
from tests.simulation.market_weather import simulate
from tests.simulation.week import live_through

DAYS = (18, 27, 30, 54, 55, 58)
"""Days that saw a stop's limit above its trigger, or a desk that ignored the bands."""
SOAK, WEEKS = 400, 40


def test_whatever_the_bands_do_every_promise_holds():
    slides = [simulate(seed, build, settle, CALM_S)[0] for seed in DAYS]
    assert sum(slides) > 0


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(100, 100 + SOAK, 20))
def test_many_more_days_of_moving_bands_hold(first):
    for seed in range(first, first + 20):
        simulate(seed, build, settle, CALM_S)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(WEEKS))
def test_days_in_a_row_with_long_evenings_hold(seed):
    live_through(seed)
