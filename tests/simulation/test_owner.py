"""Simulated days with the owner beside the desk.

What is his is never sold, nothing stays bare, the desk never ends.
"""

import pytest

from tests.simulation.owner import beside

DAYS = (10, 22, 26, 49, 60, 90, 20_492, 40_381, 62_008)
"""Days with the owner.

They saw: a GTT changed before it was listed, a stop that was lowered and stayed so, shares taken
for the desk's by the same decision twice; what had been decided before a restart, a decision about
another figure, shares bought beside the desk's and sold as its own.
"""
SOAK = 500


@pytest.mark.parametrize("seed", DAYS)
def test_whatever_the_owner_does_beside_the_desk_every_promise_holds(seed):
    beside(seed)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(10_000, 10_000 + SOAK, 50))
def test_many_more_days_beside_the_owner_hold(first):
    for seed in range(first, first + 50):
        beside(seed)
