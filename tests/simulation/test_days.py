"""Simulated days: one seed drives market, faults, network, disk, clock and operator.

The promises hold after every step.
"""

import pytest

from tests.simulation import day
from tests.simulation.day import simulate
from tests.simulation.story import tell

BATCHES, DAYS = 24, 24
SOAK = 400


@pytest.mark.parametrize("batch", range(BATCHES))
def test_whatever_a_day_brings_every_promise_holds(batch):
    for seed in range(batch * DAYS, (batch + 1) * DAYS):
        simulate(seed)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("batch", range(BATCHES, SOAK))
def test_many_more_days_hold(batch):
    for seed in range(batch * DAYS, (batch + 1) * DAYS):
        simulate(seed)


def test_the_same_seed_lives_the_same_day():
    # updates of 1141 are struck by chance, and each account has a secret of its own
    for seed in (3, 1141):
        assert tell(seed, day) == tell(seed, day)
    assert tell(3, day) != tell(4, day)
