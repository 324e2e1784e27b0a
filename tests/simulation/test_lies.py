"""Simulated days with a network that lies.

Requests held back for minutes or sent twice, wrong ids, bad figures in books.
"""

import pytest

from tests.simulation.liar import survive

BATCHES, DAYS = 2, 4
SOAK = 150


@pytest.mark.parametrize("batch", range(BATCHES))
def test_whatever_the_network_says_every_promise_holds(batch):
    told = 0
    for seed in range(batch * DAYS, (batch + 1) * DAYS):
        told += survive(seed).lies
    assert told > 0


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("batch", range(BATCHES, SOAK))
def test_many_more_days_of_lies_hold(batch):
    for seed in range(batch * DAYS, (batch + 1) * DAYS):
        survive(seed)
