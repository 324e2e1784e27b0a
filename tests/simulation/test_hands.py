"""Simulated days on which somebody leaves parts, moves stops, adds rungs, reverses positions.

Whatever the weather, nothing is sold twice and nothing stays bare.
"""

import pytest

from tests.simulation import bad_disks, moods, owner
from tests.simulation.hands import handled

DAYS = (1, 5, 314, 328)
"""Days of acts on positions.

They saw: a target alone that took the stop back to where it was before the change under way.
"""
SOAK = 500


@pytest.mark.parametrize("seed", DAYS)
def test_whatever_is_done_to_positions_every_promise_holds(seed):
    handled(seed)


@pytest.mark.parametrize("kind", [bad_disks, moods, owner])
def test_it_holds_on_bad_days_as_well(kind):
    handled(3, kind)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(10_000, 10_000 + SOAK, 50))
def test_many_more_days_of_acts_on_positions_hold(first):
    for seed in range(first, first + 50):
        handled(seed)
