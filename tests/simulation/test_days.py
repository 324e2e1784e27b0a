"""Simulated days: one seed drives market, faults, network, disk, clock and operator.

The promises hold after every step.
"""

import pytest

from tests.simulation.day import simulate

BATCHES, DAYS = 40, 24
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
    assert simulate(3) == simulate(3)
    assert simulate(3) != simulate(4)
